"""Detections from a network that `python -m afkit export RUN --to onnx` wrote, with numpy and onnxruntime alone.

This file needs nothing else of afkit: it can be copied beside the network, to where there is no torch.

    python exported.py FILE.onnx FEATURES.npy ...
"""

import argparse
import hashlib
import itertools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

KEY, FORMAT = "afkit", 2  # of the entry among the file's metadata, and of what it says
LENGTH_EPS = 1e-6  # added to every length when suppressing, as in `afkit.nms`


class Exported(NamedTuple):
    """A network with what its file says of it."""

    path: str
    session: Any  # of onnxruntime
    about: dict[str, Any]  # recipe, labels, fps, thresholds, and how recordings are padded or cut into windows


class Detections(NamedTuple):
    """Detections of one recording, by falling score."""

    start_sec: np.ndarray  # (N,) float64
    end_sec: np.ndarray  # (N,) float64
    label: np.ndarray  # (N,) int64
    score: np.ndarray  # (N,) float64


def open_exported(path: str | Path, threads: int = 0) -> Exported:
    """A network, ready to run on `threads` threads (0: all); a ValueError where the file is none that export wrote."""
    if not Path(path).is_file():
        raise ValueError(f"{path} does not exist; write it with: python -m afkit export RUN --to onnx")
    try:
        session = session_of(str(path), threads)
        text = session.get_modelmeta().custom_metadata_map.get(KEY)
        for place in (*session.get_inputs(), *session.get_outputs()):
            str(place.name)  # bytes that are no text are found out here
    except ImportError as error:
        raise ValueError(f"{path} needs onnxruntime ({error}); pip install onnxruntime") from None
    except Exception as error:  # of a damaged file almost anything
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} is no ONNX file that onnxruntime can read; export it again ({reason})") from None
    if text is None:
        raise ValueError(
            f"{path} does not say how to predict with it; take one of: python -m afkit export RUN --to onnx"
        )
    exported = Exported(str(path), session, _read_about(text, path))
    _check_network(exported)
    return exported


def session_of(source: str | bytes, threads: int = 0) -> Any:
    """A session of onnxruntime for a file, or for its content."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4  # what fails is raised
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def detect(
    exported: Exported,
    features: np.ndarray,
    fps: float | None = None,
    min_score: float | None = None,
    name: str = "features",
) -> Detections:
    """Detections of one recording, as those of `python -m afkit predict` for the run that was exported.

    Args:
        features: (T, C) real numbers, as on disk.
        fps: frames per second; None for the file's. Another than the file's is an error.
        min_score: lowest score that is kept; None for the thresholds of the file.
        name: of the recording, for messages.

    Raises:
        ValueError: features or a rate that do not fit the network, or a recording that a file of fixed length cannot
            take.
    """
    about, data = exported.about, exported.about["recipe"]["data"]
    width, features = sum(data["input_dims"]), np.asarray(features)
    if features.ndim != 2 or features.shape[1] != width or not len(features) or features.dtype.kind not in "biuf":
        kind = f"{features.dtype} {features.shape}"
        raise ValueError(
            f"{name} must be numbers (T, {width}) for {exported.path}, not {kind}; extract it as for the run"
        )
    rate = check_rate(exported, fps)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name}: NaN or infinite at step {int(finite.argmin())}; extract it again")
    every = 1 if data["resize"] else data["downsample"]
    covered = (len(features) - 1) * data["stride_frames"] + data["num_frames"]  # frames
    stride, num_frames = data["stride_frames"] * every, data["num_frames"]
    rows = features[::every].astype(np.float32)
    if data["resize"]:
        rows = _resized(rows, data["max_seq_len"])
        stride = num_frames = covered / len(rows)
    segments, scores, labels = suppress(*candidates(exported, rows, name), about["recipe"]["decode"])
    seconds = (segments * np.float32(stride) + np.float32(0.5) * np.float32(num_frames)) / np.float32(rate)
    seconds = np.minimum(np.maximum(seconds, 0), np.float32(covered / rate)).astype(np.float64)
    kept = scores >= (_thresholds(about)[labels] if min_score is None else min_score)
    return Detections(seconds[kept, 0], seconds[kept, 1], labels[kept], scores[kept].astype(np.float64))


def check_rate(exported: Exported, fps: float | None) -> float:
    """Frames per second of a recording: those of the file, or those given where it has none; else a ValueError."""
    own = exported.about["fps"]
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"the frame rate is {fps}; give a number above 0")
    if fps is None and own is None:
        raise ValueError(f"{exported.path} is for recordings of several frame rates; give yours in frames per second")
    if fps is not None and own is not None and not math.isclose(fps, own, rel_tol=1e-6):
        raise ValueError(
            f"{exported.path} is for {own:g} frames per second, not {fps:g}; make features at its rate, or export the "
            f"run with --fps {fps:g}"
        )
    return float(fps if own is None else own)  # type: ignore[arg-type]  # one of them is there


def candidates(exported: Exported, rows: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the network finds in features (T, C) on the grid, before suppression.

    Level by level, each by falling score: segments (N, 2) on the grid, scores (N,), labels (N,).
    """
    about, decode = exported.about, exported.about["recipe"]["decode"]
    found: list[list[tuple[np.ndarray, ...]]] = [[] for _ in about["strides"]]  # of each level
    for start, size, own_from, own_to in _windows(exported, len(rows), name):
        part = rows[start : start + size]
        padded = np.zeros((size, rows.shape[1]), np.float32)
        padded[: len(part)] = part
        feeds = {"features": padded, "steps": np.array(len(part), np.int64)}
        scores, segments = exported.session.run(["scores", "segments"], feeds)
        first = 0
        for level, stride in enumerate(about["strides"]):
            points = slice(first, first := first + size // stride)
            position = start + stride * np.arange(size // stride)
            own = ((position >= own_from) & (position < own_to))[:, None]
            point, label = np.nonzero((scores[points] > decode["pre_nms_thresh"]) & own)
            spans = segments[points][point, label if segments.shape[1] > 1 else 0]
            found[level].append((spans + np.float32(start), scores[points][point, label], label))
    best = []
    for parts in found:
        spans, scores, labels = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(-scores, kind="stable")[: decode["pre_nms_topk"]]
        order = order[spans[order, 1] - spans[order, 0] > decode["duration_thresh"]]
        best.append((spans[order], scores[order], labels[order]))
    spans, scores, labels = map(np.concatenate, zip(*best, strict=True))
    return spans, scores, labels


def suppress(
    segments: np.ndarray, scores: np.ndarray, labels: np.ndarray, decode: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """NMS and voting with a recipe's settings, as `afkit.nms`: (N, 2), (N,), (N,) -> (M, 2), (M,), (M,)."""
    if decode["nms"] == "none":
        order = np.argsort(-scores, kind="stable")
        return segments[order], scores[order], labels[order]
    onset, end = segments.T
    length, left = end - onset + np.float32(LENGTH_EPS), scores.copy()
    if decode["nms"] == "hard" and decode["min_score"] > 0:
        left[left <= decode["min_score"]] = -np.inf
    picks: list[int] = []
    picked: list[float] = []
    while len(picks) < min(decode["max_segments"], len(left)):
        pick = int(left.argmax())
        if left[pick] == -np.inf:
            break
        picks.append(pick)
        picked.append(left[pick])
        overlap = (np.minimum(end, end[pick]) - np.maximum(onset, onset[pick])).clip(min=0)
        iou = overlap / (length + length[pick] - overlap)
        near = labels == labels[pick] if decode["multiclass"] else slice(None)
        left[near] = lowered(left[near], iou[near], decode)
        left[pick] = -np.inf
    kept = segments[picks]
    if decode["voting_threshold"] > 0 and not decode["multiclass"]:
        kept = _vote(kept, segments, scores, decode)
    return kept, np.array(picked, np.float32), labels[picks]


def lowered(left: np.ndarray, iou: np.ndarray, decode: dict[str, Any]) -> np.ndarray:
    """Scores (N,) after a pick that has these IoUs (N,) with the candidates; -inf where one is suppressed."""
    if decode["nms"] == "hard":
        return np.where(iou >= decode["iou_threshold"], -np.inf, left)
    weight = np.exp((-(iou * iou) / np.float32(decode["sigma"])).astype(np.float64)).astype(np.float32)
    with np.errstate(invalid="ignore"):  # -inf * 0
        rest = np.where(left > -np.inf, left * weight, left)
    return np.where(rest < decode["min_score"], -np.inf, rest)


def _vote(kept: np.ndarray, segments: np.ndarray, scores: np.ndarray, decode: dict[str, Any]) -> np.ndarray:
    """Each kept segment becomes the mean of the candidates around it, weighted by their scores."""
    (kept_onset, kept_end), (onset, end) = kept.T[:, :, None], segments.T
    overlap = (np.minimum(kept_end, end) - np.maximum(kept_onset, onset)).clip(min=0)  # (M, N)
    with np.errstate(invalid="ignore"):  # of two segments without length
        iou = overlap / ((kept_end - kept_onset) + (end - onset) - overlap)
    votes = iou * scores if decode["voting_weight"] == "score_iou" else np.broadcast_to(scores, iou.shape)
    weights = np.where(iou >= decode["voting_threshold"], votes, 0).astype(np.float64)
    total = weights.sum(axis=1, keepdims=True)
    mean = np.divide(weights @ segments.astype(np.float64), total, out=kept.astype(np.float64), where=total > 0)
    return mean.astype(np.float32)


def _windows(exported: Exported, steps: int, name: str) -> Iterator[tuple[int, int, float, float]]:
    """Parts of a recording that go through the network: first step, steps, and which points on the grid are theirs."""
    about, data = exported.about, exported.about["recipe"]["data"]
    padding, fixed, cut = about["padding"], about["length"], about["windows"]
    longest, align = data["max_seq_len"], padding["align"]
    size = -(-steps // padding["divisor"]) * padding["divisor"]
    if steps <= longest:
        size = min(longest, align * (-(-steps // align) + 1)) if align else longest
    if fixed and steps <= fixed and (align or size == fixed):
        size = fixed
    elif fixed and not (cut["steps"] and align):
        counted = about["recipe"]["model"]["absolute_position"]  # a table of positions has an end
        raise ValueError(
            f"{name} has {steps} steps, which the network of {exported.path} would take padded to {size}, and it is "
            f"exported for {fixed}; {'predict it with the run' if counted else 'export the run without --length'}"
        )
    elif steps > cut["above"] and cut["steps"]:
        length, size = size, min(cut["steps"], size)
        starts = [*range(0, length - size, size - cut["overlap"]), length - size]
        bounds = [-math.inf, *((a + size + b) / 2 for a, b in itertools.pairwise(starts)), math.inf]
        for start, (low, high) in zip(starts, itertools.pairwise(bounds), strict=True):
            if low < steps:  # the rest is padding
                yield start, size, low, high
        return
    yield 0, size, -math.inf, math.inf


def _resized(rows: np.ndarray, steps: int) -> np.ndarray:
    """(T, C) -> (steps, C), linearly, each step standing for its middle."""
    place = ((np.arange(steps, dtype=np.float32) + np.float32(0.5)) * np.float32(len(rows) / steps)) - np.float32(0.5)
    place = place.clip(min=0)
    below = place.astype(np.int64).clip(max=len(rows) - 1)
    share = (place - below.astype(np.float32))[:, None]
    return rows[below] * (1 - share) + rows[(below + 1).clip(max=len(rows) - 1)] * share


def _thresholds(about: dict[str, Any]) -> np.ndarray:
    """Lowest score of each class, (K,); infinite where none is to be kept."""
    given, classes = about["thresholds"], about["recipe"]["data"]["num_classes"]
    by_class = given if isinstance(given, dict) else dict.fromkeys(map(str, range(classes)), given)
    return np.array([math.inf if (low := by_class.get(str(label), 0)) is None else low for label in range(classes)])


def digest(about: dict[str, Any]) -> str:
    """Of what a file says of its network, by which a change of it is found out."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _read_about(text: str, path: str | Path) -> dict[str, Any]:
    again = f"this program reads {FORMAT}; export it again"
    try:
        about = json.loads(text)
        if about["format"] != FORMAT:
            raise ValueError(f"{path} says in format {str(about['format'])[:20]} how to predict with it, {again}")
        kept = about.pop("digest", None)
        changed = kept != digest(about)
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError):
        raise ValueError(f"{path} does not say in a known format how to predict with it, {again}") from None
    if changed:
        raise ValueError(
            f"{path} holds other settings than it was exported with, changed or damaged since; export it again"
        )
    return about


def _check_network(exported: Exported) -> None:
    """A ValueError where the network is not that of the recipe beside it."""
    data = exported.about["recipe"]["data"]
    wanted = {"features": sum(data["input_dims"]), "scores": data["num_classes"]}
    session = exported.session
    found = {place.name: place.shape[1] for place in (*session.get_inputs(), *session.get_outputs()) if place.shape[1:]}
    for name, width in wanted.items():
        if found.get(name) != width:
            raise ValueError(
                f"{exported.path} is of another recipe than it says: '{exported.about['recipe']['name']}' has "
                f"{width} {name} a step, its network {found.get(name, 'none')}; export it again"
            )


def _features(path: str) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a readable .npy file: {' '.join(str(error).split())}") from None


def main(arguments: list[str] | None = None) -> int:
    """Print the detections of some recordings as CSV; 2 on a wrong input."""
    parser = argparse.ArgumentParser(description="Detections from an exported network, as CSV.")
    parser.add_argument("network", metavar="FILE.onnx", help="that python -m afkit export RUN --to onnx wrote")
    parser.add_argument("features", metavar="FEATURES.npy", nargs="+", help="(T, C), one file for each recording")
    parser.add_argument("--fps", type=float, help="frames per second (default: the file's)")
    parser.add_argument("--min-score", type=float, help="lowest score to keep (default: by class, as in the file)")
    options = parser.parse_args(arguments)
    try:
        exported = open_exported(options.network)
        print("video,start_sec,end_sec,label,name,score")
        for path in options.features:
            found = detect(exported, _features(path), options.fps, options.min_score, path)
            for row in np.argsort(found.start_sec, kind="stable"):
                label = found.label[row]
                quoted = exported.about["labels"].get(str(label), str(label)).replace('"', '""')
                times = f"{found.start_sec[row]:.3f},{found.end_sec[row]:.3f}"
                print(f'"{Path(path).stem}",{times},{label},"{quoted}",{found.score[row]:.4f}')
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
