"""The class scores of a recording over time, before segments are made of them."""

import math

import numpy as np
import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.batches import collate
from afkit.data.items import Item, read_finite
from afkit.detect.prediction import Window, padded_steps, plan_windows
from afkit.model.actionformer import padded_length
from afkit.segments import grid_to_sec


@torch.no_grad()
def score_curves(model: nn.Module, recipe: Recipe, item: Item, window_steps: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """How strongly each class is seen at each step of a recording: the best score of all pyramid levels.

    A point of a coarse level stands for the steps to which it is the nearest; masked points stand for none.

    Args:
        item: the whole recording, as of `afkit.data.items.Dataset.unread`.
        window_steps: 0 for the whole recording at once, else windows as of `afkit.detect.prediction.predict`.

    Returns:
        (T,) float64 seconds of the middle of each step; (T, K) float32 scores, after the sigmoid.

    Raises:
        ValueError: a feature file cannot be read or holds what is not finite, or too small windows.
    """
    model.eval()
    device = next(model.parameters()).device
    steps, strides = item.features.shape[1], recipe.model.level_strides
    size, windows = padded_steps(steps, recipe), [Window(0, -math.inf, math.inf)]
    if window_steps:
        size, windows = plan_windows(padded_length(steps, recipe), recipe, window_steps)
    levels = [torch.zeros(-(-steps // stride), recipe.data.num_classes, device=device) for stride in strides]
    for start, own_from, own_to in windows:
        if own_from >= steps:
            break  # the rest is padding
        batch = collate([item._replace(features=read_finite(item, start, start + size))], size)
        out = model(batch.features.to(device), batch.mask.to(device))
        for level, stride, logits, mask, points in zip(levels, strides, out.logits, out.masks, out.points, strict=True):
            position = points[:, 0] + start  # (T_l,) on the grid of the recording
            own = mask[0] & (position >= own_from) & (position < own_to)
            level[(position[own] / stride).long()] = logits[0, own].float().sigmoid()
    best = torch.zeros(steps, recipe.data.num_classes, device=device)  # (T, K)
    step = torch.arange(steps, device=device)
    for level, stride in zip(levels, strides, strict=True):
        nearest = (step + stride // 2) // stride  # of two equally near the later
        best = best.maximum(level[nearest.clamp(max=len(level) - 1)])
    times_sec = grid_to_sec(np.arange(steps, dtype=np.float64), item.fps, item.stride, item.num_frames)
    return times_sec, best.cpu().numpy()
