"""Detections of recordings: network, decoding and suppression, and the way back to seconds."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.batches import collate, padded_batch_length
from afkit.data.feature_formats import REAL
from afkit.data.features import RawFeatures
from afkit.data.items import Dataset, GridFeatures, Item, read_finite
from afkit.detect.decoding import Candidates, decode_batch
from afkit.detect.suppression import Kept, nms_batch
from afkit.detect.windows import window_candidates
from afkit.model.actionformer import padded_length, padding_alignment
from afkit.segments import grid_to_sec

COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]


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
            and memory is bounded by them. From twice the recipe's `afkit.detect.windows.receptive_field` the result
            is that of the whole recording, up to rounding. Below that, and with absolute positions, it comes close.

    Returns:
        DataFrame video, start_sec, end_sec, label (label id), score, by descending score.

    Raises:
        ValueError: features of another width or of no real numbers, one that is NaN, infinite or beyond float32, a
            frame rate or duration that is needed and not given, or too small windows.
    """
    features = _real_array(features, video)
    width, shape = sum(recipe.data.input_dims), tuple(features.shape)
    if len(shape) != 2 or shape[1] != width or shape[0] == 0:
        raise ValueError(f"features of '{video}' must be (T, {width}) for recipe '{recipe.name}', not {shape}")
    fps = fps if fps is not None else recipe.data.fps
    if fps is None:
        raise ValueError(f"recipe '{recipe.name}' takes the frame rate from the data; give fps")
    for name, value in (("fps", fps), ("duration", duration)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} of '{video}' must be a number above 0, not {value}")
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
) -> pd.DataFrame:
    """Detections of every video of a data set.

    Args:
        model: put into eval mode.
        dataset: with `training=False`; its videos come in its order.
        on_video: told how many videos are done.
        batch_size: videos that go through the network together, each padded to the longest of them.
        window_steps: as of `predict`; each video then goes through alone, and is read window by window.

    Raises:
        ValueError: a feature file cannot be read or holds what is not finite, too many are missing, or too small
            windows.
    """
    dataset.check_missing()
    tables = []
    size = 1 if window_steps else batch_size
    for first in range(0, len(dataset), size):
        items = [dataset.unread(index) for index in range(first, min(first + size, len(dataset)))]
        if window_steps:
            tables.append(detect_in_windows(model, recipe, items[0], window_steps, backend))
        else:
            tables.append(detect_items(model, recipe, items, backend))
        if on_video is not None:
            on_video(first + len(items))
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def detect_items(model: nn.Module, recipe: Recipe, items: Sequence[Item], backend: str = "auto") -> pd.DataFrame:
    """Detections of B whole recordings that go through the network together, by falling score in each.

    The model is put into eval mode; a ValueError names features that are not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    read = [item._replace(features=read_finite(item)) for item in items]
    batch = collate(read, padded_steps(max(item.features.shape[1] for item in items), recipe))
    candidates = decode_batch(model(batch.features.to(device), batch.mask.to(device)), recipe)
    return to_table(suppress(candidates, recipe, backend), items)


def padded_steps(longest: int, recipe: Recipe) -> int:
    """Steps that the network sees for items of up to `longest` steps.

    Those that fit into max_seq_len are padded less than `padded_length` does, without the network noticing (below
    1e-6); longer ones as the original pads them.
    """
    if longest > recipe.data.max_seq_len:
        return padded_length(longest, recipe)
    return padded_batch_length(longest, recipe.data.max_seq_len, padding_alignment(recipe))


def detect_in_windows(
    model: nn.Module, recipe: Recipe, item: Item, window_steps: int, backend: str = "auto"
) -> pd.DataFrame:
    """Detections of one item that goes through the network in windows; duplicates are suppressed once, over all."""
    return to_table(suppress(window_candidates(model, recipe, item, window_steps), recipe, backend), [item])


def to_table(kept: Kept, items: Sequence[Item]) -> pd.DataFrame:
    """What was kept of B items, in seconds: video, start_sec, end_sec, label, score.

    Segments end within their recordings, as far as it is known how long these last.
    """
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
