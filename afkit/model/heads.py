"""Neck and heads: from the backbone's levels to class logits and offsets. Names are the original's."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.model.blocks import MaskedConv1d, Scale, norm_or_nothing

EMPTY_CLASS_PRIOR = 1e-6  # probability given to classes that never occur in training


class IdentityNeck(nn.Module):
    """A norm per level, nothing else."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model = recipe.model
        self.fpn_norms = nn.ModuleList(norm_or_nothing(model.embed_dim, model.neck_norm) for _ in model.level_strides)

    def forward(self, features: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over L levels of (B, T_l, C), (B, T_l, 1) -> list of (B, T_l, C)."""
        return [norm(x) for norm, x in zip(self.fpn_norms, features, strict=True)]


class FeaturePyramidNeck(nn.Module):
    """Lateral 1x1 convolutions, a top-down path, a depthwise convolution and a norm per level (FPN, Lin 2017)."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model = recipe.model
        width, bias = model.neck_dim or model.embed_dim, not model.neck_norm
        levels = range(model.num_levels)
        self.scale_factor = model.scale_factor
        self.lateral_convs = nn.ModuleList(MaskedConv1d(model.embed_dim, width, 1, bias=bias) for _ in levels)
        self.fpn_convs = nn.ModuleList(MaskedConv1d(width, width, 3, groups=width, bias=bias) for _ in levels)
        self.fpn_norms = nn.ModuleList(norm_or_nothing(width, model.neck_norm) for _ in levels)

    def forward(self, features: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over L levels of (B, T_l, C), (B, T_l, 1) -> list of (B, T_l, C')."""
        merged = [conv(x, mask)[0] for conv, x, mask in zip(self.lateral_convs, features, masks, strict=True)]
        for level in range(len(merged) - 1, 0, -1):
            merged[level - 1] = merged[level - 1] + merged[level].repeat_interleave(self.scale_factor, dim=1)
        convolved = [conv(x, mask)[0] for conv, x, mask in zip(self.fpn_convs, merged, masks, strict=True)]
        return [norm(x) for norm, x in zip(self.fpn_norms, convolved, strict=True)]


class _Tower(nn.Module):
    """The convolutions before the last one of a head, shared over levels."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model = recipe.model
        width, neck = model.head_dim or model.embed_dim, model.neck_dim or model.embed_dim
        widths = [neck] + [width] * (model.head_layers - 1)
        self.out_width = widths[-1]
        self.head = nn.ModuleList(
            MaskedConv1d(widths[i], widths[i + 1], model.head_kernel, bias=not model.head_norm)
            for i in range(model.head_layers - 1)
        )
        self.norm = nn.ModuleList(norm_or_nothing(width, model.head_norm) for _ in self.head)

    def climb(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C), (B, T, 1) -> (B, T, C')."""
        for conv, norm in zip(self.head, self.norm, strict=True):
            x = F.relu(norm(conv(x, mask)[0]))
        return x


class ClassHead(_Tower):
    """K class logits per point."""

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self.cls_head = MaskedConv1d(self.out_width, recipe.data.num_classes, recipe.model.head_kernel)

    def set_prior(self, recipe: Recipe) -> None:
        """Set the bias so that an untrained head gives the prior probability (RetinaNet, Lin 2017)."""
        bias = self.cls_head.conv.bias
        nn.init.constant_(bias, _logit(recipe.model.class_prior))
        for label in recipe.model.empty_classes:
            nn.init.constant_(bias[label], _logit(EMPTY_CLASS_PRIOR))

    def forward(self, features: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over levels of (B, T_l, C), (B, T_l, 1) -> list of logits (B, T_l, K)."""
        return [self.cls_head(self.climb(x, mask), mask)[0] for x, mask in zip(features, masks, strict=True)]


class OffsetHead(_Tower):
    """Distances to the onset and the end of the action, in units of the level's stride, never negative."""

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self.scale = nn.ModuleList(Scale() for _ in recipe.model.level_strides)
        self.offset_head = MaskedConv1d(self.out_width, 2, recipe.model.head_kernel)

    def forward(self, features: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over levels of (B, T_l, C), (B, T_l, 1) -> list of offsets (B, T_l, 2)."""
        triples = zip(self.scale, features, masks, strict=True)
        return [F.relu(scale(self.offset_head(self.climb(x, mask), mask)[0])) for scale, x, mask in triples]


def _logit(probability: float) -> float:
    return -math.log((1 - probability) / probability)
