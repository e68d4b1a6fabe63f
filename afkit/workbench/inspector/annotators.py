"""Two annotators of the same recordings on one timeline, with the list of all places where they differ."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.data.annotations import AnnotationFile, Video, read_annotations
from afkit.workbench.analysis.agreement import agreement, named_segments
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.show import inspect_segments
from afkit.workbench.inspector.tracks import Tracks


def inspect_annotators(
    one: str | Path, other: str | Path, tolerance_sec: float = 0.5, videos: str | Path = "", address: str = ""
) -> Any:
    """The inspector of two annotation files, as the last value of a notebook's cell, see `collect_annotators`."""
    return inspect_segments(collect_annotators(one, other, tolerance_sec, videos, address))


def collect_annotators(
    one: str | Path, other: str | Path, tolerance_sec: float = 0.5, videos: str | Path = "", address: str = ""
) -> Inspected:
    """Segments of both, and what `afkit.workbench.analysis.agreement.agreement` says of them.

    Args:
        one: annotation file of one annotator.
        other: that of another one, about the same recordings.
        tolerance_sec: by which ends may differ without being listed.
        videos: folder of films or sounds that are named like the recordings; "" for none.
        address: below which a server gives them; "": a page refers to them, or the kernel sends them.

    Raises:
        ValueError: as of `agreement`, or the folder does not exist.
    """
    found = agreement(one, other, tolerance_sec)
    if videos and not Path(videos).is_dir():
        raise ValueError(f"the folder of videos '{videos}' does not exist")
    files = [read_annotations(path) for path in (one, other)]
    names = [name for name in files[0].videos if name in files[1].videos]
    tables = [pd.concat([named_segments(file.videos[name], file.label_names) for name in names]) for file in files]
    labels = sorted({label for table in tables for label in table["label"]})
    ids = {label: i for i, label in enumerate(labels)}
    gt, others = (table.assign(label=table["label"].map(ids).astype(np.int64)) for table in tables)
    who = _who(Path(one).absolute(), Path(other).absolute())
    merged = {name: _merged(*(file.videos[name] for file in files)) for name in names}
    return Inspected(
        gt,
        others.assign(score=1.0),
        dict(enumerate(labels)),
        {name: video.duration_sec for name, video in merged.items()},
        f"{who[0]} and {who[1]}",
        " ".join(f"{note}." for note in found.notes),
        Tracks(None, None, Path(videos) if videos else None, address),
        AnnotationFile(files[0].path, merged, dict(enumerate(labels))),
        annotators=who,
        compared=_places(found.compared, tables, names),
    )


def _who(one: Path, other: Path) -> tuple[str, str]:
    """The names of the files, of the same names with their folders."""
    if one.stem != other.stem:
        return one.stem, other.stem
    return f"{one.parent.name}/{one.stem}", f"{other.parent.name}/{other.stem}"


def _merged(one: Video, other: Video) -> Video:
    """As long as either says, and not judged where either did not."""
    known = [video.duration_sec for video in (one, other) if video.duration_sec is not None]
    return replace(
        one, duration_sec=max(known, default=None), ignored_sec=np.concatenate([one.ignored_sec, other.ignored_sec])
    )


def _places(compared: pd.DataFrame, tables: list[pd.DataFrame], names: list[str]) -> dict[str, list]:
    """Of each recording, the rows of `compared`: places in its rows of both tables, -1 for none, and what differs."""
    places: list[Mapping[tuple, int]] = []
    for table in tables:
        keys = table[["video", "start_sec", "end_sec", "label"]].itertuples(index=False, name=None)
        places.append(dict(zip(keys, table.groupby("video").cumcount().tolist(), strict=True)))
    found: dict[str, list] = {name: [] for name in names}
    for row in compared.itertuples():
        one = places[0].get((row.video, row.start_one, row.end_one, row.label_one), -1)
        other = places[1].get((row.video, row.start_other, row.end_other, row.label_other), -1)
        found[row.video].append((one, other, row.what))
    return found
