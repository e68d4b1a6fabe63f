"""Annotations of other tools become the project's annotation file: `python -m afkit import`.

Cells are read, their columns and units decided (or asked), rows in seconds made, checked and repaired, and written.
"""

import reprlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from afkit.data.annotations import AnnotationFile, read_annotations
from afkit.data.feature_formats import listed
from afkit.files import write_json
from afkit.workbench.own_data.gaps import ignored_among, ignored_note, with_ignored
from afkit.workbench.own_data.import_beginnings import from_beginnings, zone_sec
from afkit.workbench.own_data.import_checks import (
    KINDS,
    Problem,
    check_recordings,
    check_rows,
    label_ids,
    raise_problems,
)
from afkit.workbench.own_data.import_columns import Chosen, Columns, check_columns, choose
from afkit.workbench.own_data.import_json import TIER
from afkit.workbench.own_data.import_like import ids_like, recordings_like, with_own_names, write_like
from afkit.workbench.own_data.import_names import UNITS, alike_labels, divided_people
from afkit.workbench.own_data.import_recordings import (
    Medium,
    all_parts,
    draw_split,
    lasting,
    merge,
    read_recordings,
    recordings_of,
    with_media,
)
from afkit.workbench.own_data.import_rows import Change, Recording, Table, base_name
from afkit.workbench.own_data.import_source import read_source
from afkit.workbench.own_data.import_times import in_seconds
from afkit.workbench.progress import teller

MOST_PAIRS = 3  # of labels that a note shows


class ImportReport(NamedTuple):
    """What an import made, and everything that it changed."""

    target: Path  # the annotation file
    labels: dict[str, int]  # name: label id
    recordings: dict[str, int]  # in each subset
    segments: dict[str, int]  # by subset
    changes: list[Change]  # to what the files say
    notes: list[str]  # allowed, but worth knowing; one of each kind, with how many there are


def import_annotations(
    source: str | Path,
    target: str | Path,
    *,
    form: str = "",
    columns: Mapping[str, str] | None = None,
    unit: Literal["", "seconds", "milliseconds", "microseconds", "nanoseconds", "minutes", "frames", "samples"] = "",
    rate: float | None = None,
    tiers: Sequence[str] = (),
    labels: Sequence[str] = (),
    background: Collection[str] = (),
    ambiguous: Collection[str] = (),
    recordings: str | Path = "",
    test_share: float = 0.3,
    draw: bool = True,
    seed: int = 0,
    fix: bool | Collection[str] = False,
    allow_overlaps: bool = False,
    media: Mapping[str, Medium] | None = None,
    label_clock: str = "",
    signals: str | Path = "",
    like: str | Path = "",
) -> ImportReport:
    """Write an annotation file from a table, JSON, an export of ELAN or Audacity, subtitles, text, or labels per step.

    It is ordered by recording and time. A ValueError is a wrong argument or file, a question about what the file does
    not tell, or the list of what is wrong, by file and row; nothing is written then.

    Args:
        source: the file, or a folder with a file per recording, named as the recording.
        target: the annotation file to write; it must not exist.
        form: csv, json, elan, audacity, text (lines "start end label"), srt, vtt, steps (a label per time step), eaf,
            textgrid, boris, raven, via or labelstudio; "" to tell by the file's ending and content.
        columns: {field: column or key}, where names do not tell it, and always for group (say, person); the fields are
            those of `import_names.FIELDS`. Columns without names are called 1, 2, ...; `file` is the name of the file.
        unit: of the times, where names of columns do not say it; "" to tell it by what else the files say, or to ask.
            Times like 1:02:03.5 are always seconds. Steps are samples.
        rate: frames or samples per second of the labels. It is not written as the frame rate of the features.
        tiers: of ELAN, or lists of JSON, to take; ("all",) for all of several.
        labels: all labels in the order of their ids; () for the source's ids, or sorted labels.
        recordings: a table of all recordings: video, and perhaps duration (seconds), fps, subset, group,
            annotated_start, annotated_end (seconds of the part that was labelled, where that is not all).
        test_share: of the recordings for the test subset, where no subset is given; of the groups, where there are
            any, so that none is in both subsets.
        draw: False leaves all in the subset "" where none is given.
        fix: repair what can be repaired, as long as that is no more than 5 % of the rows; or the kinds of
            `workbench.own_data.import_checks.KINDS` to repair however many they are, and "" for the others up to 5 %.
        background: labels that mean that nothing happens; their rows are left out.
        ambiguous: labels that mean that nobody can tell; nothing is learned or judged there.
        allow_overlaps: accept overlaps and repetitions of the same label.
        media: what the recordings themselves say.
        label_clock: "recording" where times count from its beginning, "sensor" where they are those of its clock; a
            zone such as +01:00 where they are, and one of the two tells none. "" to tell it by which of these lie in
            the recordings, or to ask.
        signals: folder of features that `signals` made; the gaps of their sensors are not to be learned or judged.
        like: the annotation file that `export` wrote for the tool: subsets, groups, durations, parts, ids, and what
            is said of segments that have not changed, stay as there.
    """
    source, target, columns = Path(source), Path(target), columns or {}
    if like and (recordings or labels or ambiguous or str(signals)):
        raise ValueError(
            "--like tells recordings, labels and parts; leave --recordings, --labels, --ambiguous and --signals out"
        )
    old = read_annotations(like) if like else None
    tiers = tiers or ("all",) * bool(old)
    kinds: set[str] = ({""} if fix else set()) if isinstance(fix, bool) else set(fix)
    _check_arguments(target, unit, rate, test_share, label_clock, kinds)
    check_columns(columns, form)
    tell = teller("steps of the import", 3)
    read = _read(source, form, columns, unit, rate, tiers, recordings, media or {}, label_clock, old)
    tell(1)
    problems: list[Problem] = []
    rows = _check_cells(source, read.tables, read.rows, problems)
    number = len(rows)
    ignored = ignored_among(signals, rows["video"]) if str(signals) else {}
    idle = rows[_named(rows, background)]
    for label in ambiguous:  # however it is spelled
        rows["label"] = rows["label"].mask(_named(rows, [label]), label)
    some = list(old.label_names.values()) if old else labels
    rows = check_rows(rows.drop(idle.index), read.known, read.expected, rate, allow_overlaps, some, problems)
    unclear = rows[_named(rows, ambiguous)]
    rows = rows.drop(unclear.index)
    judged = {*idle["video"], *unclear["video"], *(video for video, one in read.known.items() if one.parts or old)}
    known = check_recordings(rows, read.known, judged, problems)
    for row in unclear.itertuples():
        known[row.video] = known[row.video]._replace(ignored=(*known[row.video].ignored, (row.start, row.end)))
    names, order_change = ids_like(rows, old) if old else label_ids(rows, labels, problems)
    split, split_change = {video: one.subset for video, one in known.items()}, ""
    if not old and (draw or any(split.values())):
        split, split_change = draw_split(source, read.chosen, known, test_share, seed, problems)
    raise_problems(source, problems, kinds, number)
    tell(2)
    if rows.empty:
        raise ValueError(f"{source} has no annotation left; correct it")
    if old:
        split_change = write_like(target, old, rows, names, read.brought)
    else:
        write_json(target, {"database": with_ignored(_database(rows, known, split, names), ignored)})
    changes = [change for table in read.tables for change in table.changes] + read.renamed
    changes += [Change(r.where, f"the label '{r.label.strip()}' is background: left out") for r in idle.itertuples()]
    changes += [Change(r.where, f"the label '{r.label}' is ambiguous: ignored there") for r in unclear.itertuples()]
    changes += [Change(found.where, f"{found.what}: {found.repair}", found.kind) for found in problems]
    changes += [Change(str(source), text) for text in (*read.told, order_change, split_change) if text]
    segments = dict(Counter(split[video] for video in rows["video"]))
    notes = _notes(rows, split, names, known)
    notes += [ignored_note(ignored, split)] if ignored else []
    return ImportReport(target, names, dict(Counter(split.values())), segments, changes, notes)


class _Read(NamedTuple):
    """What the files say, with times in seconds; nothing of it is checked."""

    tables: list[Table]
    chosen: list[Chosen]  # the columns of tables with the same ones
    rows: pd.DataFrame  # all annotations
    known: dict[str, Recording]  # by labels and all else
    expected: Mapping[str, Recording]  # what is said of recordings beside the labels
    brought: set[str]  # recordings that the labels name
    renamed: list[Change]
    told: list[str]  # what was decided


def _read(
    source: Path,
    form: str,
    columns: Mapping[str, str],
    unit: str,
    rate: float | None,
    tiers: Sequence[str],
    recordings: str | Path,
    media: Mapping[str, Medium],
    label_clock: str,
    old: AnnotationFile | None,
) -> _Read:
    """Rows and recordings; the arguments are those of `import_annotations`, and `old` is the file `like`."""
    tables = read_source(source, form)
    expected, used = read_recordings(recordings, columns)
    expected = recordings_like(old) if old else with_media(expected, media)
    joined = _joined(tables)
    _check_mapped(columns, joined, used)
    chosen = [choose(table, columns, unit, tiers) for table in joined]
    chosen, known, renamed = recordings_of(tables, chosen, columns)
    chosen, known = with_own_names(chosen, known, expected, old)
    spanned = {video: one.where for video, one in known.items() if one.parts or one.ignored}  # by the labels' own file
    brought = {*known, *(video for one in chosen for video in one.rows["video"])}
    known = merge(known, expected)
    rows, parts, told = in_seconds(source, chosen, known, unit, rate, media)
    _check_spans(rows, spanned)
    rows, begins, decided = from_beginnings(source, rows, media, label_clock) if len(rows) else (rows, {}, [])
    known = lasting(rows, all_parts(known, parts, begins))
    told = list(dict.fromkeys([*(text for one in chosen for text in one.told), *told, *decided]))
    return _Read(tables, chosen, rows, known, expected, brought, renamed, told)


def _check_spans(rows: pd.DataFrame, spanned: Mapping[str, str]) -> None:
    """Refuse spans of recordings, {recording: where they stand}, beside times that are not in seconds as these are."""
    for row in rows[rows["video"].isin(list(spanned)) & (rows["times"] != "seconds")].head(1).itertuples():
        what = f"'annotated' and 'ignored' are spans in seconds, and the other times are in {row.times}"
        raise ValueError(f"{spanned[row.video]}: {what}; write all in seconds")


def _named(rows: pd.DataFrame, labels: Collection[str]) -> pd.Series:
    """Which rows have one of some labels, however it is spaced and capitalised."""
    return rows["label"].str.strip().str.casefold().isin([label.strip().casefold() for label in labels])


def _check_arguments(
    target: Path, unit: str, rate: float | None, test_share: float, label_clock: str, kinds: Collection[str]
) -> None:
    if target.exists():
        raise ValueError(f"{target} exists; remove it, or name another file")
    if unit and unit not in UNITS:
        raise ValueError(f"the unit is '{unit}'; choose from: {', '.join(UNITS)}")
    if rate is not None and not 0 < rate < float("inf"):
        raise ValueError(f"the rate is {rate}; give the frames or samples per second")
    if not 0 < test_share < 1:
        raise ValueError(f"the test share is {test_share}; give a number between 0 and 1")
    if label_clock not in ("", "recording", "sensor") and zone_sec(label_clock) is None:
        raise ValueError(f"the label clock is '{label_clock}'; give recording, sensor, or a zone such as +01:00")
    unknown = sorted(set(kinds) - {"", *KINDS})
    if unknown:
        raise ValueError(f"--fix knows no kind '{unknown[0]}'; choose from: {', '.join(KINDS)}")


def _joined(tables: Sequence[Table]) -> list[Table]:
    """Tables with the same columns as one, since what one file does not tell, another may."""
    groups: defaultdict[tuple, list[Table]] = defaultdict(list)
    for table in tables:
        groups[table.form, table.named, *map(str, table.cells)].append(table)
    return [
        same[0]._replace(
            cells=pd.concat([table.cells for table in same], ignore_index=True),
            where=[where for table in same for where in table.where],
            videos=[video for table in same for video in table.videos],
        )
        for same in groups.values()
    ]


def _check_mapped(columns: Mapping[str, str], tables: Sequence[Table], in_table: Collection[str]) -> None:
    """Refuse a mapping to a column that neither the files of the labels nor the table of recordings has."""
    found = set(in_table).union(*(Columns(table, columns).mapped for table in tables))
    there = sorted({str(name) for table in tables for name in table.cells if name != TIER})
    for field, column in columns.items():
        if there and field not in found:
            seen = f"no file has a column '{column}' for '{field}'; its columns are {listed(there)}"
            raise ValueError(f"{seen}; correct the name")


def _check_cells(source: Path, tables: Sequence[Table], rows: pd.DataFrame, problems: list[Problem]) -> pd.DataFrame:
    """The rows with label ids as numbers; refused where there is none, or a label or its id is a list."""
    if rows.empty:
        seen = "; ".join(f"{table.path.name} has {_seen(table)}" for table in tables[:3])
        raise ValueError(f"{source} holds no annotation: {seen}; name the file or folder that does")
    for row in rows[[not isinstance(label, str) for label in rows["label"]]].itertuples():
        raise ValueError(f"{row.where}: the label is no text, but {reprlib.repr(row.label)}; correct it")
    for row in rows[[isinstance(cell, list | dict) for cell in rows["label_id"]]].itertuples():
        raise ValueError(f"{row.where}: the label's id is no number, but {reprlib.repr(row.label_id)}; correct it")
    for row in rows[rows["mixed"].astype(bool)].itertuples():
        what = f"mixed units, {row.start:g} to {row.end:g} s are no whole frames or samples"
        problems.append(Problem(row.where, what))
    for row in rows[rows["apart"].astype(bool)].itertuples():
        problems.append(Problem(row.where, f"{row.start:g} to {row.end:g} s do not last {row.span:g}, as the row says"))
    return rows.assign(label_id=pd.Series([_as_id(cell) for cell in rows["label_id"]], rows.index, object))


def _seen(table: Table) -> str:
    """What a table without rows has."""
    if len(table.cells.columns):
        return f"the columns {listed(table.cells)} and {len(table.cells) or 'no'} rows"
    keys = list(dict.fromkeys(key for _, values in table.recordings.values() for key in values))
    keys_of = f", which say {listed(keys)}" if keys else ""
    return f"{len(table.recordings)} recordings{keys_of}" if table.recordings else "no row"


def _as_id(cell: object) -> int | None:
    """A label id, as a number or a text; None for what is none, or has more digits than a class number."""
    text = str(int(cell)) if type(cell) is float and cell % 1 == 0 else str(cell).strip()
    is_id = type(cell) in (int, float, str) and text.removeprefix("-").isdecimal() and len(text) < 10
    return int(text) if is_id else None


def _database(
    rows: pd.DataFrame, known: Mapping[str, Recording], split: Mapping[str, str], names: Mapping[str, int]
) -> dict:
    """The annotation file's content."""
    database: dict[str, dict] = {}
    for video, subset in split.items():
        about = known[video]
        about.check_ignored()
        spans = {"annotated": about.annotated, "ignored": sorted(map(list, about.ignored))}
        facts = {"duration": about.duration, "fps": about.fps} | {key: rows for key, rows in spans.items() if rows}
        known_facts = {field: value for field, value in facts.items() if value is not None}
        group = {"group": about.group} if about.group else {}
        database[video] = {"subset": subset} | group | known_facts | {"annotations": []}
    for row in rows.sort_values(["start", "end", "label"], kind="stable").itertuples():
        annotation = {"segment": [row.start, row.end], "label": row.label, "label_id": names[row.label]}
        remarks = {"comment": row.comment, "tier": row.tier}
        annotation |= {key: text.strip() for key, text in remarks.items() if isinstance(text, str) and text.strip()}
        database[row.video]["annotations"].append(annotation)
    return database


def _notes(
    rows: pd.DataFrame, split: Mapping[str, str], names: Mapping[str, int], known: Mapping[str, Recording]
) -> list[str]:
    """What is allowed but worth knowing."""
    notes = []
    if len(names) == 1:
        notes.append(f"there is one class only, '{next(iter(names))}': set data.num_classes to 1")
    if len(split) == 2:
        notes.append("there are 2 recordings in all: a result on them says little")
    unlabelled = len(split.keys() - set(rows["video"]))
    if unlabelled:
        notes.append(f"recordings in subsets without any label, kept: {unlabelled}")
    if any(known[video].duration is None for video in split):
        notes.append("some recordings have no duration: times beyond their end were not looked for")
    subsets = rows["video"].map(split)
    training = next((subset for subset in sorted(set(subsets)) if subset.startswith("train")), None)
    absent = rows[~rows["label"].isin(rows["label"][subsets == training])].drop_duplicates("label")
    if training and len(absent):
        row = absent.iloc[0]
        more = f" ({len(absent)} such classes)" if len(absent) > 1 else ""
        notes.append(f"{row['where']}: the class '{row['label']}' is absent from training; it cannot be learned{more}")
    spelled = {video: unicodedata.normalize("NFC", base_name(video)).casefold() for video in split}
    counts = Counter(spelled.values())
    same = sorted((video for video in split if counts[spelled[video]] > 1), key=lambda video: (spelled[video], video))
    if same:
        what = "differ only in case, ending or how accents are coded"
        notes.append(f"recordings {same[0]} and {same[1]} {what}; if they are one, write them alike")
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
