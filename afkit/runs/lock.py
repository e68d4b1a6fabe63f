"""One process at a time works in a run folder: a lock that goes with its holder, however that ends."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"  # in a run folder
PATIENCE_SEC = 5.0  # the kernel of a run that was killed notices it within a second or two, and has the lock until then
POLL_SEC = 0.05


class BusyError(ValueError):
    """Somebody else works in the folder."""


@contextmanager
def locked(path: Path, patience_sec: float = PATIENCE_SEC) -> Iterator[int]:
    """Hold a lock while the block runs; the block gets its file descriptor.

    The lock is the system's (`flock`), on a file that says who holds it and goes at the end. A process that inherits
    the descriptor holds the lock, too, until it ends.

    Args:
        path: the lock file; its folder is made.
        patience_sec: how long to wait for another holder.

    Raises:
        BusyError: somebody else holds it; the message says who.
        ValueError: something else has its name: a folder, or a file that cannot be opened.
        OSError: the folder cannot be written to, or the disk is full; it names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _take(path, time.monotonic() + patience_sec)
    try:
        _sign(file, path)
        yield file
    finally:
        path.unlink(missing_ok=True)  # first, so that nobody locks a file that is about to go
        os.close(file)


def holder(folder: Path) -> str:
    """Who works in a run folder, e.g. "process 123 on laptop"; "" for nobody."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(file, 200).decode(errors="replace") or "another process"
    else:
        return ""
    finally:
        os.close(file)


def _sign(file: int, path: Path) -> None:
    """Write who holds the lock instead of who held it before, perhaps on another machine, and was killed."""
    try:
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
    except OSError as error:
        error.filename = str(path)
        raise


def _take(path: Path, until: float) -> int:
    """The descriptor of the locked file."""
    while True:
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            if time.monotonic() >= until:
                who = os.read(file, 200).decode(errors="replace") or "another process"
                os.close(file)
                raise BusyError(f"{path.parent} is in use by {who}; wait for it, or end it") from None
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        time.sleep(POLL_SEC)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except (IsADirectoryError, PermissionError) as error:
        if not os.path.lexists(path):  # it is the folder that cannot be written to
            raise
        raise ValueError(
            f"{path} cannot be opened ({error.strerror}), so nobody knows whether {path.parent} is in use; remove it "
            "if it is not"
        ) from None


def _is_at(file: int, path: Path) -> bool:
    """Whether the open file still has its name: its last holder may have removed it since it was opened."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False
