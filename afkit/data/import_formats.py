"""Reading other tools' annotation files: tables, JSON, ELAN's and Audacity's exports, text files, labels per step."""

import itertools
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from afkit.config import nearest
from afkit.data.annotations import check_name
from afkit.data.import_rows import (
    NAMES,
    Change,
    Recording,
    Row,
    Source,
    field_names,
    read_table,
    read_text,
    remember,
    to_row,
)
from afkit.files import read_json

_LISTS = ("annotations", "segments", "actions", "events", "labels")  # a video's rows in JSON
_SUFFIXES = (".txt", ".csv", ".tsv")


def read_source(source: Path, form: str, columns: Mapping[str, str], labelled: bool = True) -> Source:
    """Read a file, or a folder with a file per recording.

    Args:
        source: the file or folder.
        form: one of `FORMS`, or "" to tell by the file's ending.
        columns: {field of `NAMES`: column or key of the file}.
        labelled: False for a table of recordings without annotations.

    Returns:
        Rows, recordings and what was changed, as they stand in the files: times in the file's unit.

    Raises:
        ValueError: a missing, empty or unreadable file, an unknown format, a row that cannot be understood; the
            message names file and row.
    """
    unknown = [field for field in columns if field not in NAMES]
    if unknown:
        raise ValueError(f"there is no field '{unknown[0]}' to map a column to; {nearest(unknown[0], list(NAMES))}")
    if form and form not in FORMS:
        raise ValueError(f"there is no format '{form}'; {nearest(form, list(FORMS))}")
    if not source.exists():
        raise ValueError(f"{source} does not exist; name the file or folder of the annotations")
    found = Source([], {}, set(), [])
    for path in _files(source, found):
        read = FORMS[form or _form_of(path)] if labelled else _read_recordings
        count = len(found.rows)
        read(path, columns, found)
        if len(found.rows) == count and source.is_dir() and labelled:
            found.recordings.setdefault(path.stem, Recording(str(path)))  # an empty file: nothing is labelled in it
    for row in found.rows:
        found.recordings.setdefault(row.video, Recording(row.where))
    for video in found.recordings:
        check_name(source, video)
    if not found.rows and labelled:
        raise ValueError(f"{source} holds no annotation; name the file or folder that does")
    return found


def _files(source: Path, found: Source) -> list[Path]:
    if source.is_file():
        return [source]
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    chosen = [path for path in files if path.suffix.lower() in _SUFFIXES]
    if not chosen:
        raise ValueError(f"{source} has no file that ends in {', '.join(_SUFFIXES)}; name the folder of the files")
    found.changes.extend(
        Change(str(path), "left out: not the ending of a text file") for path in files if path not in chosen
    )
    return chosen


def _form_of(path: Path) -> str:
    form = {".json": "json", ".csv": "csv", ".tsv": "csv", ".txt": "text"}.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"{path}: its ending does not tell the format; name one of {', '.join(FORMS)}")
    return form


def _need(path: Path, found: Source, fields: Iterable[str]) -> None:
    for field in fields:
        if field not in found.fields:
            raise ValueError(f"{path} has no column for '{field}'; name it, e.g. --column {field}=NAME")


def _read_csv(path: Path, columns: Mapping[str, str], found: Source) -> None:
    for where, cells in read_table(path, columns, found):
        _need(path, found, ("start", "end", "label"))
        video = cells.get("video", path.stem).strip()
        if "duration" not in columns:
            cells.pop("duration", None)  # of the segment, as a rule
        remember(found, video, where, cells)
        if any(cells[field].strip() for field in ("start", "end", "label")):  # else a recording without annotation
            found.rows.append(to_row(video, cells["start"], cells["end"], cells["label"], where))


def _read_recordings(path: Path, columns: Mapping[str, str], found: Source) -> None:
    for where, cells in read_table(path, columns, found):
        _need(path, found, ("video",))
        remember(found, cells["video"].strip(), where, cells)


def _read_lines(path: Path, columns: Mapping[str, str], found: Source, separator: str = r"\t|\s*[,;]\s*|\s+") -> None:
    """Lines "start end label", one recording per file."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        where = f"{path}, row {number}"
        if not line.strip() or line.startswith("\\"):  # Audacity's second line of a label: its frequencies
            continue
        parts = re.split(separator, line.strip(" "), maxsplit=2)
        if len(parts) < 3:
            raise ValueError(f"{where}: expected start, end and label, found {line[:80]!r}; correct it")
        start, end, label = parts
        found.rows.append(to_row(path.stem, start, end, label, where))


def _read_audacity(path: Path, columns: Mapping[str, str], found: Source) -> None:
    _read_lines(path, columns, found, r"\t")


def _read_elan(path: Path, columns: Mapping[str, str], found: Source) -> None:
    """Tab-delimited text as ELAN exports it, with or without a row of column names."""
    lines = [line.split("\t") for line in read_text(path).splitlines()]
    head = [cell.strip().lower() for cell in lines[0]] if lines else []
    named = any(cell.startswith("begin time") for cell in head)
    for number, cells in enumerate(lines[named:], start=1 + named):
        where = f"{path}, row {number}"
        if not any(cell.strip() for cell in cells):
            continue
        start, end = _elan_times(cells, head if named else [], where)
        label = cells[head.index("annotation")] if named and "annotation" in head[: len(cells)] else cells[-1]
        row = to_row(path.stem, cells[start], cells[end], label, where)
        if re.fullmatch(r"\s*\d+\s*", cells[start]) and re.fullmatch(r"\s*\d+\s*", cells[end]):
            row = row._replace(start=row.start / 1000, end=row.end / 1000)
        found.rows.append(row._replace(in_sec=True))


def _elan_times(cells: list[str], head: list[str], where: str) -> tuple[int, int]:
    """The columns of begin and end: the first of each where the times are written in several ways."""
    if head:
        begins = [i for i, name in enumerate(head) if name.startswith("begin time")]
        ends = [i for i, name in enumerate(head) if name.startswith("end time")]
        if begins and ends and len(cells) > max(begins[0], ends[0]):
            return begins[0], ends[0]
    else:  # tier, participant, begin (in each way), end (in each way), perhaps duration, value
        times = [i for i, cell in enumerate(cells[:-1]) if i > 0 and re.fullmatch(r"\s*[\d:.]+\s*", cell)]
        ways = len({_way(cells[i]) for i in times})
        if ways and len(times) in (2 * ways, 3 * ways):
            return times[0], times[ways]
    raise ValueError(f"{where}: no begin and end time; export from ELAN as tab-delimited text with both")


def _way(cell: str) -> str:
    return "clock" if ":" in cell else "seconds" if "." in cell else "milliseconds"


def _read_steps(path: Path, columns: Mapping[str, str], found: Source) -> None:
    """A label per time step, in a table or one a line; each run of the same label becomes a row, in steps."""
    if path.suffix.lower() in (".csv", ".tsv"):
        steps = []
        for where, cells in read_table(path, columns, found):
            _need(path, found, ("label",))
            steps.append((cells.get("video", path.stem).strip(), cells["label"], where))
            remember(found, steps[-1][0], where, cells)
    else:
        lines = read_text(path).splitlines()
        steps = [(path.stem, line, f"{path}, row {number}") for number, line in enumerate(lines, start=1)]
    counts: dict[str, int] = {}  # steps of each recording so far
    for (video, label), equal in itertools.groupby(steps, key=lambda step: step[:2]):
        run = list(equal)
        first = counts.get(video, 0)
        counts[video] = first + len(run)
        found.rows.append(Row(video, first, counts[video], label, run[0][2]))


def _read_json(path: Path, columns: Mapping[str, str], found: Source) -> None:
    """{"database": {video: entry}}, or without that level; an entry holds the rows, or is a list of them."""
    content = read_json(path)
    database = content.get("database", content) if isinstance(content, dict) else None
    if not isinstance(database, dict) or not database:
        raise ValueError(f"{path} has no videos; expected {{video: {{'annotations': [...]}}}}")
    for video, entry in database.items():
        check_name(path, video)
        where = f"{path}, video '{video}'"
        rows = entry
        if isinstance(entry, dict):
            named = field_names(entry, columns)
            found.fields.update(named)
            remember(found, video, where, {field: entry[key] for field, key in named.items()})
            rows = next((entry[key] for key in _LISTS if key in entry), [])
        if not isinstance(rows or [], list):
            raise ValueError(f"{where}: its annotations must be a list, not {reprlib.repr(rows)}; correct them")
        found.recordings.setdefault(video, Recording(where))
        for number, row in enumerate(rows or []):
            found.rows.append(_json_row(video, row, columns, f"{where}, annotation {number}", found))


def _json_row(video: str, row: Any, columns: Mapping[str, str], where: str, found: Source) -> Row:
    if isinstance(row, list) and len(row) == 3:
        start, end, label = row
        return to_row(video, start, end, label, where)
    named = field_names(row, columns) if isinstance(row, dict) else {}
    found.fields.update(named)
    values = {field: row[key] for field, key in named.items()}
    times = values.get("segment", [values.get("start"), values.get("end")])
    if isinstance(times, str):
        times = re.split(r"[\s,;]+", times.strip("[]() "))
    if (
        not isinstance(values.get("label"), (str, int))
        or not isinstance(times, list)
        or len(times) != 2
        or None in times
    ):
        raise ValueError(f"{where}: expected a segment [start, end] and a label, found {reprlib.repr(row)}; correct it")
    label_id = values.get("label_id")
    if any(isinstance(time, str) for time in times):
        found.changes.append(Change(where, "times were text"))
    start, end = times
    return to_row(video, start, end, values["label"], where, label_id if type(label_id) is int else None)


FORMS: dict[str, Callable[[Path, Mapping[str, str], Source], None]] = {
    "csv": _read_csv,
    "json": _read_json,
    "elan": _read_elan,
    "audacity": _read_audacity,
    "text": _read_lines,
    "steps": _read_steps,
}
