"""The plain baseline's decoding: video by video and level by level, threshold, sort, the best of them."""

import torch
from torch import Tensor

from afkit.config import Recipe
from benchmarks import textbook
from benchmarks.plain import Output

Rows = tuple[Tensor, Tensor, Tensor]  # segments (N, 2), scores (N,), labels (N,)


@torch.no_grad()
def decode(out: Output, recipe: Recipe) -> list[Rows]:
    """Candidates of each video of a batch, on the CPU."""
    videos = []
    for video in range(len(out.logits[0])):
        levels = zip(out.logits, out.offsets, out.masks, out.points, strict=True)
        rows = [
            decode_level(x[video], offsets[video], mask[video], points, recipe) for x, offsets, mask, points in levels
        ]
        videos.append(tuple(torch.cat(column).cpu() for column in zip(*rows, strict=True)))
    return videos


def decode_level(logits: Tensor, offsets: Tensor, mask: Tensor, points: Tensor, recipe: Recipe) -> Rows:
    """Candidates of one level: logits (T, K), offsets (T, 2) or (T, K, 2), mask (T,), points (T, 4)."""
    config, classes = recipe.decode, logits.shape[1]
    probability = (logits.sigmoid() * mask[:, None]).flatten()  # (T * K,)
    above = probability > config.pre_nms_thresh
    scores, place = probability[above], above.nonzero()[:, 0]
    scores, order = scores.sort(descending=True)
    best = min(config.pre_nms_topk, len(order))
    scores, place = scores[:best], place[order[:best]]
    point, labels = torch.div(place, classes, rounding_mode="floor"), torch.fmod(place, classes)
    offsets = offsets[point] if offsets.dim() == 2 else offsets[point, labels]
    points = points[point]
    onset = points[:, 0] - offsets[:, 0] * points[:, 3]
    end = points[:, 0] + offsets[:, 1] * points[:, 3]
    segments = torch.stack([onset, end], dim=1)
    keep = end - onset > config.duration_thresh
    return segments[keep], scores[keep], labels[keep]


def suppress(candidates: list[Rows], recipe: Recipe) -> list[Rows]:
    """The textbook's NMS of each video."""
    config = recipe.decode
    return [
        textbook.nms(
            *rows,
            method=config.nms,
            multiclass=config.multiclass,
            iou_threshold=config.iou_threshold,
            sigma=config.sigma,
            min_score=config.min_score,
            max_segments=config.max_segments,
            voting_threshold=config.voting_threshold,
            voting_weight=config.voting_weight,
        )
        for rows in candidates
    ]
