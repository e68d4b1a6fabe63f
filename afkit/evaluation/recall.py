"""Recall@kx: how many ground truths the few best predictions of their video find."""

from collections.abc import Sequence

import numpy as np

from afkit.evaluation.average_precision import unpack_bits
from afkit.evaluation.pairs import Pairing


def recall_at_kx(pairing: Pairing, bits: np.ndarray, num_thresholds: int, ks: Sequence[int]) -> np.ndarray:
    """Recall@kx of each class (Ego4D, Moment Queries).

    In a video with n ground truths of a class, the k * n predictions of highest score count; a ground truth is found
    when any of them reaches the threshold, even one that finds another, too.

    Args:
        pairing: the J pairs.
        bits: (J,) int64, the thresholds that each pair reaches.
        num_thresholds: S.
        ks: the factors k.

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
