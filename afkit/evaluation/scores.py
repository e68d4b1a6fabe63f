"""mAP and recall of predictions against the ground truth, as the benchmarks define them.

tIoU thresholds are independent of each other, so that one integer per prediction and per ground truth holds the answer
for all of them: bit s is set when it is matched at threshold s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import (
    GT_COLUMNS,
    PREDICTION_COLUMNS,
    Pairing,
    check_common_videos,
    collides,
    labels_of,
    pair_up,
    position_in_group,
    scores_of,
    segments_of,
)

LABEL_REMAPS = ("fixed", "official")
RECALL_KS = (1, 5)
MAX_THRESHOLDS = 63  # bits of a signed 64-bit integer


@dataclass(frozen=True, eq=False)
class Scores:
    """What `evaluate` found; fractions, not percent. K classes of the ground truth, S tIoU thresholds."""

    average_map: float  # mean of map
    map: pd.Series  # (S,) mean over the classes, by tIoU
    ap: pd.DataFrame  # (K, S) label id, rising, by tIoU
    recall: pd.DataFrame  # (S, 2) tIoU by k = 1, 5; mean over the classes
    counts: dict[str, int]  # what was counted and what was left out


def evaluate(
    gt: pd.DataFrame, predictions: pd.DataFrame, tious: Sequence[float] | np.ndarray, label_remap: str = "fixed"
) -> Scores:
    """Mean average precision and Recall@kx of predicted segments (ActionFormer, section 4; rules of ActivityNet).

    Predictions of a class are taken by falling score; each is a hit when the free ground truth of its video with the
    highest tIoU reaches the threshold (equal is enough). The classes are those of the ground truth.

    Args:
        gt: N rows with video, start_sec, end_sec (seconds), label (integer id); used as it is, without clean-up.
        predictions: P rows with the same columns and score, in any order.
        tious: S thresholds, each above 0 and at most 1, at most 63, in any order.
        label_remap: what becomes of predictions whose label no ground truth has. "fixed": left out. "official": as in
            the code behind the published numbers, which counts the classes 0 to K - 1 and takes such a label, where
            it lies below K, for the class of that number; it breaks ties between scores in another order, too.

    Returns:
        Scores, with the thresholds in the given order. A class without predictions has AP 0; a segment that is
        reversed or has no length is never a hit and never found, but counts. Of the counts,
        predictions_colliding_label are those that "official" takes for another class, predictions_unknown_video are
        false positives, and a row is duplicated where an earlier one is the same in all columns that count.

    Raises:
        ValueError: no ground truth, or predictions in none of its videos (the message has both sets of names);
            missing columns, a score or time that is no finite number, unusable thresholds, or an unknown label_remap.

    Examples:
        >>> columns = ["video", "start_sec", "end_sec", "label", "score"]
        >>> found = pd.DataFrame([("a", 0.0, 8.0, 0, 0.9), ("a", 40.0, 50.0, 0, 0.8)], columns=columns)
        >>> gt = pd.DataFrame([("a", 0.0, 10.0, 0), ("a", 40.0, 50.0, 0)], columns=columns[:4])
        >>> evaluate(gt, found, tious=[0.5, 0.9]).map.round(3).tolist()
        [1.0, 0.25]
    """
    tious = check_tious(tious)
    if label_remap not in LABEL_REMAPS:
        raise ValueError(f"label_remap is {label_remap!r}; choose from: {', '.join(LABEL_REMAPS)}")
    pairing = pair_up(gt, predictions, label_remap)
    check_common_videos(gt, predictions)

    bits = threshold_bits(pairing.pair_tiou, tious)
    ap = average_precision(pairing, bits, len(tious))  # (K, S)
    recall = recall_at_kx(pairing, bits, len(tious), RECALL_KS)  # (K, S, 2)

    columns = pd.Index(tious, name="tiou")
    mean_ap = pd.Series(ap.mean(axis=0), index=columns, name="map")
    return Scores(
        average_map=float(mean_ap.mean()),
        map=mean_ap,
        ap=pd.DataFrame(ap, index=pd.Index(pairing.classes, name="label"), columns=columns),
        recall=pd.DataFrame(recall.mean(axis=0), index=columns, columns=pd.Index(RECALL_KS, name="k")),
        counts=_counts(gt, predictions, pairing),
    )


def _counts(gt: pd.DataFrame, predictions: pd.DataFrame, pairing: Pairing) -> dict[str, int]:
    labels = labels_of(predictions, "predictions")
    unknown = labels[~np.isin(labels, pairing.classes)]
    gt_videos = gt["video"].drop_duplicates()
    bounds = np.searchsorted(pairing.prediction_class, np.arange(len(pairing.classes) + 1))  # it rises
    return {
        "ground_truths": len(gt),
        "predictions": len(predictions),
        "videos": len(gt_videos),
        "classes": len(pairing.classes),
        "predictions_unknown_label": len(unknown),
        "predictions_colliding_label": int(collides(unknown, pairing.classes).sum()),
        "predictions_unknown_video": int((~predictions["video"].isin(gt["video"])).sum()),
        "videos_without_predictions": int((~gt_videos.isin(predictions["video"])).sum()),
        "classes_without_predictions": int((np.diff(bounds) == 0).sum()),
        **_count_odd(gt, GT_COLUMNS, "gt", slice(None)),
        **_count_odd(predictions, PREDICTION_COLUMNS, "predictions", _with_equal_score(predictions, pairing)),
    }


def _count_odd(table: pd.DataFrame, columns: list[str], name: str, alike: np.ndarray | slice) -> dict[str, int]:
    """Rows that are taken as they are, but hint at a mistake; all duplicates are among the rows `alike`."""
    length_sec = np.diff(segments_of(table, name), axis=1)
    return {
        f"{name}_reversed": int((length_sec < 0).sum()),
        f"{name}_zero_length": int((length_sec == 0).sum()),
        f"{name}_duplicated": int(table.iloc[alike].duplicated(columns).sum()),
    }


def _with_equal_score(predictions: pd.DataFrame, pairing: Pairing) -> np.ndarray:
    """Rows whose score another one of their class has: few, as a rule, and quicker to search than all."""
    scores = scores_of(predictions, "predictions")[pairing.row]
    same = (scores[1:] == scores[:-1]) & (pairing.prediction_class[1:] == pairing.prediction_class[:-1])
    return pairing.row[np.append(same, False) | np.append(False, same)[: len(scores)]]


def check_tious(tious: Sequence[float] | np.ndarray) -> np.ndarray:
    """(S,) float64 thresholds; ValueError unless they are 1 to 63 fractions above 0 and at most 1."""
    tious = np.array(tious, np.float64).reshape(-1)
    if not 1 <= len(tious) <= MAX_THRESHOLDS:
        raise ValueError(f"{len(tious)} tIoU thresholds given; give 1 to {MAX_THRESHOLDS}")
    if not ((tious > 0) & (tious <= 1)).all():
        raise ValueError(f"tIoU thresholds must be fractions above 0 and at most 1, not {tious.tolist()}")
    return tious


def threshold_bits(tiou: np.ndarray, tious: np.ndarray) -> np.ndarray:
    """(J,) int64 with bit s set where the tIoU (J,) reaches threshold s of (S,) (equal is enough).

    Examples:
        >>> threshold_bits(np.array([0.2, 0.5, 0.8]), np.array([0.3, 0.5]))
        array([0, 3, 3])
    """
    bits = np.zeros(len(tiou), np.int64)
    for s, threshold in enumerate(tious):
        bits |= (tiou >= threshold).astype(np.int64) << s
    return bits


def unpack_bits(bits: np.ndarray, count: int) -> np.ndarray:
    """(M,) int64 -> (M, S) bool: which bits are set, lowest first."""
    return (bits[:, None] >> np.arange(count) & 1).astype(bool)


def match_greedily(pairing: Pairing, bits: np.ndarray) -> np.ndarray:
    """Give each prediction, by falling score, the free ground truth of highest tIoU, at each threshold.

    From the thresholds that each pair reaches, (J,) bits, to those at which it is a match. What happens in one class
    and video leaves the others alone, so step i handles the i-th pair of all of them.
    """
    reaching = np.flatnonzero(bits)
    position = position_in_group(pairing.prediction_group[pairing.pair_prediction[reaching]])
    steps = np.bincount(position).cumsum()[:-1]
    by_step = reaching[np.argsort(position, kind="stable")]

    won = np.zeros(len(bits), np.int64)
    hit = np.zeros(len(pairing.row), np.int64)
    taken = np.zeros(len(pairing.gt_class), np.int64)
    for pairs in np.split(by_step, steps):
        p, g = pairing.pair_prediction[pairs], pairing.pair_gt[pairs]
        new = bits[pairs] & ~taken[g] & ~hit[p]
        won[pairs] = new
        taken[g] |= new  # each of the pairs is of another group: no g and no p occurs twice
        hit[p] |= new
    return won


def average_precision(pairing: Pairing, bits: np.ndarray, num_thresholds: int) -> np.ndarray:
    """Interpolated AP (the area below the falling envelope of precision over recall), (K, S); bits as for matching."""
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
    """Recall@kx of each class (Ego4D, Moment Queries), (K, S, len(ks)).

    In a video with n ground truths of a class, the k * n predictions of highest score count; a ground truth is found
    when any of them reaches the threshold, even one that finds another, too.
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
