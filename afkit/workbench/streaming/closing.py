"""When a detection of soft or hard NMS is settled, although candidates are still to come.

NMS takes candidates by falling score, and each lowers those of its class that it overlaps. So what becomes of a
candidate depends on those alone that overlap it and are taken before it, and on those before them; of all that score
less than it, on none. Candidates that are not known yet begin at the border at the earliest. So a candidate that ends
behind the border is open; so is, going on by falling score, one that an open one overlaps which may be taken before it.
All others are settled: they are taken now, lower those that they overlap, and need not be remembered. That is at the
latest when no candidate of a group of overlapping ones reaches the border, and mostly before.
"""

import numpy as np
import torch

from afkit.detect.reference import LENGTH_EPS, Settings, vote
from afkit.workbench.export.exported import lowered
from afkit.workbench.streaming.blocks import NOTHING, Found

EXACT_STEPS = 16384  # positions are rounded to float32 as in recordings of so many steps, however long the stream


def settle(pending: Found, border: float, settings: Settings) -> tuple[Found, Found]:
    """What is settled if unknown candidates begin at the border or later, and what is still pending.

    The settled ones are by falling score, `left` being their final one.
    """
    if settings.method == "none":
        return pending, NOTHING
    left, picks, scores = pending.left.copy(), list[int](), list[float]()
    classes = np.unique(pending.labels) if settings.multiclass else ()
    for places in [np.flatnonzero(pending.labels == label) for label in classes] or [np.arange(len(left))]:
        own, own_scores, left[places] = _settle_group(pending.rows(places), border, settings)
        picks += places[own].tolist()
        scores += own_scores
    order = np.argsort(-np.array(scores), kind="stable")
    settled = pending.rows(np.array(picks, np.int64)[order])._replace(left=np.array(scores, np.float32)[order])
    return settled, pending._replace(left=left).rows(left > -np.inf)


def _settle_group(group: Found, border: float, settings: Settings) -> tuple[list[int], list[float], np.ndarray]:
    """Places of what is settled among candidates that may lower each other, its scores, and what is left of all."""
    onset, end = (group.segments - origin(group)).astype(np.float32).T  # (N,)
    left, is_open = group.left.copy(), group.segments[:, 1] > border
    waiting = left.copy()  # -inf: its turn is over, or it has gone
    picks, scores = list[int](), list[float]()
    while (waiting > -np.inf)[~is_open].any():
        pick = int(waiting.argmax())
        after = _after_pick(pick, left, onset, end, settings)
        if is_open[pick]:
            is_open |= after != left
            waiting[pick] = -np.inf
        else:
            picks.append(pick)
            scores.append(left[pick].item())
            left, waiting = after, np.where(waiting > -np.inf, after, waiting)
    return picks, scores, left


def _after_pick(pick: int, left: np.ndarray, onset: np.ndarray, end: np.ndarray, settings: Settings) -> np.ndarray:
    """What is left of the scores (N,) when one of the segments has been taken; as `afkit.detect.reference` computes."""
    length = end - onset + np.float32(LENGTH_EPS)
    shared = (np.minimum(end, end[pick]) - np.maximum(onset, onset[pick])).clip(min=0)
    iou = shared / (length + length[pick] - shared)
    left = lowered(left, iou, {"nms": settings.method, **settings._asdict()})
    left[pick] = -np.inf
    return left


def voted(picks: Found, voters: Found, settings: Settings) -> Found:
    """The picks with segments that are means of those around them, see `afkit.nms`; as they are without voting."""
    if not len(picks.labels) or not voting(settings):
        return picks
    zero = origin(picks)
    own, others = (torch.from_numpy((part.segments - zero).astype(np.float32)) for part in (picks, voters))
    moved = vote(own, others, torch.from_numpy(voters.scores), settings)
    return picks._replace(segments=moved.numpy().astype(np.float64) + zero)


def voting(settings: Settings) -> bool:
    """Whether picks become means of the candidates around them."""
    return settings.voting_threshold > 0 and not settings.multiclass and settings.method != "none"


def origin(found: Found) -> float:
    """The position from which others are counted: 0, or `EXACT_STEPS` before the first of them."""
    return max(float(np.floor(found.segments.min())) - EXACT_STEPS, 0.0) if len(found.labels) else 0.0
