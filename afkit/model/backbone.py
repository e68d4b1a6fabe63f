"""Embedding, stem and branch: from features (B, T, C) to one feature map per pyramid level."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.model.blocks import (
    AffineDropPath,
    ConvAttention,
    LayerNorm,
    MaskedConv1d,
    convolve_in_turn,
    masked,
    max_pool,
    norm_or_nothing,
    normalise,
    sinusoid_positions,
)
from afkit.model.products import convolve, in_parts, lay_out
from afkit.model.sgp import SGPBlock


class TransformerBlock(nn.Module):
    """A pre-norm Transformer block; with a stride the skip connection is max-pooled (ActionFormer, equation 3).

    The window of its attention is in steps of its output; <= 1: the whole sequence.
    """

    def __init__(self, recipe: Recipe, window: int, stride: int):
        super().__init__()
        model = recipe.model
        channels, hidden = model.embed_dim, model.mlp_dim or 4 * model.embed_dim
        self.ln1, self.ln2 = LayerNorm(channels), LayerNorm(channels)
        self.attn = ConvAttention(channels, model.heads, window, stride, model.dropout, model.relative_position)
        self.window, self.stride = window, stride
        self.mlp = nn.Sequential(
            nn.Conv1d(channels, hidden, 1),
            nn.GELU(),
            nn.Dropout(model.dropout),
            nn.Conv1d(hidden, channels, 1),
            nn.Dropout(model.dropout),
        )
        self.drop_path_attn = AffineDropPath(channels, model.drop_path)
        self.drop_path_mlp = AffineDropPath(channels, model.drop_path)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) -> (B, T / stride, C), (B, T / stride, 1)."""
        if self.window <= 1:  # every step reads every other one
            x = self._block(x, mask)
        else:
            reach = self.stride * (self.window // 2 + 1)  # one more than the band: the convolutions before it
            x = in_parts(self._block, x, mask, reach=reach, stride=self.stride)
        return x, mask[:, :: self.stride]

    def _block(self, x: Tensor, mask: Tensor) -> Tensor:
        attended, out_mask = self.attn(self.ln1(x), mask)
        skip = max_pool(x, self.stride + 1, self.stride) if self.stride > 1 else x
        x = self.drop_path_attn(masked(skip, out_mask), attended)
        return self.drop_path_mlp(x, masked(self._mlp(x), out_mask))

    def _mlp(self, x: Tensor) -> Tensor:
        expand, _, drop, contract, drop_out = self.mlp
        assert isinstance(expand, nn.Conv1d) and isinstance(drop, nn.Dropout) and isinstance(contract, nn.Conv1d)
        hidden = convolve(expand, x, normalise, (self.ln2.weight, self.ln2.bias))
        if not (drop.training and drop.p > 0):
            return drop_out(convolve(contract, hidden, F.gelu))
        # drawn here, since what comes before the product is computed twice
        kept = torch.empty_like(hidden, dtype=torch.bool).bernoulli_(1 - drop.p)
        return drop_out(convolve(contract, hidden, lambda x: F.gelu(x) * kept * (1 / (1 - drop.p))))


class ConvBlock(nn.Module):
    """A residual block of two convolutions, the alternative to a Transformer block."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.conv1 = MaskedConv1d(channels, 2 * channels, 3, stride)
        self.conv2 = MaskedConv1d(2 * channels, channels, 3)
        self.downsample = MaskedConv1d(channels, channels, 1, stride) if stride > 1 else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) -> (B, T / stride, C), (B, T / stride, 1)."""
        skip = x if self.downsample is None else self.downsample(x, mask)[0]
        x, out_mask = self.conv1(x, mask)
        x, _ = self.conv2(F.relu(x), out_mask)
        return F.relu(x + skip), out_mask


class MaxPoolBlock(nn.Module):
    """The highest of three steps around each kept one, without anything learnt (TemporalMaxer, Tang et al. 2023)."""

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) -> (B, T / stride, C), (B, T / stride, 1)."""
        mask = mask[:, :: self.stride]
        return masked(max_pool(x, 3, self.stride), mask), mask


class Backbone(nn.Module):
    """Embedding convolutions, stem blocks at full length, branch blocks that each halve it.

    Sub-modules bear the original's names, so that its weights load.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        data, model = recipe.data, recipe.model
        self.input_dims = data.input_dims
        self.proj = None
        channels_in = sum(data.input_dims)
        if model.stream_dims:
            streams = zip(data.input_dims, model.stream_dims, strict=True)
            self.proj = nn.ModuleList([MaskedConv1d(wide, narrow, 1) for wide, narrow in streams])
            channels_in = model.embed_dim
        widths = [channels_in] + [model.embed_dim] * model.embed_layers
        self.embd = nn.ModuleList(
            MaskedConv1d(widths[i], widths[i + 1], model.embed_kernel, bias=not model.embed_norm)
            for i in range(model.embed_layers)
        )
        self.reach = model.embed_layers * (model.embed_kernel // 2)
        self.embd_norm = nn.ModuleList(
            norm_or_nothing(model.embed_dim, model.embed_norm) for _ in range(model.embed_layers)
        )
        positions = sinusoid_positions(data.max_seq_len, model.embed_dim) if model.absolute_position else None
        self.register_buffer("positions", positions, persistent=False)  # (1, M, C)
        windows = model.level_windows
        self.stem = nn.ModuleList(_block(recipe, windows[0], 1) for _ in range(model.stem_layers))
        self.branch = nn.ModuleList(_block(recipe, window, model.scale_factor) for window in windows[1:])

    def forward(self, x: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(B, T, C), (B, T, 1) bool -> lists over branch_layers + 1 levels of (B, T_l, C'), (B, T_l, 1)."""
        taps = [lay_out(conv.conv) for conv in self.embd]  # type: ignore[arg-type]  # a ModuleList forgets types
        x = in_parts(lambda x, mask: self._embed(x, mask, taps), x, mask, reach=self.reach)
        if self.positions is not None:
            x = x + self._positions_for(x.shape[1]) * mask.to(x.dtype)
        for block in self.stem:
            x, mask = block(x, mask)
        features, masks = [x], [mask]
        for block in self.branch:
            x, mask = block(x, mask)
            features.append(x)
            masks.append(mask)
        return features, masks

    def _embed(self, x: Tensor, mask: Tensor, taps: list[Tensor]) -> Tensor:
        if self.proj is not None:
            streams = zip(self.proj, x.split(self.input_dims, dim=2), strict=True)
            x = torch.cat([project(stream, mask)[0] for project, stream in streams], dim=2)
        return convolve_in_turn(self.embd, self.embd_norm, taps, x, mask)

    def _positions_for(self, length: int) -> Tensor:
        """(1, T, C): the table's beginning; for sequences longer than the table, the table stretched."""
        table = self.get_buffer("positions")
        if length <= table.shape[1]:
            return table[:, :length]
        return F.interpolate(table.mT, length, mode="linear", align_corners=False).mT


def _block(recipe: Recipe, window: int, stride: int) -> nn.Module:
    match recipe.model.backbone:
        case "conv":
            return ConvBlock(recipe.model.embed_dim, stride)
        case "sgp":  # in the stem it reads single steps, and is never dropped
            in_stem = stride == 1
            return SGPBlock(recipe, 1 if in_stem else window, stride, 0 if in_stem else recipe.model.drop_path)
        case "maxpool":
            return MaxPoolBlock(stride)
    return TransformerBlock(recipe, window, stride)
