"""Twins: generated data sets in exactly the on-disk format of an experiment, to try everything without its features.

The features are noise, plus a random direction of its own for each label, for the beginning and for the end of an
action, so that a small network learns them in a few epochs. What is measured on a twin says nothing about real data.
"""

import json
import math
import os
import pickle
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from afkit.config import DataConfig, Recipe
from afkit.data.annotations import read_annotations
from afkit.data.feature_formats import open_array
from afkit.files import read_json, write_array, write_json, write_text
from afkit.opening import inner_path
from afkit.segments import sec_to_grid
from afkit.workbench.datasets.archives import MARKER, move_in, write_stamp
from afkit.workbench.datasets.twin_videos import (
    EXTERNAL_CLASSES,
    Timeline,
    generate_timelines,
    inside,
    kind_of,
    style_of,
)
from afkit.workbench.progress import progress
from afkit.workbench.scratch import scratch_folder

SETTINGS = "twin.json"  # beside the marker: what was generated; the recipes that share a folder share it
GENERATED = "generated"  # source of a twin without a real annotation file
RAMP_STEPS = 2.0  # over which an action fades in and out
LONGER_SHARE = 0.3  # of the files in uneven folders: one step longer
PUBLISHED_CHANNELS = {"slowfast_features": 2304, "omnivore_features": 1536, "egovlp_features": 256}
FAST_SHARE = 1 / 9  # of the channels of HACS' SlowFast features, the last ones
WRONG_SHARE = 0.15  # of a score file's videos: the best class is a wrong one


class _Twin(NamedTuple):
    """The content of twin.json."""

    seed: int
    source: str  # name of the annotation file, or "generated"
    videos_per_subset: int | None
    names: dict[str, dict[str, str]]  # of the label ids, by kind
    timelines: list[Timeline]


def write_twin(
    recipe: Recipe,
    data_root: str | Path,
    annotations: str | Path | None = None,
    seed: int = 0,
    videos_per_subset: int | None = None,
    classes: int = 5,
    say: Callable[[str], None] = print,
) -> Path:
    """Write a data set in the published layout of a recipe, with generated features.

    A second recipe of the same folder (EPIC's nouns after its verbs, the six of Ego4D) keeps the videos and files
    that are there, and adds what it lacks. Each folder written holds the file `TWIN.md`; that of the annotation file,
    which may be another than that of the features (MultiTHUMOS), is returned.

    Args:
        annotations: a real annotation file, for a twin of true size; None: a small generated data set.
        videos_per_subset: at most; None: all of a real annotation file, otherwise 8 or two batches.

    Raises:
        ValueError: the folder holds real data or another twin, the disk is too small, the annotation file is
            unreadable or does not fit the recipe, the recipe's files cannot be generated, or a count is below 1.
    """
    if classes < 1 or (videos_per_subset is not None and videos_per_subset < 1):
        raise ValueError(f"videos_per_subset {videos_per_subset} and classes {classes} must be at least 1")
    source = GENERATED if annotations is None else Path(annotations).name
    twin = None
    for name in _folder_names(recipe):
        folder = Path(data_root) / name
        with scratch_folder(folder, say) as part:
            if os.path.lexists(folder):
                there = _read_twin(folder, seed, source, videos_per_subset)
                if twin not in (None, there):
                    raise ValueError(f"{folder} holds another twin than the features; delete it and write it again")
                twin = there
            elif annotations is None:
                twin = twin or _generated(recipe, seed, videos_per_subset, classes)
            else:
                twin = twin or _twin_of(Path(annotations), seed, videos_per_subset)
            chosen = _of_recipe(recipe, twin.timelines, annotations or folder / SETTINGS)
            if Path(recipe.data.features[0]).parts[0] == name:
                _write_features(recipe.data, twin.seed, chosen, folder, part)
            _write_texts(recipe, twin, chosen, folder, part)
            move_in(part, folder, last=inside(recipe.data.annotations))
    return folder


def _generated(recipe: Recipe, seed: int, videos_per_subset: int | None, classes: int) -> _Twin:
    count = max(8, 2 * recipe.optim.batch_size) if videos_per_subset is None else videos_per_subset
    return _Twin(seed, GENERATED, videos_per_subset, {}, list(generate_timelines(recipe, seed, count, classes)))


def _twin_of(path: Path, seed: int, count: int | None) -> _Twin:
    """The first `count` videos of each subset (None: all) of a real annotation file, in its order."""
    file = read_annotations(path)
    by_subset: dict[str, list[Timeline]] = {}
    for v in file.videos.values():
        segments, labels = v.segments_sec.tolist(), {"action": v.labels.tolist()}
        timeline = Timeline(v.name, v.subset, v.duration_sec, v.fps, segments, labels)
        by_subset.setdefault(v.subset, []).append(timeline)
    names = {"action": {str(label): name for label, name in file.label_names.items()}}
    return _Twin(seed, path.name, count, names, [one for timelines in by_subset.values() for one in timelines[:count]])


def _folder_names(recipe: Recipe) -> list[str]:
    """The data set's folders, that of the annotation file last; ValueError where something is not written here."""
    config, score_file = recipe.data, recipe.decode.score_file
    paths = [Path(path) for path in [*config.features, score_file or config.annotations, config.annotations]]
    outside = any(path.is_absolute() or ".." in path.parts or len(path.parts) < 2 for path in paths)
    if outside or len({path.parts[0] for path in paths[: len(config.features)]}) > 1:
        raise ValueError(
            f"a twin of '{recipe.name}' needs the recipe's features in one folder below the data root, and its "
            "annotations and scores in that or another"
        )
    written = config.suffix in (".npy", ".npz", ".pkl") and not any(path.suffix in (".h5", ".hdf5") for path in paths)
    if not written or config.stride_frames <= 0:
        needs = "feature folders, .npy, .npz or .pkl files, and data.stride_frames above 0"
        raise ValueError(f"a twin of '{recipe.name}' needs {needs}")
    if score_file and not score_file.endswith(".json"):
        raise ValueError(f"a twin's score file is JSON; change decode.score_file, now '{score_file}'")
    return list(dict.fromkeys(path.parts[0] for path in reversed(paths)))[::-1]


def _read_twin(folder: Path, seed: int, source: str, videos_per_subset: int | None) -> _Twin:
    """The twin that is there; ValueError where it is none, or another than asked for."""
    if not (folder / MARKER).is_file():
        raise ValueError(f"{folder} holds no {MARKER}, so it may be real data; give the twin another data root")
    path = folder / SETTINGS
    try:
        twin = TypeAdapter(_Twin).validate_python(read_json(path))
    except ValidationError:
        twin = None
    if twin is None or any(len(ids) != len(one.segments_sec) for one in twin.timelines for ids in one.labels.values()):
        raise ValueError(f"{path} is damaged; delete {folder} and write the twin again")
    if (twin.seed, twin.source) != (seed, source) or videos_per_subset not in (None, twin.videos_per_subset):
        raise ValueError(
            f"{folder} holds another twin (seed {twin.seed}, source {twin.source!r:.80}, videos_per_subset "
            f"{twin.videos_per_subset}); delete it, ask for the same, or choose another data root"
        )
    return twin


def _of_recipe(recipe: Recipe, timelines: list[Timeline], source: str | Path) -> list[Timeline]:
    """The videos of the recipe's subsets; ValueError where one, of the file `source`, does not fit the recipe."""
    config = recipe.data
    subsets = {subset.lower() for subset in [*config.train_subsets, *config.test_subsets]}
    lacking = sorted(subsets - {timeline.subset for timeline in timelines})
    if lacking:
        raise ValueError(f"{source} has no video of the subset '{lacking[0]}'; correct the recipe's subsets")
    chosen = [timeline for timeline in timelines if timeline.subset in subsets]
    for timeline in chosen:
        where = f"{source}, video {timeline.name!r}"
        if Path(timeline.name).name != timeline.name or not timeline.name.isprintable():
            raise ValueError(f"{where} has an id that cannot name a file; correct it")
        if timeline.duration_sec is None or not 0 < timeline.duration_sec < math.inf:
            raise ValueError(f"{where} has no duration; add 'duration'")
        if (config.fps or timeline.fps) is None:
            raise ValueError(f"{where} has no frame rate; add 'fps', or set data.fps")
        if not np.isfinite(timeline.segments_sec).all():
            raise ValueError(f"{where} has a segment that is not finite; correct it")
        labels = timeline.labels[kind_of(config, timeline)]
        if config.num_classes > 1 and not all(0 <= label < config.num_classes for label in labels):
            raise ValueError(f"{where} has a label outside 0 to {config.num_classes - 1} (data.num_classes)")
    return chosen


def _write_features(config: DataConfig, seed: int, timelines: list[Timeline], folder: Path, part: Path) -> None:
    """Write into `part` the feature files that `folder` lacks; ValueError where the disk is too small."""
    tasks = []
    for features_of, channels in _channels(config, folder).items():
        place = inside(features_of)
        for timeline in timelines:
            inner = inner_path(f"{config.prefix}{timeline.name}{config.suffix}", timeline.name)
            file = place / inner if place.name != "*" else place.with_name(timeline.subset) / inner
            if not (folder / file).exists():
                tasks.append((timeline, file, place, channels))
    needed = sum(4 * _count_steps(config, timeline) * channels for timeline, *_, channels in tasks)
    free = shutil.disk_usage(part).free
    if needed > free:
        raise ValueError(
            f"the twin needs {needed / 1e9:.1f} GB and {folder.parent} has {free / 1e9:.1f} GB free; choose another "
            "data root or fewer videos (videos_per_subset)"
        )
    for timeline, file, place, channels in progress(tasks, "features of the twin"):
        rng = _generator(seed, file.with_suffix("").as_posix())
        longer = style_of(config).uneven and rng.random() < LONGER_SHARE
        features = rng.standard_normal((_count_steps(config, timeline) + longer, channels), np.float32)
        _add_actions(features, config, timeline, seed, place)
        (part / file).parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npz":
            np.savez(part / file, feats=features)
        elif file.suffix == ".pkl":
            (part / file).write_bytes(_pickled(features))
        else:
            write_array(part / file, features, sync=False)


def _pickled(features: np.ndarray) -> bytes:
    """Features (steps, channels) as the release of HACS' SlowFast features keeps them: two tensors (1, c, steps)."""
    import torch

    from afkit.data.pickles import STREAMS

    channels = features.shape[1]
    fast = max(round(FAST_SHARE * channels), 1)
    parts = torch.from_numpy(features).T[None].split([channels - fast, fast], dim=1)
    return pickle.dumps({name: part.contiguous() for name, part in zip(STREAMS, parts, strict=True)}, protocol=4)


def _channels(config: DataConfig, folder: Path) -> dict[str, int]:
    """Channels of each feature folder's files; ValueError where files that are there have others."""
    there = {}
    wanted = [2 * channels if config.half_channels else channels for channels in config.input_dims]
    for features in config.features:
        place = inside(features)
        files = (place.parent, f"*/*{config.suffix}") if place.name == "*" else (place, f"*{config.suffix}")
        file = next((folder / files[0]).glob(files[1]), None)
        if file is not None:
            there[features] = open_array(file, file.stem, file.stem).shape[1]
    if len(wanted) == len(config.features):
        channels = dict(zip(config.features, wanted, strict=True))
    else:  # the original's files give one number for all folders together
        new = [features for features in config.features if features not in there]
        rest = sum(wanted) - sum(there.values())
        shares = [PUBLISHED_CHANNELS.get(Path(features).name, 0) for features in new]
        if sum(shares) != rest and new:
            shares = [len(part) for part in np.array_split(range(max(rest, 0)), len(new))]
        channels = there | dict(zip(new, shares, strict=True))
    if sum(channels.values()) != sum(wanted) or not there.items() <= channels.items():
        raise ValueError(
            f"{folder} holds a twin with {', '.join(f'{n} channels in {f}' for f, n in there.items())}, which does not "
            f"fit data.input_dims {config.input_dims}; delete it or choose another data root"
        )
    return channels


def _count_steps(config: DataConfig, timeline: Timeline) -> int:
    """T, feature vectors of a video: (T - 1) * stride + num_frames is nearest to its frames."""
    fps = config.fps or timeline.fps
    assert timeline.duration_sec and fps, "timelines are checked when they are read"
    window_frames = style_of(config).window_frames or config.num_frames
    return max(round((timeline.duration_sec * fps - window_frames) / config.stride_frames) + 1, 1)


def _generator(seed: int, key: str) -> np.random.Generator:
    """Random numbers that depend on the seed and a name alone, not on what was drawn before."""
    return np.random.default_rng([seed, zlib.crc32(key.encode())])


def _add_actions(features: np.ndarray, config: DataConfig, timeline: Timeline, seed: int, folder: Path) -> None:
    """Add to noise (steps, channels) the directions of what happens."""
    steps, channels = features.shape
    segments = np.array(timeline.segments_sec, np.float64).reshape(-1, 2)
    fps = config.fps or timeline.fps
    assert fps, "timelines are checked when they are read"
    grid = sec_to_grid(segments, fps, config.stride_frames, config.num_frames)
    keys = [f"{kind} {label}" for kind, labels in timeline.labels.items() for label in labels]
    columns = {key: column for column, key in enumerate(dict.fromkeys(["start", "end", *keys]))}
    strength = np.zeros((steps, len(columns)), np.float32)
    for row, (start, end) in enumerate(grid):
        first, last = max(math.floor(start - RAMP_STEPS), 0), min(math.ceil(end + RAMP_STEPS) + 1, steps)
        time = np.arange(first, last)
        strength[first:last, columns["start"]] += np.exp(-0.5 * (time - start) ** 2)
        strength[first:last, columns["end"]] += np.exp(-0.5 * (time - end) ** 2)
        within = np.clip(np.minimum(time - start, end - time) / RAMP_STEPS + 0.5, 0, 1)
        for kind, labels in timeline.labels.items():
            column = strength[first:last, columns[f"{kind} {labels[row]}"]]
            np.maximum(column, within, out=column)
    directions = np.stack(
        [_generator(seed, f"{folder} {key}").standard_normal(channels, np.float32) for key in columns]
    )
    features += strength @ directions


def _write_texts(recipe: Recipe, twin: _Twin, timelines: list[Timeline], folder: Path, part: Path) -> None:
    """Write into `part` the annotation file, the score file, twin.json and the marker that `folder` lacks."""
    config, score_file = recipe.data, recipe.decode.score_file
    if _lacks(folder, config.annotations):
        write_json(part / inside(config.annotations), _annotations(config, twin, timelines))
    if score_file and _lacks(folder, score_file):
        write_json(part / inside(score_file), {"results": _scores(config, twin.seed, timelines)})
    if not (folder / MARKER).exists():
        write_text(part / SETTINGS, json.dumps(twin._asdict(), allow_nan=False))  # on one line: it is long
        text = "The features here are generated (python -m afkit twin), in the published layout"
        write_stamp(part, "twin")
        write_text(part / MARKER, f"# A twin\n\n{text}.\nNumbers measured on them mean nothing.\n")


def _lacks(folder: Path, path: str) -> bool:
    """Whether a recipe's path belongs into a data set's folder, and there is nothing."""
    return Path(path).parts[0] == folder.name and not (folder / inside(path)).exists()


def _annotations(config: DataConfig, twin: _Twin, timelines: list[Timeline]) -> dict[str, Any]:
    """The content of the annotation file."""
    database = {}
    for timeline in timelines:
        kind = kind_of(config, timeline)
        names = twin.names.get(kind, {})
        database[timeline.name] = {
            "subset": timeline.subset.capitalize() if style_of(config).capitals else timeline.subset,
            "duration": timeline.duration_sec,
            "fps": timeline.fps,
            "annotations": [
                {"segment": segment, "label": names.get(str(label), f"{kind} {label}"), "label_id": label}
                for segment, label in zip(timeline.segments_sec, timeline.labels[kind], strict=True)
            ],
        }
    return {"version": f"twin, seed {twin.seed}, {twin.source}", "database": database}


def _scores(config: DataConfig, seed: int, timelines: list[Timeline]) -> dict[str, list[float]]:
    """Scores of an external classifier, one per class, for each video of the test subsets."""
    subsets = {subset.lower() for subset in config.test_subsets}
    results = {}
    for timeline in timelines:
        if timeline.subset not in subsets:
            continue
        rng = _generator(seed, f"scores {timeline.name}")
        scores = 0.02 * rng.random(config.num_classes if config.num_classes > 1 else EXTERNAL_CLASSES)
        scores[timeline.labels[kind_of(config, timeline)]] = rng.uniform(0.4, 0.6)
        if rng.random() < WRONG_SHARE:
            scores[rng.integers(len(scores))] = 0.7
        results[timeline.name] = scores.round(4).tolist()
    return results
