"""Lines on how far a step is: the first after two seconds, then every ten in a terminal, every minute in a file."""

import io
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

FIRST_SEC, TERMINAL_SEC, FILE_SEC = 2.0, 10.0, 60.0
EVERY = "AFKIT_PROGRESS_SEC"  # variable of the environment: seconds between two lines, also for the kernels of a run
# of progress in what was printed, those of a training with more behind two blanks
LINES = re.compile(r"^.*, (?:\d+ h )?\d+ (?:s|min) left(?:  .*)?\n", re.MULTILINE)

Item = TypeVar("Item")


def progress(items: Collection[Item], what: str, say: Callable[[str], None] | None = None) -> Iterator[Item]:
    """The items, with lines on how far a loop over them is; arguments as of `teller`."""
    tell = teller(what, len(items), say)
    for number, item in enumerate(items):
        tell(number)
        yield item


def teller(
    what: str, total: float, say: Callable[[str], None] | None = None, unit: str = ""
) -> Callable[[float], None]:
    """A function to be told how much of `total` is done, which says so now and then: "checks: 12 of 212, 40 s left".

    Args:
        what: the step, in a word or two.
        total: all that is to be done, in the unit.
        say: receives the lines; None prints them to standard error or, in a notebook, as output of the cell.
        unit: shown behind the numbers, e.g. " MB".
    """
    say, began = say or _print, time.monotonic()
    due = began + FIRST_SEC

    def tell(done: float) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due and 0 < done < total:
            due = now + every_sec()
            left = duration((now - began) * (total / done - 1))
            say(f"{what}: {done:.0f} of {total:.0f}{unit}, {left} left")

    return tell


def every_sec() -> float:
    """Seconds between two lines."""
    given, is_watched = os.environ.get(EVERY, ""), _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    if re.fullmatch(r"\d+(\.\d*)?", given):
        return float(given)
    return TERMINAL_SEC if is_watched else FILE_SEC


def duration(seconds: float) -> str:
    """In words, rounded: "34 s", "12 min", "3 h 20 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _in_notebook() -> bool:
    return not isinstance(sys.stdout, io.TextIOWrapper)


def _print(line: str) -> None:
    """To standard error, so that what a command prints can go into a file; `run` shows the output of its kernels."""
    print(line, file=sys.stdout if _in_notebook() else sys.stderr, flush=True)
