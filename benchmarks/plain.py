"""The networks as they are commonly written, the baseline of the training and inference benchmarks.

ActionFormer, TriDet and TemporalMaxer in (B, C, T) from `plain_blocks`, points from buffers, offsets of the trident
head for all points and classes. Parameters bear afkit's names, so its weights load.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from benchmarks.plain_blocks import LayerNorm, MaskedConv1d, MaxPoolBlock, Scale, SGPBlock, TransformerBlock

LONGEST = 6  # points are kept ready for sequences of this many times M


class Output(NamedTuple):
    """Lists over the L levels."""

    logits: list[Tensor]  # (B, T_l, K)
    offsets: list[Tensor]  # (B, T_l, 2), or (B, T_l, K, 2) of the trident head
    masks: list[Tensor]  # (B, T_l) bool
    points: list[Tensor]  # (T_l, 4)


class Backbone(nn.Module):
    """Embedding, stem and branch."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        data, model = recipe.data, recipe.model
        width = model.embed_dim
        self.input_dims, self.proj, channels = data.input_dims, None, sum(data.input_dims)
        if model.stream_dims:
            streams = zip(data.input_dims, model.stream_dims, strict=True)
            self.proj = nn.ModuleList(MaskedConv1d(wide, narrow, 1) for wide, narrow in streams)
            channels = width
        inputs = [channels] + [width] * (model.embed_layers - 1)
        self.embd = nn.ModuleList(MaskedConv1d(size, width, model.embed_kernel, bias=False) for size in inputs)
        self.embd_norm = nn.ModuleList(LayerNorm(width) for _ in inputs)
        table = positions(data.max_seq_len, width) if model.absolute_position else None
        self.register_buffer("positions", table, persistent=False)  # (1, C, M)
        windows = model.level_windows
        self.stem = nn.ModuleList(block(recipe, windows[0], 1) for _ in range(model.stem_layers))
        self.branch = nn.ModuleList(block(recipe, window, 2) for window in windows[1:])

    def forward(self, x: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(B, C, T), (B, 1, T) bool -> lists over levels of (B, C', T_l), (B, 1, T_l)."""
        if self.proj is not None:
            streams = x.split(self.input_dims, dim=1)
            x = torch.cat([proj(stream, mask)[0] for proj, stream in zip(self.proj, streams, strict=True)], dim=1)
        for conv, norm in zip(self.embd, self.embd_norm, strict=True):
            x, mask = conv(x, mask)
            x = F.relu(norm(x))
        if self.positions is not None:
            table = self.positions
            if x.shape[2] > table.shape[2]:
                table = F.interpolate(table, x.shape[2], mode="linear", align_corners=False)
            x = x + table[:, :, : x.shape[2]] * mask.to(x.dtype)
        for block in self.stem:
            x, mask = block(x, mask)
        levels, masks = [x], [mask]
        for block in self.branch:
            x, mask = block(x, mask)
            levels.append(x)
            masks.append(mask)
        return levels, masks


def block(recipe: Recipe, window: int, stride: int) -> nn.Module:
    """A block of a level."""
    if recipe.model.backbone == "sgp":
        return SGPBlock(recipe, window if stride > 1 else 1, stride)
    return MaxPoolBlock(stride) if recipe.model.backbone == "maxpool" else TransformerBlock(recipe, window, stride)


def positions(length: int, channels: int) -> Tensor:
    """(1, C, T) sines on even and cosines on odd channels, over sqrt(C)."""
    pair = torch.arange(channels).div(2, rounding_mode="floor")  # (C,)
    angle = torch.arange(length)[:, None] / 10000.0 ** (2 * pair.double() / channels)  # (T, C)
    table = torch.where(torch.arange(channels) % 2 == 0, angle.sin(), angle.cos())
    return (table.T[None] / channels**0.5).float()


class Neck(nn.Module):
    """A norm per level, or one for all levels under as many names."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model, width, levels = recipe.model, recipe.model.embed_dim, len(recipe.model.level_strides)
        if model.neck_norm == "group":
            norms = [nn.GroupNorm(model.neck_groups, width, affine=False) for _ in range(levels)]
        else:
            norms = (
                [LayerNorm(width)] * levels
                if model.neck_norm == "shared"
                else [LayerNorm(width) for _ in range(levels)]
            )
        self.fpn_norms = nn.ModuleList(norms)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """List over L levels of (B, C, T_l) -> the same."""
        return [norm(x) for norm, x in zip(self.fpn_norms, levels, strict=True)]


class Head(nn.Module):
    """Convolutions shared over levels; the last one bears the given name, and a scale per level may follow."""

    def __init__(self, recipe: Recipe, kernel: int, last: str, outputs: int, scaled: bool = False):
        super().__init__()
        model = recipe.model
        width = model.head_dim or model.embed_dim
        inputs = [model.embed_dim, *[width] * (model.head_layers - 1)]
        self.head = nn.ModuleList(MaskedConv1d(size, width, kernel, bias=False) for size in inputs[:-1])
        self.norm = nn.ModuleList(LayerNorm(width) for _ in inputs[:-1])
        self.last = last
        self.add_module(last, MaskedConv1d(inputs[-1], outputs, kernel))
        self.scale = nn.ModuleList(Scale() for _ in model.level_strides) if scaled else None

    def forward(self, levels: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Lists over L levels of (B, C, T_l), (B, 1, T_l) -> list of (B, T_l, outputs)."""
        outputs = []
        for level, (x, mask) in enumerate(zip(levels, masks, strict=True)):
            for conv, norm in zip(self.head, self.norm, strict=True):
                x, _ = conv(x, mask)
                x = F.relu(norm(x))
            x, _ = getattr(self, self.last)(x, mask)
            if self.scale is not None:
                x = F.relu(self.scale[level](x))
            outputs.append(x.permute(0, 2, 1))
        return outputs


def trident_offsets(starts: Tensor, ends: Tensor, bins: Tensor) -> Tensor:
    """Expected offsets of a level: (B, T, K), (B, T, K), (B, T, 2 (N + 1)) -> (B, T, K, 2)."""
    left, right = bins[:, :, None].chunk(2, dim=3)  # (B, T, 1, N + 1)
    longest = left.shape[3] - 1
    starts = F.pad(starts, (0, 0, longest, 0)).unfold(1, longest + 1, 1)  # (B, T, K, N + 1): the steps up to each
    ends = F.pad(ends, (0, 0, 0, longest)).unfold(1, longest + 1, 1)  # those from each on
    distance = torch.arange(longest + 1, dtype=bins.dtype, device=bins.device)
    left = (torch.softmax(starts + left, dim=3) * distance.flip(0)).sum(dim=3)  # (B, T, K)
    right = (torch.softmax(ends + right, dim=3) * distance).sum(dim=3)
    return torch.stack([left, right], dim=3)


class PlainActionFormer(nn.Module):
    """The network of a published recipe: ActionFormer, TriDet or TemporalMaxer."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model, classes = recipe.model, recipe.data.num_classes
        unknown = model.backbone == "conv" or model.neck != "identity" or model.relative_position
        if unknown or model.pooling != "max" or model.neck_norm == "none" or model.input_dropout:
            raise ValueError(f"recipe '{recipe.name}': the plain network knows published architectures only")
        self.noise = model.input_noise
        self.backbone, self.neck = Backbone(recipe), Neck(recipe)
        self.cls_head = Head(recipe, model.head_kernel, "cls_head", classes)
        self.trident = model.head == "trident"
        if self.trident:
            self.start_head = Head(recipe, model.boundary_kernel, "cls_head", classes)
            self.end_head = Head(recipe, model.boundary_kernel, "cls_head", classes)
        outputs = 2 * (model.bins + 1) if self.trident else 2
        self.reg_head = Head(recipe, model.head_kernel, "offset_head", outputs, scaled=True)
        for level, (stride, (low, high)) in enumerate(zip(model.level_strides, model.regression_ranges, strict=True)):
            position = torch.arange(0, LONGEST * recipe.data.max_seq_len, stride).float()
            columns = [position, *(torch.full_like(position, number) for number in (low, high, stride))]
            self.register_buffer(f"points_{level}", torch.stack(columns, dim=1), persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        """(B, C, T) float, (B, T) bool -> Output."""
        if self.training and self.noise > 0:
            features = features + self.noise * torch.randn_like(features)
        levels, masks = self.backbone(features, mask[:, None])
        levels = self.neck(levels)
        logits, offsets = self.cls_head(levels, masks), self.reg_head(levels, masks)
        if self.trident:
            detached = [x.detach() for x in levels]
            starts, ends = self.start_head(detached, masks), self.end_head(detached, masks)
            offsets = [trident_offsets(*level) for level in zip(starts, ends, offsets, strict=True)]
        points = [getattr(self, f"points_{level}")[: x.shape[2]] for level, x in enumerate(levels)]
        return Output(logits, offsets, [mask[:, 0] for mask in masks], points)
