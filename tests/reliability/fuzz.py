"""`make fuzz MINUTES=10`: damaged and twisted files for all readers, until the minutes are over.

What comes out of a reader must be its result, or a ValueError that names the file. Each reader runs in a child process
with bounded memory, and may take a few seconds for a file. A file that breaks a reader is kept beside the counts.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from hostile import Ended, damaged, in_child, twisted
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from afkit.files import write_text

FILE_SEC = 5.0  # of the processor, for one file
MEMORY_MB = 768  # that a reader may map beyond what it needs to start
SECTION = "Fuzzed readers"


class Reader(NamedTuple):
    """A reader, and files for it."""

    name: str  # of the file
    read: Callable[[Path], Any]  # a file of that name in a folder of its own
    seeds: tuple[bytes, ...]  # that it accepts
    content: Any = None  # a structure to twist
    dump: Callable[[Any], bytes] | None = None  # as a file
    longest_run: int = 2**16  # bytes; less where torch takes the square of a message's length to look for patterns


class TooSlow(BaseException):
    """A reader took more than FILE_SEC for a file."""


class TimeOver(BaseException):
    """There is no time for another file."""


def files_for(reader: Reader) -> st.SearchStrategy[bytes]:
    """Damaged files and twisted structures."""
    bytewise = damaged(reader.seeds, reader.longest_run)
    if reader.dump is None:
        return bytewise
    return bytewise | twisted(reader.content).map(lambda content: _dumped(reader, content))


def _dumped(reader: Reader, content: Any) -> bytes:
    try:
        return reader.dump(content)
    except Exception:  # what the format cannot hold
        return b""


def outcome(reader: Reader, path: Path) -> str:
    """ "accepted" or "refused"; an error that is not the project's, or does not name the file, comes out."""
    try:
        with _time_limit():
            reader.read(path)
    except ValueError as error:
        message = str(error)
        assert type(error) is ValueError, f"{type(error).__name__}: {message[:300]}"
        assert path.stem in message, f"the message does not name the file: {message[:300]}"
        assert len(message) < 20_000, f"the message has {len(message)} letters: {message[:300]}"
        return "refused"
    return "accepted"


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_):
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, FILE_SEC)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fuzz(reader: Reader, folder: Path, examples: int, number: int | None = None, seconds: float = 1e9) -> Ended:
    """Read so many files, or as many as there is time for; the last one, which may be the culprit, stays in `folder`.

    `number` is the seed of the random choice; None for the same ones each time. How the child process ended; what it
    said are the counts inputs, accepted, refused.
    """
    return in_child(lambda: _fuzz(reader, folder, examples, number, seconds), MEMORY_MB, 300)


def _fuzz(reader: Reader, folder: Path, examples: int, number: int | None, seconds: float) -> dict[str, int]:
    counts = dict.fromkeys(("inputs", "accepted", "refused"), 0)
    path, until = folder / reader.name, 0.0
    sys.stdout, sys.stderr = open(os.devnull, "w"), open(os.devnull, "w")  # noqa: PTH123, SIM115

    def each(data):
        nonlocal until
        until = until or time.monotonic() + seconds  # to start takes a while on a busy machine
        if time.monotonic() > until:
            raise TimeOver
        path.write_bytes(data)
        counts[outcome(reader, path)] += 1
        counts["inputs"] += 1

    phases = [Phase.generate] if number is None else [Phase.generate, Phase.shrink]
    check = settings(max_examples=examples, database=None, deadline=None, phases=phases, derandomize=number is None,
                     suppress_health_check=list(HealthCheck))(given(files_for(reader))(each))  # fmt: skip
    with contextlib.suppress(TimeOver):
        (check if number is None else seed(number)(check))()
    return counts


def main(minutes: float, target: Path, table: Path) -> int:
    """Fuzz all readers in turn, and add what was tried to a table; the number of those that broke.

    Files that break a reader come to lie in `target`.
    """
    from readers import READERS, prepare

    folder, began = Path(tempfile.mkdtemp()), time.monotonic()
    prepare(folder)
    target.mkdir(parents=True, exist_ok=True)
    chosen, broken = {name: made() for name, made in READERS.items()}, 0
    while time.monotonic() - began < 60 * minutes and not broken:
        share = max((60 * minutes - (time.monotonic() - began)) / len(READERS), 2)
        for name, reader in chosen.items():
            ended = fuzz(reader, folder, 100_000, int.from_bytes(os.urandom(4)), min(share, 60))
            if ended.end == "done":
                add_to(table, target / ".lock", reader=name, **ended.said, hours=ended.seconds / 3600)
                continue
            broken += 1
            kept = target / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{reader.name}"
            shutil.copy(folder / reader.name, kept)
            print(f"{name}: {ended.end}: {ended.said}\n  {kept}", flush=True)
    shutil.rmtree(folder)
    return broken


def add_to(table: Path, lock: Path, **counts: Any) -> None:
    """Add counts of a reader to its row of a table; several processes may do so at once."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        rows = pd.DataFrame([counts]).set_index("reader")
        if table.exists():
            rows = pd.concat([pd.read_csv(table, index_col="reader"), rows]).groupby(level=0, sort=False).sum()
        write_text(table, rows.to_csv(float_format="%.5f", lineterminator="\n"))


if __name__ == "__main__":
    sys.exit(bool(main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))))
