"""Which prediction may answer which ground truth: the groundwork of AP, recall and matching.

A group is one class in one video. Only a prediction and a ground truth of the same group can be a pair.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.segments import tiou

PRUNED_FROM = 4  # ground truths of its group to a prediction; with fewer, comparing times takes longer than tIoU


class Pairing(NamedTuple):
    """Ground truths in the order of their table, predictions ranked, and the J pairs of both that overlap.

    Pairs are sorted by rank, then falling tIoU; of equal tIoU the later ground truth comes first, as with the
    reversed `argsort` of the original.
    """

    classes: np.ndarray  # (K,) label ids of the ground truth, rising
    gt_class: np.ndarray  # (N,) position in classes
    gt_group: np.ndarray  # (N,)
    row: np.ndarray  # (P,) row in the table of predictions; class by class, falling score
    prediction_class: np.ndarray  # (P,) position in classes, -1 for a label that the ground truth lacks
    prediction_group: np.ndarray  # (P,) -1 where the ground truth lacks the class or the video
    place: np.ndarray  # (P,) how many of its group rank before; "official" ranks each group on its own
    pair_prediction: np.ndarray  # (J,) rank, index into row
    pair_gt: np.ndarray  # (J,) index into gt_class
    pair_tiou: np.ndarray  # (J,) above 0


def pair_up(gt: pd.DataFrame, predictions: pd.DataFrame, label_remap: str) -> Pairing:
    """Check both tables, rank the predictions, and find the pairs that overlap; label_remap as of `evaluate`."""
    check_columns(gt, "gt", GT_COLUMNS)
    check_columns(predictions, "predictions", PREDICTION_COLUMNS)
    gt_segments, segments = segments_of(gt, "gt"), segments_of(predictions, "predictions")
    classes, gt_class = np.unique(labels_of(gt, "gt"), return_inverse=True)
    prediction_class = number_classes(labels_of(predictions, "predictions"), classes, label_remap)
    gt_video, videos = pd.factorize(videos_of(gt, "gt"))
    video = pd.Index(videos, dtype=object).get_indexer(videos_of(predictions, "predictions"))

    gt_group = gt_class * len(videos) + gt_video
    group = np.where((prediction_class >= 0) & (video >= 0), prediction_class * len(videos) + video, -1)
    scores, stable = scores_of(predictions, "predictions"), label_remap == "fixed"
    row = rank(prediction_class, scores, stable)
    place = position_in_group(group[row]) if stable else _places_of_the_original(group, scores)[row]
    pairs = overlapping_pairs(gt_group, gt_segments, group[row], segments[row])
    return Pairing(classes, gt_class, gt_group, row, prediction_class[row], group[row], place, *pairs)


def number_classes(labels: np.ndarray, classes: np.ndarray, label_remap: str) -> np.ndarray:
    """Position of each predicted label (P,) in the classes of the ground truth (K,), -1 for none.

    "official" reproduces a flaw of the original's code: an id that the ground truth lacks stays as it is, so that an
    id below K ends up as the class of that number.
    """
    number = np.where(np.isin(labels, classes), np.searchsorted(classes, labels), -1)
    return np.where(collides(labels, classes), labels, number) if label_remap == "official" else number


def collides(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(P,) bool: labels (P,) that no ground truth has, but which the original takes for another of the classes (K,)."""
    return ~np.isin(labels, classes) & (labels >= 0) & (labels < len(classes))


def rank(prediction_class: np.ndarray, scores: np.ndarray, stable: bool) -> np.ndarray:
    """(P,) rows of the predictions class by class, in each by falling score; equal scores as in the table.

    Or, if not stable, in the order of the original's reversed `argsort` over the class, which depends on NumPy's
    sorting.
    """
    if stable:
        small = np.int16 if prediction_class.max(initial=0) < 2**15 else np.int64  # NumPy sorts 16 bits in linear time
        by_score = np.argsort(-scores, kind="stable")
        return by_score[np.argsort(prediction_class[by_score].astype(small), kind="stable")]
    by_class = np.argsort(prediction_class, kind="stable")
    cuts = np.flatnonzero(np.diff(prediction_class[by_class])) + 1
    return np.concatenate([rows[np.argsort(scores[rows])[::-1]] for rows in np.split(by_class, cuts)])


def _places_of_the_original(group: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(P,) by row: how many of its group rank before, where equal scores lie as `argsort` of the group has them."""
    order = rank(group, scores, stable=False)
    places = np.empty(len(group), np.int64)
    places[order] = position_in_group(group[order])
    return places


def overlapping_pairs(
    gt_group: np.ndarray, gt_segments: np.ndarray, group: np.ndarray, segments: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of one group with tIoU above 0, sorted as `Pairing` says: (J,) prediction, ground truth and tIoU.

    Groups (N,) and segments (N, 2) of the ground truths, then those (P,), (P, 2) of the ranked predictions.
    """
    by_group = np.lexsort((gt_segments[:, 0], gt_group))
    groups, firsts, sizes = np.unique(gt_group[by_group], return_index=True, return_counts=True)
    groups = np.append(groups, np.iinfo(np.int64).max)  # so that the search ends at a group
    firsts, sizes = np.append(firsts, 0), np.append(sizes, 0)
    place = np.searchsorted(groups, group)  # (P,)
    first, count = firsts[place], np.where(groups[place] == group, sizes[place], 0)
    if count.sum() > PRUNED_FROM * len(group):
        first, end = _within_reach(np.repeat(np.arange(len(groups)), sizes), gt_segments[by_group], place, segments)
        count = np.where(count > 0, end - first, 0).clip(min=0)
    prediction = np.repeat(np.arange(len(group)), count)
    within = np.arange(len(prediction)) - np.repeat(np.cumsum(count) - count, count)
    truth = by_group[first[prediction] + within]

    overlap = tiou(segments[prediction], gt_segments[truth])  # (J,)
    keep = np.flatnonzero(overlap > 0)
    prediction, truth, overlap = prediction[keep], truth[keep], overlap[keep]
    order = np.lexsort((-truth, -overlap, prediction))
    return prediction[order], truth[order], overlap[order]


def _within_reach(
    gt_group: np.ndarray, gt_segments: np.ndarray, group: np.ndarray, segments: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) first and (P,) end of the ground truths, sorted by group and onset, among which are all that overlap.

    A group and a time become one number: the group's, and how many ends or onsets of all groups come before.
    """
    step = len(gt_segments) + 1
    ends, onsets = np.sort(gt_segments[:, 1]), np.sort(gt_segments[:, 0])
    ended = gt_group * step + np.searchsorted(ends, gt_segments[:, 1])
    reach = np.maximum.accumulate(ended)  # no earlier one ends later
    first = np.searchsorted(reach, group * step + np.searchsorted(ends, segments[:, 0], side="right"))
    begun = gt_group * step + np.searchsorted(onsets, gt_segments[:, 0])
    return first, np.searchsorted(begun, group * step + np.searchsorted(onsets, segments[:, 1]))


def position_in_group(group: np.ndarray) -> np.ndarray:
    """(M,) how many earlier elements have the same group, for each of (M,)."""
    order = np.argsort(group, kind="stable")
    position = np.empty(len(group), np.int64)
    position[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order], side="left")
    return position


GT_COLUMNS = ["video", "start_sec", "end_sec", "label"]
PREDICTION_COLUMNS = [*GT_COLUMNS, "score"]


def check_columns(table: pd.DataFrame, name: str, columns: list[str]) -> None:
    """A ValueError with the columns that a table lacks, or with one that it has twice."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{name} lacks the columns {', '.join(missing)}; it needs {', '.join(columns)}")
    for column in table.columns[table.columns.duplicated()].intersection(columns):
        raise ValueError(f"{name} has several columns of the name {column}; leave one")


def segments_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N, 2) float64 starts and ends in seconds; ValueError where one is not a finite number."""
    return np.stack([_numbers(table, name, column).astype(np.float64) for column in ("start_sec", "end_sec")], axis=1)


def labels_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) int64 label ids; ValueError where one is not a whole number."""
    if table["label"].to_numpy().dtype.kind == "i":  # exact, where float64 ends at 2**53
        return table["label"].to_numpy(np.int64)
    labels = _numbers(table, name, "label")
    _refuse(labels != np.rint(labels), table, name, "label", "a whole number")
    return labels.astype(np.int64)


def scores_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) scores in the precision that they come in; ValueError where one is not a finite number."""
    return _numbers(table, name, "score")


def videos_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) video ids as Python objects; ValueError where one is missing."""
    _refuse(table["video"].isna().to_numpy(), table, name, "video", "a video id")
    return table["video"].to_numpy(dtype=object)


def check_common_videos(gt: pd.DataFrame, predictions: pd.DataFrame) -> None:
    """A ValueError that names the videos of both sides, if gt is empty or no prediction is in a video of it."""
    if gt.empty or not (predictions.empty or predictions["video"].isin(gt["video"]).any()):
        raise ValueError(
            f"{'gt has no rows, so ' if gt.empty else ''}gt and predictions have no video in common; "
            f"gt: {_few(gt['video'])}; predictions: {_few(predictions['video'])}; "
            f"give the ground truth of the videos that were predicted, under the same ids"
        )


def _few(videos: pd.Series) -> str:
    names = [repr(name) for name in videos.unique().tolist()]
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)})" if names else "none"


def _numbers(table: pd.DataFrame, name: str, column: str) -> np.ndarray:
    values = table[column].to_numpy()
    if values.dtype.kind != "f":
        try:
            if table[column].dtype.kind in "mMc":  # durations and dates would become nanoseconds
                raise TypeError
            values = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            seen = f"column {column} of {name} holds {table[column].dtype}, not numbers"
            raise ValueError(f"{seen}; convert it, times to seconds") from None
    _refuse(~np.isfinite(values), table, name, column, "a finite number")
    return values


def _refuse(bad: np.ndarray, table: pd.DataFrame, name: str, column: str, wanted: str) -> None:
    if bad.any():
        i = int(bad.argmax())
        value = table[column].iloc[i]
        raise ValueError(f"row {table.index[i]} of {name} has {column} {value}; each row needs {wanted} there")
