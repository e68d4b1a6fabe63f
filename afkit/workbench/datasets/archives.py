"""Archives: where the published ones lie, download, unpacking, the layout that comes out; what wrote a data set.

An archive may be hostile: nothing leaves the folder into which it is unpacked, and nothing half-written stays.
"""

import errno
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

import afkit
from afkit.config import DataConfig
from afkit.files import MAX_RATIO, SMALL_BYTES, read_json, write_json
from afkit.opening import BEGINNINGS, TooManyError, open_to_read, open_zip
from afkit.workbench.progress import teller
from afkit.workbench.scratch import clear_scratch, scratch_folder

MARKER = "TWIN.md"  # stands in the folder of a data set that was generated (see `afkit.workbench.datasets.twin`)


class Archive(NamedTuple):
    """A published file: its name, its MD5 sum, and its id on Google Drive."""

    name: str
    md5: str
    drive_id: str

    @property
    def url(self) -> str:
        """The page from which a browser downloads it."""
        return f"https://drive.google.com/file/d/{self.drive_id}/view"


_EPIC = Archive("epic_kitchens.tar.gz", "add9803756afd9a023bc9a9c547e0229", "1Z4U_dLuu6_cV5NBIrSzsSDOOj2Uar85X")
ARCHIVES = {  # by recipe; Ego4D's licence lets nobody pass its features on
    "thumos_i3d": Archive("thumos.tar.gz", "375f76ffbf7447af1035e694971ec9b2", "1zt2eoldshf99vJMDuu8jqxda55dCyhZP"),
    "anet_tsp": Archive("anet_1.3.tar.gz", "c415f50120b9425ee1ede9ac3ce11203", "1VW8px1Nz9A17i0wMVUfxh6YsPCLVqL-S"),
    "anet_i3d": Archive("anet_1.3_i3d.tar.gz", "e649425954e0123401650312dd0d56a7", "16239kUT2Z-j6S6PXIT1b_31OJi35QW_o"),
    "epic_verb": _EPIC,
    "epic_noun": _EPIC,
}


def check_md5(path: str | Path, expected: str) -> None:
    """ValueError where a file has another MD5 sum than the 32 hexadecimal digits, or cannot be read."""
    path, digest = Path(path), hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as file:
            tell = _megabytes(f"check of {path.name}", file)
            while data := file.read(2**20):
                digest.update(data)
                tell()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if (found := digest.hexdigest()) != expected.lower():
        raise ValueError(
            f"{path} has the MD5 sum {found}, the published file has {expected}: it is truncated or another version; "
            "delete it and download it again"
        )


def download(archive: Archive, path: str | Path) -> Path:
    """Download a published file with progress, or go on with it, and check its sum; one already there is kept.

    ValueError where it fails, or gdown is not installed; says how by hand.
    """
    path = Path(path)
    by_hand = f"download {archive.url} in a browser (MD5 sum {archive.md5}) and put the file at {path}"
    if not path.exists():
        try:
            import gdown  # an extra; only downloads need it
        except ImportError:
            raise ValueError(f"downloading needs gdown (pip install gdown); or {by_hand}") from None
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            gdown.download(id=archive.drive_id, output=str(path), resume=True)
        except Exception as error:  # of gdown, requests or the network; all mean the same here
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(f"{archive.name} could not be downloaded ({reason}); try again, or {by_hand}") from None
        if not path.is_file():
            raise ValueError(f"{archive.name} could not be downloaded; try again, or {by_hand}")
    check_md5(path, archive.md5)
    return path


# Limits of an archive, far above what the published ones need (ActivityNet: some 20 000 files, some 25 GB).
MAX_MEMBERS = 100_000
MAX_BYTES = 500 * 2**30
HEADER_BYTES = 2**20  # of one tar header with all its extensions, which are read into memory
NAME_BYTES, PART_BYTES = 1024, 255  # of a member's whole name, and of one part of it
CHUNK_BYTES = 2**16


def _megabytes(what: str, file: IO[bytes]) -> Callable[[], None]:
    """A function to call now and then while a file is read, which says how far that is."""
    tell = teller(what, os.fstat(file.fileno()).st_size / 1e6, unit=" MB")
    return lambda: tell(file.tell() / 1e6)


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
            most = min(max_bytes, max(MAX_RATIO * os.fstat(file.fileno()).st_size, SMALL_BYTES))
            meter = _Meter(most, _megabytes(f"unpacking {archive.name}", file))
            count = 0
            for count, (name, is_plain, stream) in enumerate(_members(file, meter, max_members), start=1):
                if count > max_members:
                    raise _RefusedError(f"more than {max_members} members (max_members)")
                _write_member(part, name, is_plain, stream)
            if count == 0:
                raise _RefusedError("it holds nothing")
            part.rename(destination)
    except (_RefusedError, TooManyError) as error:
        raise ValueError(f"{archive} is refused: {error}; nothing was unpacked") from None
    except Exception as error:  # the libraries raise almost anything on damaged archives
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # these two: reading nonsense
            raise ValueError(f"{archive} cannot be unpacked to {destination}: {error.strerror}") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        what = f"truncated, damaged or no zip, tar, tar.gz or tar.xz ({reason})"
        raise ValueError(f"{archive} is {what}; download it again") from None
    return destination


class _Meter:
    """Passes on what a stream gives, until it has given too much: a small archive can hold endless zeros."""

    def __init__(self, max_bytes: float, tell: Callable[[], None]):
        self.max_bytes, self.tell = max_bytes, tell
        self.header_end = float("inf")  # while a tar header is read: where it must have ended
        self.stream: Any = None
        self.total = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes of the current stream."""
        data = self.stream.read(size)
        self.total += len(data)
        self.tell()
        if self.total > self.max_bytes:
            raise _RefusedError(f"it unpacks to more than {self.max_bytes:,.0f} bytes (max_bytes, max_ratio)")
        if self.total > self.header_end:
            raise _RefusedError(f"a header is longer than {HEADER_BYTES} bytes")
        return data


def _members(file: IO[bytes], meter: _Meter, max_members: int) -> Iterator[tuple[str, bool, Any]]:
    """Names, whether it is a file or folder, and streams, None of a folder, to be read before the next is asked for."""
    start = file.read(6)
    file.seek(0)
    if start[:4] not in BEGINNINGS:
        is_gzip, is_xz = start[:2] == b"\x1f\x8b", start == b"\xfd7zXZ\x00"
        opener: Any = gzip.open if is_gzip else lzma.open if is_xz else nullcontext
        yield from _tar_members(opener(file), meter)
        return
    with open_zip(file, max_members) as packed:
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            with packed.open(info) as meter.stream:
                is_plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
                yield info.orig_filename, is_plain, None if info.is_dir() else meter


def _tar_members(opened: AbstractContextManager[Any], meter: _Meter) -> Iterator[tuple[str, bool, Any]]:
    meter.header_end = HEADER_BYTES
    file: Any = meter  # the module's types ask for a whole file, of which it reads a stream only
    with opened as meter.stream, tarfile.open(fileobj=file, mode="r|", bufsize=CHUNK_BYTES) as packed:
        while (member := packed.next()) is not None:
            meter.header_end = float("inf")
            is_plain = member.isdir() or (member.isreg() and not member.issparse())
            yield member.name, is_plain, packed.extractfile(member) if is_plain else None
            packed.members = []  # type: ignore[attr-defined]  # the module keeps them all, which its types do not say
            meter.header_end = meter.total + HEADER_BYTES
        meter.header_end = float("inf")
        while meter.read(CHUNK_BYTES):  # so that the check sum at the very end is compared
            pass


def _write_member(folder: Path, name: str, is_plain: bool, stream: Any) -> None:
    """Write one file or folder below `folder`, with the rights that new files have."""
    shown, parts = ascii(name[:NAME_BYTES]), [part for part in name.split("/") if part not in ("", ".")]
    if not is_plain:
        raise _RefusedError(f"the member {shown} is a link, a device or another special file")
    if not name.isprintable():  # control characters, bytes that are no text, reversed writing
        raise _RefusedError(f"the name {shown} holds characters that cannot be shown")
    if name.startswith("/") or ".." in parts or "\\" in name or name[1:2] == ":":
        raise _RefusedError(f"the name {shown} leads out of the folder")
    if len(name.encode()) > NAME_BYTES or any(len(part.encode()) > PART_BYTES for part in parts):
        raise _RefusedError(f"the name {shown} is too long")
    if not parts and stream is not None:
        raise _RefusedError(f"the name {shown} names no file")
    target = folder.joinpath(*parts)
    try:
        if stream is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                shutil.copyfileobj(stream, file, CHUNK_BYTES)
    except (FileExistsError, NotADirectoryError):
        raise _RefusedError(f"the member '{name}' stands in the place of an earlier one") from None


def arrange(tree: str | Path, config: DataConfig, data_root: str | Path) -> Path:
    """Move an unpacked data set into the published layout, e.g. `<data_root>/thumos`, which is returned.

    It may lie at any depth of the tree, on the file system of the data root. What is already there stays as it is.
    ValueError where the tree lacks the annotation file or a feature folder, or the target holds a twin or would not lie
    below the data root.
    """
    tree, name = Path(tree), Path(config.annotations).parts[0]
    if name == ".." or Path(config.annotations).is_absolute():
        raise ValueError(f"data.annotations '{config.annotations}' must name a folder below the data root; correct it")
    target = Path(data_root) / name
    if (target / MARKER).exists():
        raise ValueError(f"{target} holds generated data ({MARKER}); remove it before adding the real data")
    wanted = [Path(*Path(path).parts[1:]) for path in [config.annotations, *config.features]]
    missing = [path for path in wanted if not (target / path).exists()]
    folders = sorted((Path(folder) for folder, _, _ in os.walk(tree)), key=lambda folder: (len(folder.parts), folder))
    source = next((folder for folder in folders if all((folder / path).exists() for path in missing)), None)
    if source is None:
        found = ", ".join(folder.relative_to(tree).as_posix() for folder in folders[1:11]) or "no folder"
        raise ValueError(
            f"the archive lacks {' or '.join(path.as_posix() for path in missing)} in one folder, it holds {found}; "
            f"is it the archive of this data set? Otherwise put its files into {target} by hand"
        )
    if missing:
        move_in(source, target, wanted[0], replace=False)
    return target


def move_in(source: Path, target: Path, last: Path | None = None, replace: bool = True) -> None:
    """Move the content of a folder into a data set's, a folder that this lacks as a whole, so that it appears at once.

    `last`, relative to both, is the annotation file, without which a data set counts as missing: it comes last, and an
    older one goes first. With `replace` the files of the source take the place of older ones; else these stay.
    """
    if replace and last and (source / last).exists():
        (target / last).unlink(missing_ok=True)
    _move(source, target, source / (last or ""), replace)


def _move(source: Path, target: Path, last: Path, replace: bool) -> None:
    if source.is_dir() and target.is_dir():
        for child in sorted(source.iterdir(), key=lambda child: (last.is_relative_to(child), child)):
            _move(child, target / child.name, last, replace)
    elif replace or not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


VERSIONS = {"watch": 2, "hapt": 2, "twin": 1}  # to be raised when other files, or other numbers, are written
STAMP = "prepared.json"  # in the data set's folder


def write_stamp(folder: Path, writer: str) -> None:
    """Note in a data set's folder what has written it: {"writer", "version", "afkit"}."""
    write_json(folder / STAMP, {"writer": writer, "version": VERSIONS[writer], "afkit": afkit.__version__})


def stale(folder: Path, recipe: str) -> str:
    """How to renew a data set that an older version wrote, in a sentence; "" where it is up to date, or not ours.

    `recipe` names the built-in recipe whose data set it is; a twin is told by its marker.
    """
    writer = "twin" if (folder / MARKER).is_file() else recipe
    if writer not in VERSIONS or not folder.is_dir() or (writer == recipe and folder.name != recipe):
        return ""
    note = read_json(folder / STAMP) if (folder / STAMP).is_file() else {}
    version = note.get("version", 0) if isinstance(note, dict) else 0
    if version == VERSIONS[writer]:
        return ""
    command = {"watch": "prepare watch", "hapt": "prepare hapt ARCHIVE"}.get(writer, f"twin {recipe}")
    which = f"version {version} of its format; now: {VERSIONS[writer]}" if version else "which left no note of itself"
    other = "a newer" if isinstance(version, int) and version > VERSIONS[writer] else "an older"
    return (
        f"{folder} was written by {other} version of afkit ({which}); to renew it, delete it and run: python -m afkit "
        f"{command} (a run that has used it is then another one)"
    )
