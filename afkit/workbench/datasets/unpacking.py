"""Unpacking archives that may be hostile: nothing leaves the folder, nothing half-written stays."""

import errno
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

from afkit.files import MAX_RATIO, SMALL_BYTES
from afkit.opening import BEGINNINGS, TooManyError, open_to_read, open_zip
from afkit.workbench.scratch import clear_scratch, scratch_folder

# Limits of an archive, far above what the published ones need (ActivityNet: some 20 000 files, some 25 GB).
MAX_MEMBERS = 100_000
MAX_BYTES = 500 * 2**30
HEADER_BYTES = 2**20  # of one tar header with all its extensions, which are read into memory
NAME_BYTES, PART_BYTES = 1024, 255  # of a member's whole name, and of one part of it
CHUNK_BYTES = 2**16
XZ_BYTES = 2**28  # of memory to unpack an .xz; `xz -9` needs a quarter


class _RefusedError(ValueError):
    """What an archive holds is not allowed; told apart from the libraries' own ValueErrors."""


class _Member(NamedTuple):
    name: str
    plain: bool  # a file or a folder, not a link, device or pipe
    is_folder: bool
    stream: "IO[bytes] | _Meter | None"  # to be read; None for what holds nothing


def unpack(
    archive: str | Path,
    destination: str | Path,
    on_member: Callable[[str, float], None] | None = None,
    *,
    max_members: int = MAX_MEMBERS,
    max_bytes: int = MAX_BYTES,
    max_ratio: float = MAX_RATIO,
) -> Path:
    """Unpack a zip, tar, tar.gz or tar.xz (told apart by content) that may be hostile.

    Args:
        destination: the folder to make; it must not exist. It appears when everything is unpacked.
        on_member: called with the name of each member and the share of the archive that was read.
        max_ratio: unpacked over packed size, from 64 MiB on.

    Returns:
        the destination.

    Raises:
        ValueError: not such an archive, empty, truncated; a member's name leaves the destination or repeats another; a
            member is a link or device; a limit is exceeded. Nothing stays on disk then.
    """
    archive, destination = Path(archive), Path(destination)
    if not archive.is_file():
        raise ValueError(f"{archive} is no file; name the archive, or download it first")
    if os.path.lexists(destination):
        clear_scratch(destination)
        raise ValueError(f"{destination} exists; remove or rename it before unpacking {archive}")
    try:
        with open_to_read(archive) as file, scratch_folder(destination) as part:
            size = os.fstat(file.fileno()).st_size
            meter = _Meter(min(max_bytes, max(max_ratio * size, SMALL_BYTES)))
            count = 0
            for count, member in enumerate(_members(file, meter, max_members), start=1):
                if count > max_members:
                    raise _RefusedError(f"more than {max_members} members (max_members)")
                _write_member(member, part)
                if on_member is not None:
                    on_member(member.name, min(file.tell() / size, 1.0))
            if count == 0:
                raise _RefusedError("it holds nothing")
            part.rename(destination)
    except (_RefusedError, TooManyError) as error:
        raise ValueError(f"{archive} is refused: {error}; nothing was unpacked") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # these two come from reading nonsense
            raise ValueError(f"{archive} cannot be unpacked to {destination}: {error.strerror}") from None
        raise ValueError(_damaged(archive, error)) from None
    except _DAMAGE as error:
        raise ValueError(_damaged(archive, error)) from None
    return destination


# What the libraries raise on damaged archives.
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError,
    OverflowError, IndexError, MemoryError,
)  # fmt: skip


def _damaged(archive: Path, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{archive} is truncated, damaged or no zip, tar, tar.gz or tar.xz ({reason}); download it again"


class _Meter:
    """Passes on what a stream gives, until it has given too much: a small archive can hold endless zeros."""

    def __init__(self, max_bytes: float):
        self.max_bytes = max_bytes
        self.header_end = float("inf")  # while a tar header is read: where it must have ended
        self.stream: IO[bytes] | gzip.GzipFile | _Xz
        self.total = 0
        self.recent: deque[bytes] = deque(maxlen=2)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes of the current stream."""
        data = self.stream.read(size)
        self.total += len(data)
        self.recent.append(data)
        if self.total > self.max_bytes:
            raise _RefusedError(f"it unpacks to more than {self.max_bytes:,.0f} bytes (max_bytes, max_ratio)")
        if self.total > self.header_end:
            raise _RefusedError(f"a header is longer than {HEADER_BYTES} bytes")
        return data


class _Xz:
    """What an .xz file holds, read with bounded memory, which `lzma.open` cannot: a header may ask for 4 GiB."""

    def __init__(self, file: IO[bytes]):
        self.file, self.decoder = file, lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_BYTES)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        data = b""
        while not data:
            if not self.decoder.eof:
                part = self.file.read(CHUNK_BYTES) if self.decoder.needs_input else b""
                if self.decoder.needs_input and not part:
                    raise EOFError("its end is missing")
            else:  # another one may follow, after zeros
                part = self.decoder.unused_data.lstrip(b"\0")
                while not part and (more := self.file.read(CHUNK_BYTES)):
                    part = more.lstrip(b"\0")
                if not part:
                    return b""
                self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_BYTES)
            data = self.decoder.decompress(part, size)
        return data


def _members(file: IO[bytes], meter: _Meter, max_members: int) -> Iterator[_Member]:
    """The members of an archive; the stream of each must be read before the next is asked for."""
    start = file.read(6)
    file.seek(0)
    if start[:4] in BEGINNINGS:
        return _zip_members(file, meter, max_members)
    if start[:2] == b"\x1f\x8b":
        return _tar_members(gzip.open(file), meter)
    if start == b"\xfd7zXZ\x00":
        return _tar_members(nullcontext(_Xz(file)), meter)
    return _tar_members(nullcontext(file), meter)


def _zip_members(file: IO[bytes], meter: _Meter, max_members: int) -> Iterator[_Member]:
    with open_zip(file, max_members) as packed:
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            with packed.open(info) as meter.stream:
                yield _Member(info.orig_filename, kind in (0, stat.S_IFREG, stat.S_IFDIR), info.is_dir(), meter)


def _tar_members(opened: AbstractContextManager[IO[bytes] | gzip.GzipFile | _Xz], meter: _Meter) -> Iterator[_Member]:
    meter.header_end = HEADER_BYTES
    file: Any = meter  # the module's types ask for a whole file, of which it reads a stream only
    with opened as meter.stream, tarfile.open(fileobj=file, mode="r|", bufsize=CHUNK_BYTES) as packed:
        while (member := packed.next()) is not None:
            meter.header_end = float("inf")
            plain = member.isdir() or (member.isreg() and not member.issparse())
            yield _Member(member.name, plain, member.isdir(), packed.extractfile(member) if plain else None)
            packed.members = []  # type: ignore[attr-defined]  # the module keeps them all, which its types do not say
            meter.header_end = meter.total + HEADER_BYTES
        recent = b"".join(meter.recent)
        end = packed.offset - (meter.total - len(recent))
        block = recent[end : end + tarfile.BLOCKSIZE]
        if block.strip(b"\0") or len(block) < tarfile.BLOCKSIZE:  # the module takes any unreadable header for the end
            raise tarfile.ReadError("the mark of the end is missing")
        meter.header_end = float("inf")
        while meter.read(CHUNK_BYTES):  # so that the check sum at the very end is compared
            pass


def _write_member(member: _Member, folder: Path) -> None:
    """Write one file or folder below `folder`, with the rights that new files have."""
    target = folder.joinpath(*_safe_parts(member))
    try:
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
        else:
            assert member.stream is not None, "a plain file has content"
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                shutil.copyfileobj(member.stream, file, CHUNK_BYTES)
    except (FileExistsError, NotADirectoryError):
        raise _RefusedError(f"the member '{member.name}' stands in the place of an earlier one") from None


def _safe_parts(member: _Member) -> list[str]:
    """The parts of a member's name, without the dots and doubled slashes that mean nothing."""
    shown = ascii(member.name[:NAME_BYTES])
    if not member.plain:
        raise _RefusedError(f"the member {shown} is a link, a device or another special file")
    if not member.name.isprintable():  # control characters, bytes that are no text, reversed writing
        raise _RefusedError(f"the name {shown} holds characters that cannot be shown")
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or ".." in parts or "\\" in member.name or member.name[1:2] == ":":
        raise _RefusedError(f"the name {shown} leads out of the folder")
    if len(member.name.encode()) > NAME_BYTES or any(len(part.encode()) > PART_BYTES for part in parts):
        raise _RefusedError(f"the name {shown} is too long")
    if not parts and not member.is_folder:
        raise _RefusedError(f"the name {shown} names no file")
    return parts
