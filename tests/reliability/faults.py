"""Crashes and full disks at a chosen place: a child process in which one operation on files goes wrong.

A place is before each operation that changes files (open, write, sync, rename, remove, make a folder), and in the
middle of each write. Files are opened by a class of this module, so that what Python has not yet given to the system
is lost in a crash, as it is in a real one.
"""

import builtins
import errno
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hostile import in_child

FAILS = {"full": errno.ENOSPC, "read-only": errno.EROFS}
FREEING = ("unlink", "rmdir")  # work on a full disk, too
TIMEOUT_SEC, MEMORY_MB = 60, 2**20  # of a child; as much memory as there is
ALL_WRITES, EVERY = 2, 40  # of a file: all of the first, then every so many-th
_exit, _write = os._exit, os.write


class Attempt(NamedTuple):
    """How an action in a child process ended."""

    end: str  # "done", "crashed", or the name of an exception
    message: str  # of the exception
    places: int  # where it could have gone wrong, up to there


class Faults:
    """The places that a process has passed below `root`; at number `at` (from 1 on; 0: never) it goes wrong.

    kind: "crash", "full" (whatever needs space fails from there on) or "read-only" (all fails from there on).
    """

    def __init__(self, root: Path, at: int, kind: str):
        self.root, self.at, self.kind, self.count = os.path.realpath(root), at, kind, 0
        self.paths: dict[int, str] = {}  # of open descriptors
        self.writes: Counter[str] = Counter()

    def install(self) -> None:
        """Replace the functions through which Python changes files, in this process for good."""
        for name in ("mkdir", "unlink", "rmdir", "replace", "rename", "link"):
            setattr(os, name, self._passing(name, getattr(os, name)))
        os.remove = os.unlink
        os.fsync = self._passing_descriptor("fsync", lambda _: None)  # it takes long, and no crash needs it
        os.ftruncate = self._passing_descriptor("ftruncate", os.ftruncate)
        self._open, self._os_open = io.open, os.open
        builtins.open = io.open = self.open
        os.open, os.write = self.os_open, self.os_write

    def place(self, path: Any, operation: str) -> None:
        """Pass a place, or go wrong there."""
        if self._is_ours(path) and self._is_chosen(operation):
            if self.kind == "crash":
                _exit(9)
            raise OSError(FAILS[self.kind], os.strerror(FAILS[self.kind]), None if operation == "write" else str(path))

    def write(self, path: Any, data: Any, write: Callable[[Any], int]) -> int:
        """Write, with a place before it and one in its middle; in a long file not at every write."""
        self.writes[path] += 1
        if self.writes[path] > ALL_WRITES and self.writes[path] % EVERY:
            return write(data)
        self.place(path, "write")
        if self._is_ours(path) and self._is_chosen("write"):
            half = memoryview(data).cast("B")[: memoryview(data).nbytes // 2]
            written = write(half) if len(half) else 0
            if self.kind == "crash":
                _exit(9)
            if not written:
                raise OSError(FAILS[self.kind], os.strerror(FAILS[self.kind]))
            return written
        return write(data)

    def open(self, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        """As the built-in one."""
        path = self.paths.get(file) if isinstance(file, int) else file
        if path is None or not set("wxa+") & set(mode) or not self._is_ours(path):
            return self._open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if not isinstance(file, int):
            self.place(file, "open")
        raw = _Raw(self, file, os.fspath(path), mode.replace("b", "").replace("t", ""), closefd)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def os_open(self, path, flags, mode=0o777, *, dir_fd=None):
        """As of `os`."""
        writes = flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
        if writes:
            self.place(path, "open")
        file = self._os_open(path, flags, mode, dir_fd=dir_fd)
        self.paths.pop(file, None)  # of a file that was closed since
        if writes:
            self.paths[file] = os.fspath(path)
        return file

    def os_write(self, file, data):
        """As of `os`."""
        return self.write(self.paths.get(file, ""), data, lambda part: _write(file, part))

    def _passing(self, name: str, function: Callable) -> Callable:
        def passing(*paths, **options):
            inside = self.root if options.get("dir_fd") is not None else paths[-1 if len(paths) > 1 else 0]
            self.place(paths[0] if name == "mkdir" else inside, name)
            return function(*paths, **options)

        return passing

    def _passing_descriptor(self, name: str, function: Callable) -> Callable:
        def passing(file, *arguments):
            self.place(self.paths.get(file, ""), name)
            return function(file, *arguments)

        return passing

    def _is_ours(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and (os.path.realpath(path) + os.sep).startswith(self.root + os.sep)

    def _is_chosen(self, operation: str) -> bool:
        self.count += 1
        if self.kind == "crash":
            return self.count == self.at
        return 0 < self.at <= self.count and not (self.kind == "full" and operation in FREEING)


class _Raw(io.FileIO):
    """A file without a buffer whose writes pass places."""

    def __init__(self, faults: Faults, file: Any, path: str, mode: str, closefd: bool):
        super().__init__(file, mode, closefd)
        self._faults, self._path = faults, path
        faults.paths[self.fileno()] = path

    def write(self, data):
        return self._faults.write(self._path, data, super().write)


def attempt(action: Callable[[], Any], root: Path, at: int = 0, kind: str = "crash") -> Attempt:
    """Carry out an action in a child process, with something going wrong at place number `at` below `root`."""

    def faulty():
        faults = Faults(root, at, kind)
        faults.install()
        try:
            action()
            return "done", "", faults.count
        except BaseException as error:
            return type(error).__name__, str(error), faults.count

    ended = in_child(faulty, MEMORY_MB, TIMEOUT_SEC)
    assert ended.end in ("done", "code 9"), ended
    return Attempt(*ended.said) if ended.end == "done" else Attempt("crashed", "", at)


def listing(folder: Path) -> dict[str, bytes | None]:
    """{relative name: content} of all files and folders; None for a folder."""
    paths = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in paths}


def copied(base: Path, folder: Path) -> Path:
    """A folder with the content of another, instead of what it held."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    return folder


def litter(found: dict[str, bytes | None], *expected: dict[str, bytes | None]) -> set[str]:
    """What lies around: the topmost names that belong to none of the expected contents."""
    known = set().union(*expected)
    extra = {name for name in found if name not in known}
    return {name for name in extra if Path(name).parent.as_posix() not in extra}


def prepared(kind, folder: Path, over: bool) -> tuple[dict, dict]:
    """The listings of `folder`/base, with the old content where it is written over, and of what is made of it."""
    for name in ("source", "base"):
        (folder / name).mkdir()
    kind.source(folder / "source")
    if over:
        kind.write(folder / "base", 1)
    kind.write(copied(folder / "base", folder / "work"), 2)
    return listing(folder / "base"), listing(folder / "work")


def check_whole(kind, folder: Path, before: dict, after: dict) -> dict[str, bytes | None]:
    """Each file is the old one or the new one and readable, and none is missing that was there; the listing."""
    found = listing(folder)
    for name, content in found.items():
        if name in before or name in after:
            assert content in [held[name] for held in (before, after) if name in held], f"{name} is half written"
    assert found.keys() >= before.keys() & after.keys(), "a file that was there is missing"
    for name, read in kind.readers.items():
        if (folder / name).exists():
            read(folder / name)
    return found
