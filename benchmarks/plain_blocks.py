"""The blocks of the plain baseline: convolutions, norms, and one block of each of the three networks.

Everything is (B, C, T): layer norm in single operations, `nn.Conv1d` throughout, local attention over overlapping
chunks (as in Longformer, Beltagy 2020). Parameters bear afkit's names.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe

MASKED_KEY = -1e4


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


class SGPBlock(nn.Module):
    """TriDet's block (Shi et al. 2023): convolutions near and farther, and a mean over the sequence, as they come."""

    def __init__(self, recipe: Recipe, window: int, stride: int):
        super().__init__()
        model, channels = recipe.model, recipe.model.embed_dim
        longer = round((window + 1) * model.window_ratio)
        longer += longer % 2 == 0
        self.ln, self.gn = LayerNorm(channels), nn.GroupNorm(16, channels)
        for name, kernel in {"psi": window, "fc": 1, "convw": window, "convkw": longer, "global_fc": 1}.items():
            self.add_module(name, nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels))
        self.mlp = nn.Sequential(
            nn.Conv1d(channels, model.mlp_dim or 4 * channels, 1),
            nn.GELU(),
            nn.Conv1d(model.mlp_dim or 4 * channels, channels, 1),
        )
        self.stride = stride
        self.pool = nn.MaxPool1d(3, stride, 1) if stride > 1 else nn.Identity()
        dropped = stride > 1 and model.drop_path > 0
        self.drop_path_out = DropPath(channels, model.drop_path) if dropped else nn.Identity()
        self.drop_path_mlp = DropPath(channels, model.drop_path) if dropped else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, 1, T) bool -> (B, C, T / stride), (B, 1, T / stride) bool."""
        x, kept = self.pool(x), mask.to(x.dtype)
        if self.stride > 1:
            kept = F.interpolate(kept, size=x.shape[2], mode="nearest")
        normed = self.ln(x)
        instant = self.fc(normed) * F.relu(self.global_fc(normed.mean(dim=2, keepdim=True)))
        window = (self.convw(normed) + self.convkw(normed)) * self.psi(normed)
        x = x * kept + self.drop_path_out(instant + window + normed)
        return x + self.drop_path_mlp(self.mlp(self.gn(x))), kept.bool()


class MaxPoolBlock(nn.Module):
    """TemporalMaxer's block (Tang et al. 2023)."""

    def __init__(self, stride: int):
        super().__init__()
        self.pool = nn.MaxPool1d(3, stride, 1)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, 1, T) bool -> (B, C, T / stride), (B, 1, T / stride) bool."""
        x = self.pool(x)
        kept = F.interpolate(mask.to(x.dtype), size=x.shape[2], mode="nearest")
        return x * kept, kept.bool()
