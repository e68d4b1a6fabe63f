"""Everything that the rest of a training depends on, made new or taken from a checkpoint of the original."""

import copy
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.model.actionformer import ActionFormer, build_model
from afkit.model.checkpoints import fit_weights, original_weights, read_original
from afkit.model.losses import Criterion
from afkit.train.distributed import data_parallel, gather_objects, sum_over_ranks, world
from afkit.train.metrics import Metrics
from afkit.train.optimizer import build_optimizer, rate_factor


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

    def share_gradients(self) -> None:
        """Train together with the other processes, if there are any."""
        if world()[1] > 1:
            self.network = data_parallel(self.model)
            self.criterion.sum_over_parts = sum_over_ranks
            self.late = True  # so that a loss that is not finite is found by all of them at the same step

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.current[0].device


def new_state(recipe: Recipe, steps_per_epoch: int, seed: int, device: torch.device) -> TrainingState:
    """A training before its first step, with random weights from the seed.

    Args:
        recipe: all settings.
        steps_per_epoch: iterations per epoch, for the schedule.
        seed: also of everything random in the training itself, but for order and crops of the data; each of several
            processes draws its own random numbers after the weights, by seed and rank.
        device: where to train.
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
    """Random numbers of this process's own, so that it does not drop the same paths as the others.

    Args:
        seed: of the run.
        step: at which the training begins or goes on.
    """
    mixed = np.random.SeedSequence([seed % 2**64, world()[0], step]).generate_state(1)
    seed_random(int(mixed[0]))


def random_state() -> dict[str, Any]:
    """Where the random numbers of torch, the GPU, NumPy and Python stand, in values that `torch.load` reads safely."""
    drawn = np.random.get_state(legacy=False)  # noqa: NPY002
    keys, position = drawn["state"]["key"], drawn["state"]["pos"]
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(keys.astype(np.int64)), position, drawn["has_gauss"], drawn["gauss"]],
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
    loss normaliser, which starts anew; learning rate and weight decay are the recipe's.

    Args:
        path: a .pth.tar of the original.
        state: a new training, changed in place.
        recipe: of the network and the schedule.
        steps_per_epoch: iterations per epoch.

    Raises:
        ValueError: not such a checkpoint, or one of another architecture; the first unfit name is given.
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
    """The optimiser's entries by parameter number; each tensor must have its parameter's shape."""
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    for number, entry in moments.items():
        for name, value in entry.items():
            if isinstance(value, Tensor) and value.dim() and value.shape != parameters[number].shape:
                raise ValueError(f"{name} of parameter {number} is {tuple(value.shape)}")
    return moments
