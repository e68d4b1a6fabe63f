"""Opening files that may come from somebody else: plain files, and nothing else.

In a stranger's folder a link may lead to any file of the user, which would be written over; on a pipe, whoever opens it
waits for ever; and a device may give bytes without end.
"""

import errno
import io
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

_UNLIKE_FILES = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # a pipe is then opened without waiting
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_KINDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


class NotPlainError(OSError):
    """What has the name of a file is something else."""


def open_to_read(path: str | Path) -> IO[bytes]:
    """A plain file, opened to read its bytes; a link to one is followed.

    Raises:
        NotPlainError: it is a pipe, a socket or a device.
        OSError: it is missing, a folder, or cannot be read.
    """
    file = os.open(path, os.O_RDONLY | _UNLIKE_FILES)
    try:
        _check(os.fstat(file), path)
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def read_bytes(path: str | Path) -> bytes:
    """The content of a plain file; errors as of `open_to_read`."""
    with open_to_read(path) as file:
        return file.read()


def read_text(path: str | Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of a plain file, each end of a line as one newline.

    Args:
        path: of the file.
        encoding, errors: as of `open`.

    Raises:
        OSError: as of `open_to_read`.
        UnicodeDecodeError: it is no text in this encoding.
    """
    with io.TextIOWrapper(open_to_read(path), encoding, errors) as file:
        return file.read()


def check_plain(path: str | Path) -> None:
    """Errors as of `open_to_read`, for a library that is given a name and opens the file itself."""
    _check(Path(path).stat(), path)


def open_to_write(path: str | Path) -> int:
    """The descriptor of a plain file with this name alone, made if missing; what it holds stays for now.

    Raises:
        NotPlainError: it is a link, a pipe, a socket or a device, or has a second name (a hard link).
        OSError: it is a folder, or cannot be written to.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | _UNLIKE_FILES | _NO_LINKS, 0o666)
    except OSError:
        with suppress(FileNotFoundError):
            _check(os.lstat(path), path)
        raise
    try:
        state = os.fstat(file)
        _check(state, path)
        if state.st_nlink > 1:
            raise NotPlainError(errno.EMLINK, "Has a second name (a hard link)", str(path))
    except BaseException:
        os.close(file)
        raise
    return file


def make_way(path: str | Path) -> None:
    """Remove what has a file's name and is no plain file, or has a second name: not what a link leads to."""
    with suppress(FileNotFoundError):
        state = os.lstat(path)
        if not stat.S_ISDIR(state.st_mode) and not (stat.S_ISREG(state.st_mode) and state.st_nlink == 1):
            Path(path).unlink()


def _check(state: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "a device")
        raise NotPlainError(errno.EINVAL, f"Is {kind} and no file", str(path))
