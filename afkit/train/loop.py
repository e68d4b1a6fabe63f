"""The training loop: one flat pass over epochs and batches, with a checkpoint after each epoch."""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.batches import Batch, check_batch_size, training_batches
from afkit.data.items import Dataset
from afkit.files import atomic_open
from afkit.model.checkpoints import save_weights
from afkit.train.optimizer import update_average
from afkit.train.state import TrainingState, load_original, load_state, new_state, save_state

METRICS = ["step", "epoch", "learning_rate", "loss_cls", "loss_reg", "loss_total", "grad_norm", "seconds"]


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: str | Path,
    seed: int,
    workers: int = 0,
    resume: bool = True,
    start_from: str | Path = "",
    on_epoch: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train a network and write its weights.

    An interrupted training that is started again with the same arguments goes on after its last finished epoch, and
    ends with the same weights as one that was not interrupted (on the same machine).

    Args:
        recipe: all settings.
        dataset: training videos, made with `training=True` and the same seed.
        folder: the run folder; receives checkpoints/state.pt after each epoch, metrics.csv, and at the end
            checkpoints/ema.safetensors (the weights to evaluate) and checkpoints/raw.safetensors.
        seed: of the initial weights and of drop path.
        workers: processes that load features.
        resume: go on from checkpoints/state.pt where it exists; else start anew.
        start_from: a .pth.tar of the original to go on from, when there is no checkpoint of our own; "" for none.
        on_epoch: called after each epoch with the metrics so far.

    Returns:
        DataFrame with a row per step, columns `METRICS`.

    Raises:
        ValueError: fewer videos than a batch, a checkpoint of another recipe, or a loss that is not finite.
    """
    checkpoints = Path(folder) / "checkpoints"
    recipe = with_empty_classes(recipe, dataset)
    check_batch_size(dataset, recipe.optim.batch_size)
    steps_per_epoch = len(dataset) // recipe.optim.batch_size
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = new_state(recipe, steps_per_epoch, seed, device)
    if resume and (checkpoints / "state.pt").exists():
        load_state(checkpoints / "state.pt", state, recipe, seed)
    elif start_from:
        load_original(start_from, state, recipe, steps_per_epoch)

    state.model.train()
    for epoch in range(state.step // steps_per_epoch, recipe.optim.total_epochs):
        for batch in training_batches(dataset, epoch, recipe.optim.batch_size, workers):
            began = time.perf_counter()
            rate = state.schedule.get_last_lr()[0]
            numbers = train_step(state, batch, recipe, device)
            state.metrics.append([state.step, epoch, rate, *numbers, time.perf_counter() - began])
            state.step += 1
        save_state(checkpoints / "state.pt", state, recipe, seed)
        metrics = write_metrics(Path(folder) / "metrics.csv", state.metrics)
        if on_epoch is not None:
            on_epoch(metrics)

    save_weights(state.average, checkpoints / "ema.safetensors", "ema")
    save_weights(state.model, checkpoints / "raw.safetensors", "raw")
    return write_metrics(Path(folder) / "metrics.csv", state.metrics)


def with_empty_classes(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with the label ids that no annotation of the data set has, so that the class head keeps them silent.

    EPIC-Kitchens has such ids. A recipe that lists some itself, or has one class, stays as it is.
    """
    if recipe.model.empty_classes or recipe.data.num_classes == 1:
        return recipe
    empty = sorted(set(range(recipe.data.num_classes)) - dataset.label_names.keys())
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"empty_classes": empty})})


def train_step(state: TrainingState, batch: Batch, recipe: Recipe, device: torch.device) -> list[float]:
    """One update of the weights and of their average.

    Returns:
        class loss, offset loss, total loss, norm of the gradient before clipping.

    Raises:
        ValueError: the loss is not finite; the weights are then as before.
    """
    state.optimizer.zero_grad(set_to_none=True)
    out = state.model(batch.features.to(device), batch.mask.to(device))
    losses = state.criterion(out, batch.segments, batch.labels)
    if not losses["total"].isfinite():
        videos = ", ".join(item.video for item in batch.items)
        raise ValueError(
            f"the loss of recipe '{recipe.name}' is {losses['total'].item()} at step {state.step} on the videos "
            f"{videos}; check their features, or lower optim.learning_rate (the last checkpoint is kept)"
        )
    losses["total"].backward()
    limit = recipe.optim.clip_norm if recipe.optim.clip_norm > 0 else float("inf")
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), limit)
    state.optimizer.step()
    state.schedule.step()
    update_average(state.average, state.model, state.step, recipe.optim)
    return [losses["cls"].item(), losses["reg"].item(), losses["total"].item(), norm.item()]


def write_metrics(path: Path, metrics: list[list[float]]) -> pd.DataFrame:
    """Write metrics.csv atomically and return the table."""
    table = pd.DataFrame(metrics, columns=METRICS).astype({"step": int, "epoch": int})
    with atomic_open(path) as file:
        table.to_csv(file, index=False, float_format="%.9g")
    return table
