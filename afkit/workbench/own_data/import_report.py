"""What an import made: ids of labels and subsets, given or drawn, and everything that it changed."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_checks import Problem
from afkit.workbench.own_data.import_choices import Chosen
from afkit.workbench.own_data.import_rows import Change, Recording, Row
from afkit.workbench.survey.widespread import alike_labels, divided_people

MOST_PAIRS = 3  # of labels that a note shows


class ImportReport(NamedTuple):
    """What an import made, and everything that it changed."""

    target: Path  # the annotation file
    labels: dict[str, int]  # name: label id
    recordings: dict[str, int]  # in each subset
    segments: dict[str, int]  # by subset
    changes: list[Change]  # to what the files say
    notes: list[str]  # allowed, but worth knowing; one of each kind, with how many there are


def make_report(
    target: Path,
    rows: list[Row],
    split: Mapping[str, str],
    names: dict[str, int],
    changes: list[Change],
    known: Mapping[str, Recording],
) -> ImportReport:
    """Count what was written, and note what is allowed but worth knowing.

    Returns:
        Counts and notes, for people and as JSON.
    """
    counts = Counter(split[row.video] for row in rows)
    in_subset = defaultdict(set)
    for row in rows:
        in_subset[split[row.video]].add(row.label)
    notes = []
    if len(names) == 1:
        notes.append(f"there is one class only, '{next(iter(names))}': set data.num_classes to 1")
    if len(split) == 2:
        notes.append("there are 2 recordings in all: a result on them says little")
    unlabelled = len(split.keys() - {row.video for row in rows})
    if unlabelled:
        notes.append(f"recordings in subsets without any label, kept: {unlabelled}")
    if any(known[video].duration is None for video in split):
        notes.append("some recordings have no duration: times beyond their end were not looked for")
    training = next((subset for subset in sorted(in_subset) if subset.startswith("train")), None)
    absent = {row.label: row for row in reversed(rows) if training and row.label not in in_subset[training]}
    if absent:
        row = min(absent.values(), key=rows.index)
        more = f" ({len(absent)} such classes)" if len(absent) > 1 else ""
        notes.append(f"{row.where}: the class '{row.label}' is absent from training; it cannot be learned{more}")
    notes += _alike_notes(names, split, known)
    return ImportReport(target, names, dict(Counter(split.values())), dict(counts), changes, notes)


def _alike_notes(names: Mapping[str, int], split: Mapping[str, str], known: Mapping[str, Recording]) -> list[str]:
    """Labels that may be one, and people whose recordings are in several subsets."""
    notes = []
    pairs = alike_labels(names)
    if pairs:
        shown = ", ".join(f"'{one}' and '{other}'" for one, other in pairs[:MOST_PAIRS])
        more = f" ({len(pairs)} such pairs)" if len(pairs) > MOST_PAIRS else ""
        notes.append(f"labels that differ by an accent or a letter: {shown}{more}; if they are one, write them alike")
    people = {} if any(known[video].group for video in split) else divided_people(split)
    if people:
        who, videos = next(iter(people.items()))
        more = f" ({len(people)} such persons or animals)" if len(people) > 1 else ""
        remedy = "keep them together with --column group=NAME, a column of people, here or in a table for --recordings"
        notes.append(f"recordings of '{who}', as {videos[0]} and {videos[-1]}, are in several subsets{more}; {remedy}")
    return notes


def describe(report: ImportReport) -> str:
    """The report as text: counts, changes and notes (those of one kind as one line with their number), and the file."""
    lines = [
        f"{subset}: {number} recordings, {report.segments.get(subset, 0)} segments"
        for subset, number in report.recordings.items()
    ]
    lines.append("labels: " + ", ".join(f"{number} {label}" for label, number in report.labels.items()))
    kinds: defaultdict[str, list[Change]] = defaultdict(list)
    for change in report.changes:
        kinds[change.kind or change.what].append(change)
    for kind, changes in kinds.items():
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        of_kind = f" ({len(changes)} of the kind {kind})" if len(changes) > 1 and kind != changes[0].what else ""
        lines.append(f"changed: {changes[0].where}{more}: {changes[0].what}{of_kind}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join([*lines, str(report.target)])


TRAINING, TEST = "training", "validation"  # names of the subsets of a drawn split, as a recipe has them by default


def label_ids(rows: list[Row], labels: Sequence[str], problems: list[Problem]) -> tuple[dict[str, int], str]:
    """{label: id}, and a sentence where the ids are not the source's.

    Args:
        labels: as the user orders them; () for the source's ids, or sorted.
        problems: receives labels that are not in the order, or have several ids.

    Raises:
        ValueError: a label stands twice in the order.
    """
    given: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        given[row.label] |= set() if row.label_id is None else {row.label_id}
    if labels:
        if len(set(labels)) != len(labels):
            raise ValueError(f"a label is twice in the given order {', '.join(labels)}; name each once")
        for row in rows:
            if row.label not in labels:
                problems.append(Problem(row.where, f"the label '{row.label}' is not in the given order", ""))
        return {label: number for number, label in enumerate(labels)}, "label ids are the given order"
    ids = [number for numbers in given.values() for number in numbers]
    complete = all(row.label_id is not None for row in rows)
    if complete and len(set(ids)) == len(ids) == len(given) and min(ids, default=0) >= 0:
        return dict(sorted(((label, number) for label, (number,) in given.items()), key=lambda pair: pair[1])), ""
    for row in rows:
        others = sorted(given[row.label] - {row.label_id})
        if row.label_id is not None and others:
            what = f"'{row.label}' has the label id {row.label_id} here and {others[0]} elsewhere"
            problems.append(Problem(row.where, what, "numbered anew", "ids"))
    order = sorted(given, key=int if all(label.isdecimal() and len(label) < 10 for label in given) else None)
    return {label: number for number, label in enumerate(order)}, "label ids are the sorted labels"


def draw_split(
    source: Path,
    chosen: Sequence[Chosen],
    known: Mapping[str, Recording],
    test_share: float,
    seed: int,
    problems: list[Problem],
) -> tuple[dict[str, str], str]:
    """{recording: subset}, and a sentence where it was drawn.

    Args:
        chosen: the tables, whose columns are shown where none names the recording.
        problems: receives recordings without a subset or group, and a split that cannot be drawn.
    """
    for field in ("subset", "group"):
        if any(getattr(recording, field) for recording in known.values()):
            for video, recording in sorted(known.items()):
                if not getattr(recording, field):
                    problems.append(Problem(recording.where, f"recording '{video}' has no {field}", ""))
    if any(recording.subset for recording in known.values()):
        split = {video: recording.subset.lower() for video, recording in sorted(known.items())}
        first: dict[str, str] = {}  # a recording of each group
        for video, subset in split.items():
            group = known[video].group
            if group and split[first.setdefault(group, video)] != subset:
                what = f"group '{group}' is in '{split[first[group]]}' and, with recording '{video}', in '{subset}'"
                problems.append(Problem(known[video].where, what, ""))
        return split, ""
    groups = sorted({recording.group or video for video, recording in known.items()})
    what = "groups" if any(recording.group for recording in known.values()) else "recordings"
    if len(groups) < 2:
        unnamed = [one.columns for one in chosen if "video" not in one.used and one.form == "csv" and len(known) == 1]
        hint = ""
        if unnamed:
            hint = f"; if one of the columns {listed(unnamed[0])} names the recording, --column video=NAME"
        remedy = "add another, or a column 'subset' (here, or in a table for --recordings)"
        what = f"a split needs two {what}, there is only {len(groups)}; {remedy}{hint}"
        problems.append(Problem(next((one.where for one in known.values()), str(source)), what, ""))
        return dict.fromkeys(known, TRAINING), ""
    number = min(max(round(test_share * len(groups)), 1), len(groups) - 1)
    tested = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:number]}
    split = {video: TEST if (known[video].group or video) in tested else TRAINING for video in sorted(known)}
    return split, f"subsets were drawn (seed {seed}): {number} of {len(groups)} {what} are '{TEST}'"
