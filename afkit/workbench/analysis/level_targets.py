"""What each level of the pyramid is asked to learn of one video, to look at."""

import numpy as np
import torch
from torch import Tensor

from afkit.config import Recipe
from afkit.model.actionformer import build_model, padded_length
from afkit.model.targets import assign_targets, pad_actions


def targets_by_level(
    recipe: Recipe, segments: Tensor | None, labels: Tensor | None, steps: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which point of each level learns which action (ActionFormer, section 3.3).

    Args:
        recipe: levels, regression ranges, classes, centre sampling.
        segments: (N, 2) float on the grid; None for a video without annotation.
        labels: (N,) int64; None likewise.
        steps: T, length of the video on the grid; points from there on are padding and left out.

    Returns:
        For each of the L levels: (P_l,) float32 positions on the grid; (P_l,) int64 class, -1 where a point learns
        that there is nothing. Of several classes at one point the first.
    """
    length, device = padded_length(steps, recipe), torch.device("cpu")
    lengths = [length // stride for stride in recipe.model.level_strides]
    points = torch.cat(build_model(recipe).points(lengths, device))  # (P, 4)
    actions = pad_actions([segments], [labels], device)
    classes = assign_targets(points, *actions, recipe.data.num_classes, recipe.loss)[0][0]  # (P, K)
    label = classes.argmax(dim=1).where(classes.any(dim=1), -1)
    position = points[:, 0]
    levels = zip(position.split(lengths), label.split(lengths), strict=True)
    return [(own[own < steps].numpy(), ids[own < steps].numpy()) for own, ids in levels]
