"""Suppression of duplicate detections: hard and soft NMS in one dimension, and score voting, in plain torch."""

import torch
from torch import Tensor

METHODS = ("soft", "hard", "none")
BACKENDS = ("auto", "torch")
LENGTH_EPS = 1e-6  # added to every length (the original's number)


@torch.no_grad()
def nms(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    method: str = "soft",
    multiclass: bool = True,
    iou_threshold: float = 0.1,
    sigma: float = 0.5,
    min_score: float = 0.001,
    max_segments: int = 200,
    voting_threshold: float = 0.0,
    backend: str = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """Suppress duplicates among the candidates of one video.

    Soft NMS (Bodla 2017, gaussian): take the best candidate, multiply the scores of the others (of its class) by
    `exp(-IoU^2 / sigma)`, drop those whose decayed score falls below `min_score`, repeat; so the first pick of a
    class always stays. Hard NMS: of the candidates above `min_score`, drop those whose IoU with a better one
    reaches `iou_threshold`. Equal scores: the one that comes first in the input is taken first.

    Args:
        segments: (N, 2) float32, in any unit.
        scores: (N,) float32.
        labels: (N,) int64.
        method: "soft", "hard", or "none" (sort and cap only).
        multiclass: suppress within each class; else across classes, and then `voting_threshold` may be used.
        iou_threshold: for hard NMS.
        sigma: for soft NMS.
        min_score: see above; 0 keeps all.
        max_segments: at most so many are returned.
        voting_threshold: 0 for none; else each kept segment becomes the mean of the input segments that overlap it
            by at least this IoU, weighted by IoU times original score. Ignored when multi-class.
        backend: "torch", or "auto" for the best that is there.

    Returns:
        segments (M, 2), scores (M,), labels (M,), by descending score. Without gradients.

    Raises:
        ValueError: an argument is out of range or shapes do not fit; it names the argument.
    """
    _check(segments, scores, labels, method, backend)
    _check_numbers(iou_threshold, sigma, min_score, max_segments, voting_threshold)
    if method == "none" or len(scores) == 0:
        order = scores.argsort(descending=True, stable=True)[:max_segments]
        return segments[order], scores[order], labels[order]
    groups = labels if multiclass else torch.zeros_like(labels)
    if method == "hard":
        keep = scores > min_score if min_score > 0 else torch.ones_like(scores, dtype=torch.bool)
        picked, picked_scores = _suppress(segments, scores, groups, keep, max_segments, hard_iou=iou_threshold)
    else:
        keep = torch.ones_like(scores, dtype=torch.bool)
        picked, picked_scores = _suppress(segments, scores, groups, keep, max_segments, sigma=sigma, floor=min_score)
    kept = segments[picked]
    if voting_threshold > 0 and not multiclass:
        kept = vote(kept, segments, scores, voting_threshold)
    return kept, picked_scores, labels[picked]


def _suppress(
    segments: Tensor,
    scores: Tensor,
    groups: Tensor,
    keep: Tensor,
    max_segments: int,
    hard_iou: float | None = None,
    sigma: float = 0.5,
    floor: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Greedy picks over all groups at once: indices (M,) into the input and their final scores (M,).

    The picks of a group never rise, so the best of what is left over all groups gives the same list as each group
    on its own followed by a sort, and it may stop after `max_segments`.
    """
    order = groups.argsort(stable=True)  # a group's candidates lie together, in input order
    order = order[keep[order]]
    _, group_of, sizes = groups[order].unique_consecutive(return_inverse=True, return_counts=True)
    spans = [slice(stop - size, stop) for stop, size in zip(sizes.cumsum(0).tolist(), sizes.tolist(), strict=True)]
    group_of = group_of.tolist()
    onset, end = segments[order].unbind(1)
    length = end - onset + LENGTH_EPS
    left = scores[order].clone()  # -inf: taken or suppressed
    rank = order.clone()
    picks, picked_scores = [], []
    while len(picks) < min(max_segments, len(left)):
        pick = _best(left, rank)
        score = left[pick].item()
        if score == -torch.inf:
            break
        picks.append(pick)
        picked_scores.append(score)
        group = spans[group_of[pick]]
        overlap = torch.minimum(end[group], end[pick]) - torch.maximum(onset[group], onset[pick])
        iou = overlap.clamp(min=0)
        iou = iou / (length[group] + length[pick] - iou)
        now = left[group]
        if hard_iou is None:
            decayed = now * torch.exp(-(iou * iou) / sigma)
            now = decayed.masked_fill(decayed < floor, -torch.inf)
        else:
            now = now.masked_fill(iou >= hard_iou, -torch.inf)
        left[group] = now
        left[pick] = -torch.inf
    taken = torch.tensor(picks, dtype=torch.int64, device=order.device)
    return order[taken], torch.tensor(picked_scores, dtype=scores.dtype, device=scores.device)


def _best(left: Tensor, rank: Tensor) -> int:
    """The position of the highest score; of several, the one with the lowest place in the input."""
    ties = (left == left.max()).nonzero().flatten()
    return int(ties[rank[ties].argmin()])


def vote(kept: Tensor, segments: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Replace each kept segment by the weighted mean of the candidates around it (box voting, Gidaris 2015).

    Args:
        kept: (M, 2).
        segments: (N, 2) all candidates.
        scores: (N,) their original scores.
        threshold: lowest IoU that has a vote.

    Returns:
        (M, 2).
    """
    overlap = torch.minimum(kept[:, None, 1], segments[None, :, 1]) - torch.maximum(
        kept[:, None, 0], segments[None, :, 0]
    )
    overlap = overlap.clamp(min=0)  # (M, N)
    lengths = (kept[:, 1] - kept[:, 0])[:, None] + (segments[:, 1] - segments[:, 0])[None, :]
    iou = overlap / (lengths - overlap)
    weights = iou.where(iou >= threshold, 0) * scores
    total = weights.sum(dim=1, keepdim=True)  # 0 for a segment without length, which has no vote even for itself
    return ((weights @ segments) / total).where(total > 0, kept)


def _check(segments: Tensor, scores: Tensor, labels: Tensor, method: str, backend: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not '{method}'")
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, not '{backend}'")
    if segments.dim() != 2 or segments.shape[1] != 2:
        raise ValueError(f"segments must be (N, 2), not {tuple(segments.shape)}")
    if scores.shape != segments.shape[:1] or labels.shape != segments.shape[:1]:
        shapes = f"{tuple(scores.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"scores and labels must be ({len(segments)},) like segments, not {shapes}")
    if not scores.isfinite().all():
        raise ValueError(f"scores must be finite; that of candidate {int((~scores.isfinite()).nonzero()[0])} is not")
    unfit = ~(segments.isfinite().all(dim=1) & (segments[:, 1] >= segments[:, 0]))
    if unfit.any():
        row = int(unfit.nonzero()[0])
        raise ValueError(f"segments must be finite with end >= start; segment {row} is {segments[row].tolist()}")


def _check_numbers(
    iou_threshold: float, sigma: float, min_score: float, max_segments: int, voting_threshold: float
) -> None:
    if max_segments <= 0:
        raise ValueError(f"max_segments must be at least 1, not {max_segments}")
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, not {sigma}")
    if not min_score >= 0:
        raise ValueError(f"min_score must not be negative, not {min_score}")
    for name, value in (("iou_threshold", iou_threshold), ("voting_threshold", voting_threshold)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")
