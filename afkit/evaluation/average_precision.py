"""Greedy matching at all tIoU thresholds in one pass, interpolated average precision, and Recall@kx.

Thresholds are independent of each other, so that one integer per prediction and per ground truth holds the answer for
all of them: bit s is set when it is matched at threshold s.
"""

from collections.abc import Sequence

import numpy as np

from afkit.evaluation.pairs import Pairing, position_in_group

MAX_THRESHOLDS = 63  # bits of a signed 64-bit integer


def check_tious(tious: Sequence[float] | np.ndarray) -> np.ndarray:
    """(S,) float64 thresholds; ValueError unless they are 1 to 63 fractions above 0 and at most 1."""
    tious = np.array(tious, np.float64).reshape(-1)
    if not 1 <= len(tious) <= MAX_THRESHOLDS:
        raise ValueError(f"{len(tious)} tIoU thresholds given; give 1 to {MAX_THRESHOLDS}")
    if not ((tious > 0) & (tious <= 1)).all():
        raise ValueError(f"tIoU thresholds must be fractions above 0 and at most 1, not {tious.tolist()}")
    return tious


def threshold_bits(tiou: np.ndarray, tious: np.ndarray) -> np.ndarray:
    """(J,) int64 with bit s set where the tIoU reaches threshold s (equal is enough).

    Args:
        tiou: (J,) float64 in [0, 1].
        tious: (S,) thresholds.

    Examples:
        >>> threshold_bits(np.array([0.2, 0.5, 0.8]), np.array([0.3, 0.5]))
        array([0, 3, 3])
    """
    bits = np.zeros(len(tiou), np.int64)
    for s, threshold in enumerate(tious):
        bits |= (tiou >= threshold).astype(np.int64) << s
    return bits


def unpack_bits(bits: np.ndarray, count: int) -> np.ndarray:
    """(M, S) bool: which bits are set, lowest first.

    Args:
        bits: (M,) int64.
    """
    return (bits[:, None] >> np.arange(count) & 1).astype(bool)


def match_greedily(pairing: Pairing, bits: np.ndarray) -> np.ndarray:
    """Give each prediction, by falling score, the free ground truth of highest tIoU, at each threshold.

    What happens in one class and video leaves the others alone, so step i handles the i-th pair of all of them.

    Args:
        bits: (J,) int64, the thresholds that each pair reaches.

    Returns:
        (J,) int64, the thresholds at which each pair is a match.
    """
    reaching = np.flatnonzero(bits)
    position = position_in_group(pairing.prediction_group[pairing.pair_prediction[reaching]])
    ends = np.bincount(position).cumsum()
    by_step = reaching[np.argsort(position, kind="stable")]

    won = np.zeros(len(bits), np.int64)
    hit = np.zeros(len(pairing.row), np.int64)
    taken = np.zeros(len(pairing.gt_class), np.int64)
    start = 0
    for end in ends:
        pairs = by_step[start:end]
        p, g = pairing.pair_prediction[pairs], pairing.pair_gt[pairs]
        new = bits[pairs] & ~taken[g] & ~hit[p]
        won[pairs] = new
        taken[g] |= new  # each of the pairs is of another group: no g and no p occurs twice
        hit[p] |= new
        start = end
    return won


def average_precision(pairing: Pairing, bits: np.ndarray, num_thresholds: int) -> np.ndarray:
    """Interpolated AP (the area below the falling envelope of precision over recall) of each class.

    Args:
        bits: (J,) int64, the thresholds that each pair reaches.

    Returns:
        (K, S) float64 in [0, 1]; 0 for a class without predictions.
    """
    hit = np.zeros(len(pairing.row), np.int64)
    np.bitwise_or.at(hit, pairing.pair_prediction, match_greedily(pairing, bits))
    ap = np.zeros((len(pairing.classes), num_thresholds))
    num_gt = np.bincount(pairing.gt_class)  # (K,)
    bounds = np.searchsorted(pairing.prediction_class, np.arange(len(ap) + 1))
    for k in range(len(ap)):
        hits = unpack_bits(hit[bounds[k] : bounds[k + 1]], num_thresholds)  # (P_k, S)
        precision = hits.cumsum(axis=0) / np.arange(1, len(hits) + 1)[:, None]
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        ap[k] = (envelope * hits).sum(axis=0) / num_gt[k]  # each hit raises the recall by 1 / num_gt
    return ap


def recall_at_kx(pairing: Pairing, bits: np.ndarray, num_thresholds: int, ks: Sequence[int]) -> np.ndarray:
    """Recall@kx of each class (Ego4D, Moment Queries).

    In a video with n ground truths of a class, the k * n predictions of highest score count; a ground truth is found
    when any of them reaches the threshold, even one that finds another, too.

    Args:
        bits: (J,) int64, the thresholds that each pair reaches.

    Returns:
        (K, S, len(ks)) float64 in [0, 1].
    """
    num_gt = np.bincount(pairing.gt_group)  # of each group
    place = pairing.place[pairing.pair_prediction]  # (J,)
    num_gt_of_pair = num_gt[pairing.gt_group[pairing.pair_gt]]
    recall = np.zeros((len(pairing.classes), num_thresholds, len(ks)))
    for i, k in enumerate(ks):
        counted = place < k * num_gt_of_pair
        found = np.zeros(len(pairing.gt_class), np.int64)
        np.bitwise_or.at(found, pairing.pair_gt[counted], bits[counted])
        np.add.at(recall[:, :, i], pairing.gt_class, unpack_bits(found, num_thresholds))
    return recall / np.bincount(pairing.gt_class)[:, None, None]
