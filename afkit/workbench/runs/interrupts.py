"""Ctrl-C where breaking off at any line would leave half-started workers, or a page of errors of their libraries."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOTICE = b"\nafkit: ending what runs; Ctrl-C once more ends it at once\n"
INTERRUPTED = 130  # exit status


@contextmanager
def interrupts_wait() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C break off nothing in the block but at the places that ask for it; a second one ends the process.

    In a thread other than the main one, where Ctrl-C never comes, this does nothing.

    Returns:
        what such a place calls; it raises the KeyboardInterrupt that has come. So does the end of the block.
    """
    came = False

    def note(*_: object) -> None:
        nonlocal came
        if came:
            os._exit(INTERRUPTED)
        came = True
        os.write(2, NOTICE)

    def look() -> None:
        if came:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield look
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield look
    finally:
        signal.signal(signal.SIGINT, before)
        look()
