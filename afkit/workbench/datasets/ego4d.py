"""Ego4D Moment Queries: from the official files to one annotation file and one feature file for each clip.

The official features are of whole videos: a vector covers 32 frames, the next begins 16 frames later. A clip is
widened to that grid, and its times count from the start of the widened clip. How long that is before the official
start, which the challenge counts from, stands in the annotation file as `lead_sec` of the clip.
"""

import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afkit.files import read_json, write_array, write_json
from afkit.opening import check_stored
from afkit.workbench.datasets.archives import move_in
from afkit.workbench.progress import progress
from afkit.workbench.scratch import alone

STRIDE_FRAMES, WINDOW_FRAMES = 16, 32
FPS_RANGE = (10, 100)  # outside it a clip's seconds and frames do not belong together
MIN_ACTION_SEC = 0.25
FEATURES = ("slowfast_features", "omnivore_features", "egovlp_features")
# clips in the files, those left out (frame rate; under one vector; no action) and not; feature files
COUNTS = ("clips", "skipped_fps", "too_short", "without_labels", "annotated", "written", "kept")
_FILES = ("moments_train.json", "moments_val.json", "moments_test_unannotated.json")
_OFFICIAL_FOLDERS = {"slowfast_features": "slowfast8x8_r101_k400", "omnivore_features": "omnivore_video_swinl"}
_SUBSETS = {"train": "training", "val": "validation", "test": "test"}


class _Clip(NamedTuple):
    video: str
    name: str
    labels: set[str]  # primary ones
    steps: tuple[int, int] = (0, 0)  # first and last + 1 of its vectors in the video
    entry: dict = {}  # of the annotation file, without the label ids
    problem: str = ""  # why it is left out


def convert_ego4d(
    source: str | Path,
    data_root: str | Path,
    features: Iterable[str] = FEATURES,
    num_classes: int = 110,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Write `<data_root>/ego4d/annotations/ego4d.json` and `<data_root>/ego4d/<features>/<clip>.npy`.

    Feature files that are there already are kept, so a conversion that was stopped goes on when it is started again. A
    feature folder takes its name when all of its files are there. The numbers named in `COUNTS` come back, and
    "missing": the list of tensors that are not there.

    Args:
        source: the official download: moments_train.json, moments_val.json and perhaps moments_test_unannotated.json,
            there or in `annotations/`; a folder for each feature type, there or in `features/`, with <video>.pt,
            tensors (T, C) of whole videos, or <clip>.pt, of clips that are cut already (EgoVLP's).
        features: folders to write; `omnivore_features` comes from `omnivore_video_swinl` or `omnivore`, and so on.
        num_classes: labels that the official files have; an id is the place in their alphabetical order.
    """
    source, target = Path(source), Path(data_root) / "ego4d"
    folders = {name: _feature_folder(source, name) for name in features}
    paths = [_find(source, "annotations", name) for name in _FILES]
    clips = [clip for path in paths if path.is_file() or path.name != _FILES[2] for clip in _read_moments(path)]
    _add_label_ids(clips, num_classes)
    counts = Counter(clip.problem or "annotated" for clip in clips)
    counts["clips"] = len(clips)
    clips = [clip for clip in clips if not clip.problem]
    read = lru_cache(maxsize=1)(_read_tensor)  # the clips of a video follow each other
    jobs = [(name, clip) for name in folders for clip in clips]
    missing = {}
    with alone(target, say):
        for name, clip in progress(jobs, "conversion of files", say):
            outcome = _write_features(folders[name], target / name, clip, read)
            counts[outcome] += 1
            if outcome == "missing":
                missing[str(folders[name] / f"{clip.video}.pt")] = clip
        for name in folders:
            if _unfinished(target / name).is_dir():
                move_in(_unfinished(target / name), target / name)
        database = {clip.name: clip.entry for clip in clips}
        write_json(target / "annotations" / "ego4d.json", {"database": database})  # last: it marks a finished data set
    return {key: counts[key] for key in COUNTS} | {"missing": list(missing)}


def read_leads(path: str | Path) -> dict[str, float]:
    """Seconds from the start of each clip in our annotation file to its official start, as submissions need them.

    An official time is ours less this; it is below 0 for a clip that officially begins before its video. ValueError
    where the file is malformed, or a clip has no lead, as in files of other converters.
    """
    content = read_json(path)
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict):
        raise ValueError(f"{path} has no 'database' of clips; is it an annotation file?")
    leads = {}
    for clip, entry in database.items():
        try:
            leads[clip] = _number(entry["lead_sec"])
        except (KeyError, TypeError, ValueError, OverflowError):
            lacks = f"{path}, clip '{clip}' has no number 'lead_sec'"
            raise ValueError(f"{lacks}; delete the file and prepare Ego4D again") from None
    return leads


def _find(source: Path, inner: str, *names: str) -> Path:
    """The first that exists, in `source` or in its folder `inner`; else where the first one belongs."""
    paths = [parent / name for name in names for parent in (source / inner, source)]
    return next((path for path in paths if path.exists()), paths[0])


def _feature_folder(source: Path, feature: str) -> Path:
    folder = _find(source, "features", _OFFICIAL_FOLDERS.get(feature, feature), feature.removesuffix("_features"))
    if not folder.is_dir():
        raise ValueError(f"{folder} does not exist; put the tensors of '{feature}' there, or leave that type out")
    return folder


def _read_moments(path: Path) -> list[_Clip]:
    content, where, clips = read_json(path), str(path), []
    try:
        for video in content["videos"]:
            where = f"{path}, video {video.get('video_uid')!r:.80}"
            for clip in video["clips"]:
                where = f"{path}, video {video.get('video_uid')!r:.80}, clip {clip.get('clip_uid')!r:.80}"
                clips.append(_read_clip(video, clip))
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        reason = repr(error)[:200]
        raise ValueError(f"{where} is not in the official format ({reason}); download the file again") from None
    return clips


def _read_clip(video: dict, clip: dict) -> _Clip:
    subset = _SUBSETS[video["split"]]
    annotators = clip.get("annotations", []) if subset == "test" else clip["annotations"]
    labels = [label for annotator in annotators for label in annotator["labels"] if label["primary"]]
    result = _Clip(_uid(video["video_uid"]), _uid(clip["clip_uid"]), {str(label["label"]) for label in labels})
    start_sec, end_sec = max(_number(clip["video_start_sec"]), 0), _number(clip["video_end_sec"])
    start, end = max(int(_number(clip["video_start_frame"])), 0), int(_number(clip["video_end_frame"]))
    fps = (end - start) / (end_sec - start_sec) if end_sec > start_sec else 0
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        return result._replace(problem="skipped_fps")
    before = start % STRIDE_FRAMES  # frames that widen the clip to the grid
    after = -(end - start + before - WINDOW_FRAMES) % STRIDE_FRAMES
    # as in the original, one vector fewer than the widened clip has room for
    steps = ((start - before) // STRIDE_FRAMES, (end + after - WINDOW_FRAMES) // STRIDE_FRAMES)
    if steps[1] <= steps[0]:
        return result._replace(problem="too_short")
    entry = {
        "subset": subset,
        "duration": round(end_sec - start_sec + before / fps + after / fps, 2),
        "fps": round(fps, 2),
        "lead_sec": round(before / fps - (start_sec - _number(clip["video_start_sec"])), 6),
        "annotations": _actions(labels, start_sec, before / fps),
    }
    problem = "" if entry["annotations"] or subset == "test" else "without_labels"
    return result._replace(steps=steps, entry=entry, problem=problem)


def _actions(labels: list[dict], start_sec: float, before_sec: float) -> list[dict]:
    """Labels that are long enough; times in seconds from the start of the widened clip."""
    actions = []
    for label in labels:
        start, end = (_number(label[f"video_{side}_time"]) - start_sec + before_sec for side in ("start", "end"))
        if end - start >= MIN_ACTION_SEC:
            actions.append({"segment": [round(start, 2), round(end, 2)], "label": str(label["label"])})
    return actions


def _number(value: Any) -> float:
    if not np.isfinite(float(value)):
        raise ValueError(f"{reprlib.repr(value)} is not a finite number")
    return float(value)


def _uid(value: Any) -> str:
    """An id, which becomes a file's name."""
    if not isinstance(value, str) or not re.fullmatch(r"[\w-][\w. -]{0,99}", value, re.ASCII):
        raise ValueError(f"{reprlib.repr(value)} is not an id")
    return value


def _add_label_ids(clips: list[_Clip], num_classes: int) -> None:
    # the official files put names with a comma in quotes, which count in the alphabetical order
    names = sorted(set().union(*(clip.labels for clip in clips)), key=lambda name: ("," not in name, name.strip('"')))
    if len(names) != num_classes:
        seen = f"the moments files have {len(names)} primary labels instead of {num_classes}"
        remedy = "give the complete official files of training and validation"
        raise ValueError(f"{seen}, so the ids would not be the published ones; {remedy}")
    for clip in clips:
        for action in clip.entry.get("annotations", []):
            action["label_id"] = names.index(action["label"])


def _write_features(folder: Path, target: Path, clip: _Clip, read: Callable[[Path], np.ndarray]) -> str:
    """Write the features of a clip; whether they were "written", "kept" or are "missing"."""
    whole, own, name = folder / f"{clip.video}.pt", folder / f"{clip.name}.pt", f"{clip.name}.npy"
    path = _unfinished(target) / name
    if path.is_file() or (target / name).is_file():
        return "kept"
    if not whole.is_file() and not own.is_file():
        return "missing"
    features = read(whole if whole.is_file() else own)  # (T, C)
    if whole.is_file() and clip.steps[1] > len(features):
        has = f"{whole} has {len(features)} vectors, clip '{clip.name}' needs {clip.steps[1]}"
        raise ValueError(f"{has}; replace the file")
    write_array(path, features[slice(*clip.steps)] if whole.is_file() else features)
    return "written"


def _unfinished(folder: Path) -> Path:
    """Where the files of a feature folder wait until all are there."""
    return folder.with_name(f".{folder.name}.part")


def _read_tensor(path: Path) -> np.ndarray:
    import torch  # takes seconds, and no other data set is prepared with it

    try:
        check_stored(path)
        tensor = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several kinds
        raise ValueError(f"{path} is not a readable tensor ({type(error).__name__}); download it again") from None
    plain = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_quantized or tensor.is_complex() or tensor.ndim != 2 or 0 in tensor.shape:
        raise ValueError(f"{path} does not hold features (T, C); download it again")
    return tensor.detach().float().numpy()  # (T, C)
