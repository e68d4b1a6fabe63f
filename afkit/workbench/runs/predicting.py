"""Predictions of a trained run on new recordings, which nobody has labelled: `python -m afkit predict`.

Each recording becomes a file of its own as soon as it is done. What was done, with which inputs and settings, stands in
`predicted.jsonl` beside the files, so that a second start does what is missing and what has changed.
"""

import glob
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from afkit.config import Recipe, make_recipe, nearest
from afkit.data.annotations import AnnotationFile
from afkit.data.feature_formats import open_array
from afkit.data.features import RawFeatures
from afkit.data.items import GridFeatures, Item
from afkit.detect.prediction import detect_in_windows, detect_items, needed_window_steps
from afkit.files import LOCK, locked, read_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.model.products import arithmetic, usable_precision
from afkit.opening import safe_names
from afkit.workbench.analysis.exclusive import without_overlaps
from afkit.workbench.analysis.exports import SINGLE, recording_file, write_recording
from afkit.workbench.analysis.operating_point import apply_thresholds
from afkit.workbench.export.exported import Exported, check_rate, open_exported
from afkit.workbench.export.exported import detect as detect_exported
from afkit.workbench.media.overlay import check_overlay, write_overlay
from afkit.workbench.media.reading import has_media, media_reader
from afkit.workbench.media.writing import complaint
from afkit.workbench.own_data.signal_files import NO_SPANS, SignalReader, signal_reader
from afkit.workbench.progress import progress
from afkit.workbench.runs.new_recordings import Recording, recordings_for
from afkit.workbench.runs.opened import open_run, sha256_of
from afkit.workbench.runs.predicted_log import append_entry, read_log, write_log

LOG, ONNX = "predicted.jsonl", ".onnx"
MOST_SPANS = 3  # that a line shows
# Chosen thresholds are scores of the test recordings, which are to be found again where sums round otherwise:
# by an exported network, in a stream, on another machine.
ROUNDING = 1e-5
MIN_SCORE = 0.2  # where 03_eval has chosen no thresholds; as for its splits without labels


Read = tuple[RawFeatures, np.ndarray]  # of a recording, and spans (R, 2) in seconds that saw no samples


class Predictor(NamedTuple):
    """What is needed of a run, and of its data set, to predict."""

    model: nn.Module | Exported  # with its weights, in eval mode
    recipe: Recipe  # of the run
    label_names: dict[int, str]  # of each class id
    fps: float  # frames, or samples, per second of new recordings
    thresholds: float | dict[int, float]  # lowest score that is kept, of each label or of all
    signals: SignalReader | None  # None: recordings are given as features
    settings: str  # a digest of all that changes the result
    exclusive: bool = False  # whether detections of a recording may not overlap
    precision: str = "fp32"  # of the network's products: "fp32" or "bf16"


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
    fix: bool = False,
    exclusive: bool = False,
    overlay: str | Path = "",
    backbone: str = "",
    precision: str = "fp32",
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> Path:
    """Write the detections of new recordings, each as a file `<recording>.<ending>`; the folder written.

    Args:
        run_dir: folder of a run, or ONNX file that `export` wrote of one.
        places: files or folders, see `find_recordings`. Films and sounds become features as those of the training did.
        form: one of `afkit.workbench.analysis.exports.SINGLE`.
        out: folder to write; "" for `predicted` in the run folder.
        fps: frames (samples) per second; None for those of the recipe, or of all videos of its annotation file.
        min_score: lowest score that is kept; None for the thresholds that 03_eval chose for these weights, else 0.2.
        signal: the files hold raw samples of sensors, see `afkit.workbench.own_data.signal_files.signal_reader`.
        fix: of samples, as of `afkit.workbench.own_data.signal_files.write_windows`.
        exclusive: no two detections of a recording overlap, see `afkit.workbench.analysis.exclusive`.
        overlay: film to write, with the detections drawn into the one film that is given; "" for none.
        backbone: MODULE:FUNCTION, where such a one made the features: code runs only if it is named here.
        precision: one of `afkit.model.products.PRECISIONS`.

    Raises:
        ValueError: a wrong argument or run; nothing is written then. Or, after all others were done, the list of the
            recordings that could not be.
    """
    folder = Path(run_dir)
    if form not in SINGLE:
        raise ValueError(f"there is no format '{form}'; {nearest(form, list(SINGLE))}")
    if weights not in ("ema", "raw"):
        raise ValueError(f"weights must be 'ema' or 'raw', not '{weights}'")
    media = has_media(places) and not signal
    if folder.suffix == ONNX:
        if media or signal:
            raise ValueError(f"{folder} takes features, not films or samples; make them first, or name the run")
        if precision != "fp32":
            raise ValueError(f"{folder} computes in float32; leave out --precision, or name the run")
        predictor, about = open_exported_predictor(folder, weights, fps, min_score, exclusive)
    else:
        predictor, about = open_predictor(
            folder, weights, fps, min_score, signal, data_root, fix, media=media, backbone=backbone, exclusive=exclusive
        )
        if (used := usable_precision(precision, _device(), say)) != predictor.precision:
            predictor = predictor._replace(precision=used, settings=f"{predictor.settings} {used}")
            about = f"{about}, {used}"
    recordings = recordings_for(predictor.recipe, predictor.signals, places, media)
    if overlay:
        if len(recordings) > 1:
            raise ValueError(
                f"--overlay takes one film, and {len(recordings)} recordings are given; predict them singly"
            )
        check_overlay(Path(overlay), recordings[0].paths[0])
    say(about)
    target = Path(out) if str(out) else (folder.parent if folder.suffix == ONNX else folder) / "predicted"
    try:
        with locked(target / LOCK):
            last = _predict_all(predictor, recordings, target, form, say)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{target} cannot be written to ({reason}); name another folder with --out") from None
    if overlay:
        film, detections = recordings[0].paths[0], detect(predictor, recordings[0]) if last is None else last
        write_overlay(Path(overlay), film, detections, predictor.label_names)
        say(f"{overlay}")
    return target


def open_predictor(
    folder: Path,
    weights: str,
    fps: float | None = None,
    min_score: float | None = None,
    signal: bool = False,
    data_root: str | Path = "",
    fix: bool = False,
    *,
    media: bool = False,
    backbone: str = "",
    exclusive: bool = False,
) -> tuple[Predictor, str]:
    """The network of a run with its weights, and in words how it predicts.

    Raises:
        ValueError: no run, no weights, or no annotation file; a frame rate or score that is missing or unusable.
    """
    run, path = open_run(folder), folder / "checkpoints" / f"{weights}.safetensors"
    recipe = run.recipe
    if not path.is_file():
        raise ValueError(f"{path} does not exist; train the run first, or choose the other --weights")
    if recipe.data.stride_frames <= 0:
        raise ValueError(
            f"recipe '{recipe.name}' has features of fixed length, whose times follow from each recording's duration; "
            "use afkit.predict from Python, which takes it"
        )
    annotations = run.annotations(data_root)
    label_names = annotations.names_of(recipe.data.num_classes)
    if recipe.data.num_classes == 1 and len(annotations.label_names) > 1:  # it finds segments without a class
        label_names = {0: "action"}
    fps, digest = _frame_rate(annotations, recipe, fps), sha256_of(path)
    thresholds, chosen = _thresholds(folder, weights, digest, min_score, label_names, recipe)
    signals = signal_reader(recipe, run.data_root(data_root), fps, fix) if signal else None
    if media:
        signals = media_reader(recipe, run.data_root(data_root), fps, backbone)
    model = build_model(recipe)
    load_weights(model, path, weights)
    model.to(_device())
    inputs = signals and signals.settings
    changing = [recipe.model_dump(mode="json"), digest, fps, thresholds, label_names, inputs, exclusive]
    changing += ["fix"] if fix else []
    settings = hashlib.sha256(json.dumps(changing, default=list).encode()).hexdigest()
    about = f"weights '{weights}', {fps:g} frames per second, kept: {chosen}"
    return Predictor(model, recipe, label_names, fps, thresholds, signals, settings, exclusive), about


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def open_exported_predictor(
    path: Path, weights: str, fps: float | None, min_score: float | None, exclusive: bool
) -> tuple[Predictor, str]:
    """The same of a network that was exported; a ValueError where the file is none, or has other weights or rates."""
    exported = open_exported(path)
    about = exported.about
    if weights == "raw" != about["weights"]:
        raise ValueError(f"{path} has the weights '{about['weights']}', not 'raw'; export the run with --weights raw")
    recipe = make_recipe(about["recipe"])
    names = {int(label): name for label, name in about["labels"].items()}
    rate, thresholds = check_rate(exported, fps), about["thresholds"]
    if min_score is not None:
        thresholds = _checked_score(min_score)
    elif isinstance(thresholds, dict):
        thresholds = {int(label): math.inf if low is None else low for label, low in thresholds.items()}
    changing = [about, sha256_of(path), rate, thresholds, exclusive]
    settings = hashlib.sha256(json.dumps(changing).encode()).hexdigest()
    kept = f"scores from {min_score:g}" if min_score is not None else "scores as exported"
    text = f"weights '{about['weights']}', {rate:g} frames per second, kept: {kept}"
    return Predictor(exported, recipe, names, rate, thresholds, None, settings, exclusive), text


def _frame_rate(annotations: AnnotationFile, recipe: Recipe, given: float | None) -> float:
    fps = recipe.data.fps if given is None else given
    if fps is None:
        rates = {video.fps for video in annotations.of_subsets([*recipe.data.train_subsets, *recipe.data.test_subsets])}
        fps = rates.pop() if len(rates) == 1 else None
    if fps is None:
        raise ValueError(f"the videos of {annotations.path} have several frame rates; give yours with --fps")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"the frame rate is {fps}; give a number above 0 with --fps")
    return fps


def _thresholds(
    folder: Path, weights: str, digest: str, min_score: float | None, label_names: Mapping[int, str], recipe: Recipe
) -> tuple[float | dict[int, float], str]:
    """The lowest score kept, of each label or of all, and the same in words; `digest` is that of the weights' file.

    Older versions of eval.json tell weights by their name alone.
    """
    if min_score is not None:
        return _checked_score(min_score), f"scores from {min_score:g}"
    if recipe.decode.score_file:
        return MIN_SCORE, f"scores from {MIN_SCORE:g} (03_eval chose for scores joined with those of decode.score_file)"
    path = folder / "eval.json"
    content = read_json(path) if path.exists() else {}
    try:
        evaluated = content.get("weights") == weights and content.get("weights_sha256", digest) == digest
        if not (point := content.get("operating_point") if evaluated else None):
            return MIN_SCORE, f"scores from {MIN_SCORE:g} (03_eval has chosen no thresholds for these weights)"
        rows = {name: row["threshold"] for name, row in point["by_class"].items()}
        rows = {None: point["one_threshold"]["threshold"], **rows}  # None: of all other classes
        found = {name: math.inf if score is None else float(score) - ROUNDING for name, score in rows.items()}
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
        raise ValueError(f"{path} holds no thresholds that can be read; run 03_eval again") from None
    thresholds = {label: found.get(name, found[None]) for label, name in label_names.items()}
    kept = [score for score in thresholds.values() if score < math.inf]
    if not kept:
        return MIN_SCORE, f"scores from {MIN_SCORE:g} (03_eval has found no useful thresholds)"
    low, high = f"{min(kept):.2f}", f"{max(kept):.2f}"
    return thresholds, f"scores from {low}{f' to {high}' if high > low else ''}, by class, as 03_eval chose"


def _checked_score(min_score: float) -> float:
    if not 0 <= min_score <= 1:
        raise ValueError(f"the lowest score is {min_score}; give a number from 0 to 1 with --min-score")
    return min_score


def _predict_all(
    predictor: Predictor, recordings: list[Recording], target: Path, form: str, say: Callable
) -> pd.DataFrame | None:
    """Those recordings that are not done yet; a ValueError at the end lists those that cannot be.

    Gives the detections of the last, None where all were done.
    """
    keys = {recording.name: _key(predictor, recording, form) for recording in recordings}
    log, safe = read_log(target / LOG), safe_names(keys)
    names = {name: recording_file(target, safe[name], form).name for name in keys}
    for file in names.values():
        if file not in log and os.path.lexists(target / file):
            raise ValueError(f"{target / file} is there, and not of predict; name another folder with --out")
    write_log(target / LOG, log)  # without what an interruption has left of a line
    same = {name for name in keys if log.get(names[name], {}).get("key") == keys[name]}
    done = {name for name in same if (target / names[name]).is_file()}
    changed = sum(names[name] in log and name not in done for name in keys)
    if done:
        say(f"{len(done)} of {len(keys)} recordings are there already: left as they are")
    if changed:
        say(f"{changed} recordings were predicted from other files or with other settings: predicted again")
    failed, found, detections = [], 0, None
    with (target / LOG).open("a", encoding="utf-8") as lines:
        for recording in progress([r for r in recordings if r.name not in done], "recordings", say):
            try:
                detections = detect(predictor, recording, say)
            except ValueError as error:
                failed.append(f"{recording.name}: {error}")
                continue
            name = recording.name
            entry = {"recording": name, "file": names[name], "key": ""}
            append_entry(lines, entry)  # until its key is there, nobody knows what the file holds
            write_recording(target, safe[name], name, detections, predictor.label_names, form)
            log[names[name]] = entry | {"key": keys[name]}
            append_entry(lines, log[names[name]])
            found += len(detections)
    write_log(target / LOG, log)
    say(f"{len(keys) - len(done) - len(failed)} recordings predicted, {found} detections")
    if failed:
        raise ValueError(complaint(failed, len(keys), "predicted"))
    return detections


def detect(
    predictor: Predictor, recording: Recording, say: Callable[[str], None] = print, read: Read | None = None
) -> pd.DataFrame:
    """Detections of one recording that reach their thresholds, by time: video, start_sec, end_sec, label (id), score.

    Segments end with the last feature vector at the latest: how long the recording lasts beyond it is not known. More
    than 16384 steps go through the network in windows that lose nothing, where attention has a limited reach. What lies
    in a gap of the samples is left out, and `say` receives where that is. `read` is what `read_recording` gave, if it
    did.

    Raises:
        ValueError: features that cannot be read, of another width, or not finite; the message names the file.
    """
    recipe, fps = predictor.recipe, predictor.fps
    raw, gaps_sec = read_recording(predictor, recording) if read is None else read
    has, takes = raw.widths, recipe.data.input_dims
    if len(has) != len(takes):
        has, takes = [raw.width], [sum(takes)]
    for path, own, width in zip(raw.paths, has, takes, strict=False):
        if own != width:
            raise ValueError(f"{path} has {own} numbers in a vector, recipe '{recipe.name}' takes {width}")
    end_sec = ((len(raw) - 1) * recipe.data.stride_frames + recipe.data.num_frames) / fps
    grid = GridFeatures(raw, recipe.data, fps, end_sec)
    item = Item(recording.name, grid, None, None, fps, end_sec, grid.stride, grid.num_frames)
    if isinstance(predictor.model, Exported):
        rows = detect_exported(predictor.model, raw.rows(), predictor.fps, 0.0, str(raw.paths[0]))
        found = pd.DataFrame({"video": pd.Series([recording.name] * len(rows.score), dtype="str"), **rows._asdict()})
    else:
        with arithmetic(predictor.precision, _device()):
            if window_steps := needed_window_steps(grid.shape[1], recipe):
                found = detect_in_windows(predictor.model, recipe, item, window_steps)
            else:
                found = detect_items(predictor.model, recipe, [item])
    kept, lows = apply_thresholds(found, predictor.thresholds), predictor.thresholds
    lowest, most = min(lows.values()) if isinstance(lows, dict) else lows, recipe.decode.max_segments
    if len(found) == most and 0 < lowest <= found["score"].min():
        kept_are = f"the best {most} detections are kept (decode.max_segments), and more may reach the lowest score"
        say(f"{recording.name}: {kept_are}; raise --min-score, or cut the recording into parts")
    if len(gaps_sec):
        shown = ", ".join(f"{start:.2f} to {end:.2f} s" for start, end in gaps_sec[:MOST_SPANS])
        more = f" and in {len(gaps_sec) - MOST_SPANS} more spans" if len(gaps_sec) > MOST_SPANS else ""
        say(f"{recording.name}: nothing can be said from {shown}{more}, since the clock has gaps there")
    for start, end in gaps_sec.tolist():
        kept = kept[(kept["start_sec"] < start) | (kept["end_sec"] > end)]
    return without_overlaps(kept) if predictor.exclusive else kept.sort_values("start_sec", ignore_index=True)


def read_recording(predictor: Predictor, recording: Recording) -> Read:
    """Its features, made of its film, sound or samples where it is given as such; errors as of `detect`."""
    if predictor.signals is not None:
        made, gaps_sec = predictor.signals.read(recording.paths)
        return RawFeatures([made], recording.paths[:1], recording.name), gaps_sec
    arrays = [open_array(*file, recording.name) for file in zip(recording.paths, recording.arrays, strict=True)]
    return RawFeatures(arrays, recording.paths, recording.name, predictor.recipe.data.half_channels), NO_SPANS


def _key(predictor: Predictor, recording: Recording, form: str) -> str:
    """A digest of the settings, and of name, size and time of the files."""
    files: list[Any] = [predictor.settings, form]
    for path, array in zip(recording.paths, recording.arrays, strict=True):
        of_record = path.suffix.lower() == ".hea"  # a header, with the samples in files of the same name beside it
        for part in sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")) if of_record else [path]:
            if part.is_file():
                files.append([part.name, array, part.stat().st_size, part.stat().st_mtime_ns])
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
