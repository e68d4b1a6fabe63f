"""Detections of recordings: network, decoding and suppression, and the way back to seconds.

Long ones go through the network in overlapping windows. Each pyramid point of the video belongs to one window, that in
which it lies farthest from the ends at which the window was cut out, and only there gives candidates. The best per
level are chosen over the whole video, so that the number of windows changes nothing. Neighbours overlap by the
receptive field, but by half a window at most. Windows of twice the receptive field therefore give the candidates of the
whole video, up to rounding. Smaller ones give an approximation: what a point would see beyond its window is missing. So
does any window with absolute positions (`model.absolute_position`), which then count from the start of the window, and
with attention to the whole sequence (a number <= 1 in `model.windows`).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.batches import collate, padded_batch_length
from afkit.data.feature_formats import REAL
from afkit.data.features import RawFeatures
from afkit.data.items import Dataset, GridFeatures, Item, read_finite
from afkit.detect.decoding import Candidates, Level, candidates_of, decode_batch, decode_level
from afkit.detect.suppression import Kept, nms_batch
from afkit.model.actionformer import padded_length, padding_alignment
from afkit.model.graphs import with_graphs
from afkit.model.products import arithmetic, usable_precision
from afkit.segments import grid_to_sec

COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]
WHOLE_STEPS = 16384  # longer recordings go through the network in windows of so many steps at least


def predict(
    model: nn.Module,
    recipe: Recipe,
    features: np.ndarray,
    fps: float | None = None,
    duration: float | None = None,
    video: str = "video",
    window_steps: int = 0,
) -> pd.DataFrame:
    """Detections of one recording, of any length.

    Args:
        model: put into eval mode.
        features: (T, C) as on disk; an array, or something that is sliced like one (a memory map, an HDF5 array), or a
            tensor. Real numbers of any type; truth values count as 0 and 1.
        fps: frames per second; None: the recipe's.
        duration: seconds, the end to which detections are clipped; None: not clipped there.
        window_steps: 0 for the whole recording at once; else it goes through the network in windows of so many steps
            and memory is bounded by them. From twice the recipe's `receptive_field` the result
            is that of the whole recording, up to rounding. Below that, and with absolute positions, it comes close.

    Returns:
        DataFrame video, start_sec, end_sec, label (label id), score, by descending score.

    Raises:
        ValueError: features, frame rate, duration or windows that do not fit; it names them.
    """
    features = _real_array(features, video)
    width, shape = sum(recipe.data.input_dims), tuple(features.shape)
    if len(shape) != 2 or shape[1] != width or shape[0] == 0:
        raise ValueError(f"features of '{video}' must be (T, {width}) for recipe '{recipe.name}', not {shape}")
    fps = fps if fps is not None else recipe.data.fps
    if fps is None:
        raise ValueError(f"recipe '{recipe.name}' takes the frame rate from the data; give fps")
    for name, value in (("fps", fps), ("duration", duration)):
        if value is not None and not (isinstance(value, Real) and 0 < value < math.inf):
            raise ValueError(f"{name} of '{video}' must be a number above 0, not {value!r}")
    if recipe.data.stride_frames <= 0 and duration is None:
        raise ValueError(f"recipe '{recipe.name}' has features of fixed length; give the duration in seconds")
    duration = None if duration is None else float(duration)
    grid = GridFeatures(RawFeatures([features], [f"features of '{video}'"], video), recipe.data, fps, duration)
    item = Item(video, grid, None, None, fps, duration, grid.stride, grid.num_frames)
    return detect_in_windows(model, recipe, item, window_steps) if window_steps else detect_items(model, recipe, [item])


def _real_array(features: Any, video: str) -> Any:
    """Features as an array, or as what is sliced like one; a ValueError where they are no real numbers."""
    if isinstance(features, Tensor):
        features = features.detach().cpu()
        features = features.resolve_conj().numpy() if features.is_complex() else features.float().numpy()
    elif not hasattr(features, "dtype"):
        features = np.asarray(features)
    if features.dtype.kind not in REAL:
        raise ValueError(f"features of '{video}' must be real numbers, not of the type {features.dtype}; convert them")
    return features


def predict_dataset(
    model: nn.Module,
    recipe: Recipe,
    dataset: Dataset,
    on_video: Callable[[int], None] | None = None,
    batch_size: int = 1,
    backend: str = "auto",
    window_steps: int = 0,
    precision: str = "fp32",
    cuda_graphs: bool = False,
) -> pd.DataFrame:
    """Detections of every video of a data set (`training=False`), in its order; `window_steps` as of `predict`.

    `batch_size` videos go through the network together, each padded to the longest; with windows each goes alone. The
    model is put into eval mode; `on_video` is told how many videos are done; `precision` and `cuda_graphs` are as of
    `afkit.train.execution.Execution`. A ValueError names features that cannot be read or are not finite, or says that
    too many are missing.
    """
    dataset.check_missing()
    tables = []
    size = 1 if window_steps else batch_size
    device = next(model.parameters()).device.type
    usable = usable_precision(precision, device)
    # a window may end without padding, so that more would be seen
    network = with_graphs(model, recipe) if cuda_graphs and not window_steps else model
    for first in range(0, len(dataset), size):
        items = [dataset.unread(index) for index in range(first, min(first + size, len(dataset)))]
        with arithmetic(usable, device):
            if window_steps:
                tables.append(detect_in_windows(network, recipe, items[0], window_steps, backend))
            else:
                tables.append(detect_items(network, recipe, items, backend))
        if on_video is not None:
            on_video(first + len(items))
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def detect_items(model: nn.Module, recipe: Recipe, items: Sequence[Item], backend: str = "auto") -> pd.DataFrame:
    """Detections of B whole recordings that go through the network together, by falling score in each."""
    model.eval()
    device = next(model.parameters()).device
    lengths = {padded_steps(item.features.shape[1], recipe) for item in items}
    if recipe.model.reads_padding and len(lengths) > 1:  # each must be padded as if it were alone
        alone = [detect_items(model, recipe, [item], backend) for item in items]
        return pd.concat(alone, ignore_index=True)
    read = [item._replace(features=read_finite(item)) for item in items]
    batch = collate(read, max(lengths))
    out = model(batch.features.to(device), batch.mask.to(device)).float()  # whatever it computed in
    candidates = decode_batch(out, recipe)
    return to_table(suppress(candidates, recipe, backend), items)


def padded_steps(longest: int, recipe: Recipe) -> int:
    """Steps that the network sees for items of up to `longest` steps.

    Those that fit into max_seq_len are padded less than by `padded_length`, which changes results by less than 1e-6.
    """
    if longest > recipe.data.max_seq_len:
        return padded_length(longest, recipe)
    return padded_batch_length(longest, recipe.data.max_seq_len, padding_alignment(recipe))


def detect_in_windows(
    model: nn.Module, recipe: Recipe, item: Item, window_steps: int, backend: str = "auto"
) -> pd.DataFrame:
    """Detections of one item that goes through the network in windows; duplicates are suppressed once, over all."""
    return to_table(suppress(window_candidates(model, recipe, item, window_steps), recipe, backend), [item])


class Window(NamedTuple):
    """A part of a video that goes through the network at once."""

    start: int  # its first step, a multiple of the last level's stride
    own_from: float  # its own points p have own_from <= p < own_to on the video's grid
    own_to: float  # see own_from


def receptive_field(recipe: Recipe) -> float:
    """The steps of the sequence that a point's outputs depend on, itself and as many to either side.

    Those of a point of the last level: each layer before it adds half its kernel or attention window on both sides,
    times the stride of the level that it reads. Infinite with attention to the whole sequence, means over it, or
    positions counted from its beginning.
    """
    model = recipe.model
    if model.reads_padding or model.absolute_position:
        return math.inf
    windows, strides = model.level_windows, model.strides
    reach = float(model.embed_layers * (model.embed_kernel // 2))  # steps to one side
    reach += sum(_block_reach(recipe, windows[0], 1, 1) for _ in range(model.stem_layers))
    for window, (stride, out_stride) in zip(windows[1:], itertools.pairwise(strides), strict=True):
        reach += _block_reach(recipe, window, stride, out_stride)
    neck_and_head = (model.neck == "fpn") + model.head_layers * (model.widest_head_kernel // 2)
    neck_and_head += model.bins if model.head == "trident" else 0
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
    if recipe.model.backbone == "maxpool":
        return stride
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

    Unread features are read window by window, so that memory grows with `window_steps` (see `plan_windows`), not with
    the video. The model is put into eval mode.
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
        out = model(batch.features.to(device), batch.mask.to(device)).float()
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


def to_table(kept: Kept, items: Sequence[Item]) -> pd.DataFrame:
    """What was kept of B items, in seconds: video, start_sec, end_sec, label, score, within their durations."""
    kept = Kept(*(rows.cpu() for rows in kept))
    fps, stride, num_frames = (
        torch.tensor([getattr(item, name) for item in items])[:, None, None]  # (B, 1, 1)
        for name in ("fps", "stride", "num_frames")
    )
    last_sec = torch.tensor([math.inf if item.duration is None else item.duration for item in items])[:, None, None]
    seconds = grid_to_sec(kept.segments, fps, stride, num_frames).clamp(0).minimum(last_sec)  # (B, M, 2)
    is_row = torch.arange(kept.scores.shape[1]) < kept.counts[:, None]  # (B, M)
    names = np.array([item.video for item in items], object)
    return pd.DataFrame(
        {
            "video": pd.Series(names.repeat(kept.counts.numpy()), dtype="str"),
            "start_sec": seconds[..., 0][is_row].double().numpy(),
            "end_sec": seconds[..., 1][is_row].double().numpy(),
            "label": kept.labels[is_row].numpy(),
            "score": kept.scores[is_row].double().numpy(),
        },
        columns=COLUMNS,
    )


def suppress(candidates: Candidates, recipe: Recipe, backend: str = "auto") -> Kept:
    """NMS with a recipe's settings, of all videos together, still on the grids; all by falling score without NMS."""
    config = recipe.decode
    # without NMS the original keeps every candidate
    every = max(int(candidates.offsets.diff().max()), 1) if config.nms == "none" else config.max_segments
    return nms_batch(
        *candidates,
        method=config.nms,
        multiclass=config.multiclass,
        iou_threshold=config.iou_threshold,
        sigma=config.sigma,
        min_score=config.min_score,
        max_segments=every,
        voting_threshold=config.voting_threshold,
        voting_weight=config.voting_weight,
        backend=backend,
    )
