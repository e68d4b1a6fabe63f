"""Annotations of other tools become the project's annotation file: `python -m afkit import`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from afkit.data.import_checks import Problem, check_recordings, check_rows
from afkit.data.import_formats import read_source
from afkit.data.import_report import ImportReport, make_report
from afkit.data.import_rows import Change, Recording, Row, Source
from afkit.files import write_json

TRAINING, TEST = "training", "validation"  # names of the subsets of a drawn split, as a recipe has them by default
MOST_SHOWN = 20


def import_annotations(
    source: str | Path,
    target: str | Path,
    *,
    form: str = "",
    columns: Mapping[str, str] | None = None,
    unit: Literal["seconds", "frames", "samples"] = "seconds",
    rate: float | None = None,
    labels: Sequence[str] = (),
    background: Collection[str] = (),
    recordings: str | Path = "",
    test_share: float = 0.3,
    seed: int = 0,
    fix: bool = False,
    allow_overlaps: bool = False,
) -> ImportReport:
    """Write an annotation file from a table, JSON, an export of ELAN or Audacity, text files, or labels per time step.

    Args:
        source: the file, or a folder with a file per recording, named as the recording.
        target: the annotation file to write; it must not exist.
        form: csv, json, elan, audacity, text (lines "start end label") or steps (a label per time step); "" to tell by
            the file's ending.
        columns: {field: column}, for unusual names, and always for group (say, person); the fields are those of
            `afkit.data.import_rows.NAMES`.
        unit: of the times; times like 1:02:03.5 are always seconds. Steps are samples.
        rate: frames or samples per second. It becomes the file's fps, too.
        labels: all labels in the order of their ids; () for the source's ids, or sorted labels.
        background: labels that mean that nothing happens.
        recordings: a table of all recordings: video, and perhaps duration (seconds), fps, subset, group.
        test_share: of the recordings for the test subset, where no subset is given; of the groups, where there are
            any, so that none is in both subsets.
        seed: of that draw.
        fix: repair what can be repaired.
        allow_overlaps: accept overlaps and repetitions of the same label.

    Returns:
        the report; the file is ordered by recording and time.

    Raises:
        ValueError: a wrong argument or file, or the list of what is wrong, by file and row; nothing is written then.
    """
    target, unit = Path(target), "samples" if form == "steps" else unit
    _check_arguments(target, unit, rate, test_share)
    found, listed = _read(Path(source), form, columns or {}, recordings)
    known = _merge(found.recordings, listed)
    problems: list[Problem] = []
    rows = _in_seconds(found.rows, known, unit, rate, problems)
    if form == "steps":
        known = _end_with_last_step(known, rows)
    rows, idle = _without_background(rows, background)
    rows = check_rows(rows, known, listed, rate, allow_overlaps, problems)
    known = check_recordings(rows, known, {row.video for row in idle}, problems)
    names, order_change = _label_ids(rows, labels, problems)
    split, split_change = _split(known, test_share, seed, problems)
    _raise(Path(source), problems, fix, rows)
    write_json(target, {"database": _database(rows, known, split, names, rate)})
    in_seconds = f"times were in {unit}: divided by the rate" if unit != "seconds" else ""
    orders = [Change(str(source), text) for text in (in_seconds, order_change, split_change) if text]
    return make_report(target, rows, split, names, [*found.changes, *_changes(idle, problems), *orders], known)


def _check_arguments(target: Path, unit: str, rate: float | None, test_share: float) -> None:
    if target.exists():
        raise ValueError(f"{target} exists; remove it, or name another file")
    if unit not in ("seconds", "frames", "samples"):
        raise ValueError(f"the unit is '{unit}'; choose from: seconds, frames, samples")
    if rate is not None and not 0 < rate < float("inf"):
        raise ValueError(f"the rate is {rate}; give the frames or samples per second")
    if not 0 < test_share < 1:
        raise ValueError(f"the test share is {test_share}; give a number between 0 and 1")


def _read(
    source: Path, form: str, columns: Mapping[str, str], recordings: str | Path
) -> tuple[Source, dict[str, Recording]]:
    """The annotations, and the recordings that a table of them lists ({} without one)."""
    found, fields, listed = read_source(source, form, columns), set(), {}
    if str(recordings):
        table = read_source(Path(recordings), "csv", columns, labelled=False)
        fields, listed = table.fields, table.recordings
    for field, column in columns.items():
        if field not in found.fields | fields:
            raise ValueError(f"no file has a column '{column}' for '{field}'; correct its name")
    return found, listed


def _merge(own: Mapping[str, Recording], listed: Mapping[str, Recording]) -> dict[str, Recording]:
    """What both say about the recordings; the table of recordings wins."""
    merged = {video: recording for video, recording in own.items() if not listed or video in listed}
    for video, recording in listed.items():
        before = merged.get(video, recording)
        kept = {field: value for field, value in recording._asdict().items() if value not in ("", None)}
        merged[video] = before._replace(**kept)
    return merged


def _in_seconds(
    rows: list[Row], known: Mapping[str, Recording], unit: str, rate: float | None, problems: list[Problem]
) -> list[Row]:
    if unit == "seconds":
        return rows
    converted = []
    for row in rows:
        per_sec = rate or (known[row.video].fps if row.video in known else None)
        if per_sec is None:
            raise ValueError(f"{row.where}: the times are in {unit} without a rate; give the {unit} per second")
        if row.in_sec or any(time % 1 for time in (row.start, row.end) if np.isfinite(time)):
            what = f"mixed units, {row.start:g} to {row.end:g} are no whole {unit}"
            problems.append(Problem(row.where, what, ""))
        converted.append(row._replace(start=row.start / per_sec, end=row.end / per_sec))
    return converted


def _end_with_last_step(known: Mapping[str, Recording], rows: list[Row]) -> dict[str, Recording]:
    """The duration of each recording where every step has a label; one that is known already stays."""
    ends: dict[str, float] = {}
    for row in rows:
        ends[row.video] = max(row.end, ends.get(row.video, 0.0))
    return {video: known[video]._replace(duration=known[video].duration or ends.get(video)) for video in known}


def _without_background(rows: list[Row], background: Collection[str]) -> tuple[list[Row], list[Row]]:
    """The rows of actions, and those of background."""
    names = {name.strip().casefold() for name in background}
    idle = [row for row in rows if row.label.strip().casefold() in names]
    return [row for row in rows if row.label.strip().casefold() not in names], idle


def _changes(idle: list[Row], problems: list[Problem]) -> list[Change]:
    left_out = [Change(row.where, f"the label '{row.label.strip()}' is background: left out") for row in idle]
    return left_out + [Change(problem.where, f"{problem.what}: {problem.repair}") for problem in problems]


def _label_ids(rows: list[Row], labels: Sequence[str], problems: list[Problem]) -> tuple[dict[str, int], str]:
    """{label: id}, and a sentence where the ids are not the source's."""
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
            problems.append(Problem(row.where, what, "numbered anew"))
    order = sorted(given, key=int if all(label.isdecimal() and len(label) < 10 for label in given) else None)
    return {label: number for number, label in enumerate(order)}, "label ids are the sorted labels"


def _split(
    known: Mapping[str, Recording], test_share: float, seed: int, problems: list[Problem]
) -> tuple[dict[str, str], str]:
    """{recording: subset}, and a sentence where it was drawn."""
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
        where = next(iter(known.values())).where if known else ""
        problems.append(Problem(where, f"a split needs two {what}, there is only {len(groups)}; name subsets", ""))
        return dict.fromkeys(known, TRAINING), ""
    number = min(max(round(test_share * len(groups)), 1), len(groups) - 1)
    chosen = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:number]}
    split = {video: TEST if (known[video].group or video) in chosen else TRAINING for video in sorted(known)}
    return split, f"subsets were drawn (seed {seed}): {number} of {len(groups)} {what} are '{TEST}'"


def _raise(source: Path, problems: list[Problem], fix: bool, rows: list[Row]) -> None:
    """Raise a ValueError that lists the problems (with `fix`, those without a repair), or if no row is left."""
    left = [problem for problem in problems if not (fix and problem.repair)]
    if not left and not rows:
        raise ValueError(f"{source} has no annotation left; correct it")
    if not left:
        return
    lines = [f"{problem.where}: {problem.what}" for problem in left[:MOST_SHOWN]]
    if len(left) > MOST_SHOWN:
        lines.append(f"... and {len(left) - MOST_SHOWN} more")
    repairs = sum(bool(problem.repair) for problem in left)
    remedy = f"correct, or repair {repairs} with --fix (fix=True)" if repairs else "correct it"
    raise ValueError(
        f"{len(left)} {'problem' if len(left) == 1 else 'problems'} in {source}; {remedy}:\n" + "\n".join(lines)
    )


def _database(
    rows: list[Row],
    known: Mapping[str, Recording],
    split: Mapping[str, str],
    names: Mapping[str, int],
    rate: float | None,
) -> dict:
    """The annotation file's content."""
    database: dict[str, dict] = {}
    for video, subset in split.items():
        entry: dict = {"subset": subset}
        if known[video].duration:
            entry["duration"] = known[video].duration
        if rate or known[video].fps:
            entry["fps"] = rate or known[video].fps
        database[video] = entry | {"annotations": []}
    for row in sorted(rows, key=lambda row: (row.start, row.end, row.label)):
        annotation = {"segment": [row.start, row.end], "label": row.label, "label_id": names[row.label]}
        database[row.video]["annotations"].append(annotation)
    return database
