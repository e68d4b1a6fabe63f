"""Interrupts: Ctrl-C where breaking off at any line would leave half-started workers; folders that go with it."""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


TOLD = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, by another process, by a terminal that closes


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder that is removed when the block ends, also where a signal ends it.

    Raises:
        KeyboardInterrupt: such a signal came.
    """
    known = [getattr(signal, name) for name in TOLD if hasattr(signal, name)]  # not all on Windows
    in_main = threading.current_thread() is threading.main_thread()  # others may not say what signals do
    before = {number: signal.signal(number, signal.default_int_handler) for number in known if in_main}
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
