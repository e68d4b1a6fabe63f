"""Where features and annotations disagree: the checks of 01_data, each with a message that says what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.config import DataConfig
from afkit.data.annotations import UNKNOWN_DURATION_SEC, AnnotationFile, Video, frames_per_second, read_annotations
from afkit.data.features import feature_files, has_features, join_parts, locate, read_parts, too_many_missing
from afkit.segments import MIN_LENGTH_SEC, keep_distinct

COVERED = (0.9, 1.1)  # features should cover this share of a video; outside it a stride or frame rate is wrong
MISSING = "missing features"  # a check
OUTSIDE_SEC = 1.0  # by which real annotations may exceed a video before it is worth a note


class Finding(NamedTuple):
    """One disagreement. An error makes training or evaluation wrong; a note is usual in real data, and counted."""

    level: str  # "error" or "note"
    check: str  # what was looked at, in two or three words
    message: str  # names file and video, and what to do


def inspect_data(config: DataConfig, root: str | Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every feature file of the recipe's subsets and compare it with the annotations; nothing is changed.

    Args:
        config: the `data` section of a recipe.
        root: data root.

    Returns:
        a table with a row per video (video, subset, duration_sec, steps (0: no features), covered: share of the
        duration that the features cover, actions), and what was found, in the order of the videos.

    Raises:
        ValueError: the annotation file is missing or malformed, or lacks a subset.
    """
    annotations = read_annotations(locate(root, config.annotations))
    videos = annotations.of_subsets([*config.train_subsets, *config.test_subsets])
    rows, missing, findings = [], set(), list(_label_gaps(annotations, config))
    for video in videos:
        findings += _check_annotations(annotations.path, video, config)
        steps, covered, found = _check_features(config, root, video)
        findings += found
        missing |= {video.name for finding in found if finding.check == MISSING}
        rows.append((video.name, video.subset, video.duration_sec, steps, covered, len(video.labels)))
    table = pd.DataFrame(rows, columns=["video", "subset", "duration_sec", "steps", "covered", "actions"])
    for subsets in (config.train_subsets, config.test_subsets):
        findings += _check_missing(config, root, subsets, annotations.of_subsets(subsets), missing)
    return table, findings + list(_check_grid(config, annotations, table))


def count_findings(findings: list[Finding]) -> pd.DataFrame:
    """How often each check found something: DataFrame level, check, number, and the first message."""
    table = pd.DataFrame(findings, columns=Finding._fields)
    grouped = table.groupby(["level", "check"], sort=True)["message"]
    return grouped.agg(number="size", first="first").reset_index()


def raise_on_errors(findings: list[Finding], most: int = 20) -> None:
    """Raise a ValueError that lists the errors among the findings (at most `most` of them)."""
    errors = [finding.message for finding in findings if finding.level == "error"]
    if errors:
        more = f"\n... and {len(errors) - most} more" if len(errors) > most else ""
        raise ValueError(f"{len(errors)} errors in the data:\n" + "\n".join(errors[:most]) + more)


def _label_gaps(annotations: AnnotationFile, config: DataConfig) -> Iterator[Finding]:
    """Label ids that no annotation of the file has."""
    gaps = sorted(set(range(config.num_classes)) - annotations.label_names.keys())
    if config.num_classes > 1 and gaps:
        shown = ", ".join(map(str, gaps[:10])) + (", ..." if len(gaps) > 10 else "")
        yield Finding(
            "note",
            "label ids without annotation",
            f"{annotations.path}: no annotation has the label ids {shown} ({len(gaps)} of data.num_classes = "
            f"{config.num_classes}); the class head keeps them silent",
        )


def _check_annotations(path: Path, video: Video, config: DataConfig) -> Iterator[Finding]:
    """Labels out of range; segments that are empty, repeated or outside the video; videos without any."""
    where = f"{path}, video '{video.name}'"
    if len(video.labels) == 0:
        yield Finding("note", "videos without annotation", f"{where}: no annotation; it is background only")
    if config.num_classes > 1:
        for row in np.flatnonzero((video.labels < 0) | (video.labels >= config.num_classes)).tolist():
            message = f"label_id {video.labels[row]} is outside 0 to {config.num_classes - 1}"
            remedy = "correct it, or set data.num_classes"
            yield Finding("error", "label ids out of range", f"{where}, annotation {row}: {message}; {remedy}")
    kept = keep_distinct(video.segments_sec, video.labels)
    for row, (start, end) in enumerate(video.segments_sec):
        here = f"{where}, annotation {row}: segment {start:g} to {end:g} s"
        if end - start < MIN_LENGTH_SEC:
            yield Finding("note", "segments without length", f"{here} is shorter than 1 ms or reversed; left out")
        elif not kept[row]:
            yield Finding("note", "duplicates", f"{here} repeats an earlier one; left out of the evaluation")
        if start < -OUTSIDE_SEC or end > video.duration_sec + OUTSIDE_SEC:
            ends = f"is outside the video's {video.duration_sec:g} s; check its times or the duration"
            yield Finding("note", "segments outside the video", f"{here} {ends}")


def _check_features(config: DataConfig, root: str | Path, video: Video) -> tuple[int, float, list[Finding]]:
    """Steps, covered share of the duration (NaN where unknown), and what is wrong with the feature files."""
    where = f"video '{video.name}'"
    if not has_features(config, root, video.name):
        path = next(file for file in feature_files(config, root, video.name) if not file.is_file())
        level, remedy = ("note", "left out") if config.skip_missing else ("error", "add it, or set data.skip_missing")
        return 0, np.nan, [Finding(level, MISSING, f"{path} does not exist for {where}; {remedy}")]
    path = feature_files(config, root, video.name)[0]
    try:
        parts = read_parts(config, root, video.name)
        features = join_parts(config, parts, video.name, path)
        fps = frames_per_second(config, video)
    except ValueError as error:
        return 0, np.nan, [Finding("error", "unreadable features", f"{where}: {error}")]
    found = []
    if not np.isfinite(features).all():
        step = int(np.argmin(np.isfinite(features).all(axis=1)))
        message = f"{path}: NaN or infinite at step {step} of {where}; extract these features again"
        found.append(Finding("error", "features not finite", message))
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        message = f"{path}: the feature folders have {lengths} steps for {where}; cut to the shortest"
        found.append(Finding("note", "folders of unequal length", message))
    covered = np.nan
    if config.stride_frames > 0 and video.duration_sec == UNKNOWN_DURATION_SEC:
        found += _beyond_features(config, video, path, len(features), fps)
    elif config.stride_frames > 0:
        covered = ((len(features) - 1) * config.stride_frames + config.num_frames) / (video.duration_sec * fps)
        if not COVERED[0] <= covered <= COVERED[1]:
            message = f"{path}: {len(features)} steps cover {covered:.2f} of the {video.duration_sec:g} s of {where}"
            remedy = "compare the file's duration and fps with the video"
            found.append(Finding("note", "features shorter or longer than the video", f"{message}; {remedy}"))
    return len(features), covered, found


def _check_missing(
    config: DataConfig, root: str | Path, subsets: list[str], videos: list[Video], missing: set[str]
) -> Iterator[Finding]:
    """More videos without features than a run may leave out; of none with features, `_check_grid` says more."""
    names = [video.name for video in videos if video.name in missing]
    reason = too_many_missing(config, root, subsets, names, len(videos))
    if config.skip_missing and reason and len(names) < len(videos):
        yield Finding("error", "too many missing features", reason)


def _beyond_features(config: DataConfig, video: Video, path: Path, steps: int, fps: float) -> Iterator[Finding]:
    """Segments that end after the features, where only these tell how long the video is."""
    end_sec = ((steps - 1) * config.stride_frames + config.num_frames) / fps
    for row in np.flatnonzero(video.segments_sec[:, 1] > end_sec + OUTSIDE_SEC):
        start, end = video.segments_sec[row]
        message = f"segment {start:g} to {end:g} s ends after its features, which cover {end_sec:g} s"
        where = f"{path}: video '{video.name}', annotation {row}"
        yield Finding("note", "segments outside the video", f"{where}: {message}; check its times, or data.fps")


def _check_grid(config: DataConfig, annotations: AnnotationFile, table: pd.DataFrame) -> Iterator[Finding]:
    """A stride or frame rate that does not fit most videos, with the stride that would."""
    known = table.dropna(subset=["covered"])
    if not (table["steps"] > 0).any():
        folders = ", ".join(config.features)
        yield Finding("error", "no features at all", f"no video has a feature file in {folders}; check data.features")
    if known.empty or COVERED[0] <= known["covered"].median() <= COVERED[1]:
        return
    videos = [annotations.videos[name] for name in known["video"]]
    frames = np.array([video.duration_sec * frames_per_second(config, video) for video in videos])
    fitting = np.median((frames - config.num_frames) / np.maximum(known["steps"] - 1, 1))
    yield Finding(
        "error",
        "wrong stride or frame rate",
        f"features cover {known['covered'].median():.2f} of the videos (median; {annotations.path}): "
        f"data.stride_frames is {config.stride_frames:g}, a stride of {fitting:.2f} frames would fit; set it, or "
        "data.fps",
    )
