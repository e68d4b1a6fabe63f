"""What a data set says about itself: lengths and durations on the feature grid, from labels or else from features."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.config import DataConfig
from afkit.data.annotations import AnnotationFile, Video, frames_per_second, read_annotations, to_frame
from afkit.data.feature_formats import SUFFIXES, open_array
from afkit.data.features import feature_files, has_features, locate, open_features
from afkit.opening import read_bytes
from afkit.segments import MIN_LENGTH_SEC, tiou
from afkit.workbench.datasets.archives import MARKER
from afkit.workbench.progress import progress

WHOLE = 0.02  # an estimated stride that is nearer than this share to a whole number is that number
AXIS_TOLERANCE = 0.1  # by which features may be shorter or longer than a video
SAMPLE_BYTES = 65536  # of the beginning and the end of a feature file go into the fingerprint
MOST_TIMES = 3  # features are at most so many times as long as what is labelled, where no duration is known


class Grid(NamedTuple):
    """The time grid of the features."""

    stride_frames: float  # between two feature vectors
    num_frames: float  # that one vector covers
    estimated: bool  # the stride comes from lengths and durations


class Facts(NamedTuple):
    """What the training videos are like; grid: in steps of the features."""

    lengths: np.ndarray  # (V,) steps of each training video
    actions: np.ndarray  # (V,) their numbers of actions
    durations_grid: np.ndarray  # (N,) of all their actions
    neighbours: np.ndarray  # (N,) the highest tIoU with another action of the same class, 0 without one
    num_classes: int  # highest label id of the whole file, and one


class Features(NamedTuple):
    """What lies in the feature folders."""

    suffix: str  # of the files' names
    widths: list[int]  # channels of each folder
    lengths: dict[str, int]  # video: steps; only videos with features


def choose_subsets(
    annotations: AnnotationFile, train: Sequence[str], test: Sequence[str], apart: bool = False
) -> tuple[list[str], list[str]]:
    """The subsets for training and test: those given, or by the names of two; else a ValueError.

    So is one that is for both, where they must be `apart`.
    """
    there = sorted({video.subset for video in annotations.videos.values()})
    training = [name for name in there if name.startswith("train")]
    if not train and not test and len(there) == 2 and len(training) == 1:
        train, test = training, [name for name in there if name not in training]
    if not train or not test:
        names = ", ".join(f"'{name}'" for name in there)
        say = "say which are for training and which for test (suggest: --train, --test), or name them so in the file"
        raise ValueError(f"{annotations.path} has the subsets {names}; {say}")
    for subsets in (train, test):
        annotations.of_subsets(subsets)
    if apart and (shared := shared_subsets(train, test)):
        raise ValueError(f"the subset '{shared[0]}' is for training and for test; name another for test")
    return list(train), list(test)


def shared_subsets(train: Iterable[str], test: Iterable[str]) -> list[str]:
    """The subsets that are for training and for test, sorted, in lower case as they are compared."""
    return sorted({name.lower() for name in train} & {name.lower() for name in test})


def trained_on(train: Iterable[str], test: Iterable[str]) -> str:
    """What must be said beside a score where test subsets are trained on, too; "" elsewhere."""
    shared = ", ".join(shared_subsets(train, test))
    said = f"Tested on {shared}, which is trained on, too: the score says nothing about other recordings."
    return said if shared else ""


def read_shapes(root: str | Path, features: Sequence[str], prefix: str, videos: Sequence[Video]) -> Features:
    """Format, widths and lengths of the features of some videos; of most files only the beginning is read."""
    fixed = {"annotations": "", "num_classes": 1, "stride_frames": 1, "num_frames": 1, "max_seq_len": 1}
    fixed |= {"features": list(features), "prefix": prefix, "input_dims": [1]}
    configs = [DataConfig(**fixed, suffix=suffix) for suffix in SUFFIXES]
    found = {config.suffix: [v.name for v in videos if has_features(config, root, v.name)] for config in configs}
    config = max(configs, key=lambda config: len(found[config.suffix]))
    if not found[config.suffix]:
        names = f"{prefix}{videos[0].name}{SUFFIXES[0]} or the like" if videos else "the videos' names"
        seen = "; ".join(seen for folder in features if (seen := _seen(locate(root, folder))))
        what = f"no video has features in {', '.join(features)}; put {names} there, or give the prefix"
        raise ValueError(what + (f" ({seen})" if seen else ""))
    widths: list[int] = []
    first: list[set[int]] = [set() for _ in features]  # lengths of the first axis in each folder
    lengths = {}
    for name in progress(found[config.suffix], "shapes of features"):
        paths = feature_files(config, root, name)
        shapes = [open_array(path, prefix + name, name).shape for path in paths]  # (T, C) of each folder
        widths = widths or [shape[1] for shape in shapes]
        for path, shape, width, rows in zip(paths, shapes, widths, first, strict=True):
            rows.add(shape[0])
            if shape[1] != width:
                what = f"{path} has {shape[1]} channels, other videos have {width}"
                turned = f"all have {shape[0]} rows, so they may be (C, T): transpose them, or " * (len(rows) == 1)
                raise ValueError(f"{what}; {turned}extract '{name}' again")
        lengths[name] = min(shape[0] for shape in shapes)
    return Features(config.suffix, widths, lengths)


def _seen(folder: Path) -> str:
    """What a folder holds that is read by no name, in a few words; "" for an HDF5 file, or where it is missing."""
    if not folder.is_dir():
        return "" if folder.exists() else "there is no such folder"
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not paths:
        return "it is empty"
    inner = next((path for path in paths if path.is_dir()), None)
    if inner is not None and all(path.is_dir() for path in paths):
        return f"it holds folders, such as {inner.name}; join the clips of a video into one file (T, C)"
    other = next((path for path in paths if path.is_file() and path.suffix.lower() not in SUFFIXES), None)
    known = next((path for path in paths if path.suffix.lower() in SUFFIXES), None)
    if other is not None and known is None:
        return f"it holds {other.name}, an ending that is not read; save arrays with numpy.save"
    return f"it holds {known.name}, which is no video's name" if known is not None else ""


def check_axes(found: Features, videos: Sequence[Video], grid: Grid, fps: float | None) -> None:
    """Raise a ValueError for features that fit the videos better with their axes exchanged."""
    if len(found.widths) != 1 or grid.estimated:
        return
    fits = np.zeros(2, int)  # videos that features fit as they are, and turned
    for video in videos:
        if not found.lengths.get(video.name) or (fps is None and video.fps is None):
            continue
        last_sec = video.duration_sec or float(video.segments_sec[:, 1].max(initial=0))
        wanted = (last_sec * rate(video, fps) - grid.num_frames) / grid.stride_frames + 1
        share = np.array([found.lengths[video.name], found.widths[0]]) / max(wanted, 1)
        most = 1 + AXIS_TOLERANCE if video.duration_sec else MOST_TIMES
        fits += (share >= 1 - AXIS_TOLERANCE) & (share <= most)
    if fits[1] > 2 * fits[0]:
        length, width = next(iter(found.lengths.values())), found.widths[0]
        raise ValueError(
            f"features of {length} steps with {width} channels do not fit the videos, {width} steps with {length} "
            "channels would; they may be (C, T): transpose them"
        )


def find_grid(
    videos: Sequence[Video],
    fps: float | None,
    stride_frames: float | None,
    num_frames: float | None,
    lengths: Mapping[str, int] | None,
) -> Grid:
    """The time grid as given, or the stride that fits lengths (steps of each video) and durations best.

    Vectors cover one stride where `num_frames` is None. ValueError where there is nothing to estimate the stride from.
    """
    for name, value in (("stride_frames", stride_frames), ("num_frames", num_frames), ("fps", fps)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} is {value}; give a number above 0")
    if stride_frames is not None:
        return Grid(_plain(stride_frames), _plain(num_frames or stride_frames), False)
    lengths = lengths or {}
    known = {
        v.name: v.duration_sec * rate(v, fps) for v in videos if lengths.get(v.name) and v.duration_sec is not None
    }
    if not known:
        raise ValueError("the stride cannot be told without lengths and durations of videos; give stride_frames")
    frames = np.array(list(known.values()))
    steps = np.array([lengths[name] for name in known], np.float64)
    fitting = frames / steps if num_frames is None else (frames - num_frames) / np.maximum(steps - 1, 1)
    stride = float(np.median(fitting))
    near = max(round(stride), 1)
    stride = near if abs(stride - near) <= WHOLE * near else float(f"{stride:.4g}")
    return Grid(stride, _plain(num_frames or stride), True)


def _plain(number: float) -> float:
    """25 instead of 25.0, as people write it."""
    return int(number) if number == int(number) else number


def rate(video: Video, fps: float | None) -> float:
    """Frames per second: as given, or the annotation file's; a ValueError where neither is known."""
    known = video.fps if fps is None else fps
    if known is None:
        raise ValueError(f"video '{video.name}' has no 'fps' in the annotation file; add it, or give fps")
    return known


def measure(
    annotations: AnnotationFile,
    train: Sequence[str],
    grid: Grid,
    fps: float | None = None,
    lengths: Mapping[str, int] | None = None,
) -> Facts:
    """The facts of the training videos; a ValueError where none of them has features and an action.

    `lengths` are steps of each video, those without features left out or 0; None: told from the durations.
    """
    videos = [video for video in annotations.of_subsets(train) if lengths is None or lengths.get(video.name)]
    steps, numbers, durations, neighbours = [], [], [np.zeros(0)], [np.zeros(0)]
    for video in videos:
        own = video.segments_sec[:, 1] - video.segments_sec[:, 0] >= MIN_LENGTH_SEC
        segments = video.segments_sec[own]
        steps.append(lengths[video.name] if lengths is not None else _steps(annotations.path, video, grid, fps))
        numbers.append(len(segments))
        durations.append((segments[:, 1] - segments[:, 0]) * rate(video, fps) / grid.stride_frames)
        neighbours.append(_nearest_same(segments, video.labels[own]))
    if not sum(numbers):
        where = f"{annotations.path}, subset {', '.join(train)}"
        raise ValueError(f"{where}: no action to learn from; name the subset that is labelled, and its features")
    num_classes = max(int(video.labels.max(initial=0)) for video in annotations.videos.values()) + 1
    return Facts(np.array(steps), np.array(numbers), np.concatenate(durations), np.concatenate(neighbours), num_classes)


def _steps(path: Path, video: Video, grid: Grid, fps: float | None) -> int:
    """Feature vectors that fit into a video."""
    if video.duration_sec is None:
        raise ValueError(f"{path}, video '{video.name}' has no duration; add it, or give its features")
    return max(int((video.duration_sec * rate(video, fps) - grid.num_frames) // grid.stride_frames) + 1, 1)


def _nearest_same(segments_sec: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each action the highest tIoU with another one of its class that is no repetition of it: (N,)."""
    overlaps = tiou(segments_sec[:, None], segments_sec)  # (N, N)
    overlaps[(labels[:, None] != labels) | (overlaps > 0.999)] = 0
    return overlaps.max(axis=1, initial=0)


def covered_sec(config: DataConfig, steps: int, fps: float) -> float:
    """Seconds from the first frame to the last that a number of feature vectors covers, for a stride above 0."""
    return ((steps - 1) * config.stride_frames + config.num_frames) / fps


def durations_of(config: DataConfig, root: str | Path, videos: Sequence[Video]) -> dict[str, float | None]:
    """{video id: seconds}, of features where the annotation file has none; None where neither tells."""
    durations = {video.name: video.duration_sec for video in videos}
    for video in videos:
        if video.duration_sec is None and config.stride_frames > 0 and has_features(config, root, video.name):
            steps = len(open_features(config, root, video.name))
            durations[video.name] = covered_sec(config, steps, frames_per_second(config, video))
    return durations


def is_twin(config: DataConfig, root: str | Path) -> bool:
    """Whether the data set was generated by `afkit.workbench.datasets.twin`, so that its numbers mean nothing."""
    return any((folder / MARKER).is_file() for folder in locate(root, config.annotations).parents[:2])


def fingerprint(config: DataConfig, root: str | Path) -> str:
    """A hash of the annotation file and of every feature file's name, size, beginning and end (64 KiB each).

    Whole feature files are not hashed: the big data sets have tens of gigabytes of them.
    """
    digest = hashlib.sha256()
    path = locate(root, config.annotations)
    digest.update(read_bytes(path))
    videos = read_annotations(path).of_subsets([*config.train_subsets, *config.test_subsets])
    files = {file for video in videos for file in feature_files(config, root, video.name)}
    for file in progress(sorted(file for file in files if file.is_file()), "fingerprint of features"):
        size = file.stat().st_size
        with file.open("rb") as handle:
            digest.update(f"{file.parent.name}/{file.name} {size}".encode() + handle.read(SAMPLE_BYTES))
            handle.seek(max(size - SAMPLE_BYTES, 0))
            digest.update(handle.read())
    return digest.hexdigest()


def summarise(
    config: DataConfig, root: str | Path, table: pd.DataFrame, findings: Iterable[tuple[str, str, str]]
) -> dict[str, Any]:
    """What data_report.json holds: counts per subset, how often each check found something, and the fingerprint.

    `table` and `findings` are those of `afkit.workbench.survey.checks.inspect_data`.
    """
    annotations = read_annotations(locate(root, config.annotations))
    subsets = {}
    for subset, rows in table.groupby("subset", sort=False):
        cleaned = to_frame(annotations.of_subsets([str(subset)]))
        subsets[str(subset)] = {
            "videos": len(rows),
            "videos_without_features": int((rows["steps"] == 0).sum()),
            "videos_without_duration": int(rows["duration_sec"].isna().sum()),
            "hours": None if rows["duration_sec"].isna().all() else round(float(rows["duration_sec"].sum()) / 3600, 3),
            "actions": int(rows["actions"].sum()),
            "actions_after_cleaning": len(cleaned),
            "classes": int(cleaned["label"].nunique()),
        }
    counts = Counter((level, check) for level, check, _ in findings)
    return {
        "subsets": subsets,
        "findings": {check: number for (_, check), number in sorted(counts.items())},
        "generated": is_twin(config, root),
        "fingerprint": fingerprint(config, root),
    }


def in_words(report: Mapping[str, Any]) -> list[str]:
    """What `summarise` found, in a few lines, the shortest first."""
    rows = report["subsets"]
    videos, actions = (sum(row[name] for row in rows.values()) for name in ("videos", "actions_after_cleaning"))
    classes, notes = max(row["classes"] for row in rows.values()), sum(report["findings"].values())
    parts = [
        f"{name}: {row['videos']} recordings{f' of {row_hours:.2f} h' if (row_hours := row['hours']) else ''} with "
        f"{row['actions_after_cleaning']} actions"
        for name, row in rows.items()
    ]
    return [
        f"{videos} recordings, {actions} actions of {classes} classes",
        "The data is generated." if report["generated"] else "",
        f"{'; '.join(parts)}. Counted, so there is no interval.",
        f"Every feature file was read and compared with the annotations: {notes or 'no'} note{'s' * (notes != 1)}.",
    ]
