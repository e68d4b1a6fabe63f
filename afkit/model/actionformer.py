"""The whole network: features and mask in, logits and offsets per pyramid level out. Names are the original's."""

import functools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe, check_memory
from afkit.model.backbone import Backbone
from afkit.model.blocks import MaskedConv1d, Scale, convolve_in_turn, norm_or_nothing
from afkit.model.products import in_parts, lay_out

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

    def __init__(self, recipe: Recipe):
        super().__init__()
        model = recipe.model
        width, neck = model.head_dim or model.embed_dim, model.neck_dim or model.embed_dim
        widths = [neck] + [width] * (model.head_layers - 1)
        self.out_width, self.reach = widths[-1], model.head_layers * (model.head_kernel // 2)
        self.head = nn.ModuleList(
            MaskedConv1d(widths[i], widths[i + 1], model.head_kernel, bias=not model.head_norm)
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

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self.cls_head = MaskedConv1d(self.out_width, recipe.data.num_classes, recipe.model.head_kernel)

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
    """Distances to the onset and the end of the action, in units of the level's stride, never negative."""

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self.scale = nn.ModuleList(Scale() for _ in recipe.model.level_strides)
        self.offset_head = MaskedConv1d(self.out_width, 2, recipe.model.head_kernel)

    def forward(self, rows: Rows) -> list[Tensor]:
        """Rows of C channels -> list over levels of offsets (B, T_l, 2)."""
        outputs = self.outputs(rows, self.offset_head)
        return [F.relu(scale(x)) for scale, x in zip(self.scale, outputs, strict=True)]


def _logit(probability: float) -> float:
    return -math.log((1 - probability) / probability)


class Output(NamedTuple):
    """What the network says about a batch; each field is a list over the L pyramid levels, unspecified where masked."""

    logits: list[Tensor]  # (B, T_l, K) float, before the sigmoid
    offsets: list[Tensor]  # (B, T_l, 2) float >= 0, to the left and right in units of the level's stride
    masks: list[Tensor]  # (B, T_l) bool, true features
    points: list[Tensor]  # (T_l, 4) float: position on the grid, regression range low and high, stride


class ActionFormer(nn.Module):
    """ActionFormer (Zhang, Wu, Li, ECCV 2022): local attention, feature pyramid, class head and offset head."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe
        self.backbone = Backbone(recipe)
        self.neck = FeaturePyramidNeck(recipe) if recipe.model.neck == "fpn" else IdentityNeck(recipe)
        self.cls_head = ClassHead(recipe)
        self.reg_head = OffsetHead(recipe)
        for module in self.modules():
            if isinstance(module, nn.Conv1d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        self.cls_head.set_prior(recipe)

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        """Logits and offsets of a batch (B, C, T), (B, T) bool; T is a multiple of the last stride: `padded_length`."""
        self._check(features, mask)
        levels, masks = self.backbone(features.transpose(1, 2), mask[..., None])
        start = self.recipe.model.neck_start_level
        levels, masks = levels[start:], masks[start:]
        rows = join_levels(self.neck(levels, masks), masks, gap=self.recipe.model.head_kernel // 2)
        return Output(
            logits=self.cls_head(rows),
            offsets=self.reg_head(rows),
            masks=[mask[..., 0] for mask in masks],
            points=self.points(rows.lengths, features.device),
        )

    def points(self, lengths: list[int], device: torch.device) -> list[Tensor]:
        """The (T_l, 4) points of each level: grid position 0, s, 2s, ..., the level's regression range, s."""
        model = self.recipe.model
        points = []
        for length, stride, limits in zip(lengths, model.level_strides, model.regression_ranges, strict=True):
            position = torch.arange(length, device=device, dtype=torch.float32) * stride
            # filled on the device: a tensor made from numbers would have to be copied there
            constants = [torch.full_like(position, number) for number in (*limits, stride)]
            points.append(torch.stack([position, *constants], dim=1))
        return points

    def _check(self, features: Tensor, mask: Tensor) -> None:
        width, stride = sum(self.recipe.data.input_dims), self.recipe.model.level_strides[-1]
        if features.dim() != 3 or features.shape[1] != width:
            raise ValueError(f"features must be (B, {width}, T) for recipe '{self.recipe.name}', not {features.shape}")
        if mask.shape != (features.shape[0], features.shape[2]) or mask.dtype != torch.bool:
            raise ValueError(f"mask must be (B, T) bool for features {features.shape}, not {mask.dtype} {mask.shape}")
        if features.shape[2] % stride:
            raise ValueError(f"T = {features.shape[2]} must be a multiple of {stride}; pad it with afkit.padded_length")


def build_model(recipe: Recipe) -> ActionFormer:
    """An untrained network for a recipe; the state_dict has the original's names without 'module.'.

    A ValueError where it would need more memory than this machine has names the setting to lower.
    """
    check_memory(recipe)
    return ActionFormer(recipe)


def padded_length(length: int, recipe: Recipe) -> int:
    """T to which the original pads a video at inference: max_seq_len, or a multiple of `length_divisor`.

    Examples:
        >>> from afkit.recipes import recipe
        >>> [padded_length(length, recipe("thumos_i3d")) for length in (100, 2304, 2305)]
        [2304, 2304, 2880]
    """
    if length <= recipe.data.max_seq_len:
        return recipe.data.max_seq_len
    divisor = recipe.model.length_divisor
    return -(-length // divisor) * divisor


def padding_alignment(recipe: Recipe) -> int:
    """A multiple of steps to pad short sequences to, with one more of it, so that the network does not notice.

    Every level then keeps the padded slots that its convolutions read (see `afkit.data.batches.padded_batch_length`).
    """
    widest = max(recipe.model.embed_kernel, recipe.model.head_kernel, 3)
    return recipe.model.level_strides[-1] * (widest // 2)


def count_parameters(model: ActionFormer) -> dict[str, int]:
    """Number of parameters of each part: embedding, stem, branch, neck, class head, offset head, and all together."""
    parts = {
        "embedding": ("backbone.proj", "backbone.embd"),
        "stem": ("backbone.stem",),
        "branch": ("backbone.branch",),
        "neck": ("neck",),
        "class head": ("cls_head",),
        "offset head": ("reg_head",),
    }
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    counts = {part: sum(n for name, n in sizes.items() if name.startswith(own)) for part, own in parts.items()}
    return counts | {"all": sum(sizes.values())}
