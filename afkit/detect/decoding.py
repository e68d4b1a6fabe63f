"""From logits and offsets to candidate segments, before duplicates are suppressed."""

import torch
from torch import Tensor

from afkit.config import DecodeConfig, Recipe
from afkit.model.actionformer import Output

Candidates = tuple[Tensor, Tensor, Tensor]  # segments (N, 2) on the grid, scores (N,), labels (N,) int64


@torch.no_grad()
def decode(out: Output, recipe: Recipe) -> list[Candidates]:
    """Candidate segments of every video of a batch (ActionFormer, section 3.4).

    Per level: points x classes with a probability above `pre_nms_thresh`, the `pre_nms_topk` best of them, without
    those that are not longer than `duration_thresh`. Levels follow each other, each by descending score.

    Args:
        out: the network's output for B videos.
        recipe: its `decode` section.

    Returns:
        B tuples of segments (N, 2) on the grid, scores (N,), labels (N,).
    """
    videos = range(out.masks[0].shape[0])
    return [_decode_video(out, video, recipe.decode) for video in videos]


def _decode_video(out: Output, video: int, config: DecodeConfig) -> Candidates:
    levels = zip(out.logits, out.offsets, out.masks, out.points, strict=True)
    parts = [
        _decode_level(logits[video], offsets[video], mask[video], points, config)
        for logits, offsets, mask, points in levels
    ]
    segments, scores, labels = zip(*parts, strict=True)
    return torch.cat(segments), torch.cat(scores), torch.cat(labels)


def _decode_level(logits: Tensor, offsets: Tensor, mask: Tensor, points: Tensor, config: DecodeConfig) -> Candidates:
    """(T, K), (T, 2), (T,), (T, 4) -> candidates of one level of one video."""
    probability = logits.sigmoid().where(mask[:, None], 0).flatten()  # (T * K,)
    # top-k first, then the threshold: the same candidates as the other way round, and much faster
    scores, index = probability.topk(min(config.pre_nms_topk, len(probability)))
    above = scores > config.pre_nms_thresh
    scores, index = scores[above], index[above]
    point = index.div(logits.shape[1], rounding_mode="floor")  # (N,)
    labels = index % logits.shape[1]
    position, stride = points[point, 0], points[point, 3]
    onset = position - offsets[point, 0] * stride
    end = position + offsets[point, 1] * stride
    long_enough = end - onset > config.duration_thresh
    segments = torch.stack([onset, end], dim=1)
    return segments[long_enough], scores[long_enough], labels[long_enough]
