"""NMS and score voting of one video in plain torch: the readable reference of the compiled operator.

Same picks, same order, same arithmetic (every operation rounded to float32 once, the exponential through float64),
on any device; slow, since it goes back and forth for every pick.
"""

from typing import NamedTuple

import torch
from torch import Tensor

LENGTH_EPS = 1e-6  # added to every length when suppressing (the original's number)


class Settings(NamedTuple):
    """How duplicates are suppressed, see `afkit.nms`; in the order in which the operator takes them."""

    method: str = "soft"  # "soft", "linear", "hard" or "none"
    multiclass: bool = True
    iou_threshold: float = 0.1
    sigma: float = 0.5
    min_score: float = 0.001
    max_segments: int = 200
    voting_threshold: float = 0.0
    voting_weight: str = "score_iou"  # or "score"


def suppress(segments: Tensor, scores: Tensor, labels: Tensor, settings: Settings) -> tuple[Tensor, Tensor, Tensor]:
    """What `afkit.nms` does, without its checks: (N, 2), (N,), (N,) -> (M, 2), (M,), (M,), by falling score.

    The picks of a group never rise, so the best of what is left over all groups gives the same list as each group
    on its own followed by a sort, and it may stop after `max_segments`.
    """
    if settings.method == "none":
        best = scores.argsort(descending=True, stable=True)[: settings.max_segments]
        return segments[best], scores[best], labels[best]
    onset, end = segments.unbind(1)  # (N,)
    length = end - onset + LENGTH_EPS
    left = scores.clone()  # -inf: taken or suppressed
    if settings.method == "hard" and settings.min_score > 0:
        left = left.masked_fill(left <= settings.min_score, -torch.inf)
    picks: list[int] = []
    picked_scores: list[float] = []
    while len(picks) < min(settings.max_segments, len(left)):
        pick = int(left.argmax())  # of several, the one with the lowest place in the input
        score = left[pick].item()
        if score == -torch.inf:
            break
        picks.append(pick)
        picked_scores.append(score)
        iou = _overlap(onset, end, onset[pick], end[pick])
        iou = iou / (length + length[pick] - iou)
        lowered = _lowered(left, iou, settings)
        left = torch.where(labels == labels[pick], lowered, left) if settings.multiclass else lowered
        left[pick] = -torch.inf
    picked = torch.tensor(picks, dtype=torch.int64, device=labels.device)
    kept = segments[picked]
    if settings.voting_threshold > 0 and not settings.multiclass:
        kept = vote(kept, segments, scores, settings)
    return kept, torch.tensor(picked_scores, dtype=scores.dtype, device=scores.device), labels[picked]


def _overlap(onset: Tensor, end: Tensor, other_onset: Tensor, other_end: Tensor) -> Tensor:
    return (torch.minimum(end, other_end) - torch.maximum(onset, other_onset)).clamp(min=0)


def _lowered(left: Tensor, iou: Tensor, settings: Settings) -> Tensor:
    """Scores (N,) after a pick that has these IoUs (N,) with the candidates; -inf where one is suppressed."""
    if settings.method == "hard":
        return left.masked_fill(iou >= settings.iou_threshold, -torch.inf)
    if settings.method == "soft":
        exponent = -(iou * iou) / iou.new_tensor(settings.sigma)  # a tensor: dividing by a number may multiply instead
        weight = exponent.double().exp().float()
    else:
        weight = torch.where(iou >= settings.iou_threshold, 1 - iou, 1)
    lowered = torch.where(left > -torch.inf, left * weight, left)  # -inf * 0 would be NaN
    return lowered.masked_fill(lowered < settings.min_score, -torch.inf)


def vote(kept: Tensor, segments: Tensor, scores: Tensor, settings: Settings) -> Tensor:
    """Each kept segment (M, 2) becomes the weighted mean of the candidates around it, by their original scores (N,).

    Box voting, Gidaris 2015.
    """
    (kept_onset, kept_end), (onset, end) = kept[:, None].unbind(2), segments[None].unbind(2)  # (M, 1), (1, N)
    overlap = _overlap(kept_onset, kept_end, onset, end)  # (M, N)
    iou = overlap / ((kept_end - kept_onset) + (end - onset) - overlap)
    votes = iou * scores if settings.voting_weight == "score_iou" else scores
    weights = torch.where(iou >= settings.voting_threshold, votes, 0).double()
    total = weights.sum(dim=1, keepdim=True)  # 0 for a segment without length, which has no vote even for itself
    return torch.where(total > 0, (weights @ segments.double()) / total, kept.double()).to(kept.dtype)
