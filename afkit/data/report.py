"""What a data set holds and what is wrong with it: the checks of 01_data, and its fingerprint."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.config import DataConfig
from afkit.data.annotations import UNKNOWN_DURATION_SEC, Video, read_annotations, to_frame
from afkit.data.features import feature_files, has_features, locate, read_features
from afkit.data.items import frames_per_second

COVERED = (0.9, 1.1)  # features should cover this share of a video; outside it a stride or frame rate is wrong
SAMPLE_BYTES = 65536  # of the beginning and the end of a feature file go into the fingerprint


def inspect_data(config: DataConfig, root: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """Read every feature file of the recipe's subsets and compare it with the annotations.

    Args:
        config: the `data` section of a recipe.
        root: data root.

    Returns:
        a table with a row per video (video, subset, duration_sec, steps, covered: share of the duration that the
        features cover, actions), and the list of what is wrong, each a sentence with the file or video.

    Raises:
        ValueError: the annotation file is missing or malformed, or lacks a subset.
    """
    annotations = read_annotations(locate(root, config.annotations))
    videos = annotations.of_subsets([*config.train_subsets, *config.test_subsets])
    rows, problems = [], []
    for video in videos:
        row, complaints = _inspect_video(config, root, video)
        rows.append(row)
        problems += complaints
    table = pd.DataFrame(rows, columns=["video", "subset", "duration_sec", "steps", "covered", "actions"])
    return table, problems


def _inspect_video(config: DataConfig, root: str | Path, video: Video) -> tuple[tuple, list[str]]:
    """One row of the table, and what is wrong with the video."""
    where = f"video '{video.name}'"
    row = (video.name, video.subset, video.duration_sec, 0, np.nan, len(video.labels))
    problems = [
        f"{where}: label {label} is outside 0 to {config.num_classes - 1} (data.num_classes)"
        for label in sorted(set(video.labels[(video.labels < 0) | (video.labels >= config.num_classes)].tolist()))
        if config.num_classes > 1
    ]
    for start, end in video.segments_sec[video.segments_sec[:, 0] > video.duration_sec]:
        problems.append(f"{where}: the segment {start} to {end} s begins after the video's {video.duration_sec} s")
    if config.skip_missing and not has_features(config, root, video.name):
        return row, problems
    try:
        features = read_features(config, root, video.name)
        fps = frames_per_second(config, video)
    except ValueError as error:
        return row, [*problems, str(error)]
    if not np.isfinite(features).all():
        step = int(np.argmin(np.isfinite(features).all(axis=1)))
        problems.append(f"{where}: features are not finite from step {step} on ({_first_file(config, root, video)})")
    covered = np.nan
    if config.stride_frames > 0 and video.duration_sec < UNKNOWN_DURATION_SEC:
        frames = video.duration_sec * fps
        covered = ((len(features) - 1) * config.stride_frames + config.num_frames) / frames
        if not COVERED[0] <= covered <= COVERED[1]:
            fitting = (frames - config.num_frames) / max(len(features) - 1, 1)
            problems.append(
                f"{where}: {len(features)} feature vectors cover {covered:.2f} of its {video.duration_sec:.1f} s; a "
                f"stride of {fitting:.2f} frames would fit (data.stride_frames is {config.stride_frames:g}, "
                f"fps {fps:g})"
            )
    return (video.name, video.subset, video.duration_sec, len(features), covered, len(video.labels)), problems


def summarise(config: DataConfig, root: str | Path, table: pd.DataFrame) -> dict[str, Any]:
    """What data_report.json holds: counts per subset, and the fingerprint that every run records."""
    annotations = read_annotations(locate(root, config.annotations))
    subsets = {}
    for subset, rows in table.groupby("subset", sort=False):
        cleaned = to_frame(annotations.of_subsets([str(subset)]))
        subsets[str(subset)] = {
            "videos": len(rows),
            "videos_without_features": int((rows["steps"] == 0).sum()),
            "hours": round(float(rows["duration_sec"].sum()) / 3600, 3),
            "actions": int(rows["actions"].sum()),
            "actions_after_cleaning": len(cleaned),
            "classes": int(cleaned["label"].nunique()),
        }
    return {"subsets": subsets, "fingerprint": fingerprint(config, root)}


def fingerprint(config: DataConfig, root: str | Path) -> str:
    """A hash of the annotation file and of every feature file's name, size, beginning and end (64 KiB each).

    Whole feature files are not hashed: the big data sets have tens of gigabytes of them.
    """
    digest = hashlib.sha256()
    path = locate(root, config.annotations)
    digest.update(path.read_bytes())
    videos = read_annotations(path).of_subsets([*config.train_subsets, *config.test_subsets])
    files = {file for video in videos for file in feature_files(config, root, video.name)}
    for file in sorted(file for file in files if file.is_file()):
        size = file.stat().st_size
        with file.open("rb") as handle:
            digest.update(f"{file.parent.name}/{file.name} {size}".encode() + handle.read(SAMPLE_BYTES))
            handle.seek(max(size - SAMPLE_BYTES, 0))
            digest.update(handle.read())
    return digest.hexdigest()


def _first_file(config: DataConfig, root: str | Path, video: Video) -> Path:
    return feature_files(config, root, video.name)[0]
