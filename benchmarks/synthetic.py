"""Synthetic videos of the published recipes' sizes, the same in every run, and those recipes made tiny for a trial."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from afkit.config import Recipe
from afkit.data.batches import Batch, collate
from afkit.data.items import Item
from afkit.recipes import recipe as published

FPS = 30.0
ACTIONS = {
    "thumos": 10,
    "anet": 10,
    "epic": 100,
    "ego4d": 15,
    "hapt": 27,
    "hacs": 10,
    "multithumos": 30,
}  # per thousand steps, roughly as in the data sets
TINY_WINDOWS = {"thumos": 7, "anet": [7, 7, 7, 7, 7, -1], "epic": 5, "ego4d": 3, "hapt": 9}  # of attention
TINY_LENGTHS = {
    "thumos": 192,
    "anet": 96,
    "epic": 128,
    "ego4d": 256,
    "hapt": 256,
    "hacs": 96,
    "multithumos": 192,
}  # M, what the plain attention can divide


def sized(name: str, size: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A published recipe, "full" or "tiny": the same architecture with few channels, steps and classes."""
    full = published(name, overrides)
    if size == "full":
        return full
    data_set, heads = data_set_of(name), min(full.model.heads, 4)
    attends = full.model.backbone == "transformer"
    changes = {
        "data.input_dims": [width // 64 for width in full.data.input_dims],
        "data.num_classes": min(full.data.num_classes, 7),
        "data.max_seq_len": TINY_LENGTHS[data_set],
        "model.windows": TINY_WINDOWS[data_set] if attends else full.model.windows,
        "model.embed_dim": full.model.embed_dim // 16,
        "model.stream_dims": [width // 16 for width in full.model.stream_dims],
        "model.heads": heads,
        "model.mlp_dim": full.model.mlp_dim and full.model.mlp_dim // 16,
        "model.head_dim": full.model.head_dim and full.model.head_dim // 16,
        "decode.pre_nms_topk": 100,
        "decode.max_segments": 20,
    }
    return published(name, {**changes, **(overrides or {})})


def data_set_of(name: str) -> str:
    """The first word of a recipe's name that is no network's."""
    return name.removeprefix("tridet_").removeprefix("temporalmaxer_").partition("_")[0]


def item(recipe: Recipe, steps: int, seed: int) -> Item:
    """A video of normal features; its actions have 2 steps up to a third of it, evenly on a logarithmic scale."""
    random = torch.Generator().manual_seed(seed)
    count = max(2, steps * ACTIONS[data_set_of(recipe.name)] // 1000)
    length = 2 * (max(steps / 3, 4) / 2) ** torch.rand(count, generator=random)  # (N,)
    onset = (steps - length) * torch.rand(count, generator=random)
    stride, num_frames = recipe.data.stride_frames, recipe.data.num_frames
    return Item(
        video=f"video {seed}",
        features=torch.randn(steps, sum(recipe.data.input_dims), generator=random).T,  # (C, T), as files lie in memory
        segments=torch.stack([onset, onset + length], dim=1),
        labels=torch.randint(recipe.data.num_classes, (count,), generator=random),
        fps=FPS,
        duration=((steps - 1) * stride + num_frames) / FPS,
        stride=stride,
        num_frames=num_frames,
    )


def padded(side: str, items: Sequence[Item], length: int, device: str) -> Batch:
    """Items with zeros up to `length` steps: as afkit lays a batch out ("ours"), or plainly (B, C, T)."""
    batch = collate(items, length)
    features = batch.features if side == "ours" else batch.features.contiguous()
    # the items would keep the features in memory a second time
    return batch._replace(features=features.to(device), mask=batch.mask.to(device), items=[])
