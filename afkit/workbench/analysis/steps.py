"""How the detections of one recording come about: what each level learns, scores, candidates, what is kept."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.batches import collate
from afkit.data.items import Item
from afkit.detect.decoding import decode_batch
from afkit.detect.prediction import padded_steps, suppress, to_table
from afkit.detect.suppression import Kept
from afkit.model.actionformer import build_model, padded_length
from afkit.model.losses import assign_targets, pad_actions
from afkit.segments import grid_to_sec


class DetectionSteps(NamedTuple):
    """What happens between the features of a recording and its detections."""

    times_sec: list[np.ndarray]  # per level (P_l,) float32: where its points are, in seconds
    scores: list[np.ndarray]  # per level (P_l, K) float32: probability of each class
    candidates: pd.DataFrame  # video, start_sec, end_sec, label, score: decoded from all points
    kept: pd.DataFrame  # the same columns: after suppression


@torch.no_grad()
def detection_steps(model: nn.Module, recipe: Recipe, item: Item) -> DetectionSteps:
    """The steps from a recording to its detections; `kept` is what `detect_items` gives (section 3.4 of ActionFormer).

    The whole recording goes through the network, which is put into eval mode, at once.
    """
    model.eval()
    device = next(model.parameters()).device
    batch = collate([item], padded_steps(item.features.shape[1], recipe))
    out = model(batch.features.to(device), batch.mask.to(device))
    positions = [points[mask[0], 0] for points, mask in zip(out.points, out.masks, strict=True)]
    scores = [logits[0, mask[0]].float().sigmoid() for logits, mask in zip(out.logits, out.masks, strict=True)]
    found = decode_batch(out, recipe)
    rows = Kept(found.segments[None], found.scores[None], found.labels[None], found.offsets[1:])
    return DetectionSteps(
        [grid_to_sec(own, item.fps, item.stride, item.num_frames).cpu().numpy() for own in positions],
        [own.cpu().numpy() for own in scores],
        to_table(rows, [item]),
        to_table(suppress(found, recipe), [item]),
    )


def targets_by_level(
    recipe: Recipe, segments: Tensor | None, labels: Tensor | None, steps: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which point of each level learns which action (ActionFormer, section 3.3).

    Args:
        segments, labels: (N, 2) float on the grid, (N,) int64; None for a video without annotation.
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
