"""Features of many recordings are written, each as soon as it is done; a second start does what is missing."""

import math
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NamedTuple

import numpy as np

from afkit.files import atomic_open, name_in, read_json, write_json
from afkit.opening import make_way
from afkit.workbench.media.frames import Facts
from afkit.workbench.media.made import Made
from afkit.workbench.media.opened import by_name, length_sec
from afkit.workbench.progress import teller
from afkit.workbench.scratch import alone

HEADER_BYTES = 128  # of a .npy, whose number of rows is written last
MOST_SHOWN = 20
NOT_OURS = "is there, and was not made by this command; remove it, or give --force"
PART = ".part"  # of the folder of features: what is not complete


class Task(NamedTuple):
    """A recording to be done."""

    name: str  # of its file, without ending
    source: Path
    part: Path  # to be written, in a folder that goes at the end
    final: Path  # where it comes to lie


class Written(NamedTuple):
    """How a recording came out."""

    reason: str  # why there are no features, in a sentence; "" where there are
    width: int = 0  # numbers in a vector
    duration_sec: float = 0.0
    notes: Sequence[str] = ()  # what was unusual


Vectors = Callable[[Path, Facts], Iterator[np.ndarray]]  # a recording's blocks (n, C) float32
Tell = Callable[[str, int], None]  # name of a recording, vectors so far
Say = Callable[[str], None]
Done = Generator[tuple[Task, Written], None, None]
Make = Callable[[Sequence[Task], Vectors, Tell, Say], Done]  # by which tasks are done


def in_turn(tasks: Sequence[Task], vectors: Vectors, tell: Tell, say: Say) -> Done:
    """One recording after the other, in this process."""
    for task in tasks:
        yield task, write_one(task, vectors, tell)


def write_one(task: Task, vectors: Vectors, tell: Tell) -> Written:
    """Write the features of one recording as its part; an OSError is of the disk, and names where it was to lie."""
    facts = Facts()
    tell(task.name, 0)
    try:
        width = _write_rows(task.part, vectors(task.source, facts), lambda rows: tell(task.name, rows))
    except ValueError as error:
        return Written(str(error) if str(task.source) in str(error) else f"{task.source}: {error}")
    except OSError as error:
        name_in(error, task.final, task.part)
        raise
    return Written("", width, round(facts.duration_sec, 6), facts.notes)


def write_recordings(
    paths: Sequence[Path],
    target: Path,
    settings_name: str,
    settings: dict[str, Any],
    vectors: Vectors,
    force: bool = False,
    say: Say = print,
    make: Make = in_turn,
) -> Made:
    """Write `<target>/<recording>.npy` for every recording, and the settings with what is known of each beside them.

    A file that is there is left as it is if neither its source nor the settings have changed, unless with `force`.

    Args:
        settings: what makes features alike, with fps, num_frames and stride_frames.
        vectors: makes those of one recording; a ValueError names what is wrong with it.
        make: does the recordings, in any order.

    Raises:
        ValueError: features in `target` were made otherwise; or, after all others were done, what failed.
        OSError: the disk is full, or the folder cannot be written to.
    """
    named, path = by_name(paths), target / settings_name
    if not named:
        raise ValueError("there are no recordings; name files, or folders of files")
    with alone(target, say):
        known = _known(path, settings, force)
        entries = {name: _entry_of(source, target) for name, source in named.items()}
        tasks = [Task(name, named[name], target / PART / f"{name}.npy", target / f"{name}.npy") for name in named]
        if not force:
            tasks = [task for task in tasks if not (_is_same(known, task, entries) and task.final.is_file())]
        left = len(named) - len(tasks)
        _note_places(path, settings, known, {name: entries[name] for name in named.keys() - {t.name for t in tasks}})
        foreign = [task for task in tasks if task.final.exists() and task.name not in known and not force]
        failed = {task.name: f"{task.final} {NOT_OURS}" for task in foreign}
        tasks = [task for task in tasks if task.name not in failed]
        tell = _teller(tasks, settings["stride_frames"] / settings["fps"], say)
        with _emptied(target / PART), closing(make(tasks, vectors, tell, say)) as done:
            for task, written in done:
                tell(task.name, sys.maxsize)
                if reason := written.reason or _other_width(task, written, settings, path):
                    failed[task.name] = reason
                    continue
                more = {"duration_sec": written.duration_sec, "notes": list(written.notes)}
                known[task.name] = entries[task.name] | more
                task.final.unlink(missing_ok=True)  # before the entry is there: it would be taken for the new one
                write_json(path, settings | {"recordings": dict(sorted(known.items()))})
                task.part.replace(task.final)
    if left:
        say(f"{left} of {len(named)} recordings are there already: left as they are")
    if failed:
        raise ValueError(complaint([failed[name] for name in named if name in failed], len(named), "used"))
    return Made(
        settings["width"],
        settings["stride_frames"],
        settings["num_frames"],
        settings["fps"],
        {name: known[name]["duration_sec"] for name in named},
        [note for name in named for note in known[name]["notes"]],
    )


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """A folder without what a killed process left, which goes when the block ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_way(folder)  # if it is a link
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _known(path: Path, settings: dict[str, Any], force: bool) -> dict[str, Any]:
    """{recording: its entry} of a folder whose features were made with the same settings; the width is taken over."""
    if not path.is_file():
        return {}
    try:
        content = read_written(path, {})
    except ValueError:
        if force:  # they are not known
            return {}
        raise
    before = {name: value for name, value in content.items() if name not in ("recordings", "width")}
    differs = sorted(name for name in {*before, *settings} if before.get(name) != settings.get(name))
    if differs and not force:
        said = ", ".join(f"{name} {before.get(name)!r}, now {settings.get(name)!r}" for name in differs)
        raise ValueError(f"{path} is of features made otherwise ({said}); name another folder, or give --force")
    if differs:
        return {}
    settings["width"] = content["width"]
    return dict(content["recordings"])


def read_written(path: Path, kinds: dict[str, type]) -> dict[str, Any]:
    """The content of a file of settings, with its `recordings`; a ValueError where it does not say how to go on.

    `kinds` are of the settings that only features of this kind have.
    """
    content = read_json(path)
    numbers = {"width": int, "stride_frames": int, "num_frames": int, "fps": float}
    if not _is_of(content, numbers | kinds) or not all(0 < content[name] < math.inf for name in numbers):
        raise ValueError(f"{path} does not say how features are made; write the features again, with --force")
    known = content.get("recordings")
    facts = {"file": str, "bytes": int, "mtime_ns": int, "duration_sec": float, "notes": list}
    wrong = [name for name, entry in known.items() if not _is_of(entry, facts)] if isinstance(known, dict) else [""]
    if wrong:
        raise ValueError(f"{path} does not say what '{wrong[0]}' was made of; write the features again, with --force")
    return content


def setting_before(path: Path, name: str) -> Any:
    """A setting of features that are there, so that the same command goes on with them; None where there are none."""
    try:
        return read_written(path, {}).get(name)
    except ValueError:  # is told when they are gone on with
        return None


def _is_of(content: Any, kinds: dict[str, type]) -> bool:
    """Whether it is a dictionary with values of such types."""
    return isinstance(content, dict) and all(type(content.get(name)) is kind for name, kind in kinds.items())


def _entry_of(source: Path, target: Path) -> dict[str, Any]:
    state = source.stat()
    known = {"file": source.name, "bytes": state.st_size, "mtime_ns": state.st_mtime_ns}
    try:
        place = os.path.relpath(source.parent.resolve(), target.resolve())
    except ValueError:  # on another drive of Windows
        place = ""
    return known | {"folder": Path(place).as_posix() if place else ""}  # as seen from the features


def _is_same(known: dict[str, Any], task: Task, entries: dict[str, dict[str, Any]]) -> bool:
    """Whether a recording is the one whose features there are, wherever it lies."""
    before, entry = known.get(task.name, {}), entries[task.name]
    return all(before.get(name) == entry[name] for name in ("file", "bytes", "mtime_ns"))


def _note_places(path: Path, settings: dict[str, Any], known: dict[str, Any], entries: dict[str, Any]) -> None:
    """Note where recordings lie whose features are left as they are: they were moved, or nobody knew."""
    moved = {name: known[name] | entry for name, entry in entries.items() if known[name] | entry != known[name]}
    if moved:
        known |= moved
        write_json(path, settings | {"recordings": dict(sorted(known.items()))})


def _other_width(task: Task, written: Written, settings: dict[str, Any], path: Path) -> str:
    """What is wrong where a recording has another width than those before, of which the first sets it."""
    if written.width == settings.setdefault("width", written.width):
        return ""
    others = f"{settings['width']} for those of {path}"
    return f"{task.source}: the backbone gave {written.width} numbers, {others}; name another folder, or give --force"


def _write_rows(path: Path, blocks: Iterator[np.ndarray], tell: Callable[[int], None]) -> int:
    """Write blocks (n, C) as one .npy without holding them; C. ValueError where there are none, or C changes.

    `tell` is given the number of rows so far.
    """
    rows = width = 0
    with atomic_open(path) as file:
        file.write(bytes(HEADER_BYTES))
        for block in blocks:
            if block.shape[1] != (width or block.shape[1]):
                raise ValueError(f"vectors of {width} and of {block.shape[1]} numbers in one recording")
            width = block.shape[1]
            rows += len(block)
            file.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
            tell(rows)
        if not rows:
            raise ValueError("the recording is too short for a vector; take shorter windows")
        file.seek(0)
        _write_header(file, rows, width)
        file.seek(0, 2)
    return width


def _write_header(file: IO[bytes], rows: int, width: int) -> None:
    """The header of a .npy in exactly `HEADER_BYTES`."""
    header: list[bytes] = []
    shape = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    sink: Any = SimpleNamespace(write=header.append)
    np.lib.format.write_array_header_1_0(sink, shape)
    data = b"".join(header)
    if len(data) != HEADER_BYTES:  # numpy pads to a multiple of 64
        raise ValueError(f"a header of {len(data)} bytes")
    file.write(data)


def _teller(tasks: Sequence[Task], vector_sec: float, say: Say) -> Tell:
    """What is told of vectors, as minutes of all recordings; those of one that has ended are sys.maxsize."""
    lengths_sec = {task.name: length_sec(task.source) for task in tasks}
    made_sec: dict[str, float] = {}
    tell_minutes = teller("recordings", sum(lengths_sec.values()) / 60, say, " min")

    def tell(name: str, vectors: int) -> None:
        made_sec[name] = min(vectors * vector_sec, lengths_sec[name])
        tell_minutes(sum(made_sec.values()) / 60)

    return tell


def complaint(failed: list[str], number: int, use: str) -> str:
    """What went wrong with some of a number of recordings, which cannot be used (`use`: "predicted", say)."""
    if number == 1:
        return failed[0]
    more = [f"... and {len(failed) - MOST_SHOWN} more"] if len(failed) > MOST_SHOWN else []
    others = "; the others are done" if len(failed) < number else ""
    return "\n".join([f"{len(failed)} of {number} recordings cannot be {use}{others}:", *failed[:MOST_SHOWN], *more])
