"""How well each video is solved on its own."""

import numpy as np
import pandas as pd

from afkit.evaluation.scores import evaluate


def average_precision_by_video(gt: pd.DataFrame, predictions: pd.DataFrame, tiou: float) -> pd.Series:
    """mAP of each video that has ground truth, as if it were alone.

    Args:
        gt: rows with video, start_sec, end_sec, label.
        predictions: the same and score.
        tiou: threshold.

    Returns:
        Series over videos, fractions, best first; ties in the order of `gt`.
    """
    by_video = dict(tuple(predictions.groupby("video", sort=False)))
    none = predictions.iloc[:0]
    solved = {
        video: evaluate(truth, by_video.get(video, none), [tiou]).average_map
        for video, truth in gt.groupby("video", sort=False)
    }
    return pd.Series(solved, name="ap", dtype=float).sort_values(ascending=False, kind="stable")


def choose_best_median_worst(by_video: pd.Series, count: int = 3) -> list[str]:
    """`count` videos spread evenly from the best to the worst (3: best, median, worst), without repetition."""
    places = np.linspace(0, len(by_video) - 1, min(count, len(by_video))).round().astype(int)
    return list(dict.fromkeys(by_video.index[places]))
