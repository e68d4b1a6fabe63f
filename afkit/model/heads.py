"""Neck and heads: from the backbone's levels to class logits and offsets. Names are the original's."""

import functools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import ModelConfig, Recipe
from afkit.model.blocks import LayerNorm, MaskedConv1d, Scale, convolve_in_turn, group_norm, norm_or_nothing
from afkit.model.products import in_parts, lay_out

EMPTY_CLASS_PRIOR = 1e-6  # probability given to classes that never occur in training


class UnlearntGroupNorm(nn.Module):
    """`group_norm` as a module."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return group_norm(x, self.groups)


def neck_norms(model: ModelConfig, width: int) -> nn.ModuleList:
    """The norm of each level. One that all share has six names in the state (as many as levels), as in the original."""
    if model.neck_norm == "shared":
        return nn.ModuleList([LayerNorm(width)] * model.num_levels)
    if model.neck_norm == "group":
        return nn.ModuleList(UnlearntGroupNorm(model.neck_groups) for _ in range(model.num_levels))
    return nn.ModuleList(norm_or_nothing(width, model.neck_norm == "layer") for _ in range(model.num_levels))


class IdentityNeck(nn.Module):
    """A norm per level, nothing else."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.fpn_norms = neck_norms(recipe.model, recipe.model.embed_dim)

    def forward(self, features: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over L levels of (B, T_l, C), (B, T_l, 1) -> list of (B, T_l, C)."""
        return [norm(x) for norm, x in zip(self.fpn_norms, features, strict=True)]


class FeaturePyramidNeck(nn.Module):
    """Lateral 1x1 convolutions, a top-down path, a depthwise convolution and a norm per level (FPN, Lin 2017)."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model = recipe.model
        width, bias = model.neck_dim or model.embed_dim, model.neck_norm == "none"
        levels = range(model.num_levels)
        self.scale_factor = model.scale_factor
        self.lateral_convs = nn.ModuleList(MaskedConv1d(model.embed_dim, width, 1, bias=bias) for _ in levels)
        self.fpn_convs = nn.ModuleList(MaskedConv1d(width, width, 3, groups=width, bias=bias) for _ in levels)
        self.fpn_norms = neck_norms(model, width)

    def forward(self, features: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over L levels of (B, T_l, C), (B, T_l, 1) -> list of (B, T_l, C')."""
        merged = [conv(x, mask)[0] for conv, x, mask in zip(self.lateral_convs, features, masks, strict=True)]
        for level in range(len(merged) - 1, 0, -1):
            merged[level - 1] = merged[level - 1] + merged[level].repeat_interleave(self.scale_factor, dim=1)
        convolved = [conv(x, mask)[0] for conv, x, mask in zip(self.fpn_convs, merged, masks, strict=True)]
        return [norm(x) for norm, x in zip(self.fpn_norms, convolved, strict=True)]


class Rows(NamedTuple):
    """All levels of all videos, one below the other: one product serves them all. Empty rows keep them apart."""

    x: Tensor  # (1, R, C), 0 in the gaps
    mask: Tensor  # (1, R, 1) bool, true features
    gaps: Tensor  # (1, R, 1) bool
    batch: int  # B
    lengths: list[int]  # T_l of each level
    gap: int  # rows of each gap

    def split(self, y: Tensor) -> list[Tensor]:
        """(1, R, C') -> list over levels of (B, T_l, C')."""
        y = y.view(self.batch, -1, y.shape[2])  # (B, sum of T_l + gap, C')
        parts = y.split([length + self.gap for length in self.lengths], dim=1)
        return [part[:, :length] for part, length in zip(parts, self.lengths, strict=True)]


def join_levels(levels: list[Tensor], masks: list[Tensor], gap: int) -> Rows:
    """L levels (B, T_l, C) and masks (B, T_l, 1) as one sequence of rows, with a gap after each sequence."""
    batch, lengths = len(levels[0]), [x.shape[1] for x in levels]

    def join(parts: list[Tensor], between: float) -> Tensor:
        empty = parts[0].new_full((batch, gap, parts[0].shape[2]), between)
        return torch.cat([each for part in parts for each in (part, empty)], dim=1).flatten(0, 1)[None]

    gaps = join([torch.zeros_like(mask) for mask in masks], between=True)
    return Rows(join(levels, 0), join(masks, False), gaps, batch, lengths, gap)


class _Tower(nn.Module):
    """The convolutions before the last one of a head, shared over levels."""

    def __init__(self, recipe: Recipe, kernel: int):
        super().__init__()
        model = recipe.model
        width, neck = model.head_dim or model.embed_dim, model.neck_dim or model.embed_dim
        widths = [neck] + [width] * (model.head_layers - 1)
        self.out_width, self.reach = widths[-1], model.head_layers * (kernel // 2)
        self.head = nn.ModuleList(
            MaskedConv1d(widths[i], widths[i + 1], kernel, bias=not model.head_norm)
            for i in range(model.head_layers - 1)
        )
        self.norm = nn.ModuleList(norm_or_nothing(width, model.head_norm) for _ in self.head)

    def outputs(self, rows: Rows, last: MaskedConv1d) -> list[Tensor]:
        """The convolutions and the last one: list over levels of (B, T_l, C')."""
        convs = [*self.head, last]
        taps = [lay_out(conv.conv) for conv in convs]
        climb = functools.partial(convolve_in_turn, convs, self.norm, taps)
        return rows.split(in_parts(climb, rows.x, rows.mask, rows.gaps, reach=self.reach))


class ClassHead(_Tower):
    """K class logits per point."""

    def __init__(self, recipe: Recipe, kernel: int):
        super().__init__(recipe, kernel)
        self.cls_head = MaskedConv1d(self.out_width, recipe.data.num_classes, kernel)

    def set_prior(self, recipe: Recipe) -> None:
        """Set the bias so that an untrained head gives the prior probability (RetinaNet, Lin 2017)."""
        bias = self.cls_head.conv.get_parameter("bias")
        nn.init.constant_(bias, _logit(recipe.model.class_prior))
        for label in recipe.model.empty_classes:
            nn.init.constant_(bias[label], _logit(EMPTY_CLASS_PRIOR))

    def forward(self, rows: Rows) -> list[Tensor]:
        """Rows of C channels -> list over levels of logits (B, T_l, K)."""
        return self.outputs(rows, self.cls_head)


class OffsetHead(_Tower):
    """Distances to the onset and the end of the action, in units of the level's stride, never negative.

    Of the trident head: how likely each distance is, N + 1 numbers for either side.
    """

    def __init__(self, recipe: Recipe):
        model = recipe.model
        super().__init__(recipe, model.head_kernel)
        self.scale = nn.ModuleList(Scale() for _ in model.level_strides)
        outputs = 2 * (model.bins + 1) if model.head == "trident" else 2
        self.offset_head = MaskedConv1d(self.out_width, outputs, model.head_kernel)

    def forward(self, rows: Rows) -> list[Tensor]:
        """Rows of C channels -> list over levels of offsets (B, T_l, 2), or of bins (B, T_l, 2 (N + 1))."""
        outputs = self.outputs(rows, self.offset_head)
        return [F.relu(scale(x)) for scale, x in zip(self.scale, outputs, strict=True)]


class Boundaries(NamedTuple):
    """What the trident head says of a level; `offsets_of` makes offsets of it."""

    onsets: Tensor  # (B, T_l, K) float, 0 at masked steps
    ends: Tensor  # (B, T_l, K) float, 0 at masked steps
    bins: Tensor  # (B, T_l, 2 (N + 1)) float >= 0, those to the left first


def offsets_of(level: Tensor | Boundaries, video: Tensor, point: Tensor, label: Tensor) -> Tensor:
    """Offsets (..., 2) of some points of a level for some classes, in units of its stride.

    Those of the trident head (Shi et al. 2023, section 3.3) are expectations over N + 1 places, weighted by how well
    the onset (or the end) of the class and the bin of the point score there. Levels end: beyond them scores are 0.
    Only what is asked for is computed, since the (B, T, K, N + 1) scores of all are many.

    Args:
        level: offsets (B, T_l, 2), which classes share, or what the trident head says.
        video, point, label: (...) int64, broadcast against each other.
    """
    if isinstance(level, Tensor):
        return level[video, point]
    left, right = level.bins[video, point].chunk(2, dim=-1)  # (..., N + 1)
    steps = torch.arange(left.shape[-1], device=left.device)
    before = steps.flip(0)  # distances of the places to the left, the farthest first
    video, point, label = video[..., None], point[..., None], label[..., None]
    left = (_scores_at(level.onsets, video, point - before, label) + left).softmax(dim=-1)
    right = (_scores_at(level.ends, video, point + steps, label) + right).softmax(dim=-1)
    return torch.stack([(left * before).sum(dim=-1), (right * steps).sum(dim=-1)], dim=-1)


def _scores_at(scores: Tensor, video: Tensor, place: Tensor, label: Tensor) -> Tensor:
    """(B, T, K) at (..., N + 1) places, 0 outside the level."""
    last = scores.shape[1] - 1
    return scores[video, place.clamp(0, last), label].where((place >= 0) & (place <= last), 0)


def _logit(probability: float) -> float:
    return -math.log((1 - probability) / probability)
