"""What the columns of a table of samples are, by names and numbers: clocks, counts of the rows, labels or channels."""

import re
from collections.abc import Sequence

import numpy as np

from afkit.workbench.own_data.clocks import UNIX_SEC, fall_like
from afkit.workbench.own_data.import_names import PEOPLE, UNITS, plain, read_name, unit_of
from afkit.workbench.own_data.import_rows import is_empty

LEAST_ROWS = 20  # from which a column that rises in each row is a clock or counts the rows, rather than a channel
_COUNTERS = (
    "index idx row id no nr num number sample samples frame frames image img video packet counter count sub step n seq "
    "sequence line unnamed"
)
_LABELS = "activity annot annotation class event gt groundtruth label posture stage state states target trigger truth"
_LIKE_CLOCKS = re.compile(r"(?<![a-z])(time|zeit|unix|utc|ts\b|epoc|elapsed|logged|recorded)|(time|zeit)(?![a-z])")
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
_CODES = (999, 9999, 99999, 999999, 999.9, 9999.9, 999.99, 9999.99)  # for what is missing; negative, too
_APART = 3  # times the range of all other numbers of a channel, by which a code lies outside it
_CLOCKS = {"timestamp", "timestamps", "clock", "datetime", "date", "uhrzeit", "horodatage", "epoch"}

Lines = list[tuple[int, list[str]]]  # number of the line, its cells


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))))


def is_clock(name: str) -> bool:
    """Whether a name is that of a time."""
    meaning = read_name(name)
    if meaning is not None and meaning.field in ("", "segment") and meaning.unit not in ("frames", "samples", "index"):
        return True
    return bool(_words(name) & _CLOCKS)


def is_counter(name: str) -> bool:
    """Whether a name is that of a count of the rows, which may have none."""
    return not name.strip() or set() < _words(name) <= set(_COUNTERS.split())


def is_like_clock(name: str, cells: Sequence[str]) -> bool:
    """Whether a column has the name of a clock, or a unit of time in its name and rises as one."""
    if is_clock(name) or _LIKE_CLOCKS.search(plain(name)):
        return True
    return bool(UNITS.get(unit_of(name))) and ticks([cells[i] for i in _filled(cells)])


def _filled(cells: Sequence[str]) -> list[int]:
    """Numbers of the rows that are not empty, nor zeros at the end, as a sensor of fewer samples has them."""
    rows = [i for i, cell in enumerate(cells) if not is_empty(cell)]
    while rows and re.fullmatch(r"0*(\.0*)?", cells[rows[-1]]):
        rows.pop()
    return rows


def doubt_of(name: str, cells: Sequence[str]) -> str:
    """Why a named column may be no channel; "" where it looks like one."""
    full = [cell for cell in cells if not is_empty(cell)]
    if full and not any(map(is_number, full)):
        other = ", no times as 10:00:00.5 or 2026-03-01 10:00:00.5" if is_clock(name) else ""
        return f"holds texts ({full[0][:40]!r}){other}"
    meaning = read_name(name)
    if meaning is not None and meaning.field not in ("", "segment", "duration", "span"):
        return f"is called like a {meaning.field.replace('_', ' ')}"
    if _words(name) & set(_LABELS.split()):
        return "is called like a label"
    if _words(name) & set(PEOPLE.split()) or is_counter(name):
        return "is called like the number of something" if name.strip() else "has no name"
    if not is_clock(name):
        return ""
    wrong = next((i for i, cell in enumerate(cells) if not is_number(cell)), None)
    if wrong is not None:
        return f"is called like a clock, but cell {wrong + 1} of it is {cells[wrong][:40]!r}"
    return f"is called like a clock, but {'runs backwards' if falls(cells) else 'does not rise'}"


def falls(cells: Sequence[str]) -> bool:
    """Whether the numbers of a column fall somewhere."""
    return all(map(is_number, cells)) and bool((np.diff(np.array(cells, float)) < 0).any())


def rises(cells: Sequence[str]) -> bool:
    """Whether the numbers of a column never fall, and do rise."""
    if len(cells) < 2 or not all(map(is_number, cells)):
        return False
    values = np.array(cells, float)
    return bool((np.diff(values) >= 0).all() and values[-1] > values[0])


def ticks(cells: Sequence[str]) -> bool:
    """Whether the numbers of a column rise as those of a clock do, of which several rows may have one time."""
    if len(cells) < LEAST_ROWS or not rises(cells):
        return False
    values = np.array(cells, float)
    steps = np.diff(values)[np.diff(values) > 0]
    alike = np.abs(steps / np.median(steps) - 1) < 0.5
    regular = 2 * alike.sum() > len(steps) > LEAST_ROWS / 2 or (len(steps) > 1 and (alike & (steps % 1 == 0)).all())
    return bool(len(steps) == len(cells) - 1 or values[0] > UNIX_SEC or regular)


def counted(cells: Sequence[str]) -> np.ndarray | None:
    """By how much a column that counts rows rises from row to row, though it may begin anew; None of other columns."""
    if len(cells) < 2 or not all(map(_WHOLE.fullmatch, cells[:LEAST_ROWS])) or not all(map(is_number, cells)):
        return None
    values = np.array(cells, float)
    if not np.isfinite(values).all() or not np.ptp(values):
        return None
    steps = np.diff(values)
    fell = steps < 0
    if not fell.any():
        return steps
    usual = np.median(steps[~fell]) if not fell.all() else 0.0
    steps = np.where(fell & (values[1:] == values.min()), usual, steps % (np.ptp(values) + 1))
    return steps if usual > 0 and fell.mean() < 0.11 and (steps == usual).mean() > 0.8 else None


def begins_anew(cells: Sequence[str]) -> bool:
    """Whether a column counts rows again and again."""
    return len(cells) >= LEAST_ROWS and not rises(cells) and counted(cells) is not None


def check_count(name: str, cells: Sequence[str], lines: Lines) -> None:
    """A ValueError where a count of the rows leaves some out."""
    steps = counted(cells)
    if steps is not None and steps.max() > steps.min() >= 1:
        what = f"its column {name!r} rises by {steps.max():g} after row {lines[int(steps.argmax())][0]}"
        raise ValueError(f"{what}: add rows of empty cells for samples that are missing, or remove that column")


def check_alike(name: str, other: str, cells: Sequence[str], others: Sequence[str], units: Sequence[str]) -> None:
    """A ValueError where two clocks are of samples of two rates side by side; units that are not told may be any."""
    rows = _filled(others)
    if not rises([others[i] for i in rows]):
        return
    times = [
        np.array([column[i] for i in rows], float) * (UNITS.get(unit) or 1)
        for column, unit in zip((cells, others), units, strict=True)
    ]
    least, most = sorted(map(float, map(np.ptp, times)))
    told, coarse = all(map(UNITS.get, units)), [float(np.diff(one).max()) for one in times]
    if any(np.ptp(one) <= 2 * step for one, step in zip(times, coarse, strict=True)):
        return  # days, or whole seconds of a short recording
    apart = most / least
    if 1.05 * least + max(coarse) < most and (told or (apart < 100 and not 57 < apart < 63)):
        what = f"it has the clocks '{name}' and '{other}', of which one runs {apart:.3g} times as fast"
        raise ValueError(f"{what}, as of sensors with rates of their own; write a file for each, or remove one")


def missing_codes(values: np.ndarray) -> np.ndarray:
    """(T, C) bool: numbers such as -9999, which loggers write for missing samples, far from all others of a channel.

    Examples:
        >>> missing_codes(np.array([[0.5, 990], [-9999, 999], [0.7, 1010]])).tolist()
        [[False, False], [True, False], [False, False]]
    """
    found = np.zeros(values.shape, bool)
    for channel in np.flatnonzero((np.abs(values) >= min(_CODES)).any(axis=0)):
        column = values[:, channel].astype(float)
        coded = np.isin(np.abs(column).round(2), _CODES)
        others = column[np.isfinite(column) & ~coded]
        if len(others):
            low, high = others.min(), others.max()
            found[:, channel] = coded & (np.maximum(low - column, column - high) > _APART * (high - low))
    return found


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def backwards(name: str, clock: np.ndarray, cells: list[tuple[int, str]], rest: str) -> str:
    """Where a clock runs backwards, of which the (row, text) of each cell is given; `rest` are the other columns."""
    place = int(np.argmax(np.diff(clock) < 0))
    (_, before), (row, after) = cells[place : place + 2]
    like, remedy = fall_like(clock, place, before)
    what = f"its clock '{name}' runs backwards in row {row}, from {before:.40} to {after:.40}{like and ', ' + like}"
    regular = f"leave it out with --columns {rest or 'NAMES'} and give FOLDER@HZ if the samples are regular"
    return f"{what}; {remedy}, or {regular}"
