"""ActionFormer as it is commonly written, the baseline of the training and inference benchmarks: the network.

Everything is (B, C, T): layer norm in single operations, `nn.Conv1d` throughout, local attention over overlapping
chunks (as in Longformer, Beltagy 2020), points from buffers. Parameters bear afkit's names, so its weights load.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe

MASKED_KEY = -1e4
LONGEST = 4  # points are kept ready for sequences of this many times M


class Output(NamedTuple):
    """Lists over the L levels."""

    logits: list[Tensor]  # (B, T_l, K)
    offsets: list[Tensor]  # (B, T_l, 2)
    masks: list[Tensor]  # (B, T_l) bool
    points: list[Tensor]  # (T_l, 4)


class MaskedConv1d(nn.Module):
    """A convolution, then zero where the mask is false."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1, bias=True):
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=bias)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, 1, T) bool -> (B, C', T / stride), (B, 1, T / stride) bool."""
        x, kept = self.conv(x), mask.to(x.dtype)
        if self.stride > 1:
            kept = F.interpolate(kept, size=x.shape[2], mode="nearest")
        return x * kept, kept.bool()


class LayerNorm(nn.Module):
    """Layer norm over channels, written out."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        centred = x - x.mean(dim=1, keepdim=True)
        variance = (centred**2).mean(dim=1, keepdim=True)  # (B, 1, T)
        return centred * torch.rsqrt(variance + 1e-5) * self.weight + self.bias


class Scale(nn.Module):
    """One learned factor."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        return x * self.scale


class DropPath(nn.Module):
    """A learned scale per channel; in training whole samples are dropped."""

    def __init__(self, channels: int, rate: float):
        super().__init__()
        self.rate = rate
        self.scale = nn.Parameter(torch.full((1, channels, 1), 1e-4))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        x = self.scale * x
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        kept = (keep + torch.rand(x.shape[0], 1, 1, dtype=x.dtype, device=x.device)).floor()  # (B, 1, 1)
        return x / keep * kept


def band_scores(query: Tensor, key: Tensor, reach: int) -> Tensor:
    """(N, T, D), (N, T, D) -> (N, T, 2 reach + 1): each query with the keys around it; 0 outside the sequence."""
    rows, length, _ = query.shape
    # chunks of 2 reach steps that overlap by reach: (N, n - 1, D, 2 reach) each
    query, key = query.unfold(1, 2 * reach, reach), key.unfold(1, 2 * reach, reach)
    scores = torch.einsum("ncdx,ncdy->ncxy", query, key)  # (N, n - 1, 2 reach, 2 reach)
    # the same memory with one row more, read in rows of 2 reach + 1: diagonals are columns now
    columns = F.pad(scores, (0, 0, 0, 1)).view(rows, -1, 2 * reach, 2 * reach + 1)
    band = columns.new_zeros(rows, length // reach, reach, 2 * reach + 1)
    band[:, :-1, :, reach:] = columns[:, :, :reach, : reach + 1]
    band[:, -1, :, reach:] = columns[:, -1, reach:, : reach + 1]
    band[:, 1:, :, :reach] = columns[:, :, reach - 1 : -1, reach + 1 :]
    band[:, 0, 1:, 1:reach] = columns[:, 0, : reach - 1, reach + 2 :]
    return band.view(rows, length, 2 * reach + 1)


def band_product(weights: Tensor, value: Tensor, reach: int) -> Tensor:
    """(N, T, 2 reach + 1), (N, T, D) -> (N, T, D): the values around each query, weighted."""
    rows, length, width = value.shape
    value = F.pad(value, (0, 0, reach, reach)).unfold(1, 3 * reach, reach)  # (N, n, D, 3 reach)
    weights = weights.view(rows, length // reach, reach, 2 * reach + 1)
    # columns become diagonals again
    weights = F.pad(weights, (0, reach)).flatten(2)[..., :-reach].unflatten(2, (reach, 3 * reach))
    return torch.einsum("ncxy,ncdy->ncxd", weights, value).reshape(rows, length, width)


def local_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, reach: int) -> Tensor:
    """(B, H, T, D) each, mask (B, T) -> (B, H, T, D); T divides by 2 reach."""
    batch, heads, length, _ = query.shape
    query, key, value = (x.flatten(0, 1) for x in (query, key, value))  # (B * H, T, D)
    scores = band_scores(query, key, reach)
    corner = torch.ones(reach, reach + 1, dtype=torch.bool, device=mask.device).tril().flip(0)
    scores[:, :reach, : reach + 1].masked_fill_(corner, -torch.inf)
    scores[:, -reach:, reach:].masked_fill_(corner.flip(0, 1), -torch.inf)
    padded = query.new_zeros(batch, length, 1).masked_fill(~mask[:, :, None], MASKED_KEY)
    scores = scores.view(batch, heads, length, -1) + band_scores(torch.ones_like(padded), padded, reach)[:, None]
    weights = scores.softmax(dim=-1).masked_fill(~mask[:, None, :, None], 0)
    return band_product(weights.flatten(0, 1), value, reach).view(batch, heads, length, -1)


def full_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """(B, H, T, D) each, mask (B, T) -> (B, H, T, D)."""
    scores = (query @ key.transpose(2, 3)).masked_fill(~mask[:, None, None, :], -torch.inf)
    return scores.softmax(dim=-1) @ (value * mask[:, None, :, None])


class ConvAttention(nn.Module):
    """Attention behind depthwise convolutions."""

    def __init__(self, channels: int, heads: int, window: int, stride: int, dropout: float):
        super().__init__()
        self.heads, self.window = heads, window
        for name in ("query", "key", "value"):
            self.add_module(f"{name}_conv", MaskedConv1d(channels, channels, 3, stride, groups=channels, bias=False))
            self.add_module(f"{name}_norm", LayerNorm(channels))
            self.add_module(name, nn.Conv1d(channels, channels, 1))
        self.proj, self.proj_drop = nn.Conv1d(channels, channels, 1), nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, 1, T) bool -> (B, C, T / stride), (B, 1, T / stride) bool."""
        query, out_mask = self.query_conv(x, mask)
        key, _ = self.key_conv(x, mask)
        value, _ = self.value_conv(x, mask)
        query = self._split(self.query(self.query_norm(query)))
        key = self._split(self.key(self.key_norm(key)))
        value = self._split(self.value(self.value_norm(value)))
        query = query * query.shape[3] ** -0.5
        if self.window > 1:
            out = local_attention(query, key, value, out_mask[:, 0], self.window // 2)
        else:
            out = full_attention(query, key, value, out_mask[:, 0])
        out = out.transpose(2, 3).flatten(1, 2)  # (B, C, T')
        return self.proj_drop(self.proj(out)) * out_mask.to(out.dtype), out_mask

    def _split(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, H, T, D)."""
        return x.view(x.shape[0], self.heads, -1, x.shape[2]).transpose(2, 3)


class TransformerBlock(nn.Module):
    """Attention and MLP, each with a skip connection."""

    def __init__(self, recipe: Recipe, window: int, stride: int):
        super().__init__()
        model, channels = recipe.model, recipe.model.embed_dim
        self.ln1, self.ln2 = LayerNorm(channels), LayerNorm(channels)
        self.attn = ConvAttention(channels, model.heads, window, stride, model.dropout)
        self.pool_skip = nn.MaxPool1d(3, stride, 1) if stride > 1 else nn.Identity()
        self.mlp = nn.Sequential(
            nn.Conv1d(channels, 4 * channels, 1),
            nn.GELU(),
            nn.Dropout(model.dropout),
            nn.Conv1d(4 * channels, channels, 1),
            nn.Dropout(model.dropout),
        )
        self.drop_path_attn = DropPath(channels, model.drop_path) if model.drop_path > 0 else nn.Identity()
        self.drop_path_mlp = DropPath(channels, model.drop_path) if model.drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, 1, T) bool -> (B, C, T / stride), (B, 1, T / stride) bool."""
        attended, mask = self.attn(self.ln1(x), mask)
        kept = mask.to(x.dtype)
        x = self.pool_skip(x) * kept + self.drop_path_attn(attended)
        return x + self.drop_path_mlp(self.mlp(self.ln2(x)) * kept), mask


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
        self.stem = nn.ModuleList(TransformerBlock(recipe, windows[0], 1) for _ in range(model.stem_layers))
        self.branch = nn.ModuleList(TransformerBlock(recipe, window, 2) for window in windows[1:])

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


def positions(length: int, channels: int) -> Tensor:
    """(1, C, T) sines on even and cosines on odd channels, over sqrt(C)."""
    pair = torch.arange(channels).div(2, rounding_mode="floor")  # (C,)
    angle = torch.arange(length)[:, None] / 10000.0 ** (2 * pair.double() / channels)  # (T, C)
    table = torch.where(torch.arange(channels) % 2 == 0, angle.sin(), angle.cos())
    return (table.T[None] / channels**0.5).float()


class Neck(nn.Module):
    """A norm per level."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.fpn_norms = nn.ModuleList(LayerNorm(recipe.model.embed_dim) for _ in recipe.model.level_strides)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """List over L levels of (B, C, T_l) -> the same."""
        return [norm(x) for norm, x in zip(self.fpn_norms, levels, strict=True)]


class Head(nn.Module):
    """Convolutions shared over levels; the last one bears the given name, and a scale per level may follow."""

    def __init__(self, recipe: Recipe, last: str, outputs: int, scaled: bool):
        super().__init__()
        model, width = recipe.model, recipe.model.embed_dim
        layers = range(model.head_layers - 1)
        self.head = nn.ModuleList(MaskedConv1d(width, width, model.head_kernel, bias=False) for _ in layers)
        self.norm = nn.ModuleList(LayerNorm(width) for _ in layers)
        self.last = last
        self.add_module(last, MaskedConv1d(width, outputs, model.head_kernel))
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


class PlainActionFormer(nn.Module):
    """The network of a published recipe."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        model = recipe.model
        if model.backbone != "transformer" or model.neck != "identity" or model.relative_position:
            raise ValueError(f"recipe '{recipe.name}': the plain network knows published architectures only")
        self.backbone, self.neck = Backbone(recipe), Neck(recipe)
        self.cls_head = Head(recipe, "cls_head", recipe.data.num_classes, scaled=False)
        self.reg_head = Head(recipe, "offset_head", 2, scaled=True)
        for level, (stride, (low, high)) in enumerate(zip(model.level_strides, model.regression_ranges, strict=True)):
            position = torch.arange(0, LONGEST * recipe.data.max_seq_len, stride).float()
            columns = [position, *(torch.full_like(position, number) for number in (low, high, stride))]
            self.register_buffer(f"points_{level}", torch.stack(columns, dim=1), persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        """(B, C, T) float, (B, T) bool -> Output."""
        levels, masks = self.backbone(features, mask[:, None])
        levels = self.neck(levels)
        logits, offsets = self.cls_head(levels, masks), self.reg_head(levels, masks)
        points = [getattr(self, f"points_{level}")[: x.shape[2]] for level, x in enumerate(levels)]
        return Output(logits, offsets, [mask[:, 0] for mask in masks], points)
