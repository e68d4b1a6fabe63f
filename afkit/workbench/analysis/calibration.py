"""Does a score mean what it says? The share of hits among predictions of about the same score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import check_common_videos, scores_of
from afkit.workbench.analysis.matching import match_segments


@dataclass(frozen=True, eq=False)
class Calibration:
    """What `calibration` found: B score bins."""

    tiou: float  # from which a prediction is a hit
    bins: pd.DataFrame  # (B, 5) low, high, count, mean_score, hit_share; the last two NaN in an empty bin
    error: float | None  # expected calibration error; None without predictions

    def facts(self) -> dict[str, Any]:
        """The error and the bins that are not empty, ready for JSON."""
        bins = self.bins[self.bins["count"] > 0].to_dict(orient="records")
        return {"tiou": self.tiou, "error": self.error, "bins": bins}


def calibration(gt: pd.DataFrame, predictions: pd.DataFrame, tiou: float = 0.5, num_bins: int = 10) -> Calibration:
    """Reliability curve and expected calibration error: |share of hits - mean score|, weighted by the bins' counts.

    A hit is a prediction that `match_segments` gives a ground truth, so a second detection of one action is none.

    Args:
        num_bins: number of bins of the same width, B; each has its lower edge, the last its upper edge, too.

    Raises:
        ValueError: unusable tables or threshold, a score outside 0 to 1, no ground truth, or no video in common.

    Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017); for detections, Kueppers et al.,
    Multivariate Confidence Calibration for Object Detection (CVPR Workshops 2020).
    """
    if num_bins < 1:
        raise ValueError(f"num_bins is {num_bins}; give 1 or more")
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
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, num_bins - 1)  # (P,)
    count = np.bincount(place, minlength=num_bins)
    sums = [np.bincount(place, values, num_bins) for values in (scores, hits)]
    means = [np.divide(total, count, out=np.full(num_bins, np.nan), where=count > 0) for total in sums]
    columns = {"low": edges[:-1], "high": edges[1:], "count": count, "mean_score": means[0], "hit_share": means[1]}
    error = float(np.abs(sums[1] - sums[0]).sum() / len(scores)) if len(scores) else None
    return Calibration(float(tiou), pd.DataFrame(columns), error)
