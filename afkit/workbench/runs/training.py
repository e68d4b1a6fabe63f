"""Training as 02_train does it: on one device or several, evaluated on the way, and what run.json keeps of it."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.annotations import leave_out_ignored, read_annotations, to_frame
from afkit.data.features import locate
from afkit.data.items import Dataset
from afkit.evaluation import scores
from afkit.files import read_json
from afkit.model.products import usable_precision
from afkit.train.execution import FILE, Execution
from afkit.train.loop import train
from afkit.workbench.analysis.fusion import classify
from afkit.workbench.progress import duration
from afkit.workbench.runs.evaluating import built_backend
from afkit.workbench.runs.folder import Run, finish_stage, note_stage
from afkit.workbench.runs.launch import predict_shared, train_on_devices
from afkit.workbench.runs.opened import open_run


def train_run(
    run: Run,
    dataset: Dataset,
    execution: Execution,
    resume: bool = True,
    start_from: str | Path = "",
    on_progress: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train on as many devices as `execution` says, and evaluate on the way where it says so; the metrics.

    Arguments, result and errors are those of `afkit.train.loop.train` and `train_on_devices`.
    """
    steps = run.recipe.optim.total_epochs * (len(dataset) // run.recipe.optim.batch_size)
    if not resume or not (run.folder / f"checkpoints/step{steps:09d}.pt").is_file():  # else nothing is left to do
        note_used(run, execution)
    common: dict[str, Any] = {"execution": execution, "resume": resume}
    common |= {"start_from": start_from, "on_progress": on_progress}
    if execution.devices * execution.num_nodes > 1:
        return train_on_devices(run.recipe, run.data_root, run.folder, run.seed, **common)
    evaluate = validation(run.recipe, run.data_root, execution.precision) if execution.evaluate_every else None
    return train(run.recipe, dataset, run.folder, run.seed, evaluate=evaluate, **common)


def note_used(run: Run, execution: Execution) -> None:
    """Note in run.json what a training computes in from now on, behind what it has computed in before."""
    before, now = open_run(run.folder).stage(run.entry).used.get("precision", ""), _usable(execution.precision)
    told = before if before.endswith(now) else f"{before}, then {now}".removeprefix(", then ")
    graphs = execution.cuda_graphs and torch.cuda.is_available()
    note_stage(run.folder, run.entry, used={"precision": told, "cuda_graphs": graphs})


def validation(recipe: Recipe, data_root: str | Path, precision: str = "fp32") -> Callable[[nn.Module], float]:
    """The function that `afkit.train.loop.train` takes as `evaluate`: a network's average mAP on the test subsets.

    It is what 03_eval finds for these weights.

    Raises:
        ValueError: the test subsets are not there.
    """
    dataset = Dataset(recipe.data, data_root, recipe.data.test_subsets)
    annotations = read_annotations(locate(data_root, recipe.data.annotations))
    gt = to_frame(annotations.of_subsets(recipe.data.test_subsets))
    usable, device = _usable(precision), "cuda" if torch.cuda.is_available() else "cpu"
    backend = built_backend("auto", device)

    def average_map(model: nn.Module) -> float:
        predictions = predict_shared(model, recipe, dataset, backend=backend, precision=usable)
        predictions = classify(predictions, recipe, data_root, len(annotations.label_names))
        predictions = leave_out_ignored(predictions, dataset.videos)
        return scores.evaluate(gt, predictions, recipe.data.tious).average_map

    return average_map


def finish_training(run: Run, execution: Execution, metrics: pd.DataFrame) -> None:
    """Note in run.json that the training is done, and how it was executed; after a deterministic one, what was not."""
    last = metrics[metrics["epoch"] == metrics["epoch"].max()].mean()
    said = [
        f"Loss {last['loss_total']:.3f} in the last of {run.recipe.optim.total_epochs} epochs",
        f"Class loss {last['loss_cls']:.3f}, offset loss {last['loss_reg']:.3f}; {cost_in_words(metrics, None)}.",
        "A loss of the training has no interval; how well actions are found is measured by 03_eval.",
    ]
    note = run.folder / FILE
    used = asdict(execution) | open_run(run.folder).stage(run.entry).used
    finish_stage(run, said=said, execution=used, deterministic=read_json(note) if note.exists() else None)


def cost_in_words(metrics: pd.DataFrame, memory_mb: float | None) -> str:
    """Steps, time and memory of a training, in a sentence; memory is left out where it is None."""
    seconds = metrics["seconds"]
    memory = "" if memory_mb is None else f", peak memory {memory_mb:.0f} MB"
    return f"{len(metrics)} steps in {duration(seconds.sum())}, {seconds.median():.3g} s each (median){memory}"


def _usable(precision: str) -> str:
    """The precision that is computed in; the training has said so where it is not the one that was asked for."""
    return usable_precision(precision, "cuda" if torch.cuda.is_available() else "cpu", lambda _: None)
