"""Detections of recordings: network, decoding and suppression, and the way back to seconds."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.annotations import UNKNOWN_DURATION_SEC
from afkit.data.batches import collate
from afkit.data.features import RawFeatures
from afkit.data.items import Dataset, GridFeatures, Item
from afkit.detect.decoding import Candidates, decode_batch
from afkit.detect.suppression import Kept, nms_batch
from afkit.model.actionformer import padded_length
from afkit.segments import grid_to_sec

COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]


def predict(
    model: nn.Module,
    recipe: Recipe,
    features: np.ndarray,
    fps: float | None = None,
    duration: float | None = None,
    video: str = "video",
) -> pd.DataFrame:
    """Detections of one recording.

    Args:
        model: a network built from the recipe; put into eval mode.
        recipe: time grid, decoding and NMS.
        features: (T, C) as on disk.
        fps: frames per second; None: the recipe's.
        duration: seconds, the end to which detections are clipped; None: not clipped there.
        video: id for the result.

    Returns:
        DataFrame video, start_sec, end_sec, label (label id), score, by descending score.

    Raises:
        ValueError: features of another width, or a frame rate or duration that is needed and not given.
    """
    features = np.asarray(features, np.float32)
    width = sum(recipe.data.input_dims)
    if features.ndim != 2 or features.shape[1] != width or len(features) == 0:
        raise ValueError(f"features of '{video}' must be (T, {width}) for recipe '{recipe.name}', not {features.shape}")
    fps = fps if fps is not None else recipe.data.fps
    if fps is None:
        raise ValueError(f"recipe '{recipe.name}' takes the frame rate from the data; give fps")
    for name, value in (("fps", fps), ("duration", duration)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} of '{video}' must be a number above 0, not {value}")
    if recipe.data.stride_frames <= 0 and duration is None:
        raise ValueError(f"recipe '{recipe.name}' has features of fixed length; give the duration in seconds")
    end_sec = UNKNOWN_DURATION_SEC if duration is None else float(duration)
    grid = GridFeatures(RawFeatures([features], ["features"], video), recipe.data, fps, end_sec)
    item = Item(video, grid[:, :], None, None, fps, end_sec, grid.stride, grid.num_frames)
    return detect_items(model, recipe, [item])


def predict_dataset(
    model: nn.Module,
    recipe: Recipe,
    dataset: Dataset,
    on_video: Callable[[int], None] | None = None,
    batch_size: int = 1,
    backend: str = "auto",
) -> pd.DataFrame:
    """Detections of every video of a data set.

    Args:
        model: a network built from the recipe; put into eval mode.
        recipe: decoding and NMS.
        dataset: with `training=False`.
        on_video: called with the number of videos done.
        batch_size: videos that go through the network together, each padded to the longest of them.
        backend: of NMS, as of `afkit.nms`.

    Returns:
        DataFrame video, start_sec, end_sec, label, score; videos in the data set's order.
    """
    tables = []
    for first in range(0, len(dataset), batch_size):
        items = [dataset[index] for index in range(first, min(first + batch_size, len(dataset)))]
        tables.append(detect_items(model, recipe, items, backend))
        if on_video is not None:
            on_video(first + len(items))
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def detect_items(model: nn.Module, recipe: Recipe, items: Sequence[Item], backend: str = "auto") -> pd.DataFrame:
    """Detections of some items together; each item's grid gives the way back to seconds."""
    model.eval()
    device = next(model.parameters()).device
    batch = collate(items, max(padded_length(item.features.shape[1], recipe) for item in items))
    candidates = decode_batch(model(batch.features.to(device), batch.mask.to(device)), recipe)
    kept = Kept(*(rows.cpu() for rows in suppress(candidates, recipe, backend)))
    fps, stride, num_frames, duration = (
        torch.tensor([getattr(item, name) for item in items])[:, None, None]  # (B, 1, 1)
        for name in ("fps", "stride", "num_frames", "duration")
    )
    seconds = grid_to_sec(kept.segments, fps, stride, num_frames).clamp(0).minimum(duration)  # (B, M, 2)
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
    """NMS with a recipe's settings, of all videos together."""
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
        backend=backend,
    )
