"""The features of a twin: noise, and a direction for each thing that happens."""

import math
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from afkit.config import DataConfig
from afkit.files import write_array
from afkit.opening import check_plain, inner_path
from afkit.segments import sec_to_grid
from afkit.workbench.datasets.twin_timelines import Timeline, inside, style_of

RAMP_STEPS = 2.0  # over which an action fades in and out
LONGER_SHARE = 0.3  # of the files in uneven folders: one step longer
PUBLISHED_CHANNELS = {"slowfast_features": 2304, "omnivore_features": 1536, "egovlp_features": 256}


def write_features(
    config: DataConfig,
    seed: int,
    timelines: list[Timeline],
    folder: Path,
    part: Path,
    on_file: Callable[[int, int], None] | None,
) -> None:
    """Write into `part` the feature files that `folder` lacks, one at a time.

    Args:
        seed: with a video's name, of its random numbers.
        on_file: receives how many files are done, and of how many.

    Raises:
        ValueError: the disk has too little room, or a name leads out of the folder.
    """
    tasks = [
        (
            timeline,
            inside(features) / inner_path(f"{config.prefix}{timeline.name}{config.suffix}", timeline.name),
            channels,
        )
        for features, channels in _channels(config, folder).items()
        for timeline in timelines
    ]
    tasks = [task for task in tasks if not (folder / task[1]).exists()]
    needed = sum(4 * count_steps(config, timeline) * channels for timeline, _, channels in tasks)
    free = shutil.disk_usage(part).free
    if needed > free:
        raise ValueError(
            f"the twin needs {needed / 1e9:.1f} GB and {folder.parent} has {free / 1e9:.1f} GB free; choose another "
            "data root or fewer videos (videos_per_subset)"
        )
    for done, (timeline, file, channels) in enumerate(tasks, start=1):
        rng = generator_of(seed, file.with_suffix("").as_posix())
        longer = style_of(config).uneven and rng.random() < LONGER_SHARE
        features = _features(config, timeline, count_steps(config, timeline) + longer, channels, seed, file.parent, rng)
        (part / file).parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npz":
            np.savez(part / file, feats=features)
        else:
            write_array(part / file, features, sync=False)
        if on_file is not None:
            on_file(done, len(tasks))


def _channels(config: DataConfig, folder: Path) -> dict[str, int]:
    """Channels of each feature folder; ValueError where files that are there have others."""
    there = {}
    for features in config.features:
        file = next((folder / inside(features)).glob(f"*{config.suffix}"), None)
        if file is not None:
            check_plain(file)
            loaded = np.load(file, mmap_mode="r")
            there[features] = (loaded["feats"] if config.suffix == ".npz" else loaded).shape[1]
    if len(config.input_dims) == len(config.features):
        channels = dict(zip(config.features, config.input_dims, strict=True))
    else:  # the original's files give one number for all folders together
        new = [features for features in config.features if features not in there]
        rest = sum(config.input_dims) - sum(there.values())
        shares = [PUBLISHED_CHANNELS.get(Path(features).name, 0) for features in new]
        if sum(shares) != rest and new:
            shares = [len(part) for part in np.array_split(range(max(rest, 0)), len(new))]
        channels = there | dict(zip(new, shares, strict=True))
    if sum(channels.values()) != sum(config.input_dims) or not there.items() <= channels.items():
        raise ValueError(
            f"{folder} holds a twin with {', '.join(f'{n} channels in {f}' for f, n in there.items())}, which does not "
            f"fit data.input_dims {config.input_dims}; delete it or choose another data root"
        )
    return channels


def count_steps(config: DataConfig, timeline: Timeline) -> int:
    """T, feature vectors of a video: (T - 1) * stride + num_frames is nearest to its frames.

    Args:
        config: stride and length of the feature vectors, in frames.
        timeline: duration in seconds and frame rate of the video.
    """
    assert timeline.duration_sec is not None, "timelines are checked when they are read"
    frames = timeline.duration_sec * _frame_rate(config, timeline)
    window_frames = style_of(config).window_frames or config.num_frames
    return max(round((frames - window_frames) / config.stride_frames) + 1, 1)


def _frame_rate(config: DataConfig, timeline: Timeline) -> float:
    fps = config.fps or timeline.fps
    assert fps is not None, "timelines are checked when they are read"
    return fps


def generator_of(seed: int, key: str) -> np.random.Generator:
    """Random numbers that depend on the seed and a name alone, not on what was drawn before."""
    return np.random.default_rng([seed, zlib.crc32(key.encode())])


def _features(
    config: DataConfig,
    timeline: Timeline,
    steps: int,
    channels: int,
    seed: int,
    feature_folder: Path,
    rng: np.random.Generator,
) -> np.ndarray:
    """(steps, channels) float32: noise of spread 1, and the directions of what happens."""
    segments = np.array(timeline.segments_sec, np.float64).reshape(-1, 2)
    grid = sec_to_grid(segments, _frame_rate(config, timeline), config.stride_frames, config.num_frames)
    keys = [f"{kind} {label}" for kind, labels in timeline.labels.items() for label in labels]
    columns = {key: column for column, key in enumerate(dict.fromkeys(["start", "end", *keys]))}
    strength = np.zeros((steps, len(columns)), np.float32)
    for row, (start, end) in enumerate(grid):
        first, last = max(math.floor(start - RAMP_STEPS), 0), min(math.ceil(end + RAMP_STEPS) + 1, steps)
        time = np.arange(first, last)
        strength[first:last, columns["start"]] += np.exp(-0.5 * (time - start) ** 2)
        strength[first:last, columns["end"]] += np.exp(-0.5 * (time - end) ** 2)
        inside = np.clip(np.minimum(time - start, end - time) / RAMP_STEPS + 0.5, 0, 1)
        for kind, labels in timeline.labels.items():
            column = strength[first:last, columns[f"{kind} {labels[row]}"]]
            np.maximum(column, inside, out=column)
    directions = np.stack(
        [generator_of(seed, f"{feature_folder} {key}").standard_normal(channels, np.float32) for key in columns]
    )
    features = rng.standard_normal((steps, channels), np.float32)
    features += strength @ directions
    return features
