"""Where a project lies, and writing files so that a reader never meets half of one: temporary name, flush, rename."""

import gzip
import io
import json
import os
import re
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

MAX_RATIO = 100  # unpacked size over packed size; neither features nor tables compress so well
SMALL_BYTES = 64 * 2**20  # below this, any ratio is harmless


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

    What a killed process left of the same file is written over, so that crashes do not pile up files.

    Args:
        path: the final name; missing parent folders are made.
        sync: wait until the content is on the disk, so that the file is whole even after a power failure. It takes
            milliseconds; False is for thousands of small files that can be written again.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; it names the file, and an older one of that name
            stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _temporary_of(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        _name_in(error, path, temporary)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _temporary_of(path: Path) -> tuple[Path, int | None]:
    """The name to write under, beside `path`, and a lock to be held until it is renamed.

    The name is always the same, unless another process or thread is writing under it just now, or there are no locks.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with suppress(OSError, ImportError):
        lock = _locked(temporary)
        if lock is not None:
            return temporary, lock
    return path.with_name(f".{path.name}.{os.getpid()}.tmp"), None


def _locked(path: Path) -> int | None:
    """The descriptor of a file, made if missing, that is ours until it is closed; None where it is somebody else's."""
    import fcntl  # not on Windows

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.lstat()):  # else it was renamed in the meantime, or is a link
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:  # there are no locks here, so that nobody holds it
        path.unlink(missing_ok=True)
    os.close(file)
    return None


def _name_in(error: BaseException, path: Path, temporary: Path) -> None:
    """Let an error of the system name what was to be written, where it names nothing or a temporary file."""
    if isinstance(error, OSError) and error.errno is not None:
        named = None if error.filename is None else Path(str(error.filename))
        if named is None or named.is_relative_to(temporary):
            error.filename = str(path)
            del error.filename2  # of a renaming; None would be shown


@contextmanager
def scratch_folder(final: Path) -> Iterator[Path]:
    """An empty folder beside `final`, to be renamed to it when complete; otherwise it goes when the block ends.

    So do the parent folders that were made for it, as long as they are empty. An OSError of writing names `final`.
    """
    part = final.with_name(f".{final.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of an interrupted attempt
    made = [parent for parent in part.parents if not parent.exists()]  # nearest first
    try:
        part.mkdir(parents=True)
        yield part
    except OSError as error:
        _name_in(error, final, part)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def write_text(path: str | Path, text: str, sync: bool = True) -> None:
    """Write UTF-8 text atomically.

    Args:
        path: of the file; missing folders are made.
        text: its whole content.
        sync: as of `atomic_open`.

    Raises:
        OSError: as of `atomic_open`.
    """
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


def write_array(path: str | Path, array: Any, sync: bool = True) -> None:
    """Write an array as .npy atomically.

    Args:
        path: of the file; missing folders are made.
        array: of NumPy, any shape and dtype.
        sync: as of `atomic_open`.

    Raises:
        OSError: as of `atomic_open`.
    """
    import numpy as np  # takes a tenth of a second

    with atomic_open(path, sync) as file:
        np.save(SimpleNamespace(write=file.write), array)  # given a file, it hides why a write failed


def read_json(path: str | Path) -> Any:
    """Read JSON, plain or (by the name's ending `.gz`) compressed.

    Returns:
        dicts, lists, texts and numbers.

    Raises:
        ValueError: the file is missing or not JSON, gives a key twice, holds half of a character (a lone surrogate), or
            unpacks to far more than it is long; the message names it.
    """
    path = Path(path)
    try:
        data = _decompressed(path) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode(json.detect_encoding(data))
        content = json.loads(text, object_pairs_hook=_distinct)
        if re.search(r"\\u[dD][89a-fA-F]", text):  # perhaps half of a character, which no other file can hold
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable JSON file: {error}") from None


def _decompressed(path: Path) -> bytes:
    """The content of a .gz file, of which a small one can hold endless blanks."""
    most = max(MAX_RATIO * path.stat().st_size, SMALL_BYTES)
    with gzip.open(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it unpacks to more than {most} bytes")
    return data


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of two equal keys win, which nobody means."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"it gives {repeated[:80]!r} twice; remove one")
    return entries


def check_stored(path: str | Path) -> None:
    """Refuse a zip whose parts are longer than the file: tensors are stored as they are, so that it is a bomb.

    Raises:
        ValueError: it is one; the message does not name the file.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            total = sum(info.file_size for info in packed.infolist())
        if total > Path(path).stat().st_size:
            raise ValueError(f"its parts claim {total} bytes, more than it has")
