"""A table of numbers in text: what separates the cells, the names of columns, and which of them are channels."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import dropwhile
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import listed
from afkit.opening import read_text
from afkit.workbench.own_data.clocks import UNIX_SEC, as_seconds
from afkit.workbench.own_data.import_formats import places
from afkit.workbench.own_data.import_names import LONGEST_WORD, unit_of
from afkit.workbench.own_data.import_rows import WALL, is_empty
from afkit.workbench.own_data.sample_columns import (
    LEAST_ROWS,
    Lines,
    backwards,
    begins_anew,
    check_alike,
    check_count,
    counted,
    doubt_of,
    falls,
    is_clock,
    is_counter,
    is_like_clock,
    is_number,
    rises,
    ticks,
)

_USUAL_HZ = "1 2 4 5 8 10 16 20 25 30 32 40 50 60 64 75 100 120 128 200 250 256 500 512 1000"
MOST_COLUMNS = 20_000
_FAR = 10  # times the range of all other rows, by which a first row may lie outside it
_PAIR = re.compile(r"[+-]?\d+,\d+")


class Numbers(NamedTuple):
    """A table of numbers."""

    values: np.ndarray  # (T, C) float64, the channels
    names: list[str]  # of the channels; [] where the file has none
    clock: np.ndarray | None  # (T,), the column with the time, which is no channel
    clock_name: str  # of that column
    left_out: list[str]  # names of the columns that are no channels, or of channels of a lower rate
    labels: list[str] = []  # cells of the column with a label for each sample
    rate_hz: float | None = None  # samples per second, where the file says so
    clock_unit: str = ""  # of the clock, where its cells tell it rather than its name
    unseen: np.ndarray | None = None  # (T,), samples that only bridge others, of key points
    naive: bool = False  # the clock tells dates without a time zone


def read_numbers(path: Path, gaps: bool = False, columns: Sequence[str] = (), label: str = "") -> Numbers:
    """A table of numbers, with or without a row of column names, separated by comma, semicolon, tab or blanks.

    Semicolons and tabs allow decimal commas. A column with the time, or that counts the rows, is left out if its name
    says so and it rises; other columns that may be no channels are refused, unless `columns` chooses by names, or by
    places from 1 on where the file has no names. `label` is the column with labels. `gaps` accepts empty cells, which
    become NaN, and numbers that are not finite. A ValueError names the line or the columns, not the file.
    """
    text = read_text(path, "utf-8-sig")
    try:
        return _read(text, gaps, columns, label)
    except ValueError as error:
        begin = _numbers_begin(text)
        hint = f"; its numbers begin in line {begin}: of the lines before, leave one with the names of the columns"
        raise ValueError(f"{error}{hint if begin > 2 + text.startswith('sep=') else ''}") from None


def _read(text: str, gaps: bool, columns: Sequence[str], label: str) -> Numbers:
    lines, separator = _lines(text)
    names, lines = _without_last(*_split_names(lines))
    long = max(names, key=len, default="")
    if len(long) > LONGEST_WORD:
        raise ValueError(f"a column is called '{long[:40]}...', {len(long)} letters; give it a shorter name")
    if not lines:
        raise ValueError("it holds no row of numbers" + (f", only the names {listed(names)}" if names else ""))
    if names and len(lines[0][1]) == len(names) + 1:  # R leaves out the name of its row names
        names = ["", *names]
    width = len(names) or len(lines[0][1])
    if width > MOST_COLUMNS:
        raise ValueError(f"it has {width} columns; save a table of more than {MOST_COLUMNS} with numpy.save, as .npy")
    for place, (i, cells) in enumerate(lines):
        if len(cells) != width and any(cells):
            before = f"under {width} columns ({listed(names)})" if names and not place else f"those before it {width}"
            comma = separator == "," and len(cells) == 2 * width
            hint = "; with decimal commas, separate the cells by semicolons" if comma else ""
            raise ValueError(f"row {i} has {len(cells)} cells, {before}; correct it{hint}")
    if not names and separator == "," and _may_be_decimals(lines):
        raise ValueError(
            f"'{','.join(lines[0][1][:2])}' may be two columns or one number with a decimal comma; give the columns a "
            "row of names, or write decimal points"
        )
    lines, by_column, clocks, unit = timed_rows(names, lines, width)
    labels = [i for i, name in enumerate(names) if label and name.casefold() == label.casefold()]
    counters = [i for i, name in enumerate(names) if is_counter(name) and counted(by_column[i]) is not None]
    shown, others = names or places(width), [*clocks, *labels, *counters]
    chosen = _named_places(shown, columns) if columns else _channels(names, by_column, others, lines)
    for i in [] if clocks else sorted(set(counters) - set(chosen)):
        check_count(names[i], by_column[i], lines)
    table = _parse([(i, [cells[place] for place in chosen]) for i, cells in lines], gaps)
    left_out = [shown[i] for i in sorted(set(range(width)) - set(chosen))]
    channels = [names[i] for i in chosen] if names else []
    cells = list(by_column[labels[0]]) if labels else []
    if not names and not clocks and len(table) > LEAST_ROWS:
        table, clock = _after_start_and_rate(table)
        return Numbers(table, [], clock, "rows 1 and 2", left_out, clock_unit="seconds")
    if not clocks or clocks[0] in chosen:
        return Numbers(table, channels, None, "", left_out, cells)
    if len(lines) > 2 and [row for _, row in lines[::2]] == [row for _, row in lines[1::2]]:
        raise ValueError(f"each of its rows is there twice, as rows {lines[0][0]} and {lines[1][0]}; keep one of each")
    clock = np.array(by_column[clocks[0]], float)
    date = WALL.fullmatch(lines[0][1][clocks[0]])
    naive = date is not None and not date[3]
    return Numbers(table, channels, clock, shown[clocks[0]], left_out, cells, clock_unit=unit, naive=naive)


def timed_rows(names: list[str], lines: Lines, width: int) -> tuple[Lines, list[tuple[str, ...]], list[int], str]:
    """The rows, and their columns with times of day or dates as seconds; places of those with the time, and its unit.

    A column has the time if it never falls, and its name says so, or all of its cells are times of day or dates; the
    unit is "" where that name or the size tells it. Blank rows are left out where there is such a column; else they
    stand for samples that are missing.
    """
    full = [(i, cells) for i, cells in lines if any(cells)]
    if not full:
        raise ValueError("it holds no row of numbers, only empty ones")
    texts = list(zip(*(cells for _, cells in full), strict=True))
    titles = names or [""] * width
    by_column = [_as_numbers(name, cells) for name, cells in zip(titles, texts, strict=True)]
    told = [i for i, cells in enumerate(by_column) if cells is not texts[i]]
    named = [i for i, name in enumerate(titles) if i in told or is_like_clock(name, by_column[i])]
    clocks = [i for i in named if rises(by_column[i])]
    for i in [i for i in named if clocks and i != clocks[0]]:
        units = ["seconds" if place in told else unit_of(titles[place]) for place in (clocks[0], i)]
        check_alike(titles[clocks[0]], titles[i], by_column[clocks[0]], by_column[i], units)
    if clocks or len(full) == len(lines):
        return full, by_column, clocks, "seconds" if clocks and clocks[0] in told else ""
    lines = [(i, cells if any(cells) else [""] * width) for i, cells in lines]
    return lines, list(zip(*(cells for _, cells in lines), strict=True)), [], ""


def _may_be_decimals(lines: Lines) -> bool:
    """Whether the cells between commas may be the halves of numbers with decimal commas: -0 and 05 are no integers."""

    def pairs() -> Iterator[str]:
        rows = (cells for _, cells in lines if any(cells))
        return (",".join(cells[i : i + 2]) for cells in rows for i in range(0, len(cells), 2))

    if not all(map(_PAIR.fullmatch, pairs())):
        return False
    return len(lines[0][1]) == 2 or any(re.match(r"[+-]0,|.*,0\d", pair) for pair in pairs())


def _after_start_and_rate(table: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The samples without a first row that is their start and a second one with their rate, and the clock of these.

    As Empatica writes them. A ValueError where a first row is like no other.
    """
    start, rate, rest = table[0, 0], table[1, 0], table[2:]
    known = (table[0] == start).all() and (table[1] == rate).all() and f"{rate:g}" in _USUAL_HZ.split()
    if known and UNIX_SEC < start < 1e10 and not (rest > UNIX_SEC).any():
        return rest, start + np.arange(len(rest)) / rate
    seen = table[1:][np.isfinite(table[1:]).all(axis=1)]
    low, high = seen.min(axis=0, initial=np.inf), seen.max(axis=0, initial=-np.inf)
    if (np.maximum(low - table[0], table[0] - high) > _FAR * (high - low)).all():
        first, others = ", ".join(f"{cell:g}" for cell in table[0]), f"{low.min():g} to {high.max():g}"
        raise ValueError(
            f"its first row ({first}) is unlike all others ({others}); remove it if it is a start or a rate, which is "
            "then given as FOLDER@HZ, or give the columns a row of names"
        )
    return table, None


def _numbers_begin(text: str) -> int:
    """The number of the line from which on most cells are numbers, alike in number; 0 where there is none."""
    rows = [re.split(r"[;,\s]+", line.strip()) for line in text.splitlines()[:200]]
    like = [len(cells) * (2 * sum(map(is_number, cells)) > len(cells)) for cells in rows]
    return next((i + 1 for i, one in enumerate(like) if one and like[i : i + 5] == [one] * 5), 0)


def _as_numbers(name: str, cells: tuple[str, ...]) -> tuple[str, ...]:
    """The cells of a clock that tells times of day, or dates, as seconds; other cells as they are."""
    if is_empty(cells[0]) or is_number(cells[0]) or (seconds := as_seconds(cells)) is None:
        return cells
    numbers = tuple(map(repr, seconds.tolist()))
    return numbers if is_clock(name) or rises(numbers) else cells


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """All lines with their numbers, but blank ones at both ends, and those between any two as Windows may add them."""
    lines = list(enumerate(text.splitlines(), 1))
    while lines and not lines[-1][1].strip():
        lines.pop()
    lines = list(dropwhile(lambda line: not line[1].strip(" "), lines))
    return lines if any(line for _, line in lines[1::2]) else lines[::2]


def _lines(text: str) -> tuple[Lines, str | None]:
    """The cells of all lines, with decimal points, and what separates them (None: blanks)."""
    numbered = numbered_lines(text)
    if not numbered:
        return [], None
    if re.fullmatch(r"sep=.\s*", numbered[0][1]):  # Excel writes it
        separator: str | None = numbered.pop(0)[1][4]
    else:
        separator = _separator(numbered[0][1], [line for _, line in numbered if line.strip()][:20][-1].split())
    if numbered and numbered[0][1].startswith("#") and not is_number(numbered[0][1].lstrip("# ").split(separator)[0]):
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
    numbers = all(is_number(part) or _is_comma(part) for part in blanks)
    return None if "," not in first or (len(blanks) > 1 and numbers and "," not in first.strip(",")) else ","


def _split_names(lines: Lines) -> tuple[list[str], Lines]:
    """The names of the columns, [] where there are none, and the other lines."""
    if not lines:
        return [], lines
    first, rest = lines[0][1], lines[1:]
    numbers = [cell for cell in first if is_number(cell)]
    whole = all(re.fullmatch(r"\d+", cell) for cell in numbers)
    counted = whole and list(map(int, numbers)) in [list(range(begin, begin + len(numbers))) for begin in (0, 1)]
    has_numbers = bool(rest) and all(is_number(cell) or is_empty(cell) for cell in rest[0][1])
    if not numbers or (counted and 1 < len(numbers) < len(first) and has_numbers):
        return first, rest
    if not (counted and rest and all(cells != first for _, cells in rest)):
        return [], lines
    if len(numbers) < 3 and any(re.fullmatch(r"[+-]?\d*", cell) for _, cells in rest for cell in cells):
        return [], lines
    if all(re.fullmatch(r"[+-]?\d+", cell) for _, cells in rest for cell in cells):
        raise ValueError(f"row 1 ({', '.join(first[:3])}, ...) may be names or numbers; remove it, or write names")
    return first, rest


def _without_last(names: list[str], lines: Lines) -> tuple[list[str], Lines]:
    """Both without a last column of neither name nor cell, which separators at the ends of rows make."""
    width = len(next((cells for _, cells in lines if any(cells)), []))
    unnamed = len(names) in (0, width - 1) or (len(names) == width and not names[-1])
    if width < 2 or not unnamed or any(cells[width - 1 :] != [""] for _, cells in lines if any(cells)):
        return names, lines
    return names[: width - 1], [(i, cells[: width - 1]) for i, cells in lines]


def _named_places(names: list[str], columns: Sequence[str]) -> list[int]:
    """Where the columns of those names are; columns of one name are taken together, in their order."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name.strip().casefold(), []).append(place)
    wanted = [name.strip().casefold() for name in columns]
    for name, key in zip(columns, wanted, strict=True):
        if key not in places:
            raise ValueError(f"it has no column '{name}', but {listed(names)}; name it so, or correct --columns")
        if wanted.count(key) != len(places[key]):
            raise ValueError(f"it has {len(places[key])} columns '{name}'; give each a name of its own")
    return [places[key].pop(0) for key in wanted]


def _channels(names: list[str], by_column: list[tuple[str, ...]], others: list[int], lines: Lines) -> list[int]:
    """Places of the channels: all but those others; refused where it is in doubt what a column is."""
    width = len(by_column)
    shown = names or places(width)
    chosen = [i for i in range(width) if i not in others] or list(range(width))
    rising = [i for i in range(width) if ticks(by_column[i]) or begins_anew(by_column[i])]
    doubts = {}
    for i in chosen:
        doubt = doubt_of(names[i], by_column[i]) if names else ""
        if not doubt and i in rising and len(rising) < width:
            doubt = "rises like a clock (which would be called time_s, time_ms, ...) or like a number of the row"
        if doubt:
            doubts[i] = f"the column {shown[i]!r} {doubt}"
    if doubts:
        rest = ",".join(f'"{shown[i]}"' if "," in shown[i] else shown[i] for i in chosen if i not in doubts)
        rest = quote(rest) if rest else ""
        fallen = [i for i in doubts if names and is_clock(names[i]) and falls(by_column[i])]
        if fallen and not any(is_clock(names[i]) for i in others):
            clock = np.array(by_column[fallen[0]], float)
            raise ValueError(
                backwards(names[fallen[0]], clock, [(row, cells[fallen[0]]) for row, cells in lines], rest)
            )
        option = f"choose the channels with --columns, e.g. --columns {rest}" if rest else "keep channels only"
        raise ValueError(f"{'; '.join(doubts.values())}; its columns are {listed(shown)}; {option}")
    return chosen


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
            if not is_number(cell) or not (gaps or np.isfinite(float(cell))):
                raise ValueError(f"row {i}: {cell[:40]!r} is no {'' if gaps else 'finite '}number; correct it")
    raise ValueError("it is no table of numbers")
