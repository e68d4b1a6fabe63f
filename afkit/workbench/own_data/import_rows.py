"""What annotation files of other tools are read into, cells as they stand there, and what single cells say."""

import math
import re
import reprlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pandas as pd

from afkit import opening
from afkit.data.annotations import joined_spans

ABOUT = ("subset", "group", "duration", "fps")  # what is said of a recording
SLACK_SEC = 1.0  # by which what is said of a recording may exceed it
PART = ("annotated_start", "annotated_end")  # and of a part of it; a recording may have several
CLOCK = re.compile(r"\s*(?:(\d{1,6}):(?=[0-5]?\d:))?(\d{1,2}):([0-5]?\d(?:[.,]\d{1,9})?)\s*")  # else it counts frames
SHORT = re.compile(r"\s*([01]?\d|2[0-3]):[0-5]\d\s*")  # minutes and seconds, or hours and minutes
WALL = re.compile(  # and a date, perhaps with 10:00:00:500 as GENEActiv writes it
    r"\s*\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9}|:\d{3})?)?(Z|[+-]\d\d:?\d\d)?\s*"
)
_NOTHING = "- -- --- \u2013 \u2014 na n/a n.a. #n/a nan null leer vide vacio vac\u00edo vazio vuoto leeg 空 なし 无"
EMPTY = frozenset(["", *_NOTHING.split()])  # spellings of a cell that holds nothing, in lower case
MEDIA = re.compile(  # endings of files that a recording is kept in
    r"\.(mp4|avi|mov|mkv|webm|m4v|mpe?g|wmv|mts|m2ts|flv|3gp|wav|mp3|flac|m4a|ogg|aac|aiff?|eaf|textgrid|npy|npz|"
    r"h5|hdf5|safetensors|csv|tsv|txt|json|table\.\d+\.selections)$",
    re.IGNORECASE,
)


class Part(NamedTuple):
    """From when to when somebody labelled a recording, in seconds; None is its beginning or its end."""

    start: float | None
    end: float | None
    where: str  # file and row

    def after(self, begin_sec: float) -> "Part":
        """The same, with times that count from `begin_sec` on."""
        start, end = (None if time is None else max(time - begin_sec, 0.0) for time in self[:2])
        return Part(start, end, self.where)


class Recording(NamedTuple):
    """What files say about a recording itself; "" and None where they say nothing."""

    where: str  # file and row that first named it, for messages
    subset: str = ""  # in which it is, where the file says so
    group: str = ""  # such as a person; a group stays in one subset
    duration: float | None = None  # seconds
    fps: float | None = None  # frames per second, where known
    parts: tuple[Part, ...] = ()  # that were labelled, where not all of it was
    ignored: tuple[tuple[float, float], ...] = ()  # seconds, in which nobody can tell

    @property
    def annotated(self) -> list[list[float]]:
        """[[start, end], ...] of the parts, by time and apart. ValueError where an end cannot be told or is no end."""
        spans: list[list[float]] = []
        for part in sorted(self.parts, key=lambda part: part.start or 0.0):
            start, end = part.start or 0.0, self.duration if part.end is None else part.end
            if end is None:
                raise ValueError(f"{part.where}: it is labelled from {start:g} s on; say until when, or its duration")
            if start >= end:
                raise ValueError(
                    f"{part.where}: it is labelled from {start:g} to {end:g} s, which is nothing; correct it"
                )
            if self.duration is not None and end > self.duration + SLACK_SEC:
                seen = f"it is labelled from {start:g} to {end:g} s, and lasts {self.duration:g} s"
                raise ValueError(f"{part.where}: {seen}; if that is another unit, name it in the column's name")
            spans.append([start, end])
        return joined_spans(np.array(spans, float).reshape(-1, 2)).tolist()

    def check_ignored(self) -> None:
        """Raise a ValueError for an ignored span that is none, or is beyond the recording's end."""
        for start, end in self.ignored:
            if not 0 <= start < end <= (self.duration or math.inf) + SLACK_SEC:
                lasts = f" of a recording of {self.duration:g} s" if self.duration else ""
                raise ValueError(
                    f"{self.where}: the ignored span from {start:g} to {end:g} s{lasts} is none; correct it"
                )


class Change(NamedTuple):
    """Something that was read or written otherwise than it stood in the file."""

    where: str  # file and row
    what: str  # one sentence
    kind: str = ""  # changes of one kind are counted together; "" where `what` says the kind


class Table(NamedTuple):
    """What a reader saw in one file; nothing is decided yet."""

    path: Path  # the file
    form: str  # how it was read
    cells: pd.DataFrame  # a row per annotation; columns as named in the file, or "1", "2", ... by their places
    where: list[str]  # file and row of each
    videos: list[str]  # the recording of each, where no column tells it
    named: bool = True  # whether the columns have names in the file
    recordings: Mapping[str, tuple[str, dict]] = {}  # id: where, and {key: value} of what is said beside the rows
    changes: tuple[Change, ...] = ()  # what was read otherwise than it stands


def read_text(path: Path) -> str:
    """The whole of a UTF-8 file; a ValueError where it is none."""
    try:
        return opening.read_text(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable text file ({error}); save it as UTF-8") from None


def base_name(video: str) -> str:
    """A recording's name without folder and ending, where it is the name of a film, sound or other file.

    Examples:
        >>> base_name("C:/films/day1.MP4"), base_name("a/b"), base_name("day1.2"), base_name("https://x/a%20b.mp4?v=1")
        ('day1', 'a/b', 'day1.2', 'a b')
    """
    path = unquote(re.sub(r"[?#].*", "", video)) if "://" in video else video
    video = path if MEDIA.search(path) else video
    return (MEDIA.sub("", re.split(r"[/\\]", video)[-1]) or video) if MEDIA.search(video) else video


def is_empty(cell: Any) -> bool:
    """Whether a cell holds nothing, in any of the usual spellings."""
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip().casefold() in EMPTY)


def as_text(cell: Any) -> Any:
    """A cell as the text of a name; whole numbers without a point."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None or cell != cell else str(cell) if isinstance(cell, str | int) else cell


def as_number(cell: Any) -> float | None:
    """The number in a cell, with a point or a decimal comma; None where there is none.

    Examples:
        >>> as_number("1,5"), as_number("1:02"), as_number("1,234,567")
        (1.5, None, None)
    """
    if isinstance(cell, str) and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", cell):
        cell = cell.replace(",", ".")
    try:
        return None if isinstance(cell, bool) or "_" in str(cell) else float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def clock_sec(cell: Any) -> float | None:
    """The seconds of a text like 1:02:03.5; None where it is none."""
    clock = CLOCK.fullmatch(cell) if isinstance(cell, str) else None
    return clock and 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))


def wall_sec(cell: Any) -> float | None:
    """The seconds from 1970 on of a text like 2026-01-01 10:00:00.5; None where it is none.

    Without a zone it counts as UTC, so that times of one place can be compared.
    """
    if not isinstance(cell, str) or WALL.fullmatch(cell) is None:
        return None
    day, of_day = cell.strip()[:10], re.sub(r":(?=\d{3})", ".", cell.strip()[10:])
    text = re.sub(r"[/.]", "-", day) + of_day.replace(",", ".")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def is_time(cell: Any) -> bool:
    """Whether a cell holds a number or a clock time."""
    number = as_number(cell)
    return (number is not None and number == number) or clock_sec(cell) is not None or wall_sec(cell) is not None


def to_time(cell: Any, where: str, field: str) -> tuple[float, bool]:
    """A number in the file's unit, NaN for an empty cell; or the seconds of 1:02:03.5 (or of a date), and True.

    ValueError where it is neither; the message names file, row (`where`) and what it should be (`field`).

    Examples:
        >>> to_time("61,5", "labels.csv, row 2", "start"), to_time("1:01.5", "labels.csv, row 3", "start")
        ((61.5, False), (61.5, True))
    """
    seconds = clock_sec(cell)
    seconds = wall_sec(cell) if seconds is None else seconds
    number = math.nan if is_empty(cell) else as_number(cell)
    if seconds is not None:
        return seconds, True
    if number is None:
        remedy = "write a number, or hours:minutes:seconds as 0:01:02.5, or name another column"
        raise ValueError(f"{where}: '{field}' is no time: {reprlib.repr(cell)}; {remedy}")
    return number, False


def positive(cell: Any, where: str, field: str) -> float:
    """A number above 0; else a ValueError that names file, row (`where`) and what it should be (`field`)."""
    number, _ = to_time(cell, where, field)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{where}: '{field}' must be a number above 0, not '{cell}'; correct it")
    return number


def not_negative(cell: Any, where: str, field: str) -> tuple[float | None, bool]:
    """As `to_time`, None for an empty cell; a ValueError for numbers below 0 or without end."""
    number, clock = to_time(cell, where, field)
    if number < 0 or math.isinf(number):
        raise ValueError(f"{where}: '{field}' must be 0 or more, not '{cell}'; correct it")
    return None if math.isnan(number) else number, clock
