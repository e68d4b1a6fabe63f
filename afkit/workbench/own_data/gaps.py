"""Gaps of sensors: what saw them is not to count, which stands beside the features and in annotation files."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from afkit.data.annotations import joined_spans, read_spans
from afkit.files import read_json, write_json
from afkit.workbench.own_data.clocks import MOST_GAPS
from afkit.workbench.own_data.signals import SignalFeatures

SETTINGS = "signals.json"  # beside the features
IGNORED = "ignored"  # its key, and that of annotation files


def gap_note(name: str, made: SignalFeatures) -> str:
    """What is said of the gaps of a recording; a ValueError where most of it would count for nothing."""
    lengths = np.diff(made.gaps_sec)[:, 0]
    start, longest = made.gaps_sec[lengths.argmax(), 0], lengths.max()
    lasts = ((len(made.features) - 1) * made.stride_frames + made.num_frames) / made.fps
    share = float(np.diff(made.ignored_sec).sum()) / lasts
    more = f" ({len(lengths)} gaps, together {lengths.sum():.3g} s)" if len(lengths) > 1 else ""
    what = f"{name} has no samples for {longest:.3g} s after {start:.6g} s{more}"
    if share > MOST_GAPS:
        remedy = "bridge short gaps with a larger --longest-gap, or leave it out"
        raise ValueError(f"{what}, and {100 * share:.0f} % of its windows would reach into gaps; {remedy}")
    return f"gap: {what}: bridged by straight lines; {100 * share:.2g} % of its time does not count"


def read_ignored(folder: str | Path) -> dict[str, np.ndarray]:
    """{recording: spans (R, 2) in seconds that are not to count}, as the signals.json in a folder of features says.

    {} where no recording has gaps; a ValueError where there is no such file.
    """
    path = Path(folder) / SETTINGS
    if not path.is_file():
        raise ValueError(f"{path} does not exist; name the folder that python -m afkit signals has written")
    content = read_json(path)
    known = content.get(IGNORED, {}) if isinstance(content, Mapping) else None
    if not isinstance(known, Mapping):
        raise ValueError(f"{path}: '{IGNORED}' does not say what recordings leave out; write the features again")
    return {name: read_spans(f"{path}, video '{name}'", known, name) for name in known}


def ignored_among(folder: str | Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """As `read_ignored`; a ValueError, too, where the folder has features of no recording with one of these names."""
    ignored = read_ignored(folder)
    there = {path.stem for path in Path(folder).glob("*.npy")}
    if len(names) and not there & set(names):
        seen = f"it holds {min(there)!r}, say" if there else "it holds no features"
        raise ValueError(
            f"{folder} has no features of any recording with labels ({seen}; labels are of {min(names)!r}, say); name "
            "the folder of these recordings, or rename one of both"
        )
    return ignored


def ignored_note(ignored: Mapping[str, np.ndarray], names: Collection[str]) -> str:
    """What is said of the gaps of recordings, of which those with these names have labels."""
    others = sorted(ignored.keys() - set(names))
    more = f"; {len(others)} more have gaps and no labels, as '{others[0]}'" if others else ""
    return f"the gaps of {len(ignored.keys() & set(names))} recordings are not to count{more}"


def with_ignored(
    database: Mapping[str, dict[str, Any]], ignored: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """The videos of an annotation file, with more spans (R, 2) in which they are not to be judged."""
    found = dict(database)
    for name in database.keys() & ignored.keys():
        spans = np.concatenate([read_spans(name, database[name], IGNORED), ignored[name]])
        found[name] = database[name] | {IGNORED: joined_spans(spans).tolist()}
    return found


def leave_out_gaps(annotations: Path, folder: str | Path) -> int:
    """Write into an annotation file what a folder of features says is not to count; of how many recordings that is."""
    ignored, content = read_ignored(folder), read_json(annotations)
    database = with_ignored(content["database"], ignored)
    if database != content["database"]:
        write_json(annotations, content | {"database": database})
    return len(database.keys() & ignored.keys())
