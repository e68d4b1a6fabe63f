"""Where a project lies, and writing files so that a reader never meets half of one: temporary name, flush, rename."""

import gzip
import io
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


def project_root() -> Path:
    """The checkout that holds the working directory, or the working directory itself.

    Relative paths of notebooks and commands start here, so that a notebook finds the same files in JupyterLab
    (whose kernels start in notebooks/) and under papermill.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks" / "01_data.ipynb").is_file():
            return folder
    return here


@contextmanager
def atomic_open(path: str | Path, sync: bool = True) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only when the block ends without an error.

    Args:
        path: the final name; missing parent folders are made.
        sync: wait until the content is on the disk, so that the file is whole even after a power failure. It takes
            milliseconds; False is for thousands of small files that can be written again.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; an older file of that name stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(final: Path) -> Iterator[Path]:
    """An empty folder beside `final`, to be renamed to it when complete; otherwise it goes when the block ends.

    So do the parent folders that were made for it, as long as they are empty.
    """
    part = final.with_name(f".{final.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of an interrupted attempt
    made = [parent for parent in part.parents if not parent.exists()]  # nearest first
    part.mkdir(parents=True)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def write_text(path: str | Path, text: str, sync: bool = True) -> None:
    """Write UTF-8 text atomically; `sync` as of `atomic_open`."""
    with atomic_open(path, sync) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write readable JSON atomically; NaN and infinity are refused, since other readers refuse them too."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_json_gz(path: str | Path, value: Any) -> None:
    """Write compressed JSON atomically; the same value gives the same bytes (no time stamp, no name inside)."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as packed:
        packed.write(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    with atomic_open(path) as file:
        file.write(buffer.getvalue())


def read_json(path: str | Path) -> Any:
    """Read JSON, plain or (by the name's ending `.gz`) compressed.

    Raises:
        ValueError: the file is missing or not JSON; the message names it.
    """
    path = Path(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return json.loads(data)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable JSON file: {error}") from None
