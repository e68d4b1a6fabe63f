"""Zips from anybody: how many members one lists is known before a list of them takes memory and time."""

import zipfile
from pathlib import Path
from typing import IO, Any

from afkit.opening import open_to_read

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
        """At most `size` bytes."""
        data = self.file.read(size if 0 <= size <= self.most_bytes else self.most_bytes + 1)
        if len(data) > self.most_bytes:
            raise TooManyError(f"its table of contents is longer than {self.most_bytes} bytes")
        if self.opening and data.count(ENTRY) > self.most:  # a zip may say itself how many, and lie
            raise TooManyError(f"its table of contents lists more than {self.most} members")
        return data


def open_zip(file: IO[bytes], most: int) -> zipfile.ZipFile:
    """A zip with at most so many members.

    Raises:
        TooManyError: it lists more, or in a longer table than these need.
        zipfile.BadZipFile: it is no zip, or damaged.
    """
    bounded: Any = _Bounded(file, most)  # the module's types ask for a whole file
    packed = zipfile.ZipFile(bounded)
    bounded.opening = False
    return packed


def zip_members(path: str | Path) -> list[zipfile.ZipInfo]:
    """The members of a file that a library is to read as a zip, which its first bytes decide; none where it is none.

    Raises:
        TooManyError: more than `MAX_PARTS`; the message does not name the file.
        zipfile.BadZipFile: it is damaged.
    """
    with open_to_read(path) as file:
        if file.read(4) not in BEGINNINGS:
            return []
        with open_zip(file, MAX_PARTS) as packed:
            return packed.infolist()


def check_stored(path: str | Path) -> None:
    """Refuse a zip whose parts are longer than the file: tensors are stored as they are, so that it is a bomb.

    Raises:
        ValueError: it is one, or lists more than `MAX_PARTS`; the message does not name the file.
    """
    total = sum(info.file_size for info in zip_members(path))
    if total > Path(path).stat().st_size:
        raise ValueError(f"its parts claim {total} bytes, more than it has")
