"""NMS and score voting of one video in plain torch: the readable reference of the compiled operator.

Same picks, same order, same arithmetic (every operation rounded to float32 once, the exponential through float64),
on any device; slow, since it goes back and forth for every pick.
"""

import torch
from torch import Tensor

LENGTH_EPS = 1e-6  # added to every length when suppressing (the original's number)


def suppress(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    method: str,
    multiclass: bool,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    max_segments: int,
    voting_threshold: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """What `afkit.nms` does, without its checks.

    The picks of a group never rise, so the best of what is left over all groups gives the same list as each group
    on its own followed by a sort, and it may stop after `max_segments`.

    Args:
        segments: (N, 2) float32, onsets and ends.
        scores: (N,) float32.
        labels: (N,) int64.

    Returns:
        The kept segments (M, 2), scores (M,) and labels (M,), by falling score.
    """
    onset, end = segments.unbind(1)  # (N,)
    length = end - onset + LENGTH_EPS
    left = scores.clone()  # -inf: taken or suppressed
    if method == "hard" and min_score > 0:
        left = left.masked_fill(left <= min_score, -torch.inf)
    picks: list[int] = []
    picked_scores: list[float] = []
    while len(picks) < min(max_segments, len(left)):
        pick = int(left.argmax())  # of several, the one with the lowest place in the input
        score = left[pick].item()
        if score == -torch.inf:
            break
        picks.append(pick)
        picked_scores.append(score)
        iou = _overlap(onset, end, onset[pick], end[pick])
        iou = iou / (length + length[pick] - iou)
        lowered = _lowered(left, iou, method, iou_threshold, sigma, min_score)
        left = torch.where(labels == labels[pick], lowered, left) if multiclass else lowered
        left[pick] = -torch.inf
    picked = torch.tensor(picks, dtype=torch.int64, device=labels.device)
    kept = segments[picked]
    if voting_threshold > 0 and not multiclass:
        kept = vote(kept, segments, scores, voting_threshold)
    return kept, torch.tensor(picked_scores, dtype=scores.dtype, device=scores.device), labels[picked]


def _overlap(onset: Tensor, end: Tensor, other_onset: Tensor, other_end: Tensor) -> Tensor:
    return (torch.minimum(end, other_end) - torch.maximum(onset, other_onset)).clamp(min=0)


def _lowered(left: Tensor, iou: Tensor, method: str, iou_threshold: float, sigma: float, min_score: float) -> Tensor:
    """Scores (N,) after a pick that has these IoUs (N,) with the candidates; -inf where one is suppressed."""
    if method == "hard":
        return left.masked_fill(iou >= iou_threshold, -torch.inf)
    if method == "soft":
        exponent = -(iou * iou) / iou.new_tensor(sigma)  # a tensor, since dividing by a number may multiply instead
        weight = exponent.double().exp().float()
    else:
        weight = torch.where(iou >= iou_threshold, 1 - iou, 1)
    lowered = torch.where(left > -torch.inf, left * weight, left)  # -inf * 0 would be NaN
    return lowered.masked_fill(lowered < min_score, -torch.inf)


def vote(kept: Tensor, segments: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Replace each kept segment by the weighted mean of the candidates around it (box voting, Gidaris 2015).

    Args:
        kept: (M, 2).
        segments: (N, 2) all candidates.
        scores: (N,) their original scores.

    Returns:
        (M, 2).
    """
    (kept_onset, kept_end), (onset, end) = kept[:, None].unbind(2), segments[None].unbind(2)  # (M, 1), (1, N)
    overlap = _overlap(kept_onset, kept_end, onset, end)  # (M, N)
    iou = overlap / ((kept_end - kept_onset) + (end - onset) - overlap)
    weights = torch.where(iou >= threshold, iou * scores, 0).double()
    total = weights.sum(dim=1, keepdim=True)  # 0 for a segment without length, which has no vote even for itself
    return torch.where(total > 0, (weights @ segments.double()) / total, kept.double()).to(kept.dtype)
