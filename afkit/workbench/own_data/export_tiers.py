"""Annotations as documents of ELAN and TextGrids of Praat, written by pympi and praatio."""

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One annotation."""

    start_sec: float
    end_sec: float
    label: str  # one line
    label_id: int
    comment: str = ""
    tier: str = ""  # "" for that of the label
    score: float | None = None  # of a detection


class Labelled(NamedTuple):
    """A recording and its annotations."""

    name: str
    rows: Sequence[Row]  # by time
    duration_sec: float | None = None
    media: str = ""  # path of its film or sound; "" where nobody said


def tiers_of(rows: Iterable[Row], by_label: bool = True) -> dict[str, list[Row]]:
    """{tier: annotations by time}, overlapping ones on tiers "name", "name [2]", ..., as most tools want them.

    The tier is the annotation's own, else that of its label, or "" without `by_label`.
    """
    tiers: dict[str, list[Row]] = {}
    for row in rows:
        name = row.tier or (row.label if by_label else "")
        titles = (name if i == 1 else f"{name} [{i}]" for i in count(1))
        title = next(one for one in titles if one not in tiers or tiers[one][-1].end_sec <= row.start_sec)
        tiers.setdefault(title, []).append(row)
    return tiers


def _rounded(rows: Sequence[Row], digits: int) -> list[Row]:
    """The same from 0 on, each at least one unit of the last digit long."""
    least = 10**-digits
    starts = [round(max(row.start_sec, 0.0), digits) for row in rows]
    ends = [round(max(row.end_sec, start + least), digits) for row, start in zip(rows, starts, strict=True)]
    return [row._replace(start_sec=s, end_sec=e) for row, s, e in zip(rows, starts, ends, strict=True)]


def write_eaf(recordings: Sequence[Labelled]) -> str:
    """A tier for each label, and one for its comments, which refer to it; the labels are a controlled vocabulary."""
    try:
        from pympi.Elan import Eaf, to_string
    except ImportError as error:
        raise ValueError(f"eaf needs pympi-ling ({error}); install it with: pip install 'afkit[label]'") from None
    (one,) = recordings
    document = Eaf(author="")
    if one.media:
        document.add_linked_file(
            Path(one.media).as_uri(), mimetype=_MIME.get(Path(one.media).suffix.lower(), "unknown")
        )
    document.add_linguistic_type("comment", "Symbolic_Association", timealignable=False)
    tiers = tiers_of(_rounded(one.rows, 3))
    ordered = sorted((row, tier) for tier, rows in tiers.items() for row in rows)
    times = [round(1000 * time) for row, _ in ordered for time in row[:2]]
    slots: dict[int, str] = {}
    for place in sorted(range(len(times)), key=times.__getitem__):
        slots[place] = document.generate_ts_id(times[place])
    for tier, rows in tiers.items():
        document.add_tier(tier)
        if any(row.comment for row in rows):
            document.add_tier(f"{tier} - comment", "comment", tier)
    for place, (row, tier) in enumerate(ordered):
        name = document.generate_annotation_id()
        document.tiers[tier][0][name] = slots[2 * place], slots[2 * place + 1], row.label, None
        if row.comment:
            document.tiers[f"{tier} - comment"][1][document.generate_annotation_id()] = name, row.comment, None, None
    if tiers and "default" not in tiers:
        document.remove_tier("default")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + to_string(document) + "\n"


_MIME = {
    ".mp4": "video/mp4",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".wav": "audio/x-wav",
    ".mov": "video/quicktime",
}


def write_textgrid(recordings: Sequence[Labelled]) -> str:
    """A tier of intervals for each label, in the long form."""
    try:
        from praatio.utilities.textgrid_io import getTextgridAsStr
    except ImportError as error:
        raise ValueError(f"textgrid needs praatio ({error}); install it with: pip install 'afkit[label]'") from None
    (one,) = recordings
    tiers = tiers_of(_rounded(one.rows, 6)) or {"labels": []}
    last = max([one.duration_sec or 1e-3, *(row.end_sec for rows in tiers.values() for row in rows)])
    made = [
        {"class": "IntervalTier", "name": name, "xmin": 0.0, "xmax": last}
        | {"entries": [(row.start_sec, row.end_sec, row.label) for row in rows]}
        for name, rows in tiers.items()
    ]
    grid = {"xmin": 0.0, "xmax": last, "tiers": made}
    return getTextgridAsStr(grid, "long_textgrid", True, minimumIntervalLength=None)
