"""Processes that begin at the same moment, each a fork of the test's."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

TIMEOUT_SEC = 300  # for a process that waits for ever


def at_once(number: int, action: Callable[[int], Any]) -> list[Any]:
    """What an action gives, as JSON has it, in each of so many processes; an exception as "ValueError: ..."."""
    barrier = multiprocessing.get_context("fork").Barrier(number)
    children = [_child(barrier, action, place) for place in range(number)]
    answers = []
    for child, read_end in children:
        with os.fdopen(read_end, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        answers.append(json.loads(said) if said else "it was ended")
    return answers


def _child(barrier: Any, action: Callable[[int], Any], place: int) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the test runner may have one of its own
            signal.alarm(TIMEOUT_SEC)
            barrier.wait()
            try:
                answer = action(place)
            except BaseException as error:
                answer = f"{type(error).__name__}: {error}"
            with os.fdopen(write_end, "wb") as pipe:
                pipe.write(json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    return child, read_end
