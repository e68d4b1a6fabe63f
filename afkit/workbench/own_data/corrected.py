"""An annotation file with corrected segments: only the segments change, and the old file stays as it was."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.data.annotations import Video, read_annotations
from afkit.files import read_json, write_json
from afkit.segments import mostly_within

REMARKS = ("comment", "tier")  # keys of an annotation that labelling tools know, and afkit only keeps


def write_corrected(path: str | Path, source: str | Path, videos: Iterable[str], segments: pd.DataFrame) -> None:
    """Write a new annotation file in which the segments of some videos are replaced.

    Everything else is that of the old file: other videos, other subsets, and keys that afkit does not know. An
    annotation that is among the new segments as it was keeps its other keys, too. Those in parts that are not judged,
    which nobody was shown, stay.

    Args:
        path: the new file, ends in .json; a ValueError where it exists, or the old one is malformed or lacks a video.
        videos: ids of the videos whose segments are replaced; one without a row in `segments` ends without any.
        segments: video, start_sec, end_sec, label (id), name; perhaps comment and tier, None where nothing is said of
            it, so that an annotation that stays keeps its own; rows of other videos are not looked at.
    """
    check_new(Path(path))
    write_json(path, corrected_content(source, videos, segments))


def check_new(path: Path) -> None:
    """Raise a ValueError where a file exists, or is not named like an annotation file."""
    if path.suffix != ".json":
        raise ValueError(f"an annotation file ends in .json, not as in '{path.name}'")
    if path.exists():
        raise ValueError(f"{path} exists; give the name of a new file")


def corrected_content(source: str | Path, videos: Iterable[str], segments: pd.DataFrame) -> dict[str, Any]:
    """The content of an annotation file with other segments of some videos; arguments as of `write_corrected`."""
    known = read_annotations(source).videos
    content = read_json(source)
    database = dict(content["database"])
    for video in videos:
        if video not in database:
            raise ValueError(f"{source} has no video '{video}'; its corrections have no place there")
        rows, old = segments[segments["video"] == video], database[video].get("annotations") or []
        unseen = mostly_within(known[video].segments_sec, known[video].ignored_sec)
        kept = [entry for entry, hidden in zip(old, unseen, strict=True) if hidden]
        database[video] = database[video] | {"annotations": _replace(old, rows) + kept}
    return content | {"database": database}


def _replace(annotations: list[dict[str, Any]], rows: pd.DataFrame) -> list[dict[str, Any]]:
    """An entry for each row, in their order; the old entry where there is an equal one."""
    old: dict[tuple[float, float, int], list[dict[str, Any]]] = {}
    for entry in annotations:
        start, end = entry["segment"]
        old.setdefault((float(start), float(end), int(entry["label_id"])), []).append(entry)
    entries = []
    said = [remark for remark in REMARKS if remark in rows]
    for start, end, label, name, *remarks in rows[["start_sec", "end_sec", "label", "name", *said]].itertuples(
        index=False
    ):
        same = old.get((start, end, label))
        entry = same.pop(0) if same else {"label": name, "segment": [start, end], "label_id": label}
        entries.append(
            entry | {remark: text for remark, text in zip(said, remarks, strict=True) if isinstance(text, str)}
        )
    return [{key: value for key, value in entry.items() if key not in REMARKS or value} for entry in entries]


def video_facts(video: Video) -> dict[str, Any]:
    """What an annotation file says of a video beside its segments, without what is not known."""
    known = {} if video.duration_sec is None else {"duration": video.duration_sec}
    known |= {} if video.fps is None else {"fps": video.fps}
    return {"subset": video.subset} | known | ({} if video.group is None else {"group": video.group})
