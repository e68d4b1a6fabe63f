"""Corrections of the ground truth made in the inspector: for a video, all its segments as they should be."""

from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.files import write_json
from afkit.segments import MIN_LENGTH_SEC
from afkit.workbench.analysis.result_files import UNKNOWN
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.own_data.corrected import check_new, corrected_content

Segment = tuple[float, float, int]  # start_sec, end_sec, label id
Corrections = dict[str, list[list[float]]]  # video -> Segments


def check_corrections(inspected: Inspected, corrections: dict[str, Any]) -> Corrections:
    """Corrections in one form: segments by onset, without the videos whose segments are as they were.

    Args:
        corrections: video -> all its segments, each start_sec, end_sec, label id.

    Raises:
        ValueError: an unknown video, something else than three numbers, or a new segment that is shorter than 1e-3 s,
            leaves its video, or is of no known class.
    """
    checked = {}
    for video, rows in corrections.items():
        if video not in inspected.videos:
            raise ValueError(f"there is no video '{video}' in {inspected.title or 'this inspector'} to correct")
        try:
            segments = sorted((float(start), float(end), index(label)) for start, end, label in rows)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"corrections of '{video}' must be rows of start_sec, end_sec, label id") from None
        before = original_segments(inspected, video)
        for segment in set(segments).difference(before):
            _check_new(inspected, video, segment)
        if segments != before:
            checked[video] = [list(segment) for segment in segments]
    return checked


def _check_new(inspected: Inspected, video: str, segment: Segment) -> None:
    start, end, label = segment
    where, known_sec = f"video '{video}', segment from {start:g} to {end:g} s", inspected.durations_sec.get(video)
    longest = np.inf if known_sec is None else known_sec
    if not end - start >= MIN_LENGTH_SEC:
        raise ValueError(f"{where}: it must end {MIN_LENGTH_SEC:g} s after its start or later")
    if not (start >= 0 and end <= longest and np.isfinite(end)):
        raise ValueError(f"{where}: it must lie within the video, from 0 to {longest:g} s")
    if label == UNKNOWN or label not in inspected.labels:
        raise ValueError(f"{where}: {label} is the label id of no class")


def original_segments(inspected: Inspected, video: str) -> list[Segment]:
    """The ground truth of a video before any correction, by onset."""
    gt = inspected.of_video(video)[0]
    return sorted(zip(gt["start_sec"].tolist(), gt["end_sec"].tolist(), gt["label"].tolist(), strict=True))


def apply_corrections(inspected: Inspected, corrections: Corrections) -> pd.DataFrame:
    """The ground truth with its corrections.

    Args:
        corrections: as `check_corrections` gives them.

    Returns:
        DataFrame video, start_sec, end_sec, label (id), name: first the videos without a correction, in the order of
        `inspected.gt`, then the corrected ones, each by onset.
    """
    kept = inspected.gt[~inspected.gt["video"].isin(list(corrections))]
    tables = [corrected_gt(video, rows) for video, rows in corrections.items()]
    together = pd.concat([table for table in (kept, *tables) if len(table)] or [kept], ignore_index=True)
    names = dict(zip(inspected.labels.tolist(), inspected.names(), strict=True))
    return together.assign(name=together["label"].map(names))[["video", "start_sec", "end_sec", "label", "name"]]


def corrected_gt(video: str, segments: list[list[float]]) -> pd.DataFrame:
    """The segments of one video as a table of ground truth: video, start_sec, end_sec, label."""
    table = pd.DataFrame(segments, columns=["start_sec", "end_sec", "label"])
    table.insert(0, "video", pd.Series([video] * len(table), dtype="str"))
    return table.astype({"start_sec": float, "end_sec": float, "label": np.int64})


def save_corrected(path: str | Path, inspected: Inspected, corrections: Corrections) -> None:
    """Write a new annotation file (.json), see `corrected_file`; a ValueError where it exists, too."""
    check_new(Path(path))
    write_json(path, corrected_file(inspected, corrections))


def corrected_file(inspected: Inspected, corrections: Corrections) -> dict[str, Any]:
    """The content of a new annotation file with the corrections, see `afkit.workbench.own_data.corrected`.

    Raises:
        ValueError: there is no correction, it is not known which file to correct, or that is malformed or lacks one.
    """
    if not corrections:
        raise ValueError("there is no correction to save; edit a video first")
    if inspected.annotations is None:
        raise ValueError("it is not known which annotation file to correct; make Inspected with annotations=...")
    return corrected_content(inspected.annotations.path, corrections, apply_corrections(inspected, corrections))
