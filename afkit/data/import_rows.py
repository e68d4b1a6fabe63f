"""What annotation files of other tools are read into, and what the readers share."""

import csv
import io
import math
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from afkit import opening

CLOCK = re.compile(r"\s*(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)\s*")
NAMES = {  # of a field in other people's files, compared in lower case; the first that is there counts
    "video": ("video", "recording", "video_id", "video-id", "video_name", "file", "filename", "file name"),
    "start": (
        "start",
        "start_sec",
        "t-start",
        "t_start",
        "begin",
        "onset",
        "start_time",
        "start_frame",
        "start_sample",
    ),
    "end": ("end", "end_sec", "t-end", "t_end", "stop", "offset", "end_time", "end_frame", "stop_frame", "end_sample"),
    "segment": ("segment", "timestamp", "timestamps", "interval", "segment_sec"),  # JSON: [start, end]
    "label": ("label", "class", "activity", "action", "category", "annotation", "label_name"),
    "label_id": ("label_id", "class_id", "category_id"),
    "subset": ("subset", "split"),
    "group": (),  # only as mapped
    "duration": ("duration", "duration_sec", "duration_second", "length_sec"),
    "fps": ("fps", "frame_rate", "rate_hz"),
}


class Row(NamedTuple):
    """One annotation as it stands in a file."""

    video: str  # id of the recording
    start: float  # in the file's unit
    end: float  # in the unit of `start`
    label: str  # name of the class
    where: str  # file and row, for messages
    label_id: int | None = None  # where the file has one
    in_sec: bool = False  # written as a time of day, or in milliseconds: seconds here, whatever the file's unit


class Recording(NamedTuple):
    """What files say about a recording itself; "" and None where they say nothing."""

    where: str  # file and row that first named it, for messages
    subset: str = ""  # in which it is, where the file says so
    group: str = ""  # such as a person; a group stays in one subset
    duration: float | None = None  # seconds
    fps: float | None = None  # frames per second, where known


class Change(NamedTuple):
    """Something that was read or written otherwise than it stood in the file."""

    where: str  # file and row
    what: str  # one sentence


class Source(NamedTuple):
    """What was read."""

    rows: list[Row]  # one for each segment
    recordings: dict[str, Recording]  # by id
    fields: set[str]  # found as columns or keys
    changes: list[Change]  # what differs from the file


def read_text(path: Path) -> str:
    """The whole of a UTF-8 file.

    Raises:
        ValueError: it cannot be read, or is not UTF-8.
    """
    try:
        return opening.read_text(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable text file ({error}); save it as UTF-8") from None


def to_time(text: Any, where: str, field: str) -> tuple[float, bool]:
    """A number in the file's unit; or the seconds of 1:02:03.5, and True.

    Args:
        text: a cell, or a number of JSON.
        where, field: file and row, and what the number is, for the message.

    Returns:
        The time, which may not be finite, and whether it is in seconds whatever the file's unit.

    Raises:
        ValueError: it is neither.

    Examples:
        >>> to_time("61.5", "labels.csv, row 2", "start"), to_time("1:01.5", "labels.csv, row 3", "start")
        ((61.5, False), (61.5, True))
    """
    clock = isinstance(text, str) and CLOCK.fullmatch(text)
    if clock:
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3]), True
    try:
        return float(text), False
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: '{field}' is no time: {reprlib.repr(text)}; correct it") from None


def to_row(video: str, start: Any, end: Any, label: Any, where: str, label_id: int | None = None) -> Row:
    """A row from cells as they stand in the file.

    Args:
        video: id of the recording.
        start, end: cells, as of `to_time`.
        label: name of the class.
        where: file and row, for messages.
        label_id: number of the class where the file has one.

    Raises:
        ValueError: a time that is none, or two that are not written alike; the message names file and row.
    """
    (start, clock), (end, other) = to_time(start, where, "start"), to_time(end, where, "end")
    if clock != other:
        raise ValueError(f"{where}: mixed units, start and end are not written alike; correct one")
    return Row(video, start, end, str(label), where, label_id, clock)


def remember(found: Source, video: str, where: str, values: Mapping[str, Any]) -> None:
    """Add what a row says about its recording; two rows must not contradict each other.

    Args:
        found: what was read so far; changed.
        video: id of the recording.
        where: file and row, for the message.
        values: field of `Recording` -> what the row says.

    Raises:
        ValueError: two rows contradict each other.
    """
    known = found.recordings.get(video, Recording(where))
    new: dict[str, Any] = {}
    for field in ("subset", "group", "duration", "fps"):
        value = values.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if not isinstance(value, str | int | float):
            raise ValueError(f"{where}: '{field}' must be a text or a number, not {reprlib.repr(value)}; correct it")
        value = _positive(value, where, field) if field in ("duration", "fps") else str(value).strip()
        before = getattr(known, field)
        if before not in ("", None, value):
            raise ValueError(
                f"{where}: recording '{video}' has {field} '{value}' here and '{before}' before; correct one"
            )
        new[field] = value
    found.recordings[video] = known._replace(**new)


def _positive(value: Any, where: str, field: str) -> float:
    number, _ = to_time(value, where, field)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{where}: '{field}' must be a number above 0, not '{value}'; correct it")
    return number


def field_names(keys: Iterable[str], columns: Mapping[str, str]) -> dict[str, str]:
    """{field: the key that holds it}.

    Args:
        keys: of a table's head, or of a JSON object.
        columns: field -> key, where that is not a usual one; compared without case.

    Examples:
        >>> field_names(["Video", "Start", "End", "Activity"], {})
        {'video': 'Video', 'start': 'Start', 'end': 'End', 'label': 'Activity'}
    """
    keys = list(keys)
    lower = {key.strip().lower(): key for key in reversed(keys)}
    named = {}
    for field, usual in NAMES.items():
        wanted = (columns[field].strip().lower(),) if field in columns else usual
        key = next((lower[name] for name in wanted if name in lower), None)
        if key is not None:
            named[field] = key
    return named


def read_table(path: Path, columns: Mapping[str, str], found: Source) -> Iterator[tuple[str, dict[str, str]]]:
    """(where, {field: cell}) of each row; the first row names the columns.

    Args:
        path: CSV, TSV or the like.
        columns: field -> name of its column, where that is not a usual one.
        found: its `fields` receive the columns that were found.

    Raises:
        ValueError: a column that is missing, a row that is none; the message names file and row.
    """
    text = read_text(path)
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    try:
        head = next(reader, [])
        named = field_names(head, columns)
        found.fields.update(named)
        places = {field: head.index(key) for field, key in named.items()}
        for cells in reader:
            where = f"{path}, row {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(head):
                raise ValueError(f"{where}: {len(cells)} cells under {len(head)} columns; correct the row")
            yield where, {field: cells[place] for field, place in places.items()}
    except csv.Error as error:
        raise ValueError(f"{path}, row {reader.line_num} is no row of a table ({error}); correct it") from None
