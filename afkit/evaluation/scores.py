"""mAP and recall of predictions against the ground truth, as the benchmarks define them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from afkit.evaluation.average_precision import average_precision, check_tious, recall_at_kx, threshold_bits
from afkit.evaluation.pairs import (
    GT_COLUMNS,
    PREDICTION_COLUMNS,
    Pairing,
    check_common_videos,
    collides,
    labels_of,
    pair_up,
    scores_of,
    segments_of,
)

LABEL_REMAPS = ("fixed", "official")
RECALL_KS = (1, 5)


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
        reversed or has no length is never a hit and never found, but counts. counts: ground_truths, predictions,
        videos, classes, predictions_unknown_label, predictions_colliding_label (those of them that "official" takes
        for another class), predictions_unknown_video (false positives), videos_without_predictions,
        classes_without_predictions; of both tables (gt_..., predictions_...) the rows that are reversed (end before
        start), zero_length, and duplicated (an earlier row is the same in all columns that count).

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
