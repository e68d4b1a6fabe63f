"""Feature files from media, one recording after the other: what all kinds of media have in common.

Vector `i` covers `num_frames` frames from frame `i * stride_frames` on, at `fps` frames a second; frame 0 begins at
second 0 of the recording, the earliest presentation time of its streams, where players begin. How features were made
stands beside them, so that those of new recordings are made alike.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afkit.files import LOCK, locked, read_json, write_array, write_json, write_text

LOG = "made.jsonl"  # beside the features: of which files they are
PROGRESS_SEC = 10.0
MOST_SHOWN = 20


class Features(NamedTuple):
    """Those of one recording."""

    vectors: np.ndarray  # (T, C) float32
    duration_sec: float  # of the recording
    notes: list[str]  # what is odd about it


class Made(NamedTuple):
    """What a folder of features holds, and what a recipe must say about it."""

    width: int  # data.input_dims
    stride_frames: int  # data.stride_frames
    num_frames: int  # data.num_frames
    fps: float  # data.fps
    durations_sec: dict[str, float]  # of each recording
    notes: list[str]  # a line per recording and oddity


def write_features(
    paths: Sequence[Path],
    target: Path,
    name: str,
    settings: dict[str, Any],
    make: Callable[[Path], Features],
    *,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Made:
    """Write `<target>/<recording>.npy`, (T, C) float32, for every file, and the settings as `<target>/<name>`.

    Features that are there, of the same file and settings, stay as they are, so that a second start goes on.

    Args:
        paths: media files; their names without ending are the recordings'.
        settings: how features are made, ready for JSON; among them stride_frames, num_frames and fps.
        force: make all anew, also where the folder holds features made in another way.
        say: receives progress, at least every ten seconds between two recordings.

    Raises:
        ValueError: two files of one name, or a folder of other features; nothing is written then. Or, after all others
            were done, the list of the files that cannot be used.
    """
    recordings = named_once(paths)
    failed: list[str] = []
    with locked(target / LOCK):
        known = _prepare(target, name, settings, force)
        for number, (recording, path) in enumerate(_with_progress(recordings, say)):
            key = [path.name, path.stat().st_size, path.stat().st_mtime_ns]
            if known.get(recording, {}).get("key") == key and (target / f"{recording}.npy").is_file():
                continue
            try:
                made = make(path)
                _check_width(made, path, [entry["width"] for entry in known.values()])
            except ValueError as error:
                failed.append(str(error))
                continue
            write_array(target / f"{recording}.npy", made.vectors.astype(np.float32, copy=False), sync=False)
            facts = {"width": made.vectors.shape[1], "duration_sec": made.duration_sec, "notes": made.notes}
            known[recording] = {"recording": recording, "key": key} | facts
            _write_log(target, known, whole=number == len(recordings) - 1)
        _write_log(target, known, whole=True)
    if failed:
        raise ValueError(_complaint(failed, len(recordings)))
    own = [known[recording] for recording in recordings]
    notes = [f"{entry['recording']}: {note}" for entry in own for note in entry["notes"]]
    durations = {entry["recording"]: entry["duration_sec"] for entry in own}
    stride_frames, num_frames = int(settings["stride_frames"]), int(settings["num_frames"])
    return Made(own[0]["width"], stride_frames, num_frames, float(settings["fps"]), durations, notes)


def named_once(paths: Sequence[Path]) -> dict[str, Path]:
    """{recording: its file}; a ValueError where two files have one name, or one is missing or empty."""
    found: dict[str, Path] = {}
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path} is no file; name files of films or sounds")
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty; copy it again, or leave it out")
        if (other := found.setdefault(path.stem, path)) != path:
            raise ValueError(f"{other} and {path} are both of a recording '{path.stem}'; rename one")
    if not found:
        raise ValueError("no film or sound is given; name at least one")
    return found


def _prepare(target: Path, name: str, settings: dict[str, Any], force: bool) -> dict[str, dict]:
    """The entries of the features that may stay; the settings are written where they are new."""
    path = target / name
    others = [other.name for other in target.glob("*.json") if other.name != name] if target.is_dir() else []
    if others and not force:
        raise ValueError(f"{target} holds features of another kind ({others[0]}); name another folder")
    before = read_json(path) if path.is_file() else None
    if before is None and not force and any(target.glob("*.npy")):
        raise ValueError(f"{target} holds features, and no {name} that says how they were made; name another folder")
    if before not in (None, settings) and not force:
        changed = next(key for key in settings if not isinstance(before, dict) or before.get(key) != settings[key])
        was = before.get(changed) if isinstance(before, dict) else before
        raise ValueError(
            f"{target} holds features with {changed} {was!r}, not {settings[changed]!r}; name another folder, or make "
            "them anew with --force"
        )
    known = {} if force else _read_log(target / LOG)
    write_json(path, settings)
    return known


def _read_log(path: Path) -> dict[str, dict]:
    entries = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            _ = [entry[key] for key in ("key", "width", "duration_sec", "notes")]
            entries[str(entry["recording"])] = entry
    return entries


def _write_log(target: Path, known: dict[str, dict], whole: bool) -> None:
    """The log anew, or only its last entry at the end, as after each recording."""
    lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in known.values()]
    if whole:
        write_text(target / LOG, "".join(lines))
        return
    with (target / LOG).open("a", encoding="utf-8") as file:
        file.write(lines[-1])


def _check_width(made: Features, path: Path, widths: list[int]) -> None:
    width = made.vectors.shape[1]
    if widths and width != widths[0]:
        raise ValueError(f"{path} gives vectors of {width} numbers, the others have {widths[0]}; correct it")


def _with_progress(recordings: dict[str, Path], say: Callable[[str], None]) -> Iterator[tuple[str, Path]]:
    began = told = time.monotonic()
    for number, (recording, path) in enumerate(recordings.items()):
        now = time.monotonic()
        if number and now - told >= PROGRESS_SEC:
            left_sec, told = (now - began) / number * (len(recordings) - number), now
            say(f"{number}/{len(recordings)} recordings, about {left_sec / 60:.0f} min left")
        yield recording, path


def _complaint(failed: list[str], number: int) -> str:
    if number == 1:
        return failed[0]
    more = [f"... and {len(failed) - MOST_SHOWN} more"] if len(failed) > MOST_SHOWN else []
    others = "; the others are done" if len(failed) < number else ""
    return "\n".join([f"{len(failed)} of {number} recordings cannot be used{others}:", *failed[:MOST_SHOWN], *more])
