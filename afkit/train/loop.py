"""The training loop: one flat pass over epochs and batches, with a checkpoint after each epoch."""

import copy
import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.batches import Batch, training_batches
from afkit.data.items import Dataset
from afkit.files import atomic_open
from afkit.model.actionformer import ActionFormer, build_model
from afkit.model.checkpoints import save_weights
from afkit.model.losses import Criterion
from afkit.train.optimizer import build_optimizer, update_average

METRICS = ["step", "epoch", "learning_rate", "loss_cls", "loss_reg", "loss_total", "grad_norm", "seconds"]
Metrics = list[list[float]]  # one row per step, columns as METRICS


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: str | Path,
    seed: int,
    workers: int = 0,
    resume: bool = True,
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
        on_epoch: called after each epoch with the metrics so far.

    Returns:
        DataFrame with a row per step, columns `METRICS`.

    Raises:
        ValueError: fewer videos than a batch, a checkpoint of another recipe, or a loss that is not finite.
    """
    folder = Path(folder)
    steps_per_epoch = len(dataset) // recipe.optim.batch_size
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(recipe).to(device)
    average = copy.deepcopy(model).eval()  # the running average of the weights
    criterion = Criterion(recipe).to(device)
    first = training_batches(dataset, 0, recipe.optim.batch_size)  # refuses a data set smaller than a batch
    del first
    optimizer, schedule = build_optimizer(model, recipe, steps_per_epoch)
    parts = {
        "model": model, "average": average, "criterion": criterion, "optimizer": optimizer, "schedule": schedule,
    }  # fmt: skip
    state_file = folder / "checkpoints" / "state.pt"
    metrics: Metrics = []
    if resume and state_file.exists():
        metrics = _load_state(state_file, parts, recipe, seed)

    model.train()
    for epoch in range(len(metrics) // steps_per_epoch, recipe.optim.total_epochs):
        for batch in training_batches(dataset, epoch, recipe.optim.batch_size, workers):
            started = time.perf_counter()
            rate = schedule.get_last_lr()[0]
            losses, grad_norm = _step(model, criterion, optimizer, batch, recipe.optim.clip_norm, device)
            update_average(average, model, len(metrics), recipe.optim)
            schedule.step()
            numbers = [losses["cls"].item(), losses["reg"].item(), losses["total"].item(), grad_norm.item()]
            metrics.append([len(metrics), epoch, rate, *numbers, time.perf_counter() - started])
        _save_state(state_file, parts, metrics, recipe, seed)
        table = write_metrics(folder / "metrics.csv", metrics)
        if on_epoch is not None:
            on_epoch(table)

    save_weights(average, folder / "checkpoints" / "ema.safetensors", "ema")
    save_weights(model, folder / "checkpoints" / "raw.safetensors", "raw")
    return write_metrics(folder / "metrics.csv", metrics)


def _step(
    model: ActionFormer,
    criterion: Criterion,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    clip_norm: float,
    device: torch.device,
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """One update of the weights: the losses, and the gradient norm before clipping."""
    optimizer.zero_grad(set_to_none=True)
    losses = criterion(model(batch.features.to(device), batch.mask.to(device)), batch.segments, batch.labels)
    if not losses["total"].isfinite():
        videos = ", ".join(item.video for item in batch.items)
        raise ValueError(
            f"the loss is {losses['total'].item()} on the videos {videos}; check their features, or lower "
            "optim.learning_rate (the last checkpoint is kept)"
        )
    losses["total"].backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), clip_norm if clip_norm > 0 else float("inf"))
    optimizer.step()
    return {name: value.detach() for name, value in losses.items()}, grad_norm


def write_metrics(path: Path, metrics: Metrics) -> pd.DataFrame:
    """Write metrics.csv atomically and return the table."""
    table = pd.DataFrame(metrics, columns=METRICS).astype({"step": int, "epoch": int})
    with atomic_open(path) as file:
        table.to_csv(file, index=False, float_format="%.9g")
    return table


def _save_state(path: Path, parts: dict, metrics: Metrics, recipe: Recipe, seed: int) -> None:
    """Everything that the rest of the training depends on, in one file."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"metrics": metrics, "recipe": recipe.model_dump_json(), "seed": seed, "torch_rng": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state()
    with atomic_open(path) as file:
        torch.save(state, file)


def _load_state(path: Path, parts: dict, recipe: Recipe, seed: int) -> Metrics:
    """Restore all parts from a checkpoint; the metrics up to it."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        same = json.loads(state["recipe"]) == json.loads(recipe.model_dump_json()) and state["seed"] == seed
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is not a readable checkpoint ({error}); delete it to start anew") from None
    if not same:
        raise ValueError(f"{path} is of another recipe or seed; use another run folder, or delete it to start anew")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["torch_rng"])
    if torch.cuda.is_available() and "cuda_rng" in state:
        torch.cuda.set_rng_state(state["cuda_rng"])
    return state["metrics"]
