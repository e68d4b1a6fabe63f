"""Which class is taken for which: true classes against predicted ones, with what is missed and what is made up."""

import numpy as np
import pandas as pd

from afkit.workbench.analysis.matching import match_segments, most_overlapping

NOTHING, MISSED = "nothing", "missed"  # the last row and the last column


def confusion_counts(gt: pd.DataFrame, predictions: pd.DataFrame, tiou: float) -> pd.DataFrame:
    """Each hit, each false prediction and each missed action in one cell.

    A hit stands on the diagonal. A prediction of the wrong label (it reaches `tiou` with an action, the one it overlaps
    most, of another class: see `workbench.analysis.false_positives`) stands in the row of that action; all other false
    ones stand in the row NOTHING. A missed action stands in the column MISSED, also where a prediction of the wrong
    label lies on it: that is two errors, as in mAP.

    Args:
        predictions: those that are taken seriously, as of `workbench.analysis.operating_point.apply_thresholds`.

    Returns:
        DataFrame of numbers: label ids, rising, and NOTHING, by label ids and MISSED.

    Raises:
        ValueError: as `match_segments`.
    """
    matched_gt, matched = match_segments(gt, predictions, tiou)
    best, best_tiou = most_overlapping(gt, predictions)
    hit, labels = (matched["outcome"] == "hit").to_numpy(), matched["label"].to_numpy(np.int64)
    lies_on = np.where(best_tiou >= tiou, best, -1)  # row of gt
    other = np.append(gt["label"].to_numpy(np.int64), 0)[lies_on]
    taken = (lies_on >= 0) & (other != labels)  # for another class; of double detections nothing is left
    classes = np.union1d(gt["label"].to_numpy(np.int64), labels)
    counts = np.zeros((len(classes) + 1, len(classes) + 1), np.int64)
    rows = np.where(taken | hit, np.searchsorted(classes, np.where(hit, labels, other)), len(classes))
    np.add.at(counts, (rows, np.searchsorted(classes, labels)), 1)
    missed = matched_gt.loc[~matched_gt["found"], "label"].to_numpy(np.int64)
    np.add.at(counts, (np.searchsorted(classes, missed), len(classes)), 1)
    index, columns = [*classes.tolist(), NOTHING], [*classes.tolist(), MISSED]
    return pd.DataFrame(counts, index=index, columns=columns)
