"""Multi-head attention over a window of time steps, computed in blocks, or over the whole sequence."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.model.blocks import LayerNorm, MaskedConv1d, masked, normalise
from afkit.model.products import convolve

BLOCK = 32  # queries per block: large enough for a dense product, small enough to waste few keys
MASKED_KEY = -1e4  # added to the score of a padded key (the original's number; it shows at the end of a sequence)


def band_bias(mask: Tensor, reach: int) -> Tensor:
    """What is added to the attention scores of each block of queries.

    Args:
        mask: (B, T) bool, true features.
        reach: keys seen on either side of a query.

    Returns:
        (B, blocks, BLOCK, BLOCK + 2 * reach) float32: 0 for a key that the query sees, MASKED_KEY for a padded
        one, -inf outside the window or the sequence. Queries beyond the sequence, which only fill the last block,
        get 0 throughout: a row of -inf alone would turn into NaN.
    """
    length = mask.shape[1]
    blocks = -(-length // BLOCK)
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

    Args:
        query, key, value: (B, T, H, D).
        mask: (B, T) bool.
        window: window in steps; the band has 2 * (window // 2) + 1 keys.
        rel_pe: (1, 1, H, band) learned score per head and distance, or None.

    Returns:
        (B, T, H, D); rows of masked queries are not meaningful.
    """
    batch, length, heads, width = query.shape
    reach = window // 2
    bias = band_bias(mask, reach).to(query.dtype)  # (B, n, BLOCK, S)
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
    out = (query @ key.mT + bias).softmax(dim=-1) @ value
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

    Args:
        channels: C, divisible by `heads`; each head has a contiguous group of channels.
        heads: H.
        window: steps seen by a query; <= 1 for the whole sequence.
        stride: downsampling of the block.
        dropout: on the output projection.
        relative_position: a learned score per head and distance (windowed attention only).
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
        x, mask = getattr(self, f"{name}_conv")(x, mask)
        norm = getattr(self, f"{name}_norm")
        x = convolve(getattr(self, name), x, normalise, (norm.weight, norm.bias))
        return x.unflatten(2, (self.heads, -1)), mask  # (B, T', H, D)
