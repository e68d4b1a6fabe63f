"""Detections of recordings: network, decoding and suppression, and the way back to seconds."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.annotations import UNKNOWN_DURATION_SEC
from afkit.data.batches import collate
from afkit.data.items import Dataset, Item, on_grid
from afkit.detect.decoding import decode
from afkit.detect.suppression import nms
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
    on_grid_features, stride, num_frames = on_grid(features, recipe.data, fps, end_sec)
    item = Item(video, on_grid_features, None, None, fps, end_sec, stride, num_frames)
    return detect_item(model, recipe, item)


def predict_dataset(
    model: nn.Module, recipe: Recipe, dataset: Dataset, on_video: Callable[[int], None] | None = None
) -> pd.DataFrame:
    """Detections of every video of a data set, one video at a time.

    Args:
        model: a network built from the recipe; put into eval mode.
        recipe: decoding and NMS.
        dataset: with `training=False`.
        on_video: called with the number of videos done.

    Returns:
        DataFrame video, start_sec, end_sec, label, score; videos in the data set's order.
    """
    tables = []
    for index in range(len(dataset)):
        tables.append(detect_item(model, recipe, dataset[index]))
        if on_video is not None:
            on_video(index + 1)
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def detect_item(model: nn.Module, recipe: Recipe, item: Item) -> pd.DataFrame:
    """Detections of one item, whose grid gives the way back to seconds."""
    model.eval()
    device = next(model.parameters()).device
    batch = collate([item], padded_length(item.features.shape[1], recipe))
    (candidates,) = decode(model(batch.features.to(device), batch.mask.to(device)), recipe)
    segments, scores, labels = (tensor.cpu() for tensor in suppress(candidates, recipe))
    seconds = grid_to_sec(segments, item.fps, item.stride, item.num_frames).clamp(0, item.duration)
    return pd.DataFrame(
        {
            "video": pd.Series([item.video] * len(scores), dtype="str"),
            "start_sec": seconds[:, 0].double().numpy(),
            "end_sec": seconds[:, 1].double().numpy(),
            "label": labels.numpy(),
            "score": scores.double().numpy(),
        },
        columns=COLUMNS,
    )


def suppress(candidates: tuple[Tensor, Tensor, Tensor], recipe: Recipe) -> tuple[Tensor, Tensor, Tensor]:
    """NMS with a recipe's settings: segments (N, 2), scores (N,), labels (N,) -> the kept ones."""
    config = recipe.decode
    return nms(
        *candidates,
        method=config.nms,
        multiclass=config.multiclass,
        iou_threshold=config.iou_threshold,
        sigma=config.sigma,
        min_score=config.min_score,
        # without NMS the original keeps every candidate
        max_segments=max(len(candidates[1]), 1) if config.nms == "none" else config.max_segments,
        voting_threshold=config.voting_threshold,
    )
