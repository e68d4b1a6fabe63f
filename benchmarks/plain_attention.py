"""The plain baseline's attention: local attention over overlapping chunks, and attention over the whole sequence."""

import torch
import torch.nn.functional as F
from torch import Tensor

MASKED_KEY = -1e4


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
