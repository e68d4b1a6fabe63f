"""What an import made, and everything that it changed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from afkit.data.import_rows import Change, Recording, Row


class ImportReport(NamedTuple):
    """What an import made, and everything that it changed."""

    target: Path  # the annotation file
    labels: dict[str, int]  # name: label id
    recordings: dict[str, int]  # in each subset
    segments: dict[str, int]  # by subset
    changes: list[Change]  # to what the files say
    notes: list[str]  # allowed, but worth knowing


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
    for row in rows:
        if training is not None and row.label not in in_subset[training]:
            in_subset[training].add(row.label)  # one note each
            notes.append(f"{row.where}: the class '{row.label}' is absent from training; it cannot be learned")
    return ImportReport(target, names, dict(Counter(split.values())), dict(counts), changes, notes)


def describe(report: ImportReport) -> str:
    """The report as text: counts, changes (equal ones as one line with their number), notes, and the file."""
    lines = [
        f"{subset}: {number} recordings, {report.segments.get(subset, 0)} segments"
        for subset, number in report.recordings.items()
    ]
    lines.append("labels: " + ", ".join(f"{number} {label}" for label, number in report.labels.items()))
    places = defaultdict(list)
    for change in report.changes:
        places[change.what].append(change.where)
    for what, where in places.items():
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        lines.append(f"changed: {where[0]}{more}: {what}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join([*lines, str(report.target)])
