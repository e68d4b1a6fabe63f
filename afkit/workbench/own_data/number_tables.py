"""A table of numbers in text: what separates the cells, the names of columns, and which of them are channels."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import listed
from afkit.opening import read_text
from afkit.workbench.own_data.clocks import as_seconds, fall_like
from afkit.workbench.own_data.import_formats import places
from afkit.workbench.own_data.import_names import PEOPLE, plain, read_name
from afkit.workbench.own_data.import_rows import is_empty

LEAST_ROWS = 20  # from which a column that rises in each row is a clock or counts the rows, rather than a channel
_COUNTERS = set(
    "index idx row id no nr number sample samples frame frames counter count step n line unnamed".split()  # noqa: SIM905
)
_CLOCKS = {"timestamp", "timestamps", "clock", "datetime", "date", "uhrzeit", "horodatage", "epoch"}
_PAIR = re.compile(r"[+-]?\d+,\d+")

Lines = list[tuple[int, list[str]]]  # number of the line, its cells


class Numbers(NamedTuple):
    """A table of numbers."""

    values: np.ndarray  # (T, C) float64, the channels
    names: list[str]  # of the channels; [] where the file has none
    clock: np.ndarray | None  # (T,), the column with the time, which is no channel
    clock_name: str  # of that column
    left_out: list[str]  # names of the columns that are no channels, or of channels of a lower rate
    labels: list[str] = []  # cells of the column with a label for each sample
    rate_hz: float | None = None  # samples per second, where the file says so


def read_numbers(path: Path, gaps: bool = False, columns: Sequence[str] = (), label: str = "") -> Numbers:
    """A table of numbers, with or without a row of column names, separated by comma, semicolon, tab or blanks.

    Semicolons and tabs allow decimal commas. A column with the time, or that counts the rows, is left out if its name
    says so and it rises; other columns that may be no channels are refused, unless `columns` chooses by names, or by
    places from 1 on where the file has no names. `label` is the column with labels. `gaps` accepts empty cells, which
    become NaN, and numbers that are not finite. A ValueError names the line or the columns, not the file.
    """
    lines, separator = _lines(read_text(path, "utf-8-sig"))
    names, lines = _split_names(lines)
    if not lines:
        raise ValueError("it holds no row of numbers" + (f", only the names {listed(names)}" if names else ""))
    if names and len(lines[0][1]) == len(names) + 1:  # R leaves out the name of its row names
        names = ["", *names]
    width = len(names) or len(lines[0][1])
    for place, (i, cells) in enumerate(lines):
        if len(cells) != width:
            before = f"under {width} columns ({listed(names)})" if names and not place else f"those before it {width}"
            comma = separator == "," and len(cells) == 2 * width
            hint = "; with decimal commas, separate the cells by semicolons" if comma else ""
            raise ValueError(f"row {i} has {len(cells)} cells, {before}; correct it{hint}")
    if not names and separator == "," and all(len(c) == 2 and _PAIR.fullmatch(",".join(c)) for _, c in lines):
        raise ValueError(
            f"'{','.join(lines[0][1])}' may be two columns or one number with a decimal comma; give the columns a row "
            "of names, or write decimal points"
        )
    by_column = list(zip(*(cells for _, cells in lines), strict=True))
    if names:
        by_column = [_as_numbers(name, cells) for name, cells in zip(names, by_column, strict=True)]
    clocks = [i for i, name in enumerate(names) if _is_clock(name) and _rises(by_column[i])]
    labels = [i for i, name in enumerate(names) if label and name.casefold() == label.casefold()]
    others = [*clocks, *labels]
    chosen = _named_places(names or places(width), columns) if columns else _channels(names, by_column, others, lines)
    table = _parse([(i, [cells[place] for place in chosen]) for i, cells in lines], gaps)
    left_out = [name for i, name in enumerate(names or places(width)) if i not in chosen]
    channels = [names[i] for i in chosen] if names else []
    cells = list(by_column[labels[0]]) if labels else []
    if not clocks or clocks[0] in chosen:
        return Numbers(table, channels, None, "", left_out, cells)
    return Numbers(table, channels, np.array(by_column[clocks[0]], float), names[clocks[0]], left_out, cells)


def _as_numbers(name: str, cells: tuple[str, ...]) -> tuple[str, ...]:
    """The cells of a clock that tells times of day, or dates, as seconds; other cells as they are."""
    if not _is_clock(name) or is_empty(cells[0]) or _is_number(cells[0]):
        return cells
    seconds = as_seconds(cells)
    return cells if seconds is None else tuple(map(repr, seconds.tolist()))


def _lines(text: str) -> tuple[Lines, str | None]:
    """The cells of all lines that hold something, with decimal points, and what separates them (None: blanks)."""
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not numbered:
        return [], None
    if re.fullmatch(r"sep=.\s*", numbered[0][1]):  # Excel writes it
        separator: str | None = numbered.pop(0)[1][4]
    else:
        separator = _separator(numbered[0][1], numbered[:20][-1][1].split())
    if numbered and numbered[0][1].startswith("#") and not _is_number(numbered[0][1].lstrip("# ").split(separator)[0]):
        numbered[0] = (numbered[0][0], numbered[0][1].lstrip("# "))
    cells = []
    for i, line in numbered:
        parts = next(csv.reader([line], delimiter=separator or " ")) if '"' in line else line.split(separator)
        cells.append((i, [part.strip() for part in parts]))
    if separator != "," and any(_PAIR.fullmatch(re.sub("[eE].*", "", cell)) for _, row in cells for cell in row):
        if any(re.fullmatch(r"[+-]?\d*\.\d+", cell) for _, row in cells for cell in row):
            raise ValueError("it has numbers with decimal commas and with decimal points; write them alike")
        cells = [(i, [cell.replace(",", ".", 1) if _is_comma(cell) else cell for cell in row]) for i, row in cells]
    return cells, separator


def _is_comma(cell: str) -> bool:
    return re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", cell) is not None


def _separator(first: str, blanks: list[str]) -> str | None:
    """By the first line, and the parts between blanks of a later one."""
    for separator in ("\t", ";"):
        if separator in first:
            return separator
    if len(blanks) > 1 and all(map(_is_comma, blanks)):
        return None  # 0,5 1,5
    numbers = all(_is_number(part) or _is_comma(part) for part in blanks)
    return None if "," not in first or (len(blanks) > 1 and numbers and "," not in first.strip(",")) else ","


def _split_names(lines: Lines) -> tuple[list[str], Lines]:
    """The names of the columns, [] where there are none, and the other lines."""
    if not lines:
        return [], lines
    first, rest = lines[0][1], lines[1:]
    numbers = [cell for cell in first if _is_number(cell)]
    whole = all(re.fullmatch(r"\d+", cell) for cell in numbers)
    counted = whole and list(map(int, numbers)) in [list(range(begin, begin + len(numbers))) for begin in (0, 1)]
    has_numbers = bool(rest) and all(_is_number(cell) or is_empty(cell) for cell in rest[0][1])
    if not numbers or (counted and 1 < len(numbers) < len(first) and has_numbers):
        return first, rest
    if not (counted and len(numbers) > 2 and rest and all(cells != first for _, cells in rest)):
        return [], lines
    if all(re.fullmatch(r"[+-]?\d+", cell) for _, cells in rest for cell in cells):
        raise ValueError(f"row 1 ({', '.join(first[:3])}, ...) may be names or numbers; remove it, or write names")
    return first, rest


def _named_places(names: list[str], columns: Sequence[str]) -> list[int]:
    """Where the columns of those names are."""
    places = {name.strip().casefold(): place for place, name in reversed(list(enumerate(names)))}
    missing = next((name for name in columns if name.strip().casefold() not in places), None)
    if missing is not None:
        raise ValueError(f"it has no column '{missing}', but {listed(names)}; correct --columns")
    return [places[name.strip().casefold()] for name in columns]


def _channels(names: list[str], by_column: list[tuple[str, ...]], clocks: list[int], lines: Lines) -> list[int]:
    """Places of the channels: all but clocks and counters; refused where it is in doubt what a column is."""
    width = len(by_column)
    shown = names or places(width)
    counters = [i for i, name in enumerate(names) if _is_counter(name) and _rises(by_column[i])]
    chosen = [i for i in range(width) if i not in clocks and i not in counters] or list(range(width))
    many = len(by_column[0]) >= LEAST_ROWS
    rising = [i for i in range(width) if many and _rises(by_column[i], strictly=True)]
    doubts = {}
    for i in chosen:
        doubt = _doubt(names[i], by_column[i]) if names else ""
        if not doubt and i in rising and len(rising) < width:
            doubt = "rises in every row, like a clock or a number of the row"
        if doubt:
            doubts[i] = f"the column {shown[i]!r} {doubt}"
    if doubts:
        rest = ",".join(shown[i] for i in chosen if i not in doubts)
        fallen = [i for i in doubts if names and _is_clock(names[i]) and _falls(by_column[i])]
        if fallen and not any(_is_clock(names[i]) for i in clocks):
            clock = np.array(by_column[fallen[0]], float)
            raise ValueError(
                _backwards(names[fallen[0]], clock, [(row, cells[fallen[0]]) for row, cells in lines], rest)
            )
        option = f"choose the channels with --columns, e.g. --columns {rest}" if rest else "keep channels only"
        raise ValueError(f"{'; '.join(doubts.values())}; its columns are {listed(shown)}; {option}")
    return chosen


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", plain(name)))


def _is_clock(name: str) -> bool:
    meaning = read_name(name)
    if meaning is not None and meaning.field in ("", "segment") and meaning.unit not in ("frames", "samples", "index"):
        return True
    return bool(_words(name) & _CLOCKS)


def _is_counter(name: str) -> bool:
    """Whether a name is that of a count of the rows, which may have none."""
    return not name.strip() or set() < _words(name) <= _COUNTERS


def _doubt(name: str, cells: Sequence[str]) -> str:
    """Why a named column may be no channel; "" where it looks like one."""
    full = [cell for cell in cells if not is_empty(cell)]
    if full and not any(map(_is_number, full)):
        return f"holds texts ({full[0][:40]!r})"
    meaning = read_name(name)
    if meaning is not None and meaning.field not in ("", "segment", "duration", "span"):
        return f"is called like a {meaning.field.replace('_', ' ')}"
    if _words(name) & set(PEOPLE.split()) or _is_counter(name):
        return "is called like the number of something" if name.strip() else "has no name"
    if not _is_clock(name):
        return ""
    return f"is called like a clock, but {'runs backwards' if _falls(cells) else 'does not rise'}"


def _falls(cells: Sequence[str]) -> bool:
    return all(map(_is_number, cells)) and bool((np.diff(np.array(cells, float)) < 0).any())


def _backwards(name: str, clock: np.ndarray, cells: list[tuple[int, str]], rest: str) -> str:
    """Where a clock runs backwards, of which the (row, text) of each cell is given; `rest` are the other columns."""
    place = int(np.argmax(np.diff(clock) < 0))
    (_, before), (row, after) = cells[place : place + 2]
    like, remedy = fall_like(clock, place, before)
    what = f"its clock '{name}' runs backwards in row {row}, from {before} to {after}{like and ', ' + like}"
    regular = f"leave it out with --columns {rest or 'NAMES'} and give FOLDER@HZ if the samples are regular"
    return f"{what}; {remedy}, or {regular}"


def _rises(cells: Sequence[str], strictly: bool = False) -> bool:
    """Whether the numbers of a column never fall, and do rise."""
    if len(cells) < 2 or not all(map(_is_number, cells)):
        return False
    values = np.array(cells, float)
    steps = np.diff(values)
    return bool((steps > 0).all() if strictly else (steps >= 0).all() and values[-1] > values[0])


def _parse(lines: Lines, gaps: bool) -> np.ndarray:
    """The numbers; the first cell that is none is named."""
    if gaps:
        lines = [(i, ["nan" if is_empty(cell) else cell for cell in cells]) for i, cells in lines]
    text = io.StringIO("\n".join("\t".join(cells) for _, cells in lines))
    try:
        table = np.loadtxt(text, delimiter="\t", ndmin=2, comments=None)
    except ValueError:
        table = None
    if table is not None and (gaps or np.isfinite(table).all()):
        return table
    for i, cells in lines:
        for cell in cells:
            if not _is_number(cell) or not (gaps or np.isfinite(float(cell))):
                raise ValueError(f"row {i}: {cell[:40]!r} is no {'' if gaps else 'finite '}number; correct it")
    raise ValueError("it is no table of numbers")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
