"""Which prediction found which ground truth, for pictures and for the diagnosis of errors."""

from itertools import pairwise

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import overlapping_pairs, pair_up, segments_of
from afkit.evaluation.scores import check_tious, match_greedily, threshold_bits

PAIRS_AT_ONCE = 1_000_000  # keeps the memory small where everything overlaps


def match_segments(gt: pd.DataFrame, predictions: pd.DataFrame, tiou: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match predictions to ground truths of the same video and class, by falling score, as AP does at one threshold.

    Returns:
        Copies with the same rows and index. The ground truths gain found (bool). The predictions gain outcome ("hit"
        or "false alarm"), tiou (float64: with the matched ground truth, else the highest with any ground truth of the
        same video and class, else 0) and gt_index (index label of the matched row of gt, -1 for none).

    Raises:
        ValueError: missing columns, a score or time that is no finite number, or an unusable threshold.
    """
    threshold = check_tious([tiou])
    pairing = pair_up(gt, predictions, "fixed")
    matched = match_greedily(pairing, threshold_bits(pairing.pair_tiou, threshold)) > 0  # (J,)
    row = pairing.row[pairing.pair_prediction]  # (J,) in the table of predictions
    hit_row, found_row = row[matched], pairing.pair_gt[matched]

    found = np.zeros(len(gt), bool)
    found[found_row] = True
    outcome = np.full(len(predictions), "false alarm", dtype=object)
    outcome[hit_row] = "hit"
    best_tiou = np.zeros(len(predictions))
    np.maximum.at(best_tiou, row, pairing.pair_tiou)
    best_tiou[hit_row] = pairing.pair_tiou[matched]
    labels = gt.index.to_numpy()
    gt_index = np.full(len(predictions), -1, dtype=np.int64 if labels.dtype.kind == "i" else object)
    gt_index[hit_row] = labels[found_row]
    return gt.assign(found=found), predictions.assign(outcome=outcome, tiou=best_tiou, gt_index=gt_index)


def outcomes_by_score(predictions: pd.DataFrame) -> pd.DataFrame:
    """How many of the predictions of `match_segments` are hits and false alarms, a row for each range of the score."""
    limits = [0, 0.05, 0.1, 0.2, 0.4, 0.6, 1]
    names = ["below 0", *(f"{low:g} to {high:g}" for low, high in pairwise(limits)), "above 1"]
    limits = [-np.inf, np.nextafter(0, -1), *limits[1:], np.inf]
    ranges = pd.cut(predictions["score"], limits, labels=names).rename("score")
    counts = pd.crosstab(ranges, predictions["outcome"])
    counts = counts.reindex(index=names, columns=["hit", "false alarm"], fill_value=0)
    counts = counts.drop(index=[name for name in (names[0], names[-1]) if not counts.loc[name].any()])
    return counts.rename_axis(index="score", columns=None)


def outcomes_by_video(gt: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Of the tables of `match_segments`, by video with actions: numbers of actions, found, false alarms; F1 in percent.

    The best first, ties as in gt.
    """
    counts = gt.groupby("video", sort=False)["found"].agg(actions="size", found="sum")
    alarms = predictions.loc[predictions["outcome"] == "false alarm", "video"].value_counts()
    counts["false alarms"] = alarms.reindex(counts.index, fill_value=0)
    of = counts["actions"] + counts["found"] + counts["false alarms"]  # 2 hits + misses + false alarms
    return counts.assign(**{"F1 [%]": 200 * counts["found"] / of}).sort_values("F1 [%]", ascending=False, kind="stable")


def most_overlapping(gt: pd.DataFrame, predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """By which ground truth each prediction is judged: the one of its video, of any class, that it overlaps most.

    Of equal ones it is that of its own class, of these the last of the table.

    Returns:
        (P,) position in gt, -1 for none, and (P,) the tIoU.
    """
    gt_sec, gt_label = segments_of(gt, "gt"), gt["label"].to_numpy()
    sec, label = segments_of(predictions, "predictions"), predictions["label"].to_numpy()
    gt_video, names = pd.factorize(gt["video"])
    video = pd.Index(names).get_indexer(predictions["video"])
    best, best_tiou = np.full(len(sec), -1), np.zeros(len(sec))
    num_pairs = np.append(np.bincount(gt_video), 0)[video].cumsum()  # the last for video -1
    cuts = np.flatnonzero(np.diff(num_pairs // PAIRS_AT_ONCE)) + 1
    for rows in np.split(np.arange(len(sec)), cuts):
        rank, found, tiou = overlapping_pairs(gt_video, gt_sec, video[rows], sec[rows])
        own = label[rows[rank]] == gt_label[found]
        order = np.lexsort((found, own, tiou, rank))  # each prediction's best come last
        best[rows[rank[order]]], best_tiou[rows[rank[order]]] = found[order], tiou[order]
    return best, best_tiou
