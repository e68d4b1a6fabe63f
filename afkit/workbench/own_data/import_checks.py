"""What may be wrong with imported annotations, each with what `fix` does about it.

Rows are a table with the columns video, start, end (seconds), label, where (file and row, for messages), whole (both
times were whole numbers in the file, which frames are), mixed (they were written otherwise than others) and label_id.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.config import MOST_WIDTH
from afkit.segments import DUPLICATE_SEC, MIN_LENGTH_SEC
from afkit.workbench.own_data.clocks import DAY_SEC
from afkit.workbench.own_data.import_rows import Recording, is_empty

SORTED_IDS = "label ids are the sorted labels"  # a change that the report names
MOST_SHOWN = 20
MOST_REPAIRED = 0.05  # of all rows, by `fix` without a kind; more is mostly a wrong column or unit
LONGEST = 600  # letters of a problem
FEW_REPAIRED = 3  # may be repaired in files of few rows, up to half of them

KINDS = {  # of what `fix` can repair, each with what it does
    "unlisted": "rows of recordings that are not listed are left out",
    "unnamed": "rows of recordings without a name are left out",
    "empty": "rows without a label are left out",
    "spelling": "labels that differ in case, blanks, hyphens or underscores get one spelling",
    "times": "rows with a time that is missing or not finite are left out",
    "reversed": "start and end are turned",
    "outside": "times beyond the recording are cut, or the row is left out",
    "short": "segments under 1 ms are left out",
    "repeats": "repetitions are left out",
    "overlaps": "overlaps of one label are joined",
    "unlabelled": "recordings without annotation are left out",
    "ids": "labels with several ids are numbered anew",
}


class Problem(NamedTuple):
    """Something wrong in a source."""

    where: str  # file and row
    what: str  # one sentence for the user
    repair: str = ""  # what `fix` makes of it; "" where a person has to decide
    kind: str = ""  # of `KINDS` where there is a repair


def raise_problems(source: Path, problems: list[Problem], kinds: Collection[str], number: int) -> None:
    """Raise a ValueError that lists the problems which `fix` may not repair.

    `kinds` are those to repair, "" those that are few of the `number` of rows.
    """
    counts = Counter(problem.kind for problem in problems if problem.repair)
    most = max(MOST_REPAIRED * number, min(FEW_REPAIRED, number // 2))
    few = {kind for kind, count in counts.items() if count <= most or kind in ("unlabelled", "ids")}
    repaired = {kind for kind in counts if kind in kinds or ("" in kinds and kind in few)}
    left = [problem for problem in problems if not (problem.repair and problem.kind in repaired)]
    if not left:
        return
    shown = pd.DataFrame(left, columns=Problem._fields)
    rank = shown.groupby("kind").cumcount()  # the first ones are shown, but of each kind as many
    shown = shown.loc[rank.sort_values(kind="stable").index[:MOST_SHOWN].sort_values()]
    whole = [f"{where}: {what}" for where, what in zip(shown["where"], shown["what"], strict=True)]
    lines = [f"{line[:LONGEST]} ... {line[-40:]}" if len(line) > LONGEST + 40 else line for line in whole]
    if len(left) > MOST_SHOWN:
        lines.append(f"... and {len(left) - MOST_SHOWN} more")
    counted = Counter(problem.kind or "for a person to decide" for problem in left)
    kinds_of = ", ".join(f"{count} {kind}" for kind, count in counted.most_common())
    many = sorted(kind for kind in counts if kind not in few and kind not in repaired)
    remedy = _remedy(Counter(problem.kind for problem in left if problem.repair), many, number)
    problem_s = "problem" if len(left) == 1 else "problems"
    raise ValueError(f"{len(left)} {problem_s} in {source} ({kinds_of}); {remedy}:\n" + "\n".join(lines))


def _remedy(counts: Mapping[str, int], many: list[str], number: int) -> str:
    """What a user can do about problems of some kinds, that which changes least first."""
    remedies = ["correct" if counts else "correct it"]
    if counts.keys() & {"overlaps", "repeats"}:
        accept = "accept overlaps of a label with --allow-overlaps, if they are meant (several people or sources)"
        remedies.insert(0, accept)
    if many:
        shares = ", ".join(f"{counts[kind]} of {number} rows are of the kind {kind}" for kind in many)
        named = " ".join(["--fix"] * (len(counts) > len(many)) + [f"--fix={kind}" for kind in many])
        why = "more than --fix alone repairs; look whether columns and unit are right"
        remedies.append(f"repair {sum(counts.values())} with {named} ({shares}, {why})")
    elif counts:
        remedies.append(f"repair {sum(counts.values())} with --fix (fix=True)")
    return ", or ".join(remedies)


ROUNDING_SEC = 0.05  # by which times may exceed a recording: durations are often rounded
OTHER_UNIT = 5  # times of whole numbers, this many durations after the start, are frames rather than seconds


def check_rows(
    rows: pd.DataFrame,
    recordings: Mapping[str, Recording],
    listed: Collection[str],
    rate: float | None,
    allow_overlaps: bool,
    labels: Collection[str],
    found: list[Problem],
) -> pd.DataFrame:
    """All checks of the rows, in the order in which one repair may lead to another; the rows that repairs leave.

    `listed` are the recordings that there are, empty where nobody said; `rate` frames or samples per second, to
    recognise times that are not in seconds; `labels` known to be some, such as "NA". What is met goes to `found`.

    Examples:
        >>> rows = pd.DataFrame({"video": "a", "start": [0.0, 9], "end": [2.0, 7], "label": ["Hand wave", "hand_wave"]})
        >>> found: list[Problem] = []
        >>> rows = check_rows(rows.assign(where=["row 2", "row 3"], whole=False), {}, [], None, False, [], found)
        >>> rows[["start", "end", "label"]].values.tolist(), [problem.repair for problem in found]
        ([[0.0, 2.0, 'Hand wave'], [7.0, 9.0, 'Hand wave']], ["written 'Hand wave'", 'turned'])
    """

    def drop(rows: pd.DataFrame, bad: pd.Series, kind: str, what: Callable[[Any], str]) -> pd.DataFrame:
        """The rows that are not bad; the others are problems."""
        found.extend(Problem(row.where, what(row), "left out", kind) for row in rows[bad].itertuples())
        return rows[~bad]

    if listed:
        rows = drop(rows, ~rows["video"].isin(listed), "unlisted", lambda row: _unlisted(row.video, listed))
    rows = drop(rows, rows["video"] == "", "unnamed", lambda row: "the recording has no name")
    empty = rows["label"].map(is_empty).astype(bool) & ~rows["label"].isin(labels)
    rows = drop(rows, empty, "empty", lambda row: f"the label is empty{f' ({row.label!r})' * bool(row.label.strip())}")
    rows = _spell(rows, labels, found)
    missing = ~np.isfinite(rows["start"] + rows["end"])
    rows = drop(rows, missing, "times", lambda row: "a time is not finite, or missing")
    turned = rows["end"] < rows["start"]
    for row in rows[turned].itertuples():
        night = row.start - row.end > DAY_SEC / 2
        what = f"{_shown(row)} is reversed" + ", as over midnight; write times with dates" * night
        found.append(Problem(row.where, what) if night else Problem(row.where, what, "turned", "reversed"))
    rows = rows.assign(start=rows[["start", "end"]].min(axis=1), end=rows[["start", "end"]].max(axis=1))
    rows = _inside(rows, recordings, rate, found)
    short = rows["end"] - rows["start"] < MIN_LENGTH_SEC - 1e-9  # 0.003 - 0.002 is less than 0.001
    rows = drop(rows, short, "short", lambda row: f"{_shown(row)} is shorter than 1 ms")
    return rows if allow_overlaps else _distinct(rows, found)


def _unlisted(video: str, listed: Collection[str]) -> str:
    near = [name for name in listed if name.casefold() == video.casefold()] or get_close_matches(video, list(listed), 1)
    return f"no recording '{video}' is listed" + (f" (but '{near[0]}' is)" if near else "")


def _shown(row: Any) -> str:
    return f"segment {row.start:g} to {row.end:g} s"


def _spell(rows: pd.DataFrame, known: Collection[str], found: list[Problem]) -> pd.DataFrame:
    """One spelling for labels that differ only in case, spaces, hyphens, underscores: the known, or most frequent."""
    spaced = {label: " ".join(label.split()) for label in rows["label"]}
    counts = Counter(spaced[label] for label in rows["label"])
    own = [" ".join(label.split()) for label in known]
    chosen = {_key(label): label for label in reversed(own)}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        chosen.setdefault(_key(label), label)
    spelled = {label: spaced[label] if spaced[label] in own else chosen[_key(label)] for label in spaced}
    for row in rows[rows["label"] != rows["label"].map(spelled)].itertuples():
        label = spelled[row.label]
        other = f"is elsewhere spelled {label!r}" if spaced[row.label] != label else "has stray spaces"
        found.append(Problem(row.where, f"the label {row.label!r} {other}", f"written {label!r}", "spelling"))
    return rows.assign(label=rows["label"].map(spelled))


def _key(label: str) -> str:
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", label.strip())).casefold()


def _inside(
    rows: pd.DataFrame, recordings: Mapping[str, Recording], rate: float | None, found: list[Problem]
) -> pd.DataFrame:
    """The rows within their recordings, without those that lie outside."""
    known = [recordings.get(video, Recording("")) for video in rows["video"]]
    lasts, rates = [one.duration or np.inf for one in known], [rate or one.fps or np.nan for one in known]
    rows = rows.assign(lasts=lasts, rate=rates)
    frames = (rows["start"] >= OTHER_UNIT * rows["lasts"]) & (rows["end"] / rows["rate"] <= rows["lasts"])
    frames &= rows["whole"].astype(bool)
    beyond = ~frames & ((rows["start"] < 0) | (rows["end"] > rows["lasts"] + ROUNDING_SEC))
    outside = beyond & ((rows["end"] <= 0) | (rows["start"] >= rows["lasts"]))
    for row in rows.assign(frames=frames, outside=outside)[frames | beyond].itertuples():
        of = f"the recording's {row.lasts:g} s" if np.isfinite(row.lasts) else "the recording"
        if row.frames:
            what = f"mixed units? {_shown(row)} is beyond {of}, but not in frames at {row.rate:g}"
            found.append(Problem(row.where, what))
        else:
            repair = "left out" if row.outside else "cut"
            repair = "" if outside.all() else repair  # nothing would be left
            found.append(Problem(row.where, f"{_shown(row)} is beyond {of}", repair, "outside"))
    cut = {"start": rows["start"].clip(lower=0), "end": rows["end"].clip(upper=rows["lasts"])}
    rows = rows.assign(**{side: rows[side].where(~beyond, times) for side, times in cut.items()})
    return rows[~outside].drop(columns=["lasts", "rate"])


def _distinct(rows: pd.DataFrame, found: list[Problem]) -> pd.DataFrame:
    """Without repetitions; rows of one label and recording that overlap become one."""
    rows = rows.reset_index(drop=True)
    alike = rows.assign(group=rows.groupby(["video", "label"], sort=False).ngroup())
    ends, repeated, last = rows["end"].tolist(), [], None
    for row in alike.sort_values(["group", "start", "end"], kind="stable").itertuples():
        if last is None or row.group != last.group or row.start >= ends[last.Index] - MIN_LENGTH_SEC:
            last = row
            continue
        end = ends[last.Index]
        equal = max(abs(row.start - last.start), abs(row.end - end)) <= DUPLICATE_SEC
        verb, repair = ("repeats", "left out") if equal else ("overlaps", "joined with it")  # the verb is the kind
        what = f"{_shown(row)} {verb} another '{row.label}' ({last.where})"
        found.append(Problem(row.where, what, repair, verb))
        ends[last.Index] = max(end, row.end)
        repeated.append(row.Index)
    return rows.assign(end=ends).drop(index=repeated)


def check_recordings(
    rows: pd.DataFrame, recordings: Mapping[str, Recording], quiet: Collection[str], found: list[Problem]
) -> dict[str, Recording]:
    """The recordings to keep: all with checked rows or `quiet`, and those of a subset in which nothing is labelled."""
    labelled = {*rows["video"], *quiet}
    subsets = {recordings[video].subset.lower() for video in labelled if video in recordings}
    kept = {}
    for video, recording in recordings.items():
        if video in labelled or (recording.subset and recording.subset.lower() not in subsets):
            kept[video] = recording
        else:
            found.append(Problem(recording.where, f"recording '{video}' has no annotation", "left out", "unlabelled"))
    for video, where in zip(rows["video"], rows["where"], strict=True):
        kept.setdefault(video, Recording(where))
    return kept


def label_ids(rows: pd.DataFrame, labels: Sequence[str], problems: list[Problem]) -> tuple[dict[str, int], str]:
    """{label: id}, and a sentence where the ids are not the source's.

    `labels` are as the user orders them (a ValueError where one is there twice), () for the source's ids, or sorted.
    `problems` receives labels that are not in the order, or have several ids.
    """
    if labels:
        if len(set(labels)) != len(labels):
            raise ValueError(f"a label is twice in the given order {', '.join(labels)}; name each once")
        for row in rows[~rows["label"].isin(labels)].itertuples():
            problems.append(Problem(row.where, f"the label '{row.label}' is not in the given order"))
        return {label: number for number, label in enumerate(labels)}, "label ids are the given order"
    found = {label: sorted(set(ids.dropna())) for label, ids in rows.groupby("label", sort=False)["label_id"]}
    ids = [number for numbers in found.values() for number in numbers]
    usable = all(0 <= number < MOST_WIDTH for number in ids)
    if rows["label_id"].notna().all() and len(set(ids)) == len(ids) == len(found) and usable:
        return dict(sorted(zip(found, ids, strict=True), key=lambda pair: pair[1])), ""
    for row in rows[rows["label_id"].notna()].itertuples():
        others = [number for number in found[row.label] if number != row.label_id]
        if others:
            what = f"'{row.label}' has the label id {row.label_id} here and {others[0]} elsewhere"
            problems.append(Problem(row.where, what, "numbered anew", "ids"))
    order = sorted(found, key=int if all(label.isdecimal() and len(label) < 10 for label in found) else None)
    return {label: number for number, label in enumerate(order)}, SORTED_IDS
