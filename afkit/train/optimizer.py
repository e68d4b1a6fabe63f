"""The optimiser with its two parameter groups, the learning-rate schedule, and the average of the weights."""

import math

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from afkit.config import OptimConfig, Recipe

FINAL_RATE = 1e-8  # at the end of the cosine that follows a warm-up


def build_optimizer(model: nn.Module, recipe: Recipe, steps_per_epoch: int) -> tuple[Optimizer, LambdaLR]:
    """Optimiser and schedule of a recipe; call `schedule.step()` after every iteration.

    Weight decay is applied to convolution weights only: not to biases, norms, scales and relative positions. With a
    warm-up the first iteration has rate 0.

    Args:
        model: the network.
        recipe: its `optim` section.
        steps_per_epoch: iterations per epoch, at least 1.

    Returns:
        the optimiser (two groups, parameters in the order of their sorted names) and the schedule.

    Raises:
        ValueError: no iteration per epoch.
    """
    if steps_per_epoch < 1:
        raise ValueError("steps_per_epoch must be at least 1")
    config = recipe.optim
    parameters = dict(model.named_parameters())
    convolutions = {name for name, module in model.named_modules() if isinstance(module, nn.Conv1d)}
    decayed = sorted(name for name in parameters if name.removesuffix(".weight") in convolutions)
    others = sorted(parameters.keys() - set(decayed))
    groups = [
        {"params": [parameters[name] for name in decayed], "weight_decay": config.weight_decay},
        {"params": [parameters[name] for name in others], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        optimizer: Optimizer = SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)
    else:
        optimizer = AdamW(groups, lr=config.learning_rate, fused=True)
    return optimizer, LambdaLR(optimizer, lambda step: rate_factor(step, config, steps_per_epoch))


def rate_factor(step: int, config: OptimConfig, steps_per_epoch: int) -> float:
    """The learning rate of an iteration, relative to the base rate.

    Args:
        step: iteration, from 0.
        config: schedule.
        steps_per_epoch: iterations per epoch.

    Returns:
        Linear from 0 to 1 over the warm-up (1 at its last step), then cosine to 1e-8, or falling by `schedule_gamma`
        at `schedule_epochs`; without a warm-up the cosine ends at 0. After its end (`extra_epochs`) it rises again, as
        that of the original does.

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
    floor = FINAL_RATE / config.learning_rate if warmup else 0.0
    progress = (step - warmup) / (config.epochs * steps_per_epoch)
    return floor + 0.5 * (1 - floor) * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def update_average(averaged: list[Tensor], current: list[Tensor], step: int, config: OptimConfig) -> None:
    """Move averaged weights one step towards the current ones (exponential moving average over all state entries).

    With `ema_warmup` the decay is `min(ema_decay, (1 + step) / (10 + step))`: it starts low, so that a short
    training does not keep its random start; without it, it is `ema_decay` from the first step, as published.

    Args:
        averaged: state entries of the average, updated in place.
        current: those of the trained network, in the same order.
        step: iterations done before this one.
        config: the `optim` section.
    """
    decay = config.ema_decay
    if config.ema_warmup:
        decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(averaged, current, 1 - decay)
