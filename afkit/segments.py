"""Plain functions on segments: (N, 2) arrays of start and end, in seconds or on the feature grid.

The feature grid counts feature vectors: grid index i covers the `num_frames` frames that start at
frame `i * stride`, so its centre lies at `(i * stride + 0.5 * num_frames) / fps` seconds.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Times = TypeVar("Times", float, np.ndarray, "Tensor")

MIN_LENGTH_SEC = 1e-3  # shorter annotations are noise of the annotation tool, not actions
DUPLICATE_SEC = 1e-3  # two annotations of one label whose ends both lie closer than this are one


def sec_to_grid(times_sec: Times, fps: float | Times, stride: float | Times, num_frames: float | Times) -> Times:
    """Seconds to positions on the feature grid; any shape, array or tensor. `stride` and `num_frames` are in frames.

    Examples:
        >>> sec_to_grid(2.0, fps=25, stride=4, num_frames=16)
        10.5
    """
    return (times_sec * fps - 0.5 * num_frames) / stride


def grid_to_sec(grid: Times, fps: float | Times, stride: float | Times, num_frames: float | Times) -> Times:
    """Positions on the feature grid, 0 being the first feature vector, to seconds; the inverse of `sec_to_grid`.

    Examples:
        >>> grid_to_sec(np.array([0.0, 1.0, 100.0]), fps=25, stride=4, num_frames=16)
        array([ 0.32,  0.48, 16.32])
    """
    return (grid * stride + 0.5 * num_frames) / fps


def tiou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Temporal IoU of segments (..., 2), row by row, 0 for empty and reversed ones; `tiou(a[:, None], b)` compares all.

    Examples:
        >>> tiou(np.array([0.0, 10.0]), np.array([[0.0, 10.0], [5.0, 10.0], [20.0, 30.0]]))
        array([1. , 0.5, 0. ])
    """
    overlap = (np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])).clip(min=0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - overlap
    return np.divide(overlap, union, out=np.zeros(overlap.shape), where=union > 0)


def mostly_within(segments: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Whether at least half of each segment (N, 2) lies in spans (R, 2) that do not overlap: (N,) bool.

    Examples:
        >>> mostly_within(np.array([[0.0, 4.0], [0.0, 5.0]]), np.array([[-np.inf, 1.0], [3.0, 4.0]]))
        array([ True, False])
    """
    start, end = (side[:, None] for side in np.asarray(segments, np.float64).reshape(-1, 2).T)  # (N, 1) each
    inside = np.minimum(end, spans[:, 1]) - np.maximum(start, spans[:, 0])  # (N, R)
    whole = (end - start)[:, 0]
    point = (whole <= 0) & (inside >= whole[:, None]).any(axis=1)
    return np.where(whole > 0, 2 * inside.clip(min=0).sum(axis=1) >= whole, point)


def keep_distinct(segments_sec: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which annotations (N, 2), (N,) of one video to keep, (N,) bool: long enough, and no repetition of a kept one.

    Examples:
        >>> keep_distinct(np.array([[1.0, 2.0], [1.0, 2.0004], [3.0, 3.0]]), np.array([7, 7, 7]))
        array([ True, False, False])
    """
    segments_sec = np.asarray(segments_sec, np.float64).reshape(-1, 2)
    keep, labels = segments_sec[:, 1] - segments_sec[:, 0] >= MIN_LENGTH_SEC, np.asarray(labels)
    order = np.lexsort((segments_sec[:, 0], labels))
    near = (np.diff(labels[order]) == 0) & (np.diff(segments_sec[order, 0]) <= DUPLICATE_SEC)
    crowded = np.unique([order[:-1][near], order[1:][near]])  # all that may repeat another, few
    for place, row in enumerate(crowded):
        earlier = crowded[:place][keep[crowded[:place]] & (labels[crowded[:place]] == labels[row])]
        keep[row] &= not (np.abs(segments_sec[earlier] - segments_sec[row]).max(axis=1) <= DUPLICATE_SEC).any()
    return keep
