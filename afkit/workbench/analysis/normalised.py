"""Normalised average precision: AP as if every class had as many ground truths as the average one.

Precision rises with the number of ground truths, so that AP does not compare classes, or subsets, of different size.
DETAD (Alwassel et al., ECCV 2018) therefore replaces the number of true positives at recall R, which is R times the
ground truths of the class, by R times the average number of ground truths per class.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import Pairing, check_common_videos, pair_up, position_in_group
from afkit.evaluation.scores import check_tious, match_greedily, threshold_bits, unpack_bits


class Matches(NamedTuple):
    """The H true positives of N ground truths and P predictions, K classes and S thresholds, and what ranks before.

    Sorted by class, threshold and rank. A prediction occurs once for each threshold at which it is one.
    """

    gt: pd.DataFrame  # N rows: video, start_sec, end_sec, label
    predictions: pd.DataFrame  # P rows: the same and score
    tious: np.ndarray  # (S,)
    pairing: Pairing  # of predictions and ground truths that overlap
    num_gt: np.ndarray  # (K,) of each class
    place: np.ndarray  # (P,) by rank: how many predictions of the class rank before
    rank: np.ndarray  # (H,) index into pairing.row
    gt_row: np.ndarray  # (H,)
    threshold: np.ndarray  # (H,) index into tious
    label: np.ndarray  # (H,) index into pairing.classes
    false_before: np.ndarray  # (H,) false positives of the class that rank before, at this threshold


def match_all(gt: pd.DataFrame, predictions: pd.DataFrame, tious: Sequence[float] | np.ndarray) -> Matches:
    """Match once, as `afkit.evaluation.scores.evaluate` does, with its errors; all analyses of errors start from here.

    An empty or reversed ground truth can not be found; such a prediction, and one in a video without ground truth, is a
    false positive. A prediction whose label no ground truth has is left out.
    """
    tious = check_tious(tious)
    pairing = pair_up(gt, predictions, "fixed")
    check_common_videos(gt, predictions)
    won = match_greedily(pairing, threshold_bits(pairing.pair_tiou, tious))  # (J,)
    pairs = np.flatnonzero(won)
    which, threshold = np.nonzero(unpack_bits(won[pairs], len(tious)))
    rank, gt_row = pairing.pair_prediction[pairs[which]], pairing.pair_gt[pairs[which]]
    order = np.lexsort((rank, threshold, pairing.prediction_class[rank]))
    rank, gt_row, threshold = rank[order], gt_row[order], threshold[order]
    label = pairing.prediction_class[rank]
    place = position_in_group(pairing.prediction_class)
    false_before = place[rank] - position_in_group(label * len(tious) + threshold)  # all before, less the true ones
    num_gt = np.bincount(pairing.gt_class)
    return Matches(gt, predictions, tious, pairing, num_gt, place, rank, gt_row, threshold, label, false_before)


def normalised_precision(
    matches: Matches, keep: np.ndarray, false_before: np.ndarray, num_gt: np.ndarray
) -> np.ndarray:
    """Normalised precision where a true positive raises the recall.

    Args:
        keep: (H,) bool, the true positives that count, H' of them.
        false_before: (H,) false positives of the class that rank before each and count.
        num_gt: (K,) ground truths of each class that count; above 0 for every class with a true positive that counts.

    Returns:
        (H',) float64 in (0, 1].
    """
    curve = matches.label[keep] * len(matches.tious) + matches.threshold[keep]  # one per class and threshold
    recall = (position_in_group(curve) + 1) / num_gt[matches.label[keep]]
    true = recall * matches.num_gt.mean()
    return true / (true + false_before[keep])


def normalised_ap(
    matches: Matches,
    keep: np.ndarray | None = None,
    false_before: np.ndarray | None = None,
    num_gt: np.ndarray | None = None,
) -> np.ndarray:
    """Normalised AP of each class at each threshold, interpolated as AP is.

    Returns:
        (K, S) float64 in [0, 1]; 0 for a class without predictions, NaN for one without a ground truth that counts.
    """
    keep = np.ones(len(matches.rank), bool) if keep is None else keep
    false_before = matches.false_before if false_before is None else false_before
    num_gt = matches.num_gt if num_gt is None else num_gt
    curve = matches.label[keep] * len(matches.tious) + matches.threshold[keep]
    precision = pd.Series(normalised_precision(matches, keep, false_before, num_gt)[::-1])
    envelope = precision.groupby(curve[::-1]).cummax().to_numpy()[::-1]
    shape = len(num_gt), len(matches.tious)
    area = np.bincount(curve, envelope, minlength=shape[0] * shape[1]).reshape(shape)
    return np.divide(area, num_gt[:, None], out=np.full(shape, np.nan), where=num_gt[:, None] > 0)


def normalised_map(matches: Matches) -> pd.Series:
    """(S,) mean normalised AP over the classes, as fractions; its mean is DETAD's average-mAP_N."""
    return pd.Series(
        normalised_ap(matches).mean(axis=0), index=pd.Index(matches.tious, name="tiou"), name="normalised_map"
    )
