"""What surrounds the numbers of 03_eval: where its weights lie, on which devices it computes, what it keeps."""

import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import nn

from afkit.data.annotations import groups_of, leave_out_ignored, to_frame
from afkit.data.features import locate
from afkit.data.items import Dataset
from afkit.detect.suppression import choose_backend
from afkit.evaluation.scores import Scores, evaluate
from afkit.files import read_json
from afkit.model.products import usable_precision
from afkit.workbench.analysis.baseline import prior_predictions
from afkit.workbench.analysis.bootstrap import Interval, interval_facts
from afkit.workbench.analysis.exports import export_detections
from afkit.workbench.analysis.frame_classifier import frame_predictions
from afkit.workbench.analysis.fusion import classify
from afkit.workbench.analysis.report import FRAMES, as_dict, interval_in_words, save_scores, score_in_words
from afkit.workbench.analysis.result_files import write_predictions
from afkit.workbench.published import network_name
from afkit.workbench.runs.folder import Run, finish_stage, note_input, note_stage
from afkit.workbench.runs.launch import predict_on_devices, predict_shared
from afkit.workbench.runs.model_card import write_model_card
from afkit.workbench.runs.notebooks import skip_remaining_cells
from afkit.workbench.runs.paths import without_paths
from afkit.workbench.survey.facts import trained_on
from afkit.workbench.trust import project_root

LEAST_SCORE = 0.2  # of the detections that are exported where no labels tell a better threshold


def find_weights(run: Run, which: str, checkpoint: str = "") -> tuple[Path, str]:
    """The file of the weights and its SHA-256, which is noted in run.json: is this result up to date?

    It is the run's own ("ema" or "raw"), or a checkpoint, relative to the project.
    """
    path = project_root() / checkpoint if checkpoint else run.folder / "checkpoints" / f"{which}.safetensors"
    return path, note_input(run, path)


class Sure(NamedTuple):
    """How sure an average mAP is."""

    average_map: Interval | float  # without an interval where there are too few recordings or groups
    sentence: str  # the interval with what was resampled, or why there is none
    facts: dict[str, Any]  # for eval.json


def how_sure(run: Run, scores: Scores, gt: pd.DataFrame, predictions: pd.DataFrame, label_remap: str) -> Sure:
    """The interval of the average mAP over the test recordings, or over their groups where these are known."""
    groups = groups_of(run.annotations.videos.values())
    facts = interval_facts(gt, predictions, run.recipe.data.tious, groups, label_remap)
    average = Interval(**facts["average_map"]) if "average_map" in facts else scores.average_map
    return Sure(average, interval_in_words(facts), facts)


def keep_predictions(run: Run, dataset: Dataset, predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions that count, written: classified where a recipe does so afterwards, and lying where is judged."""
    if run.recipe.decode.score_file:
        note_input(run, locate(run.data_root, run.recipe.decode.score_file))
    found = classify(predictions, run.recipe, run.data_root, len(run.annotations.label_names))
    kept = leave_out_ignored(found, dataset.videos)
    if left_out := len(found) - len(kept):
        print(f"{left_out} predictions lie where their video was not annotated, and are left out")
    write_predictions(run.folder / f"predictions{run.suffix}.json.gz", kept, run.label_names)
    return kept


def baseline(
    run: Run, dataset: Dataset, gt: pd.DataFrame, searched: Mapping[str, float | None], label_remap: str
) -> Scores:
    """What guesses by the frequencies and durations of classes are worth; `searched` are videos and their seconds."""
    train_gt = to_frame(run.annotations.of_subsets(run.recipe.data.train_subsets))
    guesses = leave_out_ignored(prior_predictions(train_gt, searched, run.seed), dataset.videos)
    return evaluate(gt, guesses, run.recipe.data.tious, label_remap)


class FrameRow(NamedTuple):
    """What a classifier of single time steps is worth beside the network."""

    rows: dict[str, Scores]  # by name; {} where there is none
    facts: dict[str, Any]  # for eval.json


def frame_classifier(run: Run, dataset: Dataset, gt: pd.DataFrame, label_remap: str) -> FrameRow:
    """Train, on the run's training recordings, and evaluate `frame_predictions`; prints how, or why that cannot be."""
    config = run.recipe
    try:
        train = Dataset(config.data, run.data_root, config.data.train_subsets)
        found = frame_predictions(train, dataset, config.data.tious, run.seed)
    except (ValueError, OSError) as error:
        print(f"without the row of a frame classifier: {error}")
        return FrameRow({}, {"left_out": without_paths(error)})
    predictions = classify(found.predictions, config, run.data_root, len(run.annotations.label_names))
    scores = evaluate(gt, leave_out_ignored(predictions, dataset.videos), config.data.tious, label_remap)
    steps, threshold = found.facts["filter_steps"], found.facts["threshold"]
    print(f"frame classifier: median filter of {steps} steps, actions from a probability of {threshold} on")
    return FrameRow({FRAMES: scores}, as_dict(scores) | found.facts)


def built_backend(wanted: str, device: str) -> str:
    """As `choose_backend`, but what building the operator says is no error, as which a notebook would show it."""
    with redirect_stderr(sys.stdout):
        return choose_backend(wanted, device)


def find_actions(
    run: Run,
    model: nn.Module,
    dataset: Dataset,
    weights: Path,
    which: str,
    nms_backend: str = "auto",
    devices: int = 1,
    precision: str = "fp32",
    cuda_graphs: bool = False,
) -> tuple[pd.DataFrame, str, float]:
    """Detections in a data set: by the model, which moves to the GPU if there is one, or on several devices.

    With them the backend of NMS, and the seconds that it took. What precision and graphs came to is noted in run.json.

    Errors are those of `predict_dataset`, `choose_backend` and `predict_on_devices`.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    backend = built_backend(nms_backend, device)
    model.to(device)
    used = {"precision": usable_precision(precision, device), "cuda_graphs": cuda_graphs and device == "cuda"}
    note_stage(run.folder, run.entry, used=used)
    began, how = time.perf_counter(), {"backend": backend, **used, "cuda_graphs": cuda_graphs}
    if devices == 1:
        predictions = predict_shared(model, run.recipe, dataset, **how)
    else:  # processes that read the weights themselves
        predictions = predict_on_devices(run.recipe, run.data_root, run.folder, weights, which, devices, **how)
    return predictions, backend, time.perf_counter() - began


def export_kept(run: Run, kept: pd.DataFrame, videos: Iterable[str]) -> list[Path]:
    """Write detections as files for a spreadsheet, a video player (subtitles) and ELAN, also of videos without any."""
    folder = run.folder / f"detections{run.suffix}"
    return export_detections(folder, kept, run.label_names, ["csv", "vtt", "elan"], videos=videos)


def finish_without_labels(run: Run, predictions: pd.DataFrame, videos: Iterable[str], nms_backend: str) -> None:
    """End 03_eval where nothing is labelled: export the surest detections, say so, and let later cells do nothing."""
    kept = predictions[predictions["score"] >= LEAST_SCORE]
    export_kept(run, kept, videos)
    sentence = (
        f"No video of {', '.join(run.recipe.data.test_subsets)} has a labelled action, so nothing is evaluated: the "
        f"predictions are in predictions{run.suffix}.json.gz, the {len(kept)} with a score of {LEAST_SCORE} or more in "
        f"detections{run.suffix}."
    )
    said = [f"{len(predictions)} predictions, not evaluated", sentence]
    finish_stage(run, files=["predictions.json.gz"], said=said, nms_backend=nms_backend)
    skip_remaining_cells(sentence)


def finish_evaluation(run: Run, scores: Scores, baseline: Scores, nms_backend: str, **facts: Any) -> None:
    """Write eval.json, with the facts about the scores, and per_class.csv; note in run.json that 03_eval is done."""
    subsets = run.recipe.data.test_subsets
    facts |= {"network": network_name(run.recipe), "subsets": subsets, "generated": run.generated}
    facts |= {"nms_backend": nms_backend}
    facts |= {"split": subsets[0]} if run.suffix else {}
    save_scores(run.folder, scores, baseline, run.label_names, run.suffix, **facts)
    said = score_in_words(read_json(run.folder / f"eval{run.suffix}.json"))
    said.insert(1, trained_on(run.recipe.data.train_subsets, subsets))
    finish_stage(run, said=said, nms_backend=nms_backend)
    if not run.suffix:
        write_model_card(run.folder)
