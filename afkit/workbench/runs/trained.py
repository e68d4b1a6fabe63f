"""What it takes to predict with a trained run: network, label names, frame rate, and which scores are worth keeping."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.annotations import AnnotationFile, read_annotations
from afkit.data.features import locate
from afkit.files import read_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.workbench.own_data.signal_files import SignalReader, signal_reader
from afkit.workbench.runs.folder import file_digest, read_run
from afkit.workbench.runs.opened import data_root_of, recipe_of

MIN_SCORE = 0.2  # where 03_eval has chosen no thresholds; as for its splits without labels


class Trained(NamedTuple):
    """What is needed of a run, and of its data set, to predict."""

    model: nn.Module  # with its weights, in eval mode
    recipe: Recipe  # of the run
    label_names: dict[int, str]  # of each class id
    fps: float  # frames, or samples, per second of new recordings
    thresholds: float | dict[int, float]  # lowest score that is kept, of each label or of all
    signals: SignalReader | None  # None: recordings are given as features
    settings: str  # a digest of all that changes the result


def read_trained(
    folder: Path,
    weights: str,
    fps: float | None = None,
    min_score: float | None = None,
    signal: bool = False,
    data_root: str | Path = "",
) -> tuple[Trained, str]:
    """The network of a run with its weights, and in words how it predicts.

    Raises:
        ValueError: no run, no weights, or no annotation file; a frame rate or score that is missing or unusable.
    """
    facts, path = read_run(folder), folder / "checkpoints" / f"{weights}.safetensors"
    recipe = recipe_of(facts, folder)
    if not path.is_file():
        raise ValueError(f"{path} does not exist; train the run first, or choose the other --weights")
    if recipe.data.stride_frames <= 0:
        raise ValueError(
            f"recipe '{recipe.name}' has features of fixed length, whose times follow from each recording's duration; "
            "use afkit.predict from Python, which takes it"
        )
    root = data_root_of(facts, recipe.data.annotations, folder, data_root)
    annotations = read_annotations(locate(root, recipe.data.annotations))
    label_names = _label_names(annotations, recipe)
    fps = _frame_rate(annotations, recipe, fps)
    digest = file_digest(path)
    thresholds, chosen = _thresholds(folder, weights, digest, min_score, label_names)
    signals = signal_reader(recipe, root) if signal else None
    model = build_model(recipe)
    load_weights(model, path, weights)
    says = [recipe.model_dump(mode="json"), digest, fps, thresholds, label_names, signals and signals.settings]
    settings = hashlib.sha256(json.dumps(says, default=list).encode()).hexdigest()
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    about = f"weights '{weights}', {fps:g} frames per second, kept: {chosen}"
    return Trained(model, recipe, label_names, fps, thresholds, signals, settings), about


def _label_names(annotations: AnnotationFile, recipe: Recipe) -> dict[int, str]:
    """Of a recipe that finds segments without a class, there is one name for all."""
    if recipe.data.num_classes == 1 and len(annotations.label_names) > 1:
        return {0: "action"}
    return annotations.names_of(recipe.data.num_classes)


def _frame_rate(annotations: AnnotationFile, recipe: Recipe, fps: float | None) -> float:
    if fps is None:
        fps = recipe.data.fps
    if fps is None:
        subsets = [*recipe.data.train_subsets, *recipe.data.test_subsets]
        rates = {video.fps for video in annotations.of_subsets(subsets)}
        fps = rates.pop() if len(rates) == 1 else None
        if fps is None:
            raise ValueError(f"the videos of {annotations.path} have several frame rates; give yours with --fps")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"the frame rate is {fps}; give a number above 0 with --fps")
    return fps


def _thresholds(
    folder: Path, weights: str, digest: str, min_score: float | None, label_names: Mapping[int, str]
) -> tuple[float | dict[int, float], str]:
    """The lowest score kept, of each label or of all, and the same in words; `digest` is that of the weights' file.

    Older versions of eval.json tell weights by their name alone.
    """
    if min_score is not None:
        if not 0 <= min_score <= 1:
            raise ValueError(f"the lowest score is {min_score}; give a number from 0 to 1 with --min-score")
        return min_score, f"scores from {min_score:g}"
    path = folder / "eval.json"
    content = read_json(path) if path.exists() else {}
    try:
        evaluated = content.get("weights") == weights and content.get("weights_sha256", digest) == digest
        point = content.get("operating_point") if evaluated else None
        if not point:
            return MIN_SCORE, f"scores from {MIN_SCORE:g} (03_eval has chosen no thresholds for these weights)"
        found = {name: _threshold(row) for name, row in point["by_class"].items()}
        other = _threshold(point["one_threshold"])
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
        raise ValueError(f"{path} holds no thresholds that can be read; run 03_eval again") from None
    of_labels = {label: found.get(name, other) for label, name in label_names.items()}
    thresholds = {label: math.inf if score is None else score for label, score in of_labels.items()}
    kept = [score for score in thresholds.values() if score < math.inf]
    if not kept:
        return MIN_SCORE, f"scores from {MIN_SCORE:g} (03_eval has found no useful thresholds)"
    low, high = f"{min(kept):.2f}", f"{max(kept):.2f}"
    return thresholds, f"scores from {low}{f' to {high}' if high > low else ''}, by class, as 03_eval chose"


def _threshold(row: Mapping[str, Any]) -> float | None:
    """The lowest score of a class; None where 03_eval found none."""
    score = row["threshold"]
    return None if score is None else float(score)
