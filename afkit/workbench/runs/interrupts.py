"""Interrupts: Ctrl-C where breaking off at any line would leave half-started workers; folders that go with it."""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOTICE = b"\nafkit: ending what runs; Ctrl-C once more ends it at once\n"
INTERRUPTED = 130  # exit status


@contextmanager
def signals_call(handler: Callable[[int, Any], Any], *names: str) -> Iterator[None]:
    """Within the block these signals call the handler, but for those that the system (Windows) has not.

    In a thread other than the main one, which may not say what signals do, nothing is changed.
    """
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    in_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in known if in_main}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def interrupts_wait() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C break off nothing in the block but at the places that ask for it; a second one ends the process.

    Gives what such a place calls; it raises the KeyboardInterrupt that has come. So does the end of the block. In a
    thread other than the main one, where Ctrl-C never comes, this does nothing.
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

    try:
        with signals_call(note, "SIGINT"):
            yield look
    finally:
        look()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder that is removed when the block ends, also where a signal ends it.

    Ctrl-C, another process (SIGTERM) or a terminal that closes (SIGHUP) are a KeyboardInterrupt.
    """
    with (
        signals_call(signal.default_int_handler, "SIGINT", "SIGTERM", "SIGHUP"),
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Path(folder)
