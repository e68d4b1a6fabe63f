"""Unpacking archives that may be hostile: nothing leaves the folder, nothing half-written stays."""

import errno
import gzip
import lzma
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

from afkit.files import MAX_RATIO, SMALL_BYTES
from afkit.opening import BEGINNINGS, TooManyError, open_to_read, open_zip
from afkit.workbench.scratch import clear_scratch, scratch_folder

# Limits of an archive, far above what the published ones need (ActivityNet: some 20 000 files, some 25 GB).
MAX_MEMBERS = 100_000
MAX_BYTES = 500 * 2**30
HEADER_BYTES = 2**20  # of one tar header with all its extensions, which are read into memory
NAME_BYTES, PART_BYTES = 1024, 255  # of a member's whole name, and of one part of it
CHUNK_BYTES = 2**16


class _RefusedError(ValueError):
    """What an archive holds is not allowed; told apart from the libraries' own ValueErrors."""


def unpack(
    archive: str | Path, destination: str | Path, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES
) -> Path:
    """Unpack a zip, tar, tar.gz or tar.xz (told apart by content) that may be hostile; the new folder.

    It appears when everything is unpacked. What unpacks to more than `MAX_RATIO` times the archive is a bomb, from
    64 MiB on.

    Raises:
        ValueError: the folder exists; not such an archive, empty, truncated; a member's name leaves the folder or
            repeats another; a member is a link or device; a limit is exceeded. Nothing stays on disk then.
    """
    archive, destination = Path(archive), Path(destination)
    if not archive.is_file():
        raise ValueError(f"{archive} is no file; name the archive, or download it first")
    if os.path.lexists(destination):
        clear_scratch(destination)
        raise ValueError(f"{destination} exists; remove or rename it before unpacking {archive}")
    try:
        with open_to_read(archive) as file, scratch_folder(destination) as part:
            meter = _Meter(min(max_bytes, max(MAX_RATIO * os.fstat(file.fileno()).st_size, SMALL_BYTES)))
            count = 0
            for count, (name, stream) in enumerate(_members(file, meter, max_members), start=1):
                if count > max_members:
                    raise _RefusedError(f"more than {max_members} members (max_members)")
                _write_member(part, name, stream)
            if count == 0:
                raise _RefusedError("it holds nothing")
            part.rename(destination)
    except (_RefusedError, TooManyError) as error:
        raise ValueError(f"{archive} is refused: {error}; nothing was unpacked") from None
    except Exception as error:  # the libraries raise almost anything on damaged archives
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # these two: reading nonsense
            raise ValueError(f"{archive} cannot be unpacked to {destination}: {error.strerror}") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{archive} is truncated, damaged or no zip, tar, tar.gz or tar.xz ({reason}); download it again"
        ) from None
    return destination


class _Meter:
    """Passes on what a stream gives, until it has given too much: a small archive can hold endless zeros."""

    def __init__(self, max_bytes: float):
        self.max_bytes = max_bytes
        self.header_end = float("inf")  # while a tar header is read: where it must have ended
        self.stream: Any = None
        self.total = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes of the current stream."""
        data = self.stream.read(size)
        self.total += len(data)
        if self.total > self.max_bytes:
            raise _RefusedError(f"it unpacks to more than {self.max_bytes:,.0f} bytes (max_bytes, max_ratio)")
        if self.total > self.header_end:
            raise _RefusedError(f"a header is longer than {HEADER_BYTES} bytes")
        return data


def _members(file: IO[bytes], meter: _Meter, max_members: int) -> Iterator[tuple[str, Any]]:
    """Names and streams, None of a folder; each stream must be read before the next is asked for."""
    start = file.read(6)
    file.seek(0)
    if start[:4] in BEGINNINGS:
        return _zip_members(file, meter, max_members)
    if start[:2] == b"\x1f\x8b":
        return _tar_members(gzip.open(file), meter)
    return _tar_members(lzma.open(file) if start == b"\xfd7zXZ\x00" else nullcontext(file), meter)


def _zip_members(file: IO[bytes], meter: _Meter, max_members: int) -> Iterator[tuple[str, Any]]:
    with open_zip(file, max_members) as packed:
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            _check_plain(info.orig_filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
            with packed.open(info) as meter.stream:
                yield info.orig_filename, None if info.is_dir() else meter


def _tar_members(opened: AbstractContextManager[Any], meter: _Meter) -> Iterator[tuple[str, Any]]:
    meter.header_end = HEADER_BYTES
    file: Any = meter  # the module's types ask for a whole file, of which it reads a stream only
    with opened as meter.stream, tarfile.open(fileobj=file, mode="r|", bufsize=CHUNK_BYTES) as packed:
        while (member := packed.next()) is not None:
            meter.header_end = float("inf")
            _check_plain(member.name, member.isdir() or (member.isreg() and not member.issparse()))
            yield member.name, packed.extractfile(member)
            packed.members = []  # type: ignore[attr-defined]  # the module keeps them all, which its types do not say
            meter.header_end = meter.total + HEADER_BYTES
        meter.header_end = float("inf")
        while meter.read(CHUNK_BYTES):  # so that the check sum at the very end is compared
            pass


def _check_plain(name: str, plain: bool) -> None:
    if not plain:
        raise _RefusedError(f"the member {_shown(name)} is a link, a device or another special file")


def _write_member(folder: Path, name: str, stream: Any) -> None:
    """Write one file or folder below `folder`, with the rights that new files have."""
    target = folder.joinpath(*_safe_parts(name, is_folder=stream is None))
    try:
        if stream is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                shutil.copyfileobj(stream, file, CHUNK_BYTES)
    except (FileExistsError, NotADirectoryError):
        raise _RefusedError(f"the member '{name}' stands in the place of an earlier one") from None


def _safe_parts(name: str, is_folder: bool) -> list[str]:
    """The parts of a member's name, without the dots and doubled slashes that mean nothing."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not name.isprintable():  # control characters, bytes that are no text, reversed writing
        raise _RefusedError(f"the name {_shown(name)} holds characters that cannot be shown")
    if name.startswith("/") or ".." in parts or "\\" in name or name[1:2] == ":":
        raise _RefusedError(f"the name {_shown(name)} leads out of the folder")
    if len(name.encode()) > NAME_BYTES or any(len(part.encode()) > PART_BYTES for part in parts):
        raise _RefusedError(f"the name {_shown(name)} is too long")
    if not parts and not is_folder:
        raise _RefusedError(f"the name {_shown(name)} names no file")
    return parts


def _shown(name: str) -> str:
    return ascii(name[:NAME_BYTES])
