"""Temporary folders that go with the process, however it is told to end."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
