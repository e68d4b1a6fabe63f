"""Batches: items padded to one length with a mask, in an order that depends on seed and epoch alone."""

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from afkit.data.items import Dataset, Item


class Batch(NamedTuple):
    """Items of equal padded length."""

    features: Tensor  # (B, C, T) float32, zero where the mask is false
    mask: Tensor  # (B, T) bool
    segments: list[Tensor | None]  # B times (N, 2) on the grid
    labels: list[Tensor | None]  # B times (N,)
    items: list[Item]


def collate(items: Sequence[Item], length: int) -> Batch:
    """Pad items with zeros on the right to `length` steps.

    Raises:
        ValueError: an item is longer.
    """
    features = torch.zeros(len(items), items[0].features.shape[0], length)
    mask = torch.zeros(len(items), length, dtype=torch.bool)
    for row, item in enumerate(items):
        steps = item.features.shape[1]
        if steps > length:
            raise ValueError(f"video '{item.video}' has {steps} steps, more than the {length} of the batch")
        features[row, :, :steps] = item.features
        mask[row, :steps] = True
    return Batch(features, mask, [item.segments for item in items], [item.labels for item in items], list(items))


def check_batch_size(dataset: Dataset, batch_size: int) -> None:
    """Raise a ValueError where there are fewer videos than a batch holds."""
    if len(dataset) < batch_size:
        raise ValueError(
            f"{len(dataset)} training videos do not fill a batch of {batch_size}; lower optim.batch_size or add videos"
        )


def training_batches(dataset: Dataset, epoch: int, batch_size: int, workers: int = 0) -> Iterator[Batch]:
    """The shuffled batches of one epoch, each padded to max_seq_len; a last partial batch is dropped.

    Args:
        dataset: with `training=True`; its seed, the epoch and nothing else decide order and crops.
        epoch: from 0.
        batch_size: B.
        workers: processes that load features; 0 loads in this one.

    Raises:
        ValueError: fewer videos than a batch.
    """
    check_batch_size(dataset, batch_size)
    dataset = copy.copy(dataset)  # of its own, since batches are made later than this
    dataset.epoch = epoch
    order = np.random.default_rng([dataset.seed, epoch]).permutation(len(dataset))
    full = len(order) // batch_size * batch_size
    return iter(
        torch.utils.data.DataLoader(
            dataset,
            batch_sampler=order[:full].reshape(-1, batch_size).tolist(),
            collate_fn=partial(collate, length=dataset.config.max_seq_len),
            num_workers=workers,
        )
    )
