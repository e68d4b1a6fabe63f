"""What somebody else may have made, or can write to: files, zips, names that become files, folders.

In a stranger's folder a link may lead to any file of the user, which would be written over; on a pipe, whoever opens it
waits for ever; and a device may give bytes without end.
"""

import errno
import hashlib
import io
import os
import re
import stat
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_UNLIKE_FILES = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # a pipe is then opened without waiting
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_KINDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


class NotPlainError(OSError):
    """What has the name of a file is something else."""


def open_to_read(path: str | Path) -> IO[bytes]:
    """A plain file, opened to read bytes; a link to one is followed; a pipe, socket or device is a NotPlainError."""
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def read_bytes(path: str | Path) -> bytes:
    """The content of a plain file; errors as of `open_to_read`."""
    with open_to_read(path) as file:
        return file.read()


def read_text(path: str | Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of a plain file, each end of a line as one newline; errors as of `open_to_read`, and of decoding."""
    with io.TextIOWrapper(open_to_read(path), encoding, errors) as file:
        return file.read()


def check_plain(path: str | Path) -> None:
    """Errors as of `open_to_read`, for a library that is given a name and opens the file itself."""
    _check(Path(path).stat(), path)


def open_to_write(path: str | Path) -> int:
    """The descriptor of a plain file with this name alone, made if missing; what it holds stays for now.

    A link, a pipe, a socket, a device, or a second name (a hard link) is a NotPlainError.
    """
    try:
        return _open(path, os.O_RDWR | os.O_CREAT | _NO_LINKS, its_only_name=True)
    except OSError:
        with suppress(FileNotFoundError):
            _check(os.lstat(path), path)
        raise


def _open(path: str | Path, flags: int, its_only_name: bool = False) -> int:
    file = os.open(path, flags | _UNLIKE_FILES, 0o666)
    try:
        state = os.fstat(file)
        _check(state, path)
        if its_only_name and state.st_nlink > 1:
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


MAX_PARTS = 10_000  # of a checkpoint, or of a file with features; both have hundreds
ENTRY_BYTES = 160  # of a member in a table of contents; some 60 and the name
LEAST_TABLE_BYTES = 2**17  # a table may always be so long, and so is what is read at the end of a zip
ENTRY = b"PK\x01\x02"  # begins each
BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")  # of a zip: its first member, or the end where there is none


class TooManyError(ValueError):
    """A zip lists more members than are allowed."""


class _Bounded:
    """A file that gives little at once: a zip's table of contents is read whole, however many members it claims."""

    def __init__(self, file: IO[bytes], most: int):
        self.file, self.most, self.opening = file, most, True
        self.most_bytes = max(ENTRY_BYTES * most, LEAST_TABLE_BYTES)
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size if 0 <= size <= self.most_bytes else self.most_bytes + 1)
        if len(data) > self.most_bytes:
            raise TooManyError(f"its table of contents is longer than {self.most_bytes} bytes")
        if self.opening and data.count(ENTRY) > self.most:  # a zip may say itself how many, and lie
            raise TooManyError(f"its table of contents lists more than {self.most} members")
        return data


def open_zip(file: IO[bytes], most: int) -> zipfile.ZipFile:
    """A zip with at most so many members; a TooManyError where it lists more, or in a longer table than these need."""
    bounded: Any = _Bounded(file, most)  # the module's types ask for a whole file
    packed = zipfile.ZipFile(bounded)
    bounded.opening = False
    return packed


def zip_members(path: str | Path) -> list[zipfile.ZipInfo]:
    """The members of a file that a library is to read as a zip, which its first bytes decide; none where it is none.

    A TooManyError where they are more than `MAX_PARTS`; the message does not name the file.
    """
    with open_to_read(path) as file:
        if file.read(4) not in BEGINNINGS:
            return []
        with open_zip(file, MAX_PARTS) as packed:
            return packed.infolist()


def check_stored(path: str | Path) -> None:
    """Refuse a zip, without its name, whose parts are longer than itself: a bomb, as tensors are stored as they are."""
    total = sum(info.file_size for info in zip_members(path))
    if total > Path(path).stat().st_size:
        raise ValueError(f"its parts claim {total} bytes, more than it has")


OTHERS = stat.S_IWGRP | stat.S_IWOTH


def home_folder() -> Path | None:
    """The user's home folder; None where the system knows neither it nor the user, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def private_folder() -> Path:
    """A folder of this user alone among the temporary files; a ValueError where others could write to it."""
    folder = Path(tempfile.gettempdir()).resolve() / f"afkit-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if reason := why_not(folder):
        raise ValueError(reason)
    return folder


def why_not(path: Path) -> str:
    """Why a file or folder may be another user's; "" where only this user, or root, can have written it.

    That holds for the folders above it, too; in one with the sticky bit, as that of temporary files, others can neither
    remove nor rename what is not theirs. `path` need not exist, and has no links on the way.
    """
    for place in (path, *path.parents):
        try:
            state = place.lstat()
        except OSError:  # it is to be made
            continue
        if state.st_uid not in (_user(), 0):
            return f"{place} belongs to another user"
        if stat.S_ISLNK(state.st_mode):
            return f"{place} is a link"
        if state.st_mode & OTHERS and not (place != path and state.st_mode & stat.S_ISVTX):
            return f"others can write to {place} (chmod go-w forbids it)"
    return ""


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


MOST_BYTES = 255  # of a file's or folder's name, which systems allow
NAME_BYTES = 200  # of a name that gets an ending, or is a temporary one first
LONGEST_NAME = 120  # bytes of a file name without digest and ending
SHORT_DIGEST = 8  # digits
LONGEST_KEY = 2000  # letters, in JSON or YAML; of a recipe's texts, too
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))}  # Windows


def plain_name(what: str, name: str) -> str:
    """The same name, which is to become that of one file or folder, such as a run's; `what` is named, e.g. "the run".

    A ValueError where it is empty, leads to another folder, holds what cannot be shown, or is too long.
    """
    if name in ("", ".", "..") or re.search(r"[/\\]", name) or not name.isprintable():
        raise ValueError(f"{what} cannot be called {name[:80]!a}: that is no name of a file; take letters and digits")
    if len(name.encode()) > NAME_BYTES:
        raise ValueError(f"{what} cannot be called '{name[:40]}...': the name is too long for a file; shorten it")
    return name


def inner_path(name: str, video: str) -> Path:
    """The name of a video's file as a relative path; a ValueError where it is too long, or leads out of the folder."""
    path = Path(name)
    if any(len(part.encode(errors="surrogatepass")) > MOST_BYTES for part in path.parts):
        raise ValueError(f"the name of video '{video[:80]}...' is too long for a file; rename the video")
    if path.is_absolute() or path.drive or ".." in path.parts:
        raise ValueError(f"the name of video '{video}' leads out of the folder of its files; rename the video")
    return path


def safe_names(videos: Iterable[str]) -> dict[str, str]:
    """A file name (without ending) for each video id, valid on all systems and different from the others'.

    An id of ASCII letters, digits, blanks and ._- stays as it is. Otherwise, and where an id differs from another in
    upper and lower case only, other characters become _ and eight digits of the id's SHA-256 are appended; where that
    is the name of another id, all 64 digits. Two ids that have one name even so, which takes intent, are a ValueError.

    Examples:
        >>> safe_names(["day 1", "a/b"])
        {'day 1': 'day 1', 'a/b': 'a_b-c14cddc0'}
    """
    ids = list(dict.fromkeys(str(video) for video in videos))
    folded = Counter(video.casefold() for video in ids)
    names = {video: _safe_name(video, SHORT_DIGEST if folded[video.casefold()] > 1 else 0) for video in ids}
    taken = Counter(name.casefold() for name in names.values())
    names = {video: name if taken[name.casefold()] == 1 else _safe_name(video, 64) for video, name in names.items()}
    first: dict[str, str] = {}
    for video, name in names.items():
        if first.setdefault(name.casefold(), video) != video:
            raise ValueError(f"the files of '{first[name.casefold()]}' and '{video}' would have one name; rename one")
    return names


def _safe_name(video: str, digits: int) -> str:
    """With so many digits of the id's digest; 0 for none where the id itself can be the name."""
    name = re.sub(r"[^\w. -]", "_", video).encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .")
    if name.split(".")[0].upper() in _RESERVED:
        name = f"_{name}"
    if name == video and name and name.isascii() and not digits:
        return name
    digest = hashlib.sha256(video.encode(errors="surrogatepass")).hexdigest()
    return f"{name}-{digest[: digits or SHORT_DIGEST]}"
