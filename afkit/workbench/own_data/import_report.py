"""What an import made, and everything that it changed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from afkit.workbench.own_data.import_rows import Change, Recording, Row
from afkit.workbench.survey.alike import alike_labels, divided_people

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

    Args:
        target: the annotation file.
        rows: all segments.
        split: the subset of each recording.
        names: label ids by name.
        changes: as collected.
        known: what is known of each recording.

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
