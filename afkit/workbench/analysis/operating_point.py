"""Which score threshold to deploy: precision, recall, F1 and false alarms per hour at every one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import (
    PREDICTION_COLUMNS,
    check_columns,
    check_common_videos,
    labels_of,
    scores_of,
    videos_of,
)
from afkit.workbench.analysis.matching import match_segments

SEC_PER_HOUR = 3600


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """What `operating_points` found.

    Rows have threshold, kept, hits, false_alarms, precision, recall, f1 and false_alarms_per_hour (NaN where the
    durations are not known). precision is NaN where nothing is kept, recall where there is no ground truth.
    """

    tiou: float  # from which a prediction is a hit
    overall: pd.DataFrame  # a row for each distinct score, falling; all classes together
    by_class: pd.DataFrame  # label and the same, classes rising
    best: pd.Series  # the row of overall with the highest F1, of equal ones that of the highest threshold
    best_by_class: pd.DataFrame  # the same for each class, by label id
    best_class_thresholds: pd.Series  # all classes together, each at its own best threshold

    def table(self, label_names: Mapping[int, str]) -> pd.DataFrame:
        """The best threshold of each class and what it leads to, for readers: by name, rates in percent."""
        shown = self.best_by_class.rename(index=label_names)
        rates = {name: f"{name.replace('f1', 'F1')} [%]" for name in ("precision", "recall", "f1")}
        shown[[*rates]] *= 100
        return shown.rename(columns=rates).rename(columns=lambda name: name.replace("_", " "))

    def facts(self, label_names: Mapping[int, str]) -> dict[str, Any]:
        """The best thresholds and what they lead to, ready for JSON; None instead of NaN."""
        rows = {label_names.get(label, str(label)): row for label, row in self.best_by_class.iterrows()}
        return {
            "tiou": self.tiou,
            "one_threshold": _plain(self.best),
            "class_thresholds": _plain(self.best_class_thresholds),
            "by_class": {name: _plain(row) for name, row in rows.items()},
        }


def operating_points(
    gt: pd.DataFrame,
    predictions: pd.DataFrame,
    tiou: float = 0.5,
    durations_sec: Mapping[str, float | None] | None = None,
) -> OperatingPoints:
    """Precision, recall and F1 against the score threshold, per class and overall, and the best thresholds by F1.

    A threshold keeps the predictions whose score reaches it. Matching goes by falling score, so leaving out the lowest
    changes nothing for the others: one matching answers for all thresholds. Every prediction without a match is a
    false alarm, also one of a class or in a video that has no ground truth. The best thresholds are chosen on the
    videos they are judged on; on others they will do a little worse.

    Args:
        durations_sec: seconds of every video that was searched, for the false alarms per hour (None: not known, and
            then neither are these); the actions of other videos are missed.

    Returns:
        OperatingPoints; the classes are those of gt and of predictions. A class that no threshold finds anything of
        has the best threshold NaN, with which `apply_thresholds` keeps nothing.

    Raises:
        ValueError: unusable tables or threshold, or a duration that is missing, or not above 0.
    """
    matched = match_segments(gt, predictions, tiou)[1]
    check_common_videos(gt, predictions)
    hours = np.nan if durations_sec is None else _hours(predictions, dict(durations_sec))
    scores, hits = scores_of(predictions, "predictions"), (matched["outcome"] == "hit").to_numpy()
    labels, gt_labels = labels_of(predictions, "predictions"), labels_of(gt, "gt")

    overall = _curve(scores, hits, len(gt), hours)
    curves, best = {}, {}
    for label in np.union1d(gt_labels, labels).tolist():
        mine, num_gt = labels == label, int((gt_labels == label).sum())
        curves[label] = _curve(scores[mine], hits[mine], num_gt, hours)
        best[label] = _best(curves[label], num_gt, hours)
    best_by_class = pd.DataFrame(best.values(), index=pd.Index(best, name="label"))
    kept, found = (best_by_class[column].sum() for column in ("kept", "hits"))
    together = _rates(np.array([np.nan]), np.array([kept]), np.array([found]), len(gt), hours)
    return OperatingPoints(
        tiou=float(tiou),
        overall=overall,
        by_class=pd.concat(curves, names=["label", None]).reset_index(level=0).reset_index(drop=True),
        best=_best(overall, len(gt), hours),
        best_by_class=best_by_class.astype(dict.fromkeys(("kept", "hits", "false_alarms"), np.int64)),
        best_class_thresholds=together.iloc[0].drop("threshold").rename(None),
    )


def apply_thresholds(predictions: pd.DataFrame, thresholds: float | Mapping[int, float]) -> pd.DataFrame:
    """The predictions whose score reaches the threshold, with their index; all columns are kept.

    `thresholds`: one for all, or one for each label id (ValueError where one lacks); NaN keeps nothing.
    """
    check_columns(predictions, "predictions", PREDICTION_COLUMNS)
    scores = scores_of(predictions, "predictions")
    if isinstance(thresholds, (Mapping, pd.Series)):
        labels = labels_of(predictions, "predictions")
        missing = sorted(set(labels.tolist()) - set(thresholds.keys()))
        if missing:
            raise ValueError(f"there is no threshold for label {missing[0]}; give one for each predicted label")
        return predictions[scores >= np.array([thresholds[label] for label in labels.tolist()], np.float64)]
    return predictions[scores >= thresholds]


def _hours(predictions: pd.DataFrame, durations_sec: Mapping[str, float | None]) -> float:
    """Hours of all videos searched; NaN where that of one is not known."""
    for video, seconds in durations_sec.items():
        if seconds is not None and not 0 < seconds < np.inf:
            raise ValueError(f"the duration of video '{video}' is {seconds}; give its seconds, above 0")
    for video in pd.unique(videos_of(predictions, "predictions")):
        if video not in durations_sec:
            raise ValueError(f"durations_sec lacks video '{video}'; give the seconds of all videos, or leave it out")
    return sum(np.nan if seconds is None else seconds for seconds in durations_sec.values()) / SEC_PER_HOUR


def _curve(scores: np.ndarray, hits: np.ndarray, num_gt: int, hours: float) -> pd.DataFrame:
    """A row for each distinct score, falling; scores and hits (P,)."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)[: len(falling)])  # of each distinct score
    return _rates(falling[last].astype(np.float64), last + 1, hits[order].cumsum()[last], num_gt, hours)


def _rates(thresholds: np.ndarray, kept: np.ndarray, hits: np.ndarray, num_gt: int, hours: float) -> pd.DataFrame:
    """Rows as in `OperatingPoints`, of (R,) counts."""
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "kept": kept,
            "hits": hits,
            "false_alarms": kept - hits,
            "precision": np.where(kept > 0, hits / np.maximum(kept, 1), np.nan),
            "recall": hits / num_gt if num_gt else np.full(len(hits), np.nan),
            "f1": 2 * hits / np.maximum(kept + num_gt, 1),  # = 2 precision recall / (precision + recall)
            "false_alarms_per_hour": (kept - hits) / hours,
        }
    )


def _best(curve: pd.DataFrame, num_gt: int, hours: float) -> pd.Series:
    if not curve["hits"].any():
        none = np.array([0])
        return _rates(np.array([np.nan]), none, none, num_gt, hours).iloc[0].rename(None)
    return curve.loc[curve["f1"].idxmax()].rename(None)


def _plain(row: pd.Series) -> dict[str, float | int | None]:
    """A row as JSON takes it."""
    counts = ("kept", "hits", "false_alarms")
    return {
        name: None if np.isnan(value) else int(value) if name in counts else float(value) for name, value in row.items()
    }
