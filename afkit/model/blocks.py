"""The small parts of the network. All tensors are (B, T, C) with a mask (B, T, 1) that marks true features.

Channels lie last in memory: norms and products over channels, most of the work, then read contiguous rows. Weights keep
the original's shapes.
"""

import itertools
from collections.abc import Iterable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import BLOCK
from afkit.model.products import Preparation, convolve, convolve_in_groups, in_float32


class MaskedConv1d(nn.Module):
    """A centred convolution whose output is 0 where the mask is false; a stride thins the mask to every n-th step.

    The mask is applied before any norm, as in the original: the norm's bias then fills a padded slot again, and the
    next kernel of width 3 reads it.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = True
    ):
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=bias)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        prepare: Preparation | None = None,
        parameters: tuple[Tensor, ...] = (),
        taps: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) bool -> (B, T / stride, C'), (B, T / stride, 1) bool."""
        mask = mask[:, :: self.conv.stride[0]]
        return masked(convolve(self.conv, x, prepare, parameters, taps), mask), mask


def masked(x: Tensor, mask: Tensor) -> Tensor:
    """(B, T, C), (B, T, 1) bool -> (B, T, C), 0 where the mask is false."""
    if not torch.is_grad_enabled() and x.device.type == "cpu" and mask.all():  # asking a GPU means waiting for it
        return x
    return x * mask.to(x.dtype)


def normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer norm over the channels of x (B, T, C), computed in the type of weight and bias (1, C, 1)."""
    return F.layer_norm(x.to(weight.dtype), x.shape[2:], weight.flatten(), bias.flatten(), eps=1e-5)


class LayerNorm(nn.Module):
    """Layer norm over the channels of (B, T, C); weight and bias have the original's shape (1, C, 1)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return normalise(x, self.weight, self.bias)


def group_norm(x: Tensor, groups: int) -> Tensor:
    """(B, T, C), each group of channels with mean 0 and variance 1 over all T steps, padded ones too; unlearnt."""
    mean = x.mean(dim=1, keepdim=True).unflatten(2, (groups, -1)).mean(dim=3)  # (B, 1, groups)
    width = x.shape[2] // groups
    centred = x - mean.repeat_interleave(width, dim=2)
    variance = centred.square().mean(dim=1, keepdim=True).unflatten(2, (groups, -1)).mean(dim=3)
    return centred * (variance + 1e-5).rsqrt().repeat_interleave(width, dim=2)


def max_pool(x: Tensor, kernel: int, stride: int) -> Tensor:
    """(B, T, C) -> (B, T / stride, C): the highest value around each kept step."""
    image = x.transpose(1, 2).unsqueeze(2)  # (B, C, 1, T), pooled where it lies
    return F.max_pool2d(image, (1, kernel), (1, stride), (0, kernel // 2)).squeeze(2).transpose(1, 2)


def activation(norm: nn.Module, gaps: Tensor | None = None) -> tuple[Preparation, tuple[Tensor, ...]]:
    """A norm (or none) and ReLU as `convolve` takes them; in the gaps (B, T, 1), which belong to no sequence, 0."""

    def activate(x: Tensor, *parameters: Tensor) -> Tensor:
        x = normalise(x, *parameters) if parameters else x.clone()
        return (x if gaps is None else x.masked_fill_(gaps, 0)).relu_()

    return activate, tuple(norm.parameters())


def convolve_in_turn(
    convs: Iterable[nn.Module],
    norms: Iterable[nn.Module],
    taps: Iterable[Tensor],
    x: Tensor,
    mask: Tensor,
    gaps: Tensor | None = None,
) -> Tensor:
    """Masked convolutions with their `taps`, each followed by a norm and ReLU, as far as there are norms.

    One without says what a head found: it computes in float32 always, since bfloat16 would move an end by 0.2 %.
    """
    activate: Preparation | None = None
    parameters: tuple[Tensor, ...] = ()
    for conv, norm, laid_out in itertools.zip_longest(convs, norms, taps):
        with in_float32(x.device.type) if norm is None else nullcontext():
            x, _ = conv(x, mask, activate, parameters, laid_out)
        activate, parameters = activation(norm, gaps) if norm is not None else (None, ())
    return activate(x, *parameters) if activate else x


def norm_or_nothing(channels: int, wanted: bool) -> nn.Module:
    """A LayerNorm, or the identity where the recipe switches norms off."""
    return LayerNorm(channels) if wanted else nn.Identity()


class Scale(nn.Module):
    """One learned factor, a 0-d parameter that starts at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class AffineDropPath(nn.Module):
    """Skip connection plus scaled branch; in training the branch of a sample is dropped with probability `rate`.

    The scale per channel starts at 1e-4, so that a block begins near the identity. With rate 0 there is none, as in
    the original.
    """

    def __init__(self, channels: int, rate: float):
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1), 1e-4)) if rate > 0 else None
        self.rate = rate

    def forward(self, skip: Tensor, branch: Tensor) -> Tensor:
        if self.scale is None:
            return skip + branch
        factor = self.scale.mT  # (1, 1, C)
        if self.training and self.rate > 0:
            kept = torch.rand(len(branch), 1, 1, device=branch.device, dtype=branch.dtype) >= self.rate  # (B, 1, 1)
            factor = factor * (kept.to(branch.dtype) / (1 - self.rate))
        return torch.addcmul(skip, branch, factor)


def sinusoid_positions(length: int, channels: int) -> Tensor:
    """Absolute positions (1, length, C) float32: sine on even and cosine on odd channels, divided by sqrt(C)."""
    position = torch.arange(length, dtype=torch.float64)  # (T,)
    pair = torch.arange(channels) // 2  # (C,)
    angle = position[:, None] / torch.pow(10000.0, 2 * pair.double() / channels)  # (T, C)
    angle[:, 0::2], angle[:, 1::2] = angle[:, 0::2].sin(), angle[:, 1::2].cos()
    return (angle.float() / channels**0.5)[None]


MASKED_KEY = -1e4  # added to the score of a padded key (the original's number; it shows at the end of a sequence)


def band_bias(mask: Tensor, reach: int) -> Tensor:
    """What is added to the scores of each block of queries: (B, T) bool -> (B, blocks, BLOCK, BLOCK + 2 * reach).

    0 for a key that the query sees, MASKED_KEY for a padded one, -inf outside the window or the sequence. Queries
    beyond the sequence, which only fill the last block, get 0 throughout: a row of -inf alone would turn into NaN.
    """
    length = mask.shape[1]
    blocks = (length + BLOCK - 1) // BLOCK  # without negative numbers, which ONNX would round towards zero
    start = torch.arange(blocks, device=mask.device)[:, None] * BLOCK
    query = start + torch.arange(BLOCK, device=mask.device)  # (blocks, BLOCK)
    key = start - reach + torch.arange(BLOCK + 2 * reach, device=mask.device)  # (blocks, BLOCK + 2 reach)
    inside = (key >= 0) & (key < length)
    seen = inside[:, None, :] & ((key[:, None, :] - query[:, :, None]).abs() <= reach)  # (blocks, BLOCK, keys)
    bias = torch.zeros(seen.shape, device=mask.device).masked_fill_(~seen, -torch.inf)
    bias[query >= length] = 0
    padded = ~mask[:, key.clamp(0, length - 1)]  # (B, blocks, keys)
    return bias + MASKED_KEY * padded[:, :, None, :]


def local_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, window: int, rel_pe: Tensor | None = None
) -> Tensor:
    """Attention in which each query sees `window // 2` keys on both sides (ActionFormer, section 3.2).

    Blocks of queries meet their own block of keys and the neighbours within reach, so time and memory grow with T.
    Query, key, value and the result, whose masked rows mean nothing: (B, T, H, D); mask (B, T) bool; `rel_pe`, a
    learned score per head and distance: (1, 1, H, 2 * (window // 2) + 1).
    """
    batch, length, heads, width = query.shape
    reach = window // 2
    bias = band_bias(mask, reach)  # (B, n, BLOCK, S); float32, and so are the scores below
    blocks, span = bias.shape[1], bias.shape[3]
    fill = blocks * BLOCK - length
    query = F.pad(query.flatten(2), (0, 0, 0, fill)).view(-1, BLOCK, heads, width)  # (B n, BLOCK, H, D)
    key, value = (
        F.pad(x.flatten(2), (0, 0, reach, fill + reach))  # (B, T', C)
        .unfold(1, span, BLOCK)  # (B, n, C, S)
        .transpose(2, 3)
        .reshape(-1, span, heads, width)
        for x in (key, value)
    )
    bias = bias.flatten(0, 1)[:, None]  # (B n, 1, BLOCK, S)
    if rel_pe is not None:
        bias = bias + _distance_scores(rel_pe, span)
    query, key, value = (x.transpose(1, 2) for x in (query * width**-0.5, key, value))  # (B n, H, BLOCK or S, D)
    # not torch's fused attention: on CPU its exponential is good to 1e-6 only, and it is no faster on blocks this small
    out = (query @ key.mT + bias).softmax(dim=-1).to(value.dtype) @ value
    return out.transpose(1, 2).reshape(batch, -1, heads, width)[:, :length]


def _distance_scores(rel_pe: Tensor, span: int) -> Tensor:
    """(1, 1, H, band) -> (H, BLOCK, S): the score of each head by the distance of key and query."""
    band = rel_pe.shape[-1]
    steps = torch.arange(BLOCK, device=rel_pe.device)
    slot = torch.arange(span, device=rel_pe.device)[None, :] - steps[:, None]  # (BLOCK, S), 0 = leftmost key
    scores = rel_pe[0, 0][:, slot.clamp(0, band - 1)]  # (H, BLOCK, S)
    return scores * ((slot >= 0) & (slot < band))


class ConvAttention(nn.Module):
    """Attention whose query, key and value each pass a depthwise convolution (that may downsample) and a norm.

    Each head has a contiguous group of channels. A window <= 1 is the whole sequence; only a longer one can have
    relative positions, a learned score per head and distance.
    """

    def __init__(self, channels: int, heads: int, window: int, stride: int, dropout: float, relative_position: bool):
        super().__init__()
        self.heads, self.window = heads, window
        kernel = stride + 1 if stride > 1 else 3
        for name in ("query", "key", "value"):
            conv = MaskedConv1d(channels, channels, kernel, stride, groups=channels, bias=False)
            self.add_module(f"{name}_conv", conv)
            self.add_module(f"{name}_norm", LayerNorm(channels))
            self.add_module(name, nn.Conv1d(channels, channels, 1))
        self.proj = nn.Conv1d(channels, channels, 1)
        self.proj_drop = nn.Dropout(dropout)
        self.rel_pe = None
        if relative_position and window > 1:
            self.rel_pe = nn.Parameter(torch.empty(1, 1, heads, 2 * (window // 2) + 1))
            nn.init.trunc_normal_(self.rel_pe, std=(2.0 / channels) ** 0.5)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) bool -> (B, T / stride, C), (B, T / stride, 1) bool."""
        query, out_mask = self._heads_of("query", x, mask)
        key, _ = self._heads_of("key", x, mask)
        value, _ = self._heads_of("value", x, mask)
        flat_mask = out_mask[..., 0]  # (B, T')
        if self.window > 1:
            out = local_attention(query, key, value, flat_mask, self.window, self.rel_pe)
        else:
            query, key, value = (x.transpose(1, 2) for x in (query, key, value))  # (B, H, T', D)
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=flat_mask[:, None, None, :])
            out = out.transpose(1, 2)
        out = self.proj_drop(convolve(self.proj, out.flatten(2)))  # (B, T', C)
        return masked(out, out_mask), out_mask

    def _heads_of(self, name: str, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        conv, norm = getattr(self, f"{name}_conv").conv, getattr(self, f"{name}_norm")
        mask, learns = mask[:, :: conv.stride[0]], torch.is_grad_enabled()

        def prepare(x: Tensor, kernel: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            x = convolve_in_groups(conv, x, kernel)
            return normalise(x * mask if learns else masked(x, mask), weight, bias)

        x = convolve(getattr(self, name), x, prepare, (conv.weight, norm.weight, norm.bias))
        return x.unflatten(2, (self.heads, -1)), mask  # (B, T', H, D)
