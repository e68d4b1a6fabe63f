"""Features of many recordings are written, each as soon as it is done; a second start does what is missing."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from afkit.files import atomic_open, read_json, write_json
from afkit.workbench.media.frames import Facts
from afkit.workbench.media.made import Made
from afkit.workbench.media.opened import by_name, length_sec
from afkit.workbench.scratch import alone

HEADER_BYTES = 128  # of a .npy, whose number of rows is written last
PROGRESS_SEC = 10.0
FIRST_PROGRESS_SEC = 3.0
MOST_SHOWN = 20

Vectors = Callable[[Path, Facts], Iterator[np.ndarray]]  # a recording's blocks (n, C) float32


def write_recordings(
    paths: Sequence[Path],
    target: Path,
    settings_name: str,
    settings: dict[str, Any],
    vectors: Vectors,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Made:
    """Write `<target>/<recording>.npy` for every recording, and the settings with what is known of each beside them.

    A file that is there is left as it is if neither its source nor the settings have changed, unless with `force`.

    Args:
        settings: what makes features alike, with fps, num_frames and stride_frames.
        vectors: makes those of one recording; a ValueError names what is wrong with it.

    Raises:
        ValueError: features in `target` were made otherwise; or, after all others were done, what failed.
        OSError: the disk is full, or the folder cannot be written to.
    """
    named, path = by_name(paths), target / settings_name
    if not named:
        raise ValueError("there are no recordings; name files, or folders of files")
    with alone(target, say):
        known = _known(path, settings, force)
        failed: list[str] = []
        progress = _Progress(list(named.values()), say)
        target.mkdir(parents=True, exist_ok=True)
        for name, source in named.items():
            entry, written = _entry_of(source, target), target / f"{name}.npy"
            if not force and _is_same(known.get(name), entry) and written.is_file():
                progress.left += 1
                if known[name].get("folder") != entry["folder"]:  # it was moved, or nobody knew
                    known[name] |= entry
                    write_json(path, settings | {"recordings": known})
                continue
            if written.exists() and name not in known and not force:
                failed.append(f"{written} is there, and was not made by this command; remove it, or give --force")
                continue
            facts = Facts()
            try:
                known.pop(name, None)  # until the new entry is there, nobody knows what the file holds
                width = _write_rows(written, progress.told(source, settings, vectors(source, facts)))
                if width != settings.setdefault("width", width):
                    written.unlink()
                    raise ValueError(f"the backbone gave {width} numbers, {settings['width']} for other recordings")
            except ValueError as error:
                failed.append(str(error) if str(source) in str(error) else f"{source}: {error}")
                continue
            known[name] = entry | {"duration_sec": round(facts.duration_sec, 6), "notes": facts.notes}
            write_json(path, settings | {"recordings": known})
    if progress.left:
        say(f"{progress.left} of {len(named)} recordings are there already: left as they are")
    if failed:
        raise ValueError(complaint(failed, len(named), "used"))
    entries = {name: known[name] for name in named}
    return Made(
        settings["width"],
        settings["stride_frames"],
        settings["num_frames"],
        settings["fps"],
        {name: entry["duration_sec"] for name, entry in entries.items()},
        [note for entry in entries.values() for note in entry["notes"]],
    )


def _known(path: Path, settings: dict[str, Any], force: bool) -> dict[str, Any]:
    """{recording: its entry} of a folder whose features were made with the same settings; the width is taken over."""
    if not path.is_file():
        return {}
    content = read_json(path)
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
    if not isinstance(content, dict) or any(
        not isinstance(content.get(name), kind) for name, kind in (numbers | kinds).items()
    ):
        raise ValueError(f"{path} does not say how features are made; write the features again")
    return content


def _entry_of(source: Path, target: Path) -> dict[str, Any]:
    state = source.stat()
    known = {"file": source.name, "bytes": state.st_size, "mtime_ns": state.st_mtime_ns}
    try:
        place = os.path.relpath(source.parent.resolve(), target.resolve())
    except ValueError:  # on another drive of Windows
        place = ""
    return known | {"folder": Path(place).as_posix() if place else ""}  # as seen from the features


def _is_same(known: dict[str, Any] | None, entry: dict[str, Any]) -> bool:
    return known is not None and all(known.get(name) == entry[name] for name in ("file", "bytes", "mtime_ns"))


def _write_rows(path: Path, blocks: Iterator[np.ndarray]) -> int:
    """Write blocks (n, C) as one .npy without holding them; C. ValueError where there are none, or C changes."""
    rows = width = 0
    with atomic_open(path) as file:
        file.write(bytes(HEADER_BYTES))
        for block in blocks:
            if block.shape[1] != (width or block.shape[1]):
                raise ValueError(f"vectors of {width} and of {block.shape[1]} numbers in one recording")
            width = block.shape[1]
            rows += len(block)
            file.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
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


class _Progress:
    """Lines on how far the work is, in minutes of the recordings."""

    def __init__(self, sources: list[Path], say: Callable[[str], None]):
        self.say, self.left, self.number, self.total = say, 0, 0, len(sources)
        self.sources, self.done_sec, self.began = sources, 0.0, time.monotonic()
        self.told_at = self.began - PROGRESS_SEC + FIRST_PROGRESS_SEC
        self.all_sec: float | None = None

    def told(self, source: Path, settings: dict[str, Any], blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks, with a line first after three and then every ten seconds."""
        for block in blocks:
            yield block
            self.done_sec += len(block) * settings["stride_frames"] / settings["fps"]
            now = time.monotonic()
            if now - self.told_at >= PROGRESS_SEC:
                self.told_at = now
                self.say(self._line(now, source))
        self.number += 1

    def _line(self, now: float, source: Path) -> str:
        if self.all_sec is None:
            rest = self.sources[self.sources.index(source) :]
            self.all_sec = self.done_sec + sum(map(length_sec, rest))
        left_sec = (now - self.began) * max(self.all_sec / max(self.done_sec, 1e-9) - 1, 0)
        done, whole = self.done_sec / 60, self.all_sec / 60
        return (
            f"{self.number}/{self.total} recordings, {done:.1f} of {whole:.1f} min, about {left_sec / 60:.1f} min left"
        )


def complaint(failed: list[str], number: int, use: str) -> str:
    """What went wrong with some of a number of recordings, which cannot be used (`use`: "predicted", say)."""
    if number == 1:
        return failed[0]
    more = [f"... and {len(failed) - MOST_SHOWN} more"] if len(failed) > MOST_SHOWN else []
    others = "; the others are done" if len(failed) < number else ""
    return "\n".join([f"{len(failed)} of {number} recordings cannot be {use}{others}:", *failed[:MOST_SHOWN], *more])
