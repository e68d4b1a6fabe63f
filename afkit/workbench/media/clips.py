"""Clips of a film, and the vectors of a backbone; memory does not grow with the film."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from afkit.workbench.media.frames import Size

BATCH_BYTES = 2**24  # of clips that go through a backbone at once


class Backbone(NamedTuple):
    """How clips become vectors."""

    name: str  # as it is found again: grid, an id, a folder, or module:function
    weights: str  # a digest, which tells a network that has changed; "" where there are none
    num_frames: int | None  # that a clip must have; None for any
    by_frame: bool  # each picture has a vector, and a clip their mean
    size: Size
    run: Callable[[np.ndarray], np.ndarray]  # clips (B, T, H, W, 3) uint8 -> (B, C) float32


def clip_vectors(
    pictures: Iterable[np.ndarray], backbone: Backbone, num_frames: int, stride_frames: int
) -> Iterator[np.ndarray]:
    """Blocks (n, C) float32: vector i is of the pictures from `i * stride_frames` on, `num_frames` of them.

    A film that is shorter than a clip has one vector, of its last picture repeated.
    """
    if backbone.by_frame:
        vectors = (row for block in _run(backbone, (p[None] for p in pictures)) for row in block)
        for clips in _batched(_windows(vectors, num_frames, stride_frames)):
            yield clips.mean(axis=1)
    else:
        yield from _run(backbone, _windows(pictures, num_frames, stride_frames))


def _run(backbone: Backbone, clips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for batch in _batched(clips):
        vectors = backbone.run(batch)  # (B, C)
        if not np.isfinite(vectors).all():
            raise ValueError(f"the backbone {backbone.name} gave numbers that are not finite")
        yield vectors


def _windows(rows: Iterable[np.ndarray], length: int, stride: int) -> Iterator[np.ndarray]:
    """Arrays (length, ...), each `stride` rows after the last."""
    held: deque[np.ndarray] = deque(maxlen=length)
    count = 0
    for count, row in enumerate(rows, 1):
        if held and row.shape != held[-1].shape:
            sizes = " to ".join(f"{shape[1]} x {shape[0]}" for shape in (held[-1].shape, row.shape))
            raise ValueError(f"its pictures change from {sizes}; encode it anew in one size")
        held.append(row)
        if count >= length and (count - length) % stride == 0:
            yield np.stack(held)
    if 0 < count < length:
        yield np.stack([*held, *[held[-1]] * (length - count)])


def _batched(arrays: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Arrays of one shape, joined along a new first axis, some 16 MB at a time."""
    batch: list[np.ndarray] = []
    for array in arrays:
        batch.append(array)
        if len(batch) * array.nbytes >= BATCH_BYTES or len(batch) >= 64:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)
