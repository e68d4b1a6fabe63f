"""An annotation file with corrected segments, or with newly labelled recordings; the old file stays as it was."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.data.annotations import Video, read_annotations
from afkit.files import read_json, write_json
from afkit.segments import mostly_within
from afkit.workbench.own_data.exporting import one_line

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
        news = {remark: text for remark, text in zip(said, remarks, strict=True) if isinstance(text, str)}
        kept = {remark for remark in news if news[remark] == one_line(str(entry.get(remark) or ""))}  # as tools hold it
        entries.append(entry | {remark: text for remark, text in news.items() if remark not in kept})
    return [{key: value for key, value in entry.items() if key not in REMARKS or value} for entry in entries]


def video_facts(video: Video, label_names: Mapping[int, str]) -> dict[str, Any]:
    """What an annotation file says of a video beside its segments that are judged, without what is not known."""
    known: dict[str, Any] = {} if video.duration_sec is None else {"duration": video.duration_sec}
    known |= {} if video.fps is None else {"fps": video.fps}
    known |= {} if video.group is None else {"group": video.group}
    spans = video.ignored_sec
    if not np.isfinite(spans).all():  # what lies between them was annotated
        known["annotated"] = np.column_stack([spans[:-1, 1], spans[1:, 0]]).tolist()
    elif len(spans):
        known["ignored"] = spans.tolist()
    hidden = mostly_within(video.segments_sec, spans)
    rows = zip(video.segments_sec[hidden].tolist(), video.labels[hidden].tolist(), strict=True)
    entries = [{"label": label_names[label], "segment": segment, "label_id": label} for segment, label in rows]
    return {"subset": video.subset} | known | ({"annotations": entries} if entries else {})


def join_labelled(
    path: str | Path, source: str | Path, labelled: str | Path, subset: str = "training", say: Callable = print
) -> None:
    """Write a new annotation file: an old one, and the recordings of another, newly labelled, in its training subset.

    A recording joins with all that its own file says of it where it has an action there, and the old file does not
    have it, has it in `subset`, or has it in a subset in which nothing is labelled. So no test recording changes.

    Raises:
        ValueError: `path` exists or does not end in .json; a file is malformed; the two name or number a class
            differently; or no recording joins.
    """
    path = Path(path)
    check_new(path)
    old, new = read_annotations(source), read_annotations(labelled)
    ids = {name: label for label, name in old.label_names.items()}
    for label, name in new.label_names.items():
        if old.label_names.get(label, name) != name or ids.get(name, label) != label:
            raise ValueError(
                f"{labelled} has class {label} '{name}', {source} has {old.label_names.get(label)!r} for {label} and "
                f"{ids.get(name)} for '{name}'; give both files the same label_id for each label"
            )
    in_use = {video.subset for video in old.videos.values() if len(video.labels)} - {subset.lower()}
    known = {name for name, video in old.videos.items() if video.subset in in_use}
    joining = {name for name, video in new.videos.items() if len(video.labels) and name not in known}
    held = sorted(name for name, video in new.videos.items() if len(video.labels) and name not in joining)
    if not joining:
        raise ValueError(
            f"no recording of {labelled} has labels and is new, in '{subset}' or in a subset without labels of {source}"
        )
    content, entries = read_json(source), read_json(labelled)["database"]
    for name in sorted(joining, key=list(new.videos).index):
        content["database"][name] = content["database"].get(name, {}) | entries[name] | {"subset": subset}
    write_json(path, content)
    say(f"{len(joining)} recordings joined '{subset}'" + (f"; left as they are: {', '.join(held)}" if held else ""))
