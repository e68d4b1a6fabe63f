"""Detections of which at any time there is one at most, for labels that exclude each other."""

import numpy as np
import pandas as pd

LEAST_SHARE = 0.5  # of a detection that must be left, or it is another one's double


def without_overlaps(detections: pd.DataFrame) -> pd.DataFrame:
    """Detections of which no two of a video overlap, by time; columns as given, among them start_sec, end_sec, score.

    The best come first. Of a later one stays the longest part that no better one covers, if that is at least half of
    it, with its score.

    Examples:
        >>> columns = ["video", "start_sec", "end_sec", "label", "score"]
        >>> rows = [("v", 0.0, 10.0, 0, 0.9), ("v", 9.0, 14.0, 1, 0.5), ("v", 2.0, 6.0, 1, 0.4)]
        >>> without_overlaps(pd.DataFrame(rows, columns=columns))[["start_sec", "end_sec", "label"]].values.tolist()
        [[0.0, 10.0, 0.0], [10.0, 14.0, 1.0]]
    """
    by_score = detections.reset_index(drop=True).sort_values("score", ascending=False, kind="stable")
    kept = []
    for _, rows in by_score.groupby("video", sort=False):
        taken = np.zeros((0, 2))  # rising, apart
        for row, start, end in rows[["start_sec", "end_sec"]].itertuples(name=None):
            left, right = _longest_free(taken, start, end)
            if right > left and right - left >= LEAST_SHARE * (end - start):
                kept.append((row, left, right))
                place = np.searchsorted(taken[:, 0], left)
                taken = np.insert(taken, place, (left, right), axis=0)
    chosen = detections.iloc[[row for row, _, _ in kept]]
    times = np.array([times for _, *times in kept]).reshape(-1, 2)
    chosen = chosen.assign(start_sec=times[:, 0], end_sec=times[:, 1])
    return chosen.sort_values(["video", "start_sec"], kind="stable", ignore_index=True)


def _longest_free(taken: np.ndarray, start: float, end: float) -> tuple[float, float]:
    """The longest part of [start, end] outside spans (R, 2) that rise and do not overlap; the first of equal ones."""
    within = taken[(taken[:, 1] > start) & (taken[:, 0] < end)].clip(start, end)
    begins, ends = np.append(start, within[:, 1]), np.append(within[:, 0], end)
    longest = int((ends - begins).argmax())
    return float(begins[longest]), float(ends[longest])
