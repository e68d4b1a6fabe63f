"""What may be wrong with imported annotations, each with what `fix` does about it.

Every check takes the rows of a source and gives those that a repair would leave; what it meets goes into a list.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from afkit.segments import DUPLICATE_SEC, MIN_LENGTH_SEC
from afkit.workbench.own_data.import_rows import Recording, Row, is_empty

MOST_SHOWN = 20
MOST_REPAIRED = 0.05  # of all rows, by `fix` without a kind; more is mostly a wrong column or unit
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
    repair: str  # what `fix` makes of it; "" where a person has to decide
    kind: str = ""  # of `KINDS` where there is a repair


def raise_problems(source: Path, problems: list[Problem], kinds: Collection[str], rows: list[Row], number: int) -> None:
    """Raise a ValueError that lists the problems which `fix` may not repair, or if no row is left.

    `kinds` are those to repair, "" those that are few of the `number` of rows.
    """
    counts = Counter(problem.kind for problem in problems if problem.repair)
    most = max(MOST_REPAIRED * number, min(FEW_REPAIRED, number // 2))
    few = {kind for kind, count in counts.items() if count <= most or kind in ("unlabelled", "ids")}
    repaired = {kind for kind in counts if kind in kinds or ("" in kinds and kind in few)}
    left = [problem for problem in problems if not (problem.repair and problem.kind in repaired)]
    if not left and not rows:
        raise ValueError(f"{source} has no annotation left; correct it")
    if not left:
        return
    counted = Counter(problem.kind or "for a person to decide" for problem in left)
    kinds_of = ", ".join(f"{count} {kind}" for kind, count in counted.most_common())
    shown = _spread(left)
    lines = [f"{problem.where}: {problem.what}" for problem in shown]
    if len(left) > len(shown):
        lines.append(f"... and {len(left) - len(shown)} more")
    many = sorted(kind for kind in counts if kind and kind not in few and kind not in repaired)
    remedy = _remedy(Counter(problem.kind for problem in left if problem.repair), many, number, "" in kinds)
    problem_s = "problem" if len(left) == 1 else "problems"
    raise ValueError(f"{len(left)} {problem_s} in {source} ({kinds_of}); {remedy}:\n" + "\n".join(lines))


def _spread(problems: list[Problem]) -> list[Problem]:
    """The first problems, but of each kind as many."""
    rank: Counter[str] = Counter()
    ranked = []
    for place, problem in enumerate(problems):
        rank[problem.kind] += 1
        ranked.append((rank[problem.kind], place))
    return [problems[place] for _, place in sorted(sorted(ranked)[:MOST_SHOWN], key=lambda pair: pair[1])]


def _remedy(counts: Mapping[str, int], many: Sequence[str], number: int, asked: bool) -> str:
    """What a user can do about problems of some kinds, that which changes least first."""
    remedies = []
    if counts.keys() & {"overlaps", "repeats"}:
        remedies.append(
            "accept overlaps of a label with --allow-overlaps, if they are meant (several people or sources)"
        )
    remedies.append("correct" if counts else "correct it")
    few = sum(count for kind, count in counts.items() if kind not in many)
    if not many and few:
        remedies.append(f"repair {few} with --fix (fix=True)")
    elif many:
        shares = ", ".join(f"{counts[kind]} of {number} rows are of the kind {kind}" for kind in many)
        named = " ".join(["--fix"] * (len(counts) > len(many)) + [f"--fix={kind}" for kind in many])
        why = "more than --fix alone repairs; look whether columns and unit are right"
        remedies.append(f"repair {sum(counts.values())} with {named} ({shares}, {why})")
    return ", or ".join(remedies)


ROUNDING_SEC = 0.05  # by which times may exceed a recording: durations are often rounded
OTHER_UNIT = 5  # times of whole numbers, this many durations after the start, are frames rather than seconds


def check_rows(
    rows: list[Row],
    recordings: Mapping[str, Recording],
    listed: Collection[str],
    rate: float | None,
    allow_overlaps: bool,
    labels: Collection[str],
    found: list[Problem],
) -> list[Row]:
    """All checks of the rows, in the order in which one repair may lead to another.

    `listed` are the recordings that there are, empty where nobody said; `rate` frames or samples per second, to
    recognise times that are not in seconds; `labels` known to be some, such as "NA". What is met goes to `found`.

    Examples:
        >>> rows = [Row(video="a", start=0, end=2, label="Hand wave", where="row 2")]
        >>> rows += [Row(video="a", start=9, end=7, label="hand_wave", where="row 3")]
        >>> found: list[Problem] = []
        >>> [(row.start, row.end, row.label) for row in check_rows(rows, {}, [], None, False, [], found)]
        [(0.0, 2.0, 'Hand wave'), (7.0, 9.0, 'Hand wave')]
        >>> [problem.repair for problem in found]
        ["written 'Hand wave'", 'turned']
    """
    if listed:
        rows = _drop(rows, "unlisted", lambda row: _unlisted(row, listed), found)
    rows = _drop(rows, "unnamed", lambda row: "" if row.video else "the recording has no name", found)
    rows = _drop(rows, "empty", lambda row: _unlabelled(row, labels), found)
    rows = _spell(rows, found)
    finite = "a time is not finite, or missing"
    rows = _drop(rows, "times", lambda row: "" if math.isfinite(row.start + row.end) else finite, found)
    rows = [_turned(row, found) for row in rows]
    inside = [_inside(row, recordings.get(row.video), rate, found) for row in rows]
    rows = _drop([row for row in inside if row is not None], "short", _too_short, found)
    return rows if allow_overlaps else _distinct(rows, found)


def _unlisted(row: Row, listed: Collection[str]) -> str:
    if row.video in listed:
        return ""
    near = get_close_matches(row.video, list(listed), 1)
    return f"no recording '{row.video}' is listed" + (f" (but '{near[0]}' is)" if near else "")


def _unlabelled(row: Row, labels: Collection[str]) -> str:
    if not is_empty(row.label) or row.label in labels:
        return ""
    return "the label is empty" + (f" ({row.label!r})" if row.label.strip() else "")


def _drop(rows: list[Row], kind: str, complaint: Callable[[Row], str], found: list[Problem]) -> list[Row]:
    """The rows without a complaint; the others are problems whose repair is to leave them out."""
    kept = []
    for row in rows:
        what = complaint(row)
        if what:
            found.append(Problem(row.where, what, "left out", kind))
        else:
            kept.append(row)
    return kept


def _too_short(row: Row) -> str:
    return f"{_shown(row)} is shorter than 1 ms" if row.end - row.start < MIN_LENGTH_SEC else ""


def _shown(row: Row) -> str:
    return f"segment {row.start:g} to {row.end:g} s"


def _spell(rows: list[Row], found: list[Problem]) -> list[Row]:
    """One spelling for labels that differ in case, spaces, hyphens and underscores only: the most frequent."""
    counts = Counter(" ".join(row.label.split()) for row in rows)
    chosen: dict[str, str] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        chosen.setdefault(_key(label), label)
    kept = []
    for row in rows:
        label = chosen[_key(row.label)]
        if label != row.label:
            what = f"the label {row.label!r} has stray spaces"
            if " ".join(row.label.split()) != label:
                what = f"the label {row.label!r} is elsewhere spelled {label!r}"
            found.append(Problem(row.where, what, f"written {label!r}", "spelling"))
        kept.append(row.but(label=label) if label != row.label else row)
    return kept


def _key(label: str) -> str:
    return re.sub(r"[\s_-]+", " ", label.strip()).casefold()


def _turned(row: Row, found: list[Problem]) -> Row:
    if row.end >= row.start:
        return row
    found.append(Problem(row.where, f"{_shown(row)} is reversed", "turned", "reversed"))
    return row.but(start=row.end, end=row.start)


def _inside(row: Row, recording: Recording | None, rate: float | None, found: list[Problem]) -> Row | None:
    """The row within its recording; None where it lies outside."""
    duration = (recording and recording.duration) or math.inf
    rate = rate or (recording.fps if recording else None)
    if row.start >= OTHER_UNIT * duration and row.whole and rate and row.end / rate <= duration:
        what = f"mixed units? {_shown(row)} is beyond the recording's {duration:g} s, but not in frames at {rate:g}"
        found.append(Problem(row.where, what, ""))
        return row
    if row.start >= 0 and row.end <= duration + ROUNDING_SEC:
        return row
    outside = row.end <= 0 or row.start >= duration
    of = f"the recording's {duration:g} s" if math.isfinite(duration) else "the recording"
    found.append(Problem(row.where, f"{_shown(row)} is beyond {of}", "left out" if outside else "cut", "outside"))
    return None if outside else row.but(start=max(row.start, 0.0), end=min(row.end, duration))


def _distinct(rows: list[Row], found: list[Problem]) -> list[Row]:
    """Without repetitions; rows of one label and recording that overlap become one."""
    by_label = defaultdict(list)
    for place, row in enumerate(rows):
        by_label[row.video, row.label].append(place)
    merged: dict[int, Row] = {}  # by place
    for places in by_label.values():
        last = None
        for place in sorted(places, key=lambda place: (rows[place].start, rows[place].end)):
            row = rows[place]
            if last is None or row.start >= merged[last].end - MIN_LENGTH_SEC:
                merged[place], last = row, place
                continue
            before = merged[last]
            same = max(abs(row.start - before.start), abs(row.end - before.end)) <= DUPLICATE_SEC
            verb, repair = ("repeats", "left out") if same else ("overlaps", "joined with it")  # the verb is the kind
            what = f"{_shown(row)} {verb} another '{row.label}' ({before.where})"
            found.append(Problem(row.where, what, repair, verb))
            merged[last] = before.but(end=max(before.end, row.end))
    return [merged[place] for place in sorted(merged)]


def check_recordings(
    rows: list[Row], recordings: Mapping[str, Recording], quiet: Collection[str], found: list[Problem]
) -> dict[str, Recording]:
    """The recordings to keep: all with checked rows or `quiet`, and those of a subset in which nothing is labelled."""
    labelled = {row.video for row in rows} | set(quiet)
    subsets = {recordings[video].subset.lower() for video in labelled if video in recordings}
    kept = {}
    for video, recording in recordings.items():
        if video in labelled or (recording.subset and recording.subset.lower() not in subsets):
            kept[video] = recording
        else:
            found.append(Problem(recording.where, f"recording '{video}' has no annotation", "left out", "unlabelled"))
    for row in rows:
        kept.setdefault(row.video, Recording(where=row.where))
    return kept
