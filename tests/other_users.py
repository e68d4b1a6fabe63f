"""Files of another user, and functions that run as another user: for tests that root can run alone."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def give_away(path: Path) -> None:
    """Make a file or folder, without what is in it, another user's."""
    os.chown(path, NOBODY, NOBODY)


def as_nobody(function: Callable[[], Any], user: int = NOBODY) -> Any:
    """What a function returns, or the error it raises, in a process of another user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            found = function()
        except BaseException as error:
            found = error
        os.write(writer, pickle.dumps(found))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        found = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    if isinstance(found, BaseException):
        raise found
    return found
