"""Labels that come back from another tool: what it cannot hold is taken from the annotation file that went out."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pandas as pd

from afkit.data.annotations import AnnotationFile, to_frame
from afkit.opening import safe_names
from afkit.segments import DUPLICATE_SEC
from afkit.workbench.own_data.corrected import write_corrected
from afkit.workbench.own_data.import_columns import Chosen
from afkit.workbench.own_data.import_rows import Recording, base_name


def recordings_like(file: AnnotationFile) -> dict[str, Recording]:
    """What the annotation file says of its recordings, as a table of them would."""
    return {
        name: Recording(
            where=f"{file.path}, video '{name}'",
            subset=video.subset,
            group=video.group or "",
            duration=video.duration_sec,
            fps=video.fps,
        )
        for name, video in file.videos.items()
    }


def with_own_names(
    chosen: list[Chosen], known: Mapping[str, Recording], expected: Collection[str], file: AnnotationFile | None
) -> tuple[list[Chosen], dict[str, Recording]]:
    """Rows and recordings with the names that are expected, however accents are coded; or the file's, for its files."""
    names = {} if file is None else {base_name(name): name for name in file.videos}
    names |= {} if file is None else {short: name for name, short in safe_names(file.videos).items()}
    names = {normalize("NFC", name): name for name in expected} | names | {name: name for name in expected}

    def own(video: str) -> str:
        return names.get(video, names.get(normalize("NFC", video), video))

    done = [one._replace(rows=one.rows.assign(video=one.rows["video"].map(own))) for one in chosen]
    return done, {own(video): recording for video, recording in known.items()}


def ids_like(rows: pd.DataFrame, file: AnnotationFile) -> tuple[dict[str, int], str]:
    """{label: id} as in the annotation file, new labels behind the others; and a sentence about these."""
    ids = {" ".join(name.split()): label for label, name in reversed(file.label_names.items())}
    new = sorted(set(rows["label"]) - set(ids))
    last = max(file.label_names, default=-1)
    ids |= {label: last + place for place, label in enumerate(new, 1)}
    names = ", ".join(f"'{label}' ({ids[label]})" for label in new)
    return dict(sorted(ids.items(), key=lambda item: item[1])), f"{file.path} has no label {names}: new" if new else ""


def write_like(
    target: Path, file: AnnotationFile, rows: pd.DataFrame, ids: Mapping[str, int], brought: Collection[str]
) -> str:
    """Write the annotation file with the rows in place of its segments; a sentence about recordings that keep theirs.

    A segment that is still there, to the millisecond, is the old one, with its exact times and all that is said of it.
    Recordings that are not among those `brought` stay as they are.
    """
    rows = rows.assign(start_sec=rows["start"], end_sec=rows["end"], name=rows["label"], label=rows["label"].map(ids))
    of_labels = {re.sub(r" \[\d+\]$", "", name) for name in file.label_names.values()}  # tiers that stand for labels
    rows = rows.assign(tier=rows["tier"].where(~rows["tier"].isin(of_labels)))
    rows, old = rows.reset_index(drop=True), to_frame(file.videos.values(), clean=False)
    there = old.groupby(["video", "label"]).indices
    new_sec, old_sec = (table[["start_sec", "end_sec"]].to_numpy(float).copy() for table in (rows, old))
    places = np.full(len(rows), np.inf)
    for key, same in rows.groupby(["video", "label"], sort=False).indices.items():
        left = list(there.get(key, ()))
        for row in same:
            off = abs(old_sec[left] - new_sec[row]).max(axis=1) if left else np.array([np.inf])
            if off.min() < DUPLICATE_SEC:
                places[row] = left.pop(int(off.argmin()))
                new_sec[row] = old_sec[int(places[row])]
    rows = rows.assign(start_sec=new_sec[:, 0], end_sec=new_sec[:, 1], place=places)
    rows = rows.sort_values(["place"] if np.isfinite(rows["place"]).all() else ["start_sec", "end_sec"], kind="stable")
    videos = [video for video in file.videos if video in brought]
    write_corrected(target, file.path, videos, rows)
    others = len(file.videos) - len(videos)
    return f"{others} recordings that are not there stay as in {file.path}" if others else ""
