"""From logits and offsets to candidate segments, before duplicates are suppressed."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from afkit.config import DecodeConfig, Recipe
from afkit.model.actionformer import LevelOutput, Output
from afkit.model.heads import offsets_of


class Level(NamedTuple):
    """The best of one pyramid level for each of B videos, by descending score, those to be dropped included."""

    segments: Tensor  # (B, n, 2) float32 on the grid
    scores: Tensor  # (B, n) float32
    labels: Tensor  # (B, n) int64
    keep: Tensor  # (B, n) bool, likely and long enough


class Candidates(NamedTuple):
    """Candidates of B videos, one video after the other."""

    segments: Tensor  # (N, 2) float32 on the grid
    scores: Tensor  # (N,) float32
    labels: Tensor  # (N,) int64
    offsets: Tensor  # (B + 1,) int64: those of video b are the rows offsets[b] to offsets[b + 1] - 1


@torch.no_grad()
def decode(out: Output, recipe: Recipe) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Candidate segments of every video of a batch (ActionFormer, section 3.4).

    Per level: points x classes with a probability above `pre_nms_thresh`, the `pre_nms_topk` best of them, without
    those that are not longer than `duration_thresh`. Levels follow each other, each by descending score.

    Each of the B videos gets segments (N, 2) on the grid, scores (N,), labels (N,).
    """
    segments, scores, labels, offsets = decode_batch(out, recipe)
    rows = itertools.starmap(slice, itertools.pairwise(offsets.tolist()))
    return [(segments[own], scores[own], labels[own]) for own in rows]


@torch.no_grad()
def decode_batch(out: Output, recipe: Recipe) -> Candidates:
    """The candidates of all videos of a batch in one list; else as `decode`."""
    return candidates_of([decode_level(level, recipe.decode) for level in out.levels()])


def candidates_of(levels: Sequence[Level]) -> Candidates:
    """What is to be kept of all levels."""
    segments, scores, labels, keep = (torch.cat(columns, dim=1) for columns in zip(*levels, strict=True))
    ends = keep.sum(dim=1).cumsum(0)  # (B,)
    return Candidates(segments[keep], scores[keep], labels[keep], torch.cat([ends.new_zeros(1), ends]))


def decode_level(level: LevelOutput, config: DecodeConfig) -> Level:
    """The `pre_nms_topk` best of one level of an `Output`; those below a threshold are marked, not left out."""
    logits, offsets, mask, points = level
    classes = logits.shape[2]  # of (B, T, K)
    probability = logits.float().sigmoid().where(mask[..., None], 0).flatten(1)  # (B, T * K)
    # top-k first, then the threshold: the same candidates as the other way round, and much faster
    scores, index = probability.topk(min(config.pre_nms_topk, probability.shape[1]), dim=1)  # (B, n)
    point, label = index.div(classes, rounding_mode="floor"), index % classes
    video = torch.arange(len(index), device=index.device)[:, None]
    distance = offsets_of(offsets, video, point, label).float()  # (B, n, 2)
    position, stride = points[point, 0], points[point, 3]  # (B, n)
    onset, end = position - distance[..., 0] * stride, position + distance[..., 1] * stride
    keep = (scores > config.pre_nms_thresh) & (end - onset > config.duration_thresh)
    return Level(torch.stack([onset, end], dim=2), scores, label, keep)
