"""Batches: items padded to one length with a mask, and the stream of all batches of a training."""

import functools
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from afkit.data.items import Dataset, Item

READ_STEPS = 4096  # of features that have not been read yet, at a time


class Batch(NamedTuple):
    """Items of equal padded length."""

    features: Tensor  # (B, C, T) float32, zero where the mask is false; in memory the channels lie side by side
    mask: Tensor  # (B, T) bool
    segments: list[Tensor | None]  # B times (N, 2) on the grid
    labels: list[Tensor | None]  # B times (N,)
    items: list[Item]  # their features are parts of those above


def collate(items: Sequence[Item], length: int) -> Batch:
    """A batch of items (C, T), padded with zeros to `length` steps, which none may exceed; unread features are read."""
    # (B, T, C), as files are, so that nothing is turned; in a worker process torch's collate takes shared memory
    padding = torch.zeros(()).expand(length, items[0].features.shape[0])
    features = torch.utils.data.default_collate([padding] * len(items))
    for row, item in enumerate(items):
        steps = item.features.shape[1]
        if steps > length:
            raise ValueError(f"video '{item.video}' has {steps} steps, more than the {length} of the batch")
        for start in range(0, steps, READ_STEPS):
            part = item.features[:, start : start + READ_STEPS]  # (C, T)
            features[row, start : start + part.shape[1]] = part.T
    return _batch(features, items, [item.features.shape[1] for item in items])


def _batch(features: Tensor, items: Sequence[Item], steps: Sequence[int]) -> Batch:
    """From padded features (B, T, C), the items without theirs, and the steps of each."""
    mask = torch.arange(features.shape[1]) < torch.tensor(steps)[:, None]  # (B, T)
    features = features.transpose(1, 2)  # (B, C, T)
    items = [item._replace(features=row[:, :n]) for item, row, n in zip(items, features, steps, strict=True)]
    return Batch(features, mask, [item.segments for item in items], [item.labels for item in items], items)


def padded_batch_length(longest: int, max_seq_len: int, align: int) -> int:
    """Steps to which a training batch is padded: few, but for the network the same as `max_seq_len`, never more.

    A padded slot holds a norm's bias, and the next convolution of width 3 reads one. So each level needs a padded
    slot where padding to `max_seq_len` has one: that is what the additional `align` steps are for. `align` is as of
    `padding_alignment`, or a multiple of that; 0 pads as the original does.

    Examples:
        >>> padded_batch_length(100, 2304, 32), padded_batch_length(2300, 2304, 32), padded_batch_length(100, 2304, 0)
        (160, 2304, 2304)
    """
    if align == 0:
        return max_seq_len
    return min(max_seq_len, align * (-(-longest // align) + 1))


def check_batch_size(dataset: Dataset, batch_size: int) -> None:
    """Raise a ValueError where there are fewer videos than a batch holds."""
    if len(dataset) < batch_size:
        raise ValueError(
            f"{len(dataset)} training videos do not fill a batch of {batch_size}; lower optim.batch_size or add videos"
        )


def check_batch_divides(batch_size: int, devices: int) -> None:
    """Raise a ValueError where the rows of a batch cannot be shared equally."""
    if batch_size % devices:
        wanted = -(-batch_size // devices) * devices
        raise ValueError(
            f"optim.batch_size {batch_size} does not divide by {devices} devices; use fewer devices, or raise "
            f"optim.batch_size to {wanted} and, by the linear rule, optim.learning_rate by the same factor "
            f"({wanted / batch_size:.4g})"
        )


def training_batches(
    dataset: Dataset,
    batch_size: int,
    epochs: int,
    first_step: int = 0,
    workers: int = 0,
    align: int = 0,
    rank: int = 0,
    ranks: int = 1,
    pin: bool = False,
) -> Generator[Batch]:
    """The batches of a whole training, one epoch after the other, each shuffled, without its last partial batch.

    Order and crops depend on the data set's seed, the epoch and the index alone, so that a stream that starts at any
    step gives bit by bit what an uninterrupted one gives from there. No global random number generator is used.

    Args:
        dataset: with `training=True`. What fits its `cache_mb` is read into memory here, before workers are forked.
        workers: processes that read ahead; 0 reads in this one. They end with the stream: close it
            (`contextlib.closing`) where it is not read to its end.
        align: as of `padded_batch_length`; lengths may differ between ranks, which changes results by rounding only.
        rank: of this process; each has `batch_size / ranks` rows of every batch.
        pin: features in pinned memory (where there is CUDA), for asynchronous transfers.

    Raises:
        ValueError: fewer videos than a batch, or a batch that does not divide by the ranks; from the stream: a
            feature file that cannot be read, at the step that needs it.
    """
    check_batch_size(dataset, batch_size)
    check_batch_divides(batch_size, ranks)
    dataset.preload()
    steps = _Steps(dataset, batch_size, align, rank, ranks)
    loader = torch.utils.data.DataLoader(
        steps,
        batch_size=None,  # an element is a batch already
        sampler=range(first_step, epochs * steps.per_epoch),
        collate_fn=_as_it_is,
        num_workers=workers,
        # forked workers share this process's memory; where forking is not safe, the system's own way is taken
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        pin_memory=pin and torch.cuda.is_available(),
        generator=torch.Generator(),  # else it draws from the global one
    )
    return _unpack(iter(loader))


_Packed = tuple[Tensor, list[int], list[Item]]  # features (B, T, C), steps, items without features, of arrays


def _pack(batch: Batch) -> _Packed:
    """A batch on its way between processes: one tensor in shared memory, the little rest by value."""
    bare = [item._replace(features=None) for item in batch.items]  # type: ignore[arg-type]  # until unpacked
    return batch.features.transpose(1, 2), batch.mask.sum(dim=1).tolist(), [_apply(Tensor.numpy, i) for i in bare]


def _apply(convert: Callable, item: Item) -> Item:
    arrays = {name: getattr(item, name) for name in ("segments", "labels", "ignored")}
    return item._replace(**{name: convert(array) for name, array in arrays.items() if array is not None})


class _Steps(torch.utils.data.Dataset):
    """The batches of a training by their step; one that cannot be loaded is the ValueError that says why."""

    def __init__(self, dataset: Dataset, batch_size: int, align: int, rank: int, ranks: int):
        self.dataset, self.batch_size, self.align = dataset, batch_size, align
        self.rows = slice(rank * batch_size // ranks, (rank + 1) * batch_size // ranks)  # of each batch
        self.per_epoch = len(dataset) // batch_size

    def __getitem__(self, step: int) -> _Packed | ValueError:
        epoch, place = divmod(step, self.per_epoch)
        order = _order(self.dataset.seed, epoch, len(self.dataset))
        indices = order[place * self.batch_size : (place + 1) * self.batch_size][self.rows]
        try:
            items = [self.dataset.item(index, epoch) for index in indices]
            longest = max(item.features.shape[1] for item in items)
            length = padded_batch_length(longest, self.dataset.config.max_seq_len, self.align)
            return _pack(collate(items, length))
        except ValueError as error:  # raised here it would reach the user wrapped in the worker's traceback
            return error


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    """The indices of all videos as they are shuffled in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count).tolist()


def _unpack(loaded: Iterator[_Packed | ValueError]) -> Generator[Batch]:
    try:
        for packed in loaded:
            if isinstance(packed, ValueError):
                raise packed
            features, steps, items = packed
            yield _batch(features, [_apply(torch.from_numpy, item) for item in items], steps)
    finally:  # after an interrupt the traceback would keep the loader and its workers alive
        if hasattr(loaded, "_shutdown_workers"):
            loaded._shutdown_workers()


def _as_it_is(element: Any) -> Any:
    return element
