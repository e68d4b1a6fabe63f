"""Does a score mean what it says? The share of hits among predictions of about the same score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import check_common_videos, labels_of, scores_of
from afkit.workbench.analysis.matching import match_segments


@dataclass(frozen=True, eq=False)
class Calibration:
    """What `calibration` found: B score bins."""

    tiou: float  # from which a prediction is a hit
    bins: pd.DataFrame  # (B, 5) low, high, count, mean_score, hit_share; the last two NaN in an empty bin
    error: float | None  # expected calibration error; None without predictions
    error_by_class: pd.Series  # the same by label id, rising, of the classes that were predicted

    def facts(self) -> dict[str, Any]:
        """The error and the bins that are not empty, ready for JSON."""
        bins = self.bins[self.bins["count"] > 0].to_dict(orient="records")
        return {"tiou": self.tiou, "error": self.error, "bins": bins}


def calibration(
    gt: pd.DataFrame, predictions: pd.DataFrame, tiou: float = 0.5, num_bins: int = 10, equal_counts: bool = False
) -> Calibration:
    """Reliability curve and expected calibration error: |share of hits - mean score|, weighted by the bins' counts.

    A hit is a prediction that `match_segments` gives a ground truth, so a second detection of one action is none.

    Args:
        num_bins: number of bins, B; each has its lower edge, the last its upper edge, too.
        equal_counts: bins of about as many predictions each (fewer than B where many scores are equal) instead of
            bins of the same width. Most detections have a low score, so that they fill one or two bins of the same
            width.

    Raises:
        ValueError: unusable tables or threshold, a score outside 0 to 1, no ground truth, no video in common, or
            num_bins below 1.

    Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017); for detections, Kueppers et al.,
    Multivariate Confidence Calibration for Object Detection (CVPR Workshops 2020).
    """
    if num_bins < 1:
        raise ValueError(f"num_bins is at least 1, not {num_bins}")
    matched = match_segments(gt, predictions, tiou)[1]
    check_common_videos(gt, predictions)
    scores, hits = scores_of(predictions, "predictions"), (matched["outcome"] == "hit").to_numpy()
    outside = (scores < 0) | (scores > 1)
    if outside.any():
        i = int(outside.argmax())
        raise ValueError(
            f"row {predictions.index[i]} of predictions has score {scores[i]}; scores between 0 and 1 can be calibrated"
        )
    edges = np.arange(num_bins + 1) / num_bins
    if equal_counts and len(scores):
        edges = np.unique(np.quantile(scores, edges))
        edges = edges if len(edges) > 1 else np.repeat(edges, 2)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)  # (P,)
    classes, number = np.unique(labels_of(predictions, "predictions"), return_inverse=True)
    errors = [_error(place[number == k], scores[number == k], hits[number == k]) for k in range(len(classes))]
    return Calibration(
        tiou=float(tiou),
        bins=_table(edges, place, scores, hits),
        error=_error(place, scores, hits) if len(scores) else None,
        error_by_class=pd.Series(errors, index=pd.Index(classes, name="label"), name="error", dtype=float),
    )


def _table(edges: np.ndarray, place: np.ndarray, scores: np.ndarray, hits: np.ndarray) -> pd.DataFrame:
    """Bins of (P,) predictions by edges (B + 1,)."""
    num_bins = len(edges) - 1
    count = np.bincount(place, minlength=num_bins)
    sums = [np.bincount(place, values, num_bins) for values in (scores, hits)]
    means = [np.divide(total, count, out=np.full(num_bins, np.nan), where=count > 0) for total in sums]
    columns = {"low": edges[:-1], "high": edges[1:], "count": count, "mean_score": means[0], "hit_share": means[1]}
    return pd.DataFrame(columns)


def _error(place: np.ndarray, scores: np.ndarray, hits: np.ndarray) -> float:
    return float(np.abs(np.bincount(place, hits - scores)).sum() / len(scores))
