"""Everything that the rest of a training depends on: networks, optimiser, schedule, and the numbers of its steps."""

import copy
import math
import os
import random
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from afkit.config import OptimConfig, Recipe
from afkit.files import atomic_open
from afkit.model.actionformer import ActionFormer, build_model
from afkit.model.checkpoints import fit_weights, original_weights, read_original
from afkit.model.losses import Criterion
from afkit.train.distributed import data_parallel, gather_objects, sum_over_ranks, world

METRICS = ["step", "epoch", "learning_rate", "loss_cls", "loss_reg", "loss_total", "grad_norm", "seconds"]


class Metrics:
    """Rows of `METRICS`, in order of their steps; 64 bytes each, so that 100 000 steps take 6 MB."""

    def __init__(self) -> None:
        self._numbers = array("d")

    def __len__(self) -> int:
        return len(self._numbers) // len(METRICS)

    def add(self, row: Sequence[float]) -> None:
        self._numbers.extend(row)

    def rows(self, first: int = 0) -> np.ndarray:
        return np.array(self._numbers[first * len(METRICS) :], np.float64).reshape(-1, len(METRICS))

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows(), columns=METRICS).astype({"step": int, "epoch": int})

    def state_dict(self) -> Tensor:
        """(N, 8) float64, for a checkpoint."""
        return torch.from_numpy(self.rows())

    def load_state_dict(self, rows: Tensor) -> None:
        self._numbers = array("d", rows.double().contiguous().numpy().tobytes())


class MetricsFile:
    """metrics.csv: written anew from what a training has so far; it follows the metrics at each `flush`."""

    def __init__(self, path: Path, metrics: Metrics):
        self._metrics, self._written = metrics, len(metrics)
        with atomic_open(path) as file:
            file.write((",".join(METRICS) + "\n" + _as_text(metrics.rows())).encode())
        self._file = path.open("ab", buffering=0)  # so that readers find whole lines

    def flush(self) -> None:
        lines = _as_text(self._metrics.rows(self._written)).encode()
        self._written = len(self._metrics)
        while lines:  # one write, unless the disk is nearly full
            lines = lines[self._file.write(lines) :]

    def close(self) -> None:
        """Append what is lacking, and make sure that it is on the disk."""
        try:
            self.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _as_text(rows: np.ndarray) -> str:
    lines = (f"{step:.0f},{epoch:.0f},{','.join(f'{x:.9g}' for x in rest)}\n" for step, epoch, *rest in rows.tolist())
    return "".join(lines)


@dataclass
class TrainingState:
    """A training between two steps. The weights are only ever changed in place."""

    model: ActionFormer  # as it is trained
    average: ActionFormer  # running average of the model's weights
    criterion: Criterion  # holds the loss normaliser
    optimizer: torch.optim.Optimizer  # with its moments
    schedule: torch.optim.lr_scheduler.LambdaLR  # of the learning rate
    late: bool = False  # whether the numbers of a step are read after the next one has begun, as on a GPU
    step: int = 0  # steps done
    metrics: Metrics = field(default_factory=Metrics)  # of the steps so far
    validation: list[list[float]] = field(default_factory=list)  # [epoch, average mAP] of each evaluation

    network: nn.Module = field(init=False)  # what is called in training: the model, or what shares its gradients

    def __post_init__(self) -> None:  # listed once, since walking over the modules takes milliseconds
        self.network = self.model
        self.parameters = list(self.model.parameters())
        self.current, self.averaged = (list(part.state_dict().values()) for part in (self.model, self.average))
        self.rounds = rounds_of_averaging(self.average, self.model)

    def share_gradients(self) -> None:
        if world()[1] > 1:
            self.network = data_parallel(self.model)
            self.criterion.sum_over_parts = sum_over_ranks
            self.late = True  # so that a loss that is not finite is found by all of them at the same step

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.parameters[0].device


def new_state(recipe: Recipe, steps_per_epoch: int, seed: int, device: torch.device) -> TrainingState:
    """A training before its first step, with random weights from the seed.

    The seed is also that of everything random in the training itself, but for order and crops of the data; each of
    several processes draws its own random numbers after the weights, by seed and rank.
    """
    seed_random(seed)
    model = build_model(recipe).to(device)
    average = copy.deepcopy(model).eval()
    optimizer, schedule = build_optimizer(model, recipe, steps_per_epoch)
    criterion = Criterion(recipe).to(device)
    if world()[1] > 1:
        seed_rank(seed)
    return TrainingState(model, average, criterion, optimizer, schedule, late=device.type == "cuda")


def seed_random(seed: int) -> None:
    """Seed the random numbers of torch, NumPy and Python."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


def seed_rank(seed: int, step: int = 0) -> None:
    """Random numbers of this process's own, so that it does not drop the same paths as the others."""
    mixed = np.random.SeedSequence([seed % 2**64, world()[0], step]).generate_state(1)
    seed_random(int(mixed[0]))


def random_state() -> dict[str, Any]:
    """Where the random numbers of torch, the GPU, NumPy and Python stand, in values that `torch.load` reads safely."""
    _, keys, *rest = np.random.get_state()  # noqa: NPY002
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        "python": random.getstate(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def gather_random_states() -> list[dict[str, Any]]:
    """The `random_state` of each process, by rank; all must call it."""
    states = gather_objects(random_state())
    for state in states:  # which have come as JSON
        version, internal, gauss = state["python"]
        state["python"] = version, tuple(internal), gauss
        state["numpy"][0] = torch.as_tensor(state["numpy"][0], dtype=torch.int64)
        state |= {name: torch.as_tensor(state[name], dtype=torch.uint8) for name in ("torch", "cuda") if name in state}
    return states


def set_random_state(state: dict[str, Any]) -> None:
    """Go back to what `random_state` gave."""
    keys, *rest = state["numpy"]
    torch.set_rng_state(state["torch"])
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(state["python"])
    if torch.cuda.is_available() and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])


def load_original(path: str | Path, state: TrainingState, recipe: Recipe, steps_per_epoch: int) -> None:
    """Restore a checkpoint of the original into a new training: weights, their average, moments, schedule.

    The original numbers the optimiser's parameters by their sorted names, as we do. Its checkpoints do not hold the
    loss normaliser, which starts anew; learning rate and weight decay are the recipe's. What does not fit is a
    ValueError.
    """
    content = read_original(path)
    fit_weights(state.model, original_weights(content, "raw", path), path)
    fit_weights(state.average, original_weights(content, "ema", path), path)
    moments = state.optimizer.state_dict()
    try:
        moments["state"] = _checked_moments(content["optimizer"]["state"], state)
        state.step = int(content["scheduler"]["last_epoch"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} has no usable optimizer and scheduler ({error}); load only its weights") from None
    state.optimizer.load_state_dict(moments)
    schedule = state.schedule.state_dict()
    state.schedule.load_state_dict(schedule | {"last_epoch": state.step, "_step_count": state.step + 1})
    rate = recipe.optim.learning_rate * rate_factor(state.step, recipe.optim, steps_per_epoch)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.schedule._last_lr = [rate] * len(state.optimizer.param_groups)


def _checked_moments(moments: dict[int, dict[str, Any]], state: TrainingState) -> dict[int, dict[str, Any]]:
    """The optimiser's entries by parameter number; a ValueError where a tensor has not its parameter's shape."""
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    for number, entry in moments.items():
        for name, value in entry.items():
            if isinstance(value, Tensor) and value.dim() and value.shape != parameters[number].shape:
                raise ValueError(f"{name} of parameter {number} is {tuple(value.shape)}")
    return moments


def build_optimizer(model: nn.Module, recipe: Recipe, steps_per_epoch: int) -> tuple[Optimizer, LambdaLR]:
    """Optimiser and schedule of a recipe; call `schedule.step()` after every iteration.

    The optimiser has two groups, parameters in the order of their sorted names: weight decay is applied to convolution
    weights only, not to biases, norms, scales and relative positions. With a warm-up the first iteration has rate 0.
    """
    if steps_per_epoch < 1:
        raise ValueError("steps_per_epoch must be at least 1")
    config = recipe.optim
    convolutions = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Conv1d)}
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": config.weight_decay},
        {"params": [], "weight_decay": 0.0},
    ]
    for name, parameter in sorted(model.named_parameters()):
        groups[name not in convolutions]["params"].append(parameter)
    if config.optimizer == "sgd":
        optimizer: Optimizer = SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)
    else:
        optimizer = AdamW(groups, lr=config.learning_rate, fused=True)
    return optimizer, LambdaLR(optimizer, lambda step: rate_factor(step, config, steps_per_epoch))


def rate_factor(step: int, config: OptimConfig, steps_per_epoch: int) -> float:
    """The learning rate of an iteration, from 0, relative to the base rate.

    Linear from 0 to 1 over the warm-up (1 at its last step), then cosine to `final_rate`, or falling by
    `schedule_gamma` at `schedule_epochs`. After its end (`extra_epochs`) it rises again, as that of the original does.

    Examples:
        >>> config = OptimConfig(warmup_epochs=1, epochs=1)
        >>> [round(rate_factor(step, config, steps_per_epoch=4), 3) for step in range(8)]
        [0.0, 0.333, 0.667, 1.0, 1.0, 0.854, 0.5, 0.147]
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return step / max(warmup - 1, 1)
    if config.schedule == "multistep":
        passed = sum(step - warmup >= epoch * steps_per_epoch for epoch in config.schedule_epochs)
        return config.schedule_gamma**passed
    final_rate = config.final_rate if config.final_rate is not None else 1e-8 * bool(warmup)
    floor = final_rate / config.learning_rate
    progress = (step - warmup) / (config.epochs * steps_per_epoch)
    return floor + 0.5 * (1 - floor) * (1 + math.cos(math.pi * progress))


def rounds_of_averaging(average: nn.Module, model: nn.Module) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Averaged and current tensors that `update_average` moves together; all but shared ones stand in the first round.

    A norm that levels share has a name for each of them in the state, over which the originals average: it is moved
    once a name, thus several times a step.
    """
    rounds: list[tuple[list[Tensor], list[Tensor]]] = []
    names: Counter[int] = Counter()
    for averaged, current in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        before = names[averaged.data_ptr()]
        names[averaged.data_ptr()] += 1
        if before == len(rounds):
            rounds.append(([], []))
        rounds[before][0].append(averaged)
        rounds[before][1].append(current)
    return rounds


@torch.no_grad()
def update_average(averaged: list[Tensor], current: list[Tensor], step: int, config: OptimConfig) -> None:
    """Move averaged weights, in place, one step towards the current ones (moving average over all state entries).

    With `ema_warmup` the decay starts low, so that a short training does not keep its random start.
    """
    decay = config.ema_decay
    if config.ema_warmup:
        decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(averaged, current, 1 - decay)
