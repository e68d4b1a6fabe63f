"""Predictions of a trained run on new recordings, which nobody has labelled: `python -m afkit predict`.

Each recording becomes a file of its own as soon as it is done. What was done, with which inputs and settings, stands in
`predicted.jsonl` beside the files, so that a second start does what is missing and what has changed.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from afkit.config import nearest
from afkit.data.feature_formats import SUFFIXES, open_array
from afkit.data.features import RawFeatures
from afkit.data.items import GridFeatures, Item
from afkit.detect.prediction import detect_in_windows, detect_items
from afkit.detect.windows import needed_window_steps
from afkit.files import LOCK, locked, write_text
from afkit.opening import safe_names
from afkit.workbench.analysis.exports import FORMATS, write_recording
from afkit.workbench.analysis.operating_point import apply_thresholds
from afkit.workbench.own_data.signal_files import SIGNAL_SUFFIXES
from afkit.workbench.runs.recordings import Recording, find_recordings
from afkit.workbench.runs.trained import Trained, read_trained

LOG = "predicted.jsonl"
PROGRESS_SEC = 10.0
MOST_SHOWN = 20


def predict_recordings(
    run_dir: str | Path,
    places: Sequence[str | Path],
    form: str = "csv",
    out: str | Path = "",
    *,
    fps: float | None = None,
    weights: str = "ema",
    min_score: float | None = None,
    signal: bool = False,
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> Path:
    """Write the detections of new recordings, each as a file `<recording>.<ending>`.

    Args:
        places: files or folders, see `afkit.workbench.runs.recordings.find_recordings`.
        form: one of `afkit.workbench.analysis.exports.FORMATS`.
        out: folder to write; "" for `predicted` in the run folder.
        fps: frames (samples) per second; None for those of the recipe, or of all videos of its annotation file.
        weights: "ema" or "raw".
        min_score: lowest score that is kept; None for the thresholds that 03_eval chose for these weights, else 0.2.
        signal: the files hold raw samples of sensors, see `afkit.workbench.own_data.signal_files.signal_reader`.
        data_root: folder of all data sets; "" for that of the run.

    Returns:
        the folder written.

    Raises:
        ValueError: a wrong argument or run; nothing is written then. Or, after all others were done, the list of the
            recordings that could not be.
    """
    folder = Path(run_dir)
    if form not in FORMATS:
        raise ValueError(f"there is no format '{form}'; {nearest(form, list(FORMATS))}")
    if weights not in ("ema", "raw"):
        raise ValueError(f"weights must be 'ema' or 'raw', not '{weights}'")
    trained, about = read_trained(folder, weights, fps, min_score, signal, data_root)
    parts = trained.signals.sensors if trained.signals else len(trained.recipe.data.features)
    suffixes = SIGNAL_SUFFIXES if signal else SUFFIXES
    recordings = find_recordings(places, parts, suffixes, trained.recipe.data.prefix)
    say(about)
    target = Path(out) if str(out) else folder / "predicted"
    try:
        with locked(target / LOCK):
            _predict_all(trained, recordings, target, form, say)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{target} cannot be written to ({reason}); name another folder with --out") from None
    return target


def _predict_all(trained: Trained, recordings: list[Recording], target: Path, form: str, say: Callable) -> None:
    """Those recordings that are not done yet; a ValueError at the end lists those that cannot be."""
    keys = {recording.name: _key(trained, recording, form) for recording in recordings}
    log = _read_log(target / LOG)
    done = {name for name, key in keys.items() if _is_done(target, log.get(name), key)}
    changed = sum(name in log and name not in done for name in keys)
    if done:
        say(f"{len(done)} of {len(keys)} recordings are there already: left as they are")
    if changed:
        say(f"{changed} recordings were predicted from other files or with other settings: predicted again")
    names, failed, found = safe_names(keys), [], 0
    with (target / LOG).open("a", encoding="utf-8") as lines:
        for recording in _with_progress([r for r in recordings if r.name not in done], say):
            try:
                detections = detect(trained, recording)
            except ValueError as error:
                failed.append(f"{recording.name}: {error}")
                continue
            if recording.name in log:  # until the new entry is there, nobody knows what the file holds
                _note(lines, log[recording.name] | {"key": ""})
            row = recording.name, detections, trained.label_names, form
            path = write_recording(target, names[recording.name], *row)
            _note(lines, {"recording": recording.name, "file": path.name, "key": keys[recording.name]})
            found += len(detections)
    say(f"{len(keys) - len(done) - len(failed)} recordings predicted, {found} detections")
    if failed:
        raise ValueError(_complaint(failed, len(keys)))


def detect(trained: Trained, recording: Recording) -> pd.DataFrame:
    """Detections of one recording that reach their thresholds: video, start_sec, end_sec, label (id), score.

    Segments end with the last feature vector at the latest: how long the recording lasts beyond it is not known. More
    than 16384 steps go through the network in windows that lose nothing, where attention has a limited reach.

    Raises:
        ValueError: features that cannot be read, of another width, or not finite; the message names the file.
    """
    recipe, fps = trained.recipe, trained.fps
    raw = _read(trained, recording)
    width = sum(recipe.data.input_dims)
    if raw.width != width:
        raise ValueError(f"{raw.paths[0]} has {raw.width} numbers in a vector, recipe '{recipe.name}' takes {width}")
    end_sec = ((len(raw) - 1) * recipe.data.stride_frames + recipe.data.num_frames) / fps
    grid = GridFeatures(raw, recipe.data, fps, end_sec)
    item = Item(recording.name, grid, None, None, fps, end_sec, grid.stride, grid.num_frames)
    window_steps = needed_window_steps(grid.shape[1], recipe)
    if window_steps:
        found = detect_in_windows(trained.model, recipe, item, window_steps)
    else:
        found = detect_items(trained.model, recipe, [item])
    return apply_thresholds(found, trained.thresholds)


def _read(trained: Trained, recording: Recording) -> RawFeatures:
    if trained.signals is not None:
        return RawFeatures([trained.signals.read(recording.paths)], recording.paths[:1], recording.name)
    files = zip(recording.paths, recording.arrays, strict=True)
    arrays = [open_array(path, array, recording.name) for path, array in files]
    return RawFeatures(arrays, recording.paths, recording.name)


def _key(trained: Trained, recording: Recording, form: str) -> str:
    """A digest of the settings, and of name, size and time of the files."""
    files: list[Any] = [trained.settings, form]
    for path, array in zip(recording.paths, recording.arrays, strict=True):
        if path.is_file():
            files.append([path.name, array, path.stat().st_size, path.stat().st_mtime_ns])
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _read_log(path: Path) -> dict[str, dict[str, str]]:
    """{recording: its last entry}; the file is written anew without what an interruption has left of a line."""
    entries = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            entry = json.loads(line)
            entries[entry["recording"]] = {name: str(entry[name]) for name in ("recording", "file", "key")}
        except (ValueError, KeyError, TypeError):
            continue
    write_text(path, "".join(json.dumps(entry) + "\n" for entry in entries.values()))
    return entries


def _note(lines: IO[str], entry: Mapping[str, str]) -> None:
    """Append an entry to the log at once."""
    lines.write(json.dumps(entry) + "\n")
    lines.flush()


def _is_done(target: Path, entry: Mapping[str, str] | None, key: str) -> bool:
    return entry is not None and entry["key"] == key and (target / Path(entry["file"]).name).is_file()


def _with_progress(recordings: list[Recording], say: Callable[[str], None]) -> Iterator[Recording]:
    """The recordings, with a line every ten seconds on how far they are."""
    began = told = time.monotonic()
    for number, recording in enumerate(recordings):
        now = time.monotonic()
        if number and now - told >= PROGRESS_SEC:
            left_sec = (now - began) / number * (len(recordings) - number)
            say(f"{number}/{len(recordings)} recordings, about {left_sec / 60:.0f} min left")
            told = now
        yield recording


def _complaint(failed: list[str], number: int) -> str:
    if number == 1:
        return failed[0]
    more = [f"... and {len(failed) - MOST_SHOWN} more"] if len(failed) > MOST_SHOWN else []
    others = "; the others are done" if len(failed) < number else ""
    head = f"{len(failed)} of {number} recordings cannot be predicted{others}:"
    return "\n".join([head, *failed[:MOST_SHOWN], *more])
