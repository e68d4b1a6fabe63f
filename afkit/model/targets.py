"""Which point learns which action: the target assignment of ActionFormer, section 3.3, for a whole batch at once."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from afkit.config import LossConfig

SAME_LENGTH = 1e-3  # actions as short as the shortest up to this share a point's class target
NOWHERE = -1  # label of a row that only fills the batch; its segment (0, 0) holds no point


def pad_actions(
    segments: Sequence[Tensor | None], labels: Sequence[Tensor | None], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The actions of B videos as two tensors, moved to a device in two transfers.

    Args:
        segments: B tensors (N_b, 2) on the grid; None for a video without annotation.
        labels: B tensors (N_b,) int64.
        device: of the result.

    Returns:
        segments (B, N, 2) float32 and labels (B, N) int64, N >= 1; rows that only fill have label -1.
    """
    # one row more than there are actions, so that a video without any needs no way of its own
    filler = torch.zeros(1, 2), torch.full((1,), NOWHERE)
    rows = [
        filler if own is None or classes is None else (torch.cat([own, filler[0]]), torch.cat([classes, filler[1]]))
        for own, classes in zip(segments, labels, strict=True)
    ]
    padded = pad_sequence([own for own, _ in rows], batch_first=True)
    ids = pad_sequence([classes for _, classes in rows], batch_first=True, padding_value=NOWHERE)
    return padded.to(device, non_blocking=True), ids.to(device, non_blocking=True)


def assign_targets(
    points: Tensor, segments: Tensor, labels: Tensor, num_classes: int, config: LossConfig
) -> tuple[Tensor, Tensor]:
    """Class and offset targets of every point for the actions of each video.

    A point takes an action if it lies inside it (near its centre, with centre sampling) and the farther end lies in
    the regression range of the point's level. Of several, the shortest gives the offsets (the first on ties), and
    the classes of all that are as short are set.

    Args:
        points: (P, 4) position on the grid, range low and high, stride.
        segments: (B, N, 2) grid, N >= 1.
        labels: (B, N) int64; -1 for a row that is none.
        num_classes: K.
        config: centre sampling.

    Returns:
        classes (B, P, K) float, 0 or 1; offsets (B, P, 2) float in strides, meaningful where any class is set.
    """
    position, low, high, stride = points[:, :, None].unbind(1)  # each (P, 1)
    onset, end = segments[:, None].unbind(-1)  # (B, 1, N)
    left, right = position - onset, end - position  # (B, P, N)
    if config.center_sample == "radius":
        center, radius = 0.5 * (onset + end), config.center_radius * stride
        inside_left = position - torch.maximum(center - radius, onset)
        inside_right = torch.minimum(center + radius, end) - position
        inside = torch.minimum(inside_left, inside_right) > 0
    else:
        inside = torch.minimum(left, right) > 0
    farther = torch.maximum(left, right)
    takes = inside & (farther >= low) & (farther <= high) & (labels >= 0)[:, None]  # (B, P, N)
    lengths = (end - onset).expand_as(takes).masked_fill(~takes, torch.inf)
    shortest, index = lengths.min(dim=2, keepdim=True)  # (B, P, 1)
    shares = takes & (lengths <= shortest + SAME_LENGTH)
    one_hot = labels[..., None] == torch.arange(num_classes, device=labels.device)  # (B, N, K)
    classes = (shares.to(points.dtype) @ one_hot.to(points.dtype)).clamp_(max=1)
    offsets = torch.cat([left.gather(2, index), right.gather(2, index)], dim=2)  # (B, P, 2)
    return classes, offsets / stride
