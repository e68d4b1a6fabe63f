"""What a data set says about itself: lengths and durations on the feature grid, from which settings are suggested."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.config import DataConfig
from afkit.data.annotations import AnnotationFile, Video
from afkit.data.feature_formats import SUFFIXES, open_array
from afkit.data.features import feature_files, has_features
from afkit.segments import MIN_LENGTH_SEC, tiou

WHOLE = 0.02  # an estimated stride that is nearer than this share to a whole number is that number


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
    annotations: AnnotationFile, train: Sequence[str], test: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The subsets for training and test: those given, or what their names say where there are two.

    Args:
        annotations: the file, whose subsets are meant.
        train, test: names that the user gave; both empty to choose by name.

    Returns:
        Names for training, names for test.

    Raises:
        ValueError: the file lacks a given subset, or its names leave open what is for training.
    """
    there = sorted({video.subset for video in annotations.videos.values()})
    training = [name for name in there if name.startswith("train")]
    if not train and not test and len(there) == 2 and len(training) == 1:
        train, test = training, [name for name in there if name not in training]
    if not train or not test:
        names = ", ".join(f"'{name}'" for name in there)
        raise ValueError(f"{annotations.path} has the subsets {names}; say which are for training and which for test")
    for subsets in (train, test):
        annotations.of_subsets(subsets)
    return list(train), list(test)


def read_shapes(root: str | Path, features: Sequence[str], prefix: str, videos: Sequence[Video]) -> Features:
    """Format, widths and lengths of the features of some videos; of most files only the beginning is read.

    Args:
        root: data root.
        features: folders (or HDF5 files) below it.
        prefix: of a file's name, before the video id.
        videos: those without features are left out.

    Raises:
        ValueError: none has features, a file cannot be read, or widths differ; the message names it.
    """
    fixed = {"annotations": "", "num_classes": 1, "stride_frames": 1, "num_frames": 1, "max_seq_len": 1}
    fixed |= {"features": list(features), "prefix": prefix, "input_dims": [1]}
    configs = [DataConfig(**fixed, suffix=suffix) for suffix in SUFFIXES]
    found = {config.suffix: [v.name for v in videos if has_features(config, root, v.name)] for config in configs}
    config = max(configs, key=lambda config: len(found[config.suffix]))
    if not found[config.suffix]:
        names = f"{prefix}{videos[0].name}{SUFFIXES[0]} or the like" if videos else "the videos' names"
        raise ValueError(f"no video has features in {', '.join(features)}; put {names} there, or give the prefix")
    widths: list[int] = []
    lengths = {}
    for name in found[config.suffix]:
        paths = feature_files(config, root, name)
        shapes = [open_array(path, prefix + name, name).shape for path in paths]  # (T, C) of each folder
        widths = widths or [shape[1] for shape in shapes]
        for path, shape, width in zip(paths, shapes, widths, strict=True):
            if shape[1] != width:
                raise ValueError(f"{path} has {shape[1]} channels, other videos have {width}; extract '{name}' again")
        lengths[name] = min(shape[0] for shape in shapes)
    return Features(config.suffix, widths, lengths)


def find_grid(
    videos: Sequence[Video],
    fps: float | None,
    stride_frames: float | None,
    num_frames: float | None,
    lengths: Mapping[str, int] | None,
) -> Grid:
    """The time grid as given, or the stride that fits lengths and durations best.

    Args:
        videos: those that are looked at.
        fps: frames per second; None: the annotation file's.
        stride_frames, num_frames: as given; None: the stride that fits, and vectors that cover one stride each.
        lengths: steps of each video, if known.

    Raises:
        ValueError: a number that is not above 0, or nothing to estimate the stride from.
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
    """Frames per second: as given, or the annotation file's.

    Raises:
        ValueError: neither is known.
    """
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
    """The facts of the training videos.

    Args:
        annotations: the file.
        train: its training subsets.
        grid: of the features.
        fps: frames per second; None: the file's.
        lengths: steps of each video, those without features left out or 0; None: told from the durations.

    Raises:
        ValueError: no training video has features, or none of them has an action.
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
