"""Long videos in overlapping windows: the candidates of all of them, as if the video had gone through at once.

Each pyramid point of the video belongs to one window, that in which it lies farthest from the ends at which the window
was cut out, and only there gives candidates. The best per level are chosen over the whole video, so that the number of
windows changes nothing. Neighbours overlap by the receptive field, but by half a window at most, so that hardly a step
goes through the network more than twice. Windows of twice the receptive field therefore give the candidates of the
whole video, up to rounding. Smaller ones give an approximation: what a point would see beyond its window is missing. So
does any window with absolute positions (`model.absolute_position`), which then count from the start of the window, and
with attention to the whole sequence (a number <= 1 in `model.windows`).
"""

import itertools
import math
from typing import NamedTuple

import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.batches import collate
from afkit.data.items import Item, read_finite
from afkit.detect.decoding import Candidates, Level, candidates_of, decode_level
from afkit.model.actionformer import padded_length

WHOLE_STEPS = 16384  # longer recordings go through the network in windows of so many steps at least


class Window(NamedTuple):
    """A part of a video that goes through the network at once."""

    start: int  # its first step, a multiple of the last level's stride
    own_from: float  # its own points p have own_from <= p < own_to on the video's grid
    own_to: float  # see own_from


def receptive_field(recipe: Recipe) -> float:
    """The steps of the sequence that a point's outputs depend on, itself and as many to either side.

    Those of a point of the last level, which sees the farthest: each layer before it adds half its kernel or attention
    window on both sides, times the stride of the level that it reads. Infinite with attention to the whole sequence.
    """
    model = recipe.model
    windows, strides = model.level_windows, [model.scale_factor**level for level in range(model.branch_layers + 1)]
    reach = float(model.embed_layers * (model.embed_kernel // 2))  # steps to one side
    reach += sum(_block_reach(recipe, windows[0], 1, 1) for _ in range(model.stem_layers))
    for window, (stride, out_stride) in zip(windows[1:], itertools.pairwise(strides), strict=True):
        reach += _block_reach(recipe, window, stride, out_stride)
    neck_and_head = (model.neck == "fpn") + model.head_layers * (model.head_kernel // 2)
    return 1 + 2 * (reach + neck_and_head * strides[-1])


def needed_window_steps(steps: int, recipe: Recipe) -> int:
    """The `window_steps` for a recording of so many steps: 0, all at once, up to `WHOLE_STEPS`.

    A longer one takes windows of twice the receptive field, which change nothing, or of `WHOLE_STEPS` where that is
    more or the field is unlimited; memory then does not grow with the recording.
    """
    if steps <= WHOLE_STEPS:
        return 0
    field, stride = receptive_field(recipe), recipe.model.level_strides[-1]
    exact = 2 * math.ceil(field / stride) * stride if math.isfinite(field) else 0
    return max(WHOLE_STEPS, exact, 2 * recipe.model.length_divisor)


def _block_reach(recipe: Recipe, window: int, stride: int, out_stride: int) -> float:
    """Steps to one side that a block of stem or branch adds, from a level of one stride to that of another."""
    if recipe.model.backbone == "conv":
        return stride + out_stride
    if window <= 1:
        return math.inf
    kernel_reach = (recipe.model.scale_factor + 1) // 2 if out_stride > stride else 1
    return kernel_reach * stride + (window // 2) * out_stride


def plan_windows(length: int, recipe: Recipe, window_steps: int) -> tuple[int, list[Window]]:
    """The windows of a padded video of `length` steps, and the steps of each: at most `window_steps`.

    A ValueError where windows are smaller than twice the longest attention window; it names the smallest that are not.

    Examples:
        >>> from afkit.recipes import recipe
        >>> plan_windows(6912, recipe("thumos_i3d"), window_steps=4608)[1]
        [Window(start=0, own_from=-inf, own_to=3456.0), Window(start=2304, own_from=3456.0, own_to=inf)]
    """
    stride, field = recipe.model.level_strides[-1], receptive_field(recipe)
    least, hint = 2 * recipe.model.length_divisor, ""
    size = min(window_steps // stride * stride, length)
    overlap = size // 2 // stride * stride
    if math.isfinite(field):
        wanted_overlap = math.ceil(field / stride) * stride
        overlap = min(overlap, wanted_overlap)
        if 2 * wanted_overlap <= least:
            least = 2 * wanted_overlap
        else:
            hint = f", and to lose nothing at the ends of windows at least {2 * wanted_overlap}"
    if window_steps < least:
        raise ValueError(
            f"window_steps {window_steps} is too small for recipe '{recipe.name}'; give at least {least}{hint}"
        )
    starts = [*range(0, length - size, size - overlap), length - size]
    bounds = [(left + size + right) / 2 for left, right in itertools.pairwise(starts)]  # half-way in each overlap
    return size, list(map(Window, starts, [-math.inf, *bounds], [*bounds, math.inf]))


@torch.no_grad()
def window_candidates(model: nn.Module, recipe: Recipe, item: Item, window_steps: int) -> Candidates:
    """Candidates of one video that goes through the network in windows, before duplicates are suppressed.

    Features that are read when they are sliced (`Dataset.unread`) are read window by window, so that memory grows with
    `window_steps` (see `plan_windows`), not with the video. The model is put into eval mode.
    """
    model.eval()
    device = next(model.parameters()).device
    steps = item.features.shape[1]
    size, windows = plan_windows(padded_length(steps, recipe), recipe, window_steps)
    best: list[Level] = []
    for start, own_from, own_to in windows:
        if own_from >= steps:
            break  # the rest is padding
        batch = collate([item._replace(features=read_finite(item, start, start + size))], size)
        out = model(batch.features.to(device), batch.mask.to(device))
        found = []
        for level in out.levels():
            points = level.points + level.points.new_tensor([start, 0, 0, 0])  # (T, 4) on the video's grid
            own = (points[:, 0] >= own_from) & (points[:, 0] < own_to)  # (T,)
            found.append(decode_level(level._replace(mask=level.mask & own, points=points), recipe.decode))
        if best:
            found = [_best_of(pair, recipe.decode.pre_nms_topk) for pair in zip(best, found, strict=True)]
        best = found
    return candidates_of(best)


def _best_of(parts: tuple[Level, Level], count: int) -> Level:
    """The best of two parts of a level, each (1, n)."""
    segments, scores, labels, keep = (torch.cat(columns, dim=1) for columns in zip(*parts, strict=True))
    scores, index = scores.topk(min(count, scores.shape[1]), dim=1)  # (1, n)
    return Level(segments[:, index[0]], scores, labels[:, index[0]], keep[:, index[0]])
