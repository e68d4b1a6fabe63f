"""Everything that the rest of a training depends on: made new, saved, and loaded again."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from afkit.config import Recipe
from afkit.files import atomic_open
from afkit.model.actionformer import ActionFormer, build_model
from afkit.model.checkpoints import fit_weights, original_weights, read_original
from afkit.model.losses import Criterion
from afkit.train.optimizer import build_optimizer, rate_factor

PARTS = ("model", "average", "criterion", "optimizer", "schedule")


@dataclass
class TrainingState:
    """A training between two steps."""

    model: ActionFormer
    average: ActionFormer  # running average of the model's weights
    criterion: Criterion
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    step: int = 0  # steps done
    metrics: list[list[float]] = field(default_factory=list)  # a row per step, columns as in afkit.train.loop


def new_state(recipe: Recipe, steps_per_epoch: int, seed: int, device: torch.device) -> TrainingState:
    """A training before its first step, with random weights from the seed.

    Args:
        recipe: all settings.
        steps_per_epoch: iterations per epoch, for the schedule.
        seed: also of everything random in the training itself, but for order and crops of the data.
        device: where to train.
    """
    torch.manual_seed(seed)
    model = build_model(recipe).to(device)
    average = copy.deepcopy(model).eval()
    optimizer, schedule = build_optimizer(model, recipe, steps_per_epoch)
    return TrainingState(model, average, Criterion(recipe).to(device), optimizer, schedule)


def save_state(path: str | Path, state: TrainingState, recipe: Recipe, seed: int) -> None:
    """Write a checkpoint to resume from, atomically: all parts, the metrics so far, and the random numbers' state."""
    content = {name: getattr(state, name).state_dict() for name in PARTS}
    content |= {"step": state.step, "metrics": state.metrics, "recipe": recipe.model_dump_json(), "seed": seed}
    content["torch_rng"] = torch.get_rng_state()
    if torch.cuda.is_available():
        content["cuda_rng"] = torch.cuda.get_rng_state()
    with atomic_open(path) as file:
        torch.save(content, file)


def load_state(path: str | Path, state: TrainingState, recipe: Recipe, seed: int) -> None:
    """Restore a checkpoint of `save_state` into a new training.

    Raises:
        ValueError: the file cannot be read, or is of another recipe or seed.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        same = json.loads(content["recipe"]) == json.loads(recipe.model_dump_json()) and content["seed"] == seed
        lacking = [name for name in (*PARTS, "step", "metrics", "torch_rng") if name not in content]
        if lacking:
            raise KeyError(f"it lacks {lacking[0]}")
    except Exception as error:  # damaged files raise almost anything
        reason = str(error).split("\n")[0]
        raise ValueError(f"{path} is not a readable checkpoint ({reason}); delete it to start anew") from None
    if not same:
        raise ValueError(f"{path} is of another recipe or seed; use another run folder, or delete it to start anew")
    for name in PARTS:
        getattr(state, name).load_state_dict(content[name])
    state.step, state.metrics = content["step"], content["metrics"]
    torch.set_rng_state(content["torch_rng"])
    if torch.cuda.is_available() and "cuda_rng" in content:
        torch.cuda.set_rng_state(content["cuda_rng"])


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


def _checked_moments(moments: dict, state: TrainingState) -> dict:
    """The optimiser's entries by parameter number; each tensor must have its parameter's shape."""
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    for number, entry in moments.items():
        for name, value in entry.items():
            if isinstance(value, torch.Tensor) and value.dim() and value.shape != parameters[number].shape:
                raise ValueError(f"{name} of parameter {number} is {tuple(value.shape)}")
    return moments
