"""Files that a reader never meets half of (temporary name, flush, rename), and locks that go with their holder."""

import errno
import gzip
import json
import os
import re
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from afkit.opening import LONGEST_KEY, NotPlainError, make_way, open_to_read, open_to_write, read_bytes

MAX_RATIO = 100  # unpacked size over packed size; neither features nor tables compress so well
SMALL_BYTES = 64 * 2**20  # below this, any ratio is harmless


@contextmanager
def atomic_open(path: str | Path, sync: bool = True) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only when the block ends without an error; missing folders are made.

    What a killed process left of the same file is written over, so that crashes do not pile up files. With `sync` it
    waits, some milliseconds, until the content is on the disk, so that the file is whole even after a power failure;
    False is for thousands of small files that can be written again. An OSError names the file, whose older version
    stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, descriptor = _locked_temporary(path)
    is_locked = descriptor is not None
    try:
        if descriptor is None:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with open(descriptor, "wb", closefd=not is_locked) as file:  # it is open
            file.truncate()  # what a killed process left
            yield file
            file.flush()
            if sync:
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        name_in(error, path, temporary)
        raise
    finally:
        if is_locked and descriptor is not None:
            os.close(descriptor)


def _locked_temporary(path: Path) -> tuple[Path, int | None]:
    """The name to write under, beside `path`, and its descriptor; without locks, this thread's own name and None.

    The name is always the same, unless others are writing under it just now.
    """
    with suppress(OSError):
        for number in count():
            temporary = path.with_name(f".{path.name}.{number}.tmp" if number else f".{path.name}.tmp")
            make_way(temporary)
            descriptor = try_lock(temporary)
            if descriptor is not None:
                return temporary, descriptor
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}.tmp"), None


def name_in(error: BaseException, path: Path, *temporary: Path) -> None:
    """Let an error of the system, unless it names another file, name what was to be written."""
    if isinstance(error, OSError) and error.errno is not None:
        named = None if error.filename is None else Path(str(error.filename))
        if named is None or any(map(named.is_relative_to, temporary)):
            error.filename = str(path)
            del error.filename2  # of a renaming; None would be shown


def write_text(path: str | Path, text: str, sync: bool = True) -> None:
    """Write UTF-8 text atomically."""
    with atomic_open(path, sync) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write readable JSON atomically; NaN and infinity are refused, since other readers refuse them too."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_texts(path: str | Path, texts: Iterable[str]) -> None:
    """Write UTF-8 text piece by piece, atomically; where the name ends in .gz, packed without time stamp or name."""
    with ExitStack() as stack:
        file: IO[bytes] | gzip.GzipFile = stack.enter_context(atomic_open(path))
        if Path(path).suffix == ".gz":
            file = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))
        file.writelines(text.encode() for text in texts)


def write_array(path: str | Path, array: Any, sync: bool = True) -> None:
    """Write an array of NumPy as .npy atomically."""
    import numpy as np  # takes a tenth of a second

    with atomic_open(path, sync) as file:
        np.save(SimpleNamespace(write=file.write), array)  # given a file, it hides why a write failed


def read_json(path: str | Path, becomes: Callable[[dict[str, Any]], Any] = lambda entries: entries) -> Any:
    """Read JSON, plain or (by the name's ending `.gz`) compressed; `becomes` is what each object is kept as.

    A ValueError names a file that is missing or not JSON, gives a key twice, holds half of a character (a lone
    surrogate), or unpacks to far more than it is long.
    """
    path = Path(path)
    try:
        data = _decompressed(path) if path.suffix == ".gz" else read_bytes(path)
        text = data.decode(json.detect_encoding(data))
        del data  # a large file is not held twice
        if re.search(r"\\u[dD][89a-fA-F]", text):  # perhaps half of a character, which no other file can hold
            json.dumps(json.loads(text), ensure_ascii=False).encode()
        return json.loads(text, object_pairs_hook=lambda pairs: becomes(_distinct(pairs)))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable JSON file: {error}") from None


def _decompressed(path: Path) -> bytearray:
    """The content of a .gz file, of which a small one can hold endless blanks."""
    with open_to_read(path) as packed, gzip.open(packed) as file:
        most = max(MAX_RATIO * os.fstat(packed.fileno()).st_size, SMALL_BYTES)
        data = bytearray()  # which grows: to ask for `most` at once takes that much memory
        while len(data) <= most and (part := file.read(2**20)):
            data += part
    if len(data) > most:
        raise ValueError(f"it unpacks to more than {most} bytes")
    return data


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of two equal keys win, which nobody means; and no message is to show a key of a whole page."""
    entries = dict(pairs)
    if entries and len(longest := max(entries, key=len)) > LONGEST_KEY:
        raise ValueError(f"it has a key of {len(longest)} letters, {longest[:80]!r}...; correct it")
    if len(entries) < len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"it gives {repeated[:80]!r} twice; remove one")
    return entries


LOCK = ".lock"  # in a run folder, and the ending of a data set's
PATIENCE_SEC = 5.0  # the kernel of a run that was killed notices it within a second or two, and has the lock until then
POLL_SEC = 0.05
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what a file system without locks says
MOST_LETTERS = 200  # of a holder


class BusyError(ValueError):
    """Somebody else works in the folder."""


@contextmanager
def locked(
    path: Path, patience_sec: float = PATIENCE_SEC, on_wait: Callable[[str], object] | None = None
) -> Iterator[int]:
    """Hold a lock while the block runs; the block gets its file descriptor.

    The lock is the system's (`flock`), on a file that says who holds it and goes at the end. A process that inherits
    the descriptor holds the lock, too, until it ends. `on_wait` is called once, where there is one to wait for, with
    its name, e.g. "process 123 on laptop".

    Raises:
        BusyError: somebody else holds it; the message says who.
        ValueError: something else has its name: a folder, a link, a pipe, or a file that cannot be opened.
        OSError: the folder cannot be written to, has no locks, or the disk is full.
    """
    until = time.monotonic() + patience_sec
    while (file := _try(path)) is None:
        who = holder(path.parent, path.name)
        if who and time.monotonic() >= until:
            raise BusyError(f"{path.parent} is in use by {who}; wait for it, or end it")
        if who and on_wait is not None:
            on_wait(who)
            on_wait = None
        time.sleep(POLL_SEC)
    try:
        _sign(file, path)
        yield file
    finally:
        path.unlink(missing_ok=True)  # first, so that nobody locks a file that is about to go
        os.close(file)


def holder(folder: Path, lock: str = LOCK) -> str:
    """Who works in a run folder, e.g. "process 123 on laptop"; "" for nobody."""
    import fcntl  # not on Windows

    try:
        with open_to_read(folder / lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                said = file.read(MOST_LETTERS).decode(errors="replace")
                return "".join(letter if letter.isprintable() else " " for letter in said) or "another process"
    except OSError:  # there is none, or it is none
        pass
    return ""


def try_lock(path: Path) -> int | None:
    """The descriptor of a file, made if missing, that is ours until it is closed; None where it is somebody else's.

    Where there are no locks, the OSError leaves no file behind.
    """
    try:
        import fcntl  # not on Windows
    except ImportError:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path)) from None
    file = open_to_write(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.lstat()):  # else its last holder has removed the name since
                return file
    except BlockingIOError:
        pass
    except OSError:
        os.close(file)
        path.unlink(missing_ok=True)  # nobody holds it where there are no locks
        raise
    os.close(file)
    return None


def _sign(file: int, path: Path) -> None:
    """Write who holds the lock instead of who held it before, perhaps on another machine, and was killed."""
    try:
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
    except OSError as error:
        name_in(error, path)
        raise


def _try(path: Path) -> int | None:
    """As `try_lock`, in a folder that is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return try_lock(path)
    except FileNotFoundError:  # the last has just taken the folder with it
        return None
    except (IsADirectoryError, PermissionError, NotPlainError) as error:
        if not os.path.lexists(path):  # it is the folder that cannot be written to
            raise
        raise ValueError(
            f"{path} cannot be opened ({error.strerror}), so nobody knows whether {path.parent} is in use; remove it "
            "if it is not"
        ) from None
