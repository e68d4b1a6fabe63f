"""How far two annotators agree, and where they do not: `python -m afkit agreement`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.data.annotations import Video, read_annotations, to_frame
from afkit.data.feature_formats import listed
from afkit.segments import keep_distinct, mostly_within, tiou

TIOUS = (0.3, 0.4, 0.5, 0.6, 0.7)
SAME_TIOU = 0.5  # from which two segments are taken for the same action
ALL = "all"  # the row of all classes
DIFFERENCES = {  # columns of the list of differences
    "video": "str",
    "start_sec": "float64",
    "end_sec": "float64",
    "what": "str",
    "label_one": "object",
    "start_one": "float64",
    "end_one": "float64",
    "label_other": "object",
    "start_other": "float64",
    "end_other": "float64",
}


class Agreement(NamedTuple):
    """What two annotation files have in common."""

    classes: pd.DataFrame  # by class, and `ALL`: segments_one, segments_other, f1@0.3 to f1@0.7, kappa; NaN for none
    differences: pd.DataFrame  # of `DIFFERENCES`, by recording and time; what is NaN or None is not there
    notes: list[str]  # on what was not compared
    compared: pd.DataFrame  # as the differences, with "" in `what` of segments that agree


def agreement(one: str | Path, other: str | Path, tolerance_sec: float = 0.5) -> Agreement:
    """Compare two annotation files on the recordings, and the parts of these, that both annotators judged.

    Labels are compared by their names. F1 counts pairs of segments of one class, each segment in one pair at most, the
    highest tIoU first. Cohen's kappa is that of the label at each instant, exact by lengths: of a class, whether it is
    there; of all, which classes are there (several at once, and none, are labels of their own). It is NaN where both
    have the same one label all the time.

    Args:
        tolerance_sec: by which the ends of two segments may differ without being listed.

    Raises:
        ValueError: a file that cannot be read, no recording in common, or a tolerance below 0.
    """
    if not tolerance_sec >= 0:
        raise ValueError(f"the tolerance is {tolerance_sec} s; give 0 or more")
    for path in (one, other):
        if Path(path).suffix.lower() in (".csv", ".tsv"):
            raise ValueError(
                f"{path} is a table; make an annotation file of it: python -m afkit import {path} FILE.json"
            )
    files = [read_annotations(path) for path in (one, other)]
    videos = [name for name in files[0].videos if name in files[1].videos]
    if not videos:
        there = " and ".join(f"{file.path} ({listed(file.videos, 5)})" for file in files)
        raise ValueError(f"{there} have no recording in common; compare files about the same recordings")
    tables, lengths, compared, notes = [], [], [], []
    for name in videos:
        pair = [file.videos[name] for file in files]
        segments = [named_segments(video, file.label_names) for video, file in zip(pair, files, strict=True)]
        ignored = np.concatenate([video.ignored_sec for video in pair])
        rows = [table[~_hidden(table, pair)].reset_index(drop=True) for table in segments]
        matches = _matches(*rows)
        tables.append((rows, matches))
        last, note = _lasting(pair)
        notes += [note] if note else []
        lengths.append(_instants(segments, ignored, last))
        compared += _compared(name, rows, matches, tolerance_sec)
    every = pd.DataFrame(compared, columns=list(DIFFERENCES)).astype(DIFFERENCES)
    for path, file, counterpart in ((one, files[0], files[1]), (other, files[1], files[0])):
        alone = [name for name in file.videos if name not in counterpart.videos]
        notes += [f"{len(alone)} recordings are in {path} alone, as '{alone[0]}': not compared"] if alone else []
    every = every.sort_values(["video", "start_sec", "end_sec"], kind="stable", ignore_index=True)
    differences = every[every["what"] != ""].reset_index(drop=True)
    return Agreement(_classes(tables, pd.concat(lengths, ignore_index=True)), differences, notes, every)


def named_segments(video: Video, names: Mapping[int, str]) -> pd.DataFrame:
    """Segments without repetitions: video, start_sec, end_sec, label (a name); also what lies where nobody judged."""
    table = to_frame([video], clean=False)[keep_distinct(video.segments_sec, video.labels)]
    return table.assign(label=[" ".join(names[label].split()) for label in table["label"]])


def _hidden(table: pd.DataFrame, pair: Iterable[Video]) -> np.ndarray:
    """Which segments lie mostly where one of both did not judge."""
    times = table[["start_sec", "end_sec"]].to_numpy()
    return np.logical_or.reduce([mostly_within(times, video.ignored_sec) for video in pair])


def _lasting(pair: Iterable[Video]) -> tuple[float, str]:
    """How long a recording lasts, as far as both know, and a sentence where they do not agree."""
    videos = list(pair)
    said = [video.duration_sec for video in videos if video.duration_sec is not None]
    ends = [end for video in videos for end in video.segments_sec[:, 1].tolist()]
    if not said:
        return max(ends, default=0.0), f"'{videos[0].name}' has no duration: kappa counts until its last segment ends"
    if max(said) - min(said) > 0.05:
        return min(said), f"'{videos[0].name}' lasts {said[0]:g} s in one file and {said[1]:g} s in the other"
    return min(said), ""


def _matches(one: pd.DataFrame, other: pd.DataFrame) -> list[tuple[int, int, float]]:
    """(row, row, tIoU) of segments of one class that overlap, each once, the highest tIoU first."""
    return _paired(one, other, (one["label"].to_numpy()[:, None] == other["label"].to_numpy()), 0.0)


def _paired(one: pd.DataFrame, other: pd.DataFrame, allowed: np.ndarray, least: float) -> list[tuple[int, int, float]]:
    """Pairs above a tIoU among those that are `allowed` (N, M), by falling tIoU, each row in one at most."""
    times = [table[["start_sec", "end_sec"]].to_numpy() for table in (one, other)]
    overlap = np.where(allowed, tiou(times[0][:, None], times[1]), 0.0)  # (N, M)
    rows, columns = np.nonzero((overlap > 0) & (overlap >= least))
    order = np.argsort(-overlap[rows, columns], kind="stable")
    pairs: list[tuple[int, int, float]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            pairs.append((i, j, float(overlap[i, j])))
    return pairs


def _instants(segments: list[pd.DataFrame], ignored: np.ndarray, last: float) -> pd.DataFrame:
    """The stretches of a recording between the ends of segments: sec, and the classes of one and other (frozensets)."""
    times = [table[side].to_numpy() for table in segments for side in ("start_sec", "end_sec")]
    cuts = np.unique(np.clip(np.concatenate([*times, ignored.ravel(), [0.0, last]]), 0.0, last))
    middles = (cuts[:-1] + cuts[1:]) / 2
    judged = np.ones(len(middles), bool)
    for start, end in ignored:
        judged &= (middles < start) | (middles > end)
    states = []
    for table in segments:
        labels: list[set[str]] = [set() for _ in middles]
        for start, end, label in table[["start_sec", "end_sec", "label"]].itertuples(index=False):
            for place in range(*np.searchsorted(middles, [start, end])):
                labels[place].add(label)
        states.append([frozenset(at) for at in labels])
    frame = pd.DataFrame({"sec": np.diff(cuts), "one": states[0], "other": states[1]})
    return frame[judged]


def kappa(one: Iterable, other: Iterable, sec: Iterable[float]) -> float:
    """Cohen's kappa of two labels for each of some stretches, weighted by their lengths; NaN where it is not defined.

    Examples:
        >>> round(kappa(["a", "a", "b", "b"], ["a", "b", "b", "b"], [2, 1, 1, 4]), 4)
        0.7143
    """
    table = pd.DataFrame({"one": list(one), "other": list(other), "sec": list(sec)})
    whole = table["sec"].sum()
    if not whole > 0:
        return np.nan
    shares = [table.groupby(side, sort=False)["sec"].sum() / whole for side in ("one", "other")]
    observed = table.loc[table["one"] == table["other"], "sec"].sum() / whole
    expected = float((shares[0] * shares[1]).sum())  # of labels that one of both lacks, NaN, which counts as 0
    return float((observed - expected) / (1 - expected)) if expected < 1 - 1e-12 else np.nan


def _classes(tables: list, instants: pd.DataFrame) -> pd.DataFrame:
    """The table of classes."""
    names = sorted({label for rows, _ in tables for table in rows for label in table["label"]})
    made = [_of_class(tables, instants, name) for name in [*names, None]]
    return pd.DataFrame(made, index=pd.Index([*names, ALL], name="class"))


def _of_class(tables: list, instants: pd.DataFrame, name: str | None) -> dict[str, float]:
    """A row of the table; of all classes for None."""
    labels = [[label for rows, _ in tables for label in rows[side]["label"]] for side in (0, 1)]
    counts = [len(own) if name is None else own.count(name) for own in labels]
    found = [
        overlap
        for rows, matches in tables
        for i, _, overlap in matches
        if name is None or rows[0]["label"].iloc[i] == name
    ]
    row: dict[str, float] = {"segments_one": counts[0], "segments_other": counts[1]}
    for threshold in TIOUS:
        row[f"f1@{threshold}"] = 2 * sum(o >= threshold for o in found) / sum(counts) if sum(counts) else np.nan
    states = [[at if name is None else name in at for at in instants[side]] for side in ("one", "other")]
    return row | {"kappa": kappa(states[0], states[1], instants["sec"])}


def _compared(video: str, rows: list[pd.DataFrame], matches: list, tolerance_sec: float) -> list[tuple]:
    """What the two annotators of a recording see, and how it differs: "" where it does not."""
    one, other = rows
    sure = [(i, j) for i, j, overlap in matches if overlap >= SAME_TIOU]
    free = np.ones((len(one), len(other)), bool)
    for i, j in sure:
        free[i], free[:, j] = False, False
    changed = [(i, j) for i, j, _ in _paired(one, other, free, SAME_TIOU)]  # of one class they would be sure
    for i, j in changed:
        free[i], free[:, j] = False, False
    loose = {(i, j): overlap for i, j, overlap in matches if free[i, j]}
    found = [_row(video, one.iloc[i], other.iloc[j], "label differs") for i, j in changed]
    for i, j in [*sure, *loose]:
        a, b = one.iloc[i], other.iloc[j]
        off = [(side, abs(a[f"{side}_sec"] - b[f"{side}_sec"])) for side in ("start", "end")]
        what = ", ".join(f"{side} differs by {sec:.3g} s" for side, sec in off if sec > tolerance_sec)
        if not what and (i, j) in loose:
            what = f"they overlap little (tIoU {loose[i, j]:.2f})"
        found.append(_row(video, a, b, what))
    paired = [{pair[side] for pair in (*sure, *changed, *loose)} for side in (0, 1)]
    found += [_row(video, one.iloc[i], None, "missed by other") for i in range(len(one)) if i not in paired[0]]
    found += [_row(video, None, other.iloc[j], "missed by one") for j in range(len(other)) if j not in paired[1]]
    return found


def _row(video: str, one: pd.Series | None, other: pd.Series | None, what: str) -> tuple:
    sides = [
        (None, np.nan, np.nan) if row is None else (row["label"], row["start_sec"], row["end_sec"])
        for row in (one, other)
    ]
    return (video, np.nanmin([s[1] for s in sides]), np.nanmax([s[2] for s in sides]), what, *sides[0], *sides[1])


MOST_SHOWN = 20


def describe_agreement(found: Agreement) -> str:
    """The tables as text; of the differences, the first ones."""
    classes = found.classes.rename(columns={"segments_one": "one", "segments_other": "other"})
    lines = [classes.to_string(float_format=lambda value: f"{value:.3f}", na_rep="-"), ""]
    lines.append(f"{len(found.differences)} differences" + (":" if len(found.differences) else ""))
    for row in found.differences.head(MOST_SHOWN).itertuples():
        labels = " / ".join(
            dict.fromkeys(label for label in (row.label_one, row.label_other) if isinstance(label, str))
        )
        lines.append(f"{row.video}  {row.start_sec:.3f} to {row.end_sec:.3f} s  {labels}: {row.what}")
    if len(found.differences) > MOST_SHOWN:
        lines.append(f"... and {len(found.differences) - MOST_SHOWN} more; --csv FILE writes all of them")
    return "\n".join([*lines, *(f"note: {note}" for note in found.notes)])
