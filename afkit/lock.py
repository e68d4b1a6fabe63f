"""One process at a time works in a folder, or writes a file: a lock that goes with its holder, however that ends."""

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from afkit.opening import NotPlainError, open_to_read, open_to_write

LOCK = ".lock"  # in a run folder, and the ending of a data set's
PATIENCE_SEC = 5.0  # the kernel of a run that was killed notices it within a second or two, and has the lock until then
POLL_SEC = 0.05
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what a file system without locks says
MOST_LETTERS = 200  # of a holder


class BusyError(ValueError):
    """Somebody else works in the folder."""


@contextmanager
def locked(
    path: Path, patience_sec: float = PATIENCE_SEC, on_wait: Callable[[str], object] | None = None
) -> Iterator[int]:
    """Hold a lock while the block runs; the block gets its file descriptor.

    The lock is the system's (`flock`), on a file that says who holds it and goes at the end. A process that inherits
    the descriptor holds the lock, too, until it ends.

    Args:
        path: the lock file; its folder is made.
        patience_sec: how long to wait for another holder.
        on_wait: called once, where there is one to wait for, with its name, e.g. "process 123 on laptop".

    Raises:
        BusyError: somebody else holds it; the message says who.
        ValueError: something else has its name: a folder, a link, a pipe, or a file that cannot be opened.
        OSError: the folder cannot be written to, has no locks, or the disk is full; it names the file.
    """
    file = _take(path, time.monotonic() + patience_sec, on_wait)
    try:
        _sign(file, path)
        yield file
    finally:
        path.unlink(missing_ok=True)  # first, so that nobody locks a file that is about to go
        os.close(file)


def holder(folder: Path) -> str:
    """Who works in a run folder, e.g. "process 123 on laptop"; "" for nobody."""
    return _holder(folder / LOCK)


def try_lock(path: Path) -> int | None:
    """The descriptor of a file, made if missing, that is ours until it is closed; None where it is somebody else's.

    Raises:
        OSError: it cannot be opened, is no plain file, or there are no locks here; it is then not left behind.
    """
    try:
        import fcntl  # not on Windows
    except ImportError:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path)) from None
    file = open_to_write(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(file, path):
            return file
    except BlockingIOError:
        pass
    except OSError:
        os.close(file)
        path.unlink(missing_ok=True)  # nobody holds it where there are no locks
        raise
    os.close(file)
    return None


def _holder(path: Path) -> str:
    import fcntl  # not on Windows

    try:
        with open_to_read(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                said = file.read(MOST_LETTERS).decode(errors="replace")
                return "".join(letter if letter.isprintable() else " " for letter in said) or "another process"
    except OSError:  # there is none, or it is none
        pass
    return ""


def _sign(file: int, path: Path) -> None:
    """Write who holds the lock instead of who held it before, perhaps on another machine, and was killed."""
    try:
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
    except OSError as error:
        error.filename = str(path)
        raise


def _take(path: Path, until: float, on_wait: Callable[[str], object] | None) -> int:
    """The descriptor of the locked file."""
    while True:
        file = _try(path)
        if file is not None:
            return file
        who = _holder(path)
        if who and time.monotonic() >= until:
            raise BusyError(f"{path.parent} is in use by {who}; wait for it, or end it")
        if who and on_wait is not None:
            on_wait(who)
            on_wait = None
        time.sleep(POLL_SEC)


def _try(path: Path) -> int | None:
    """As `try_lock`, in a folder that is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return try_lock(path)
    except FileNotFoundError:  # the last has just taken the folder with it
        return None
    except (IsADirectoryError, PermissionError, NotPlainError) as error:
        if not os.path.lexists(path):  # it is the folder that cannot be written to
            raise
        raise ValueError(
            f"{path} cannot be opened ({error.strerror}), so nobody knows whether {path.parent} is in use; remove it "
            "if it is not"
        ) from None


def _is_at(file: int, path: Path) -> bool:
    """Whether the open file still has its name: its last holder may have removed it since it was opened."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.lstat())
    return False
