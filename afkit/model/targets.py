"""Which point learns which action: the target assignment of ActionFormer, section 3.3."""

import torch
from torch import Tensor

from afkit.config import LossConfig

SAME_LENGTH = 1e-3  # actions as short as the shortest up to this share a point's class target


def assign_targets(
    points: Tensor, segments: Tensor, labels: Tensor, num_classes: int, config: LossConfig
) -> tuple[Tensor, Tensor]:
    """Class and offset targets of every point for the actions of one video.

    A point takes an action if it lies inside it (near its centre, with centre sampling) and the farther end lies in
    the regression range of the point's level. Of several, the shortest gives the offsets (the first on ties), and
    the classes of all that are as short are set.

    Args:
        points: (P, 4) position on the grid, range low and high, stride.
        segments: (N, 2) grid.
        labels: (N,) int64.
        num_classes: K.
        config: centre sampling.

    Returns:
        classes (P, K) float, 0 or 1; offsets (P, 2) float in strides, meaningful where any class is set.
    """
    if len(segments) == 0:
        return points.new_zeros(len(points), num_classes), points.new_zeros(len(points), 2)
    position, low, high, stride = points[:, :, None].unbind(1)  # each (P, 1)
    onset, end = segments[None, :, 0], segments[None, :, 1]  # (1, N)
    left, right = position - onset, end - position  # (P, N)
    if config.center_sample == "radius":
        center, radius = 0.5 * (onset + end), config.center_radius * stride
        inside_left = position - torch.maximum(center - radius, onset)
        inside_right = torch.minimum(center + radius, end) - position
        inside = torch.minimum(inside_left, inside_right) > 0
    else:
        inside = torch.minimum(left, right) > 0
    farther = torch.maximum(left, right)
    takes = inside & (farther >= low) & (farther <= high)  # (P, N)
    lengths = (end - onset).expand_as(takes).masked_fill(~takes, torch.inf)
    shortest, index = lengths.min(dim=1)  # (P,)
    shares = takes & (lengths <= shortest[:, None] + SAME_LENGTH)
    one_hot = torch.nn.functional.one_hot(labels, num_classes).to(points.dtype)  # (N, K)
    classes = (shares.to(points.dtype) @ one_hot).clamp_(max=1)
    offsets = torch.stack([left, right], dim=-1)[torch.arange(len(points), device=points.device), index]
    return classes, offsets / stride
