"""Rows of numbers from a pipe, and their clock.

A row is a line of text with its numbers between commas, semicolons or blanks. One number more is the row's time in
seconds, in front of the others.
"""

import math
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from afkit.workbench.own_data.clocks import LONGEST_STEP_SEC

RATE_TOLERANCE = 0.01  # by which rows may come at another rate, and count as after a pause
MOST_ALONE = 3  # rows in succession that come after a jump each, from which times are in another unit
MOST_LETTERS = 64  # of a number


class Row(NamedTuple):
    """A line of the pipe."""

    number: int  # from 1 on
    values: np.ndarray  # (C,) float64
    time_sec: float | None  # its own, where it has one


class Clock:
    """When rows came, and whether that is as often as it should be; without times it is."""

    def __init__(self, step_sec: float):
        self.step_sec = step_sec  # between two rows
        self.first_sec = self.last_sec = 0.0
        self.rows = 0  # of a recording
        self.alone = 0  # recordings of one row, so far

    def count(self, row: Row) -> None:
        """One more, or the first one."""
        self.last_sec = row.time_sec or 0.0
        self.first_sec = self.first_sec if self.rows else self.last_sec
        self.rows += 1

    def goes_on(self, row: Row) -> bool:
        """Whether a row follows the one before; a ValueError where times fall, or rise at another rate."""
        if row.time_sec is None:
            return True
        if row.time_sec <= self.last_sec:
            before = f"not after the row before ({self.last_sec:g} s)"
            raise ValueError(f"row {row.number} is of {row.time_sec:g} s, {before}; send rows in their order")
        lasts, passed = self.rows * self.step_sec, row.time_sec - self.first_sec
        limit = max(LONGEST_STEP_SEC, 0.75 * self.step_sec)
        jump = row.time_sec - self.last_sec - self.step_sec
        if abs(passed - lasts) > limit and jump < limit / 2 and abs(passed - lasts) > RATE_TOLERANCE * lasts:
            raise ValueError(
                f"row {row.number}: those since {self.first_sec:g} s come {self.rows / passed:.4g} times a second, not "
                f"{1 / self.step_sec:.4g}; send them at that rate, or give theirs with --fps"
            )
        goes_on = abs(passed - lasts) <= limit
        self.alone = 0 if goes_on else self.alone + (self.rows == 1)
        if self.alone == MOST_ALONE:
            rise = row.time_sec - self.last_sec
            raise ValueError(f"row {row.number}: times rise by {rise:g} a row, not {self.step_sec:g}; send seconds")
        return goes_on


def rows_of(file: IO[bytes], width: int) -> Iterator[Row]:
    """The rows of `width` numbers, or of a time and as many.

    Raises:
        ValueError: a row of something else, of another number of numbers than the first, or cut short.
    """
    limit, number, count = MOST_LETTERS * (width + 1), 0, 0
    while line := file.readline(limit):
        number += 1
        if not line.isascii() or b"\0" in line:
            raise ValueError(f"row {number} is no text; send numbers as text, a line for each row")
        cells = line.replace(b",", b" ").replace(b";", b" ").split()
        count = count or len(cells)
        if not line.endswith(b"\n"):
            what = "is too long" if len(line) == limit else f"was cut short after {len(cells)} numbers"
            raise ValueError(f"row {number} {what} and is left out; each row ends with a line break")
        if count not in (width, width + 1):
            raise ValueError(f"row {number} has {count} numbers; send {width}, or the time in seconds and {width}")
        if len(cells) != count:
            raise ValueError(f"row {number} has {len(cells)} numbers, the rows before it had {count}")
        values = _numbers(number, cells)
        timed = count > width
        yield Row(number, values[1:] if timed else values, float(values[0]) if timed else None)


def _numbers(number: int, cells: list[bytes]) -> np.ndarray:
    values = np.empty(len(cells))
    for column, cell in enumerate(cells):
        try:
            values[column] = float(cell)
        except ValueError:
            raise ValueError(f"row {number}: {cell.decode()!r} is no number; send numbers alone") from None
        if not math.isfinite(values[column]):
            remedy = "correct it, or leave out the row and send times, so that it is a gap"
            raise ValueError(f"row {number} has NaN or infinity in column {column + 1}; {remedy}")
    return values
