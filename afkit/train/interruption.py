"""Ctrl-C, and the signal with which systems end a process: they interrupt a training between two steps only."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """SIGINT and SIGTERM raise KeyboardInterrupt, but after the end of a block made by what is yielded.

    A second signal within such a block raises at once. Outside the main thread, where Python can handle no signals,
    nothing is changed.
    """
    owner, held, came = os.getpid(), [False], [0]

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a process that loads features; it ends as if there were no handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        came[0] += 1
        if not held[0] or came[0] > 1:
            raise KeyboardInterrupt

    @contextmanager
    def whole() -> Iterator[None]:
        held[0] = True
        try:
            yield
        finally:
            held[0] = False
        if came[0]:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, stop) for number in SIGNALS} if main else {}
    try:
        yield whole
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
