"""Where the bars of a timeline go: plain tables, nothing drawn."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

MAX_LANES = 40
PREDICTION_ROW = 0.7  # height of a row of predictions, where that of the ground truth is 1
FULL_ROWS = 4  # rows of predictions at that height; when more are needed, all share the height of these
LANE_GAP = 0.5
LOWEST_HEIGHT = 0.45  # share of its row that a prediction of score 0 fills; one of score 1 fills it all


def arrange_lanes(
    gt: pd.DataFrame, predictions: pd.DataFrame, min_width_sec: float
) -> tuple[pd.DataFrame, dict[int, tuple[float, float]], int]:
    """Give every segment of one video a bar in its class's lane, overlapping ones in rows of their own.

    Args:
        gt: start_sec, end_sec, label, and `found` (bool) once matched.
        min_width_sec: shorter segments become bars of this width, about their middle.

    Returns:
        bars: one row per bar with kind ("ground truth" | "miss" | "hit" | "false alarm"), left_sec, width_sec,
            top, height, row_height; y counts downwards from 0, and a row of ground truth is 1 high.
        lanes: label -> (top, bottom), at most 40.
        The number of classes without a lane.
    """
    labels = _lane_order(gt, predictions)
    lanes, tables, top = {}, [], 0.0
    for label in labels[:MAX_LANES]:
        truth = _bars(gt[gt["label"] == label], min_width_sec)
        truth["kind"] = np.where(truth["found"], "ground truth", "miss") if "found" in truth else "ground truth"
        truth["height"] = truth["row_height"] = 1 / (truth["row"].max() + 1)
        truth["top"] = top + truth["row"] * truth["height"]
        found = _bars(predictions[predictions["label"] == label].sort_values("score", ascending=False), min_width_sec)
        found["kind"] = found["outcome"]
        num_rows = 0 if found.empty else found["row"].max() + 1
        found["row_height"] = row_height = PREDICTION_ROW * min(1, FULL_ROWS / max(num_rows, 1))
        found["height"] = row_height * (LOWEST_HEIGHT + (1 - LOWEST_HEIGHT) * found["score"].clip(0, 1))
        found["top"] = top + 1 + found["row"] * row_height
        lanes[label] = (top, top + 1 + num_rows * row_height)
        top = lanes[label][1] + LANE_GAP
        tables += [truth, found]
    columns = ["kind", "left_sec", "width_sec", "top", "height", "row_height"]
    tables = [table[columns] for table in tables if len(table)]
    bars = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return bars, lanes, max(len(labels) - MAX_LANES, 0)


def pack_rows(starts: Iterable[float], ends: Iterable[float]) -> list[int]:
    """The row of each segment, such that no two of a row overlap; the first ones get the upper rows.

    Examples:
        >>> pack_rows([0, 1, 5], [3, 4, 6])
        [0, 1, 0]
    """
    rows: list[list[tuple[float, float]]] = []
    chosen = []
    for start, end in zip(starts, ends, strict=True):
        fits = (all(end <= left or right <= start for left, right in row) for row in rows)
        index = next((i for i, fit in enumerate(fits) if fit), len(rows))
        if index == len(rows):
            rows.append([])
        rows[index].append((start, end))
        chosen.append(index)
    return chosen


def _lane_order(gt: pd.DataFrame, predictions: pd.DataFrame) -> list[int]:
    """Classes as they first happen, so that the eye moves down with time; classes only predicted follow, best first."""
    happened = gt.sort_values("start_sec", kind="stable")["label"]
    predicted = predictions.sort_values("score", ascending=False, kind="stable")["label"]
    return list(dict.fromkeys(int(label) for label in [*happened, *predicted]))


def _bars(segments: pd.DataFrame, min_width_sec: float) -> pd.DataFrame:
    width_sec = (segments["end_sec"] - segments["start_sec"]).clip(lower=min_width_sec)
    left_sec = (segments["start_sec"] + segments["end_sec"] - width_sec) / 2
    return segments.assign(left_sec=left_sec, width_sec=width_sec, row=pack_rows(left_sec, left_sec + width_sec))
