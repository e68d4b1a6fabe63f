"""Checked NumPy arrays from tables of segments (columns video, start_sec, end_sec, label and, if predicted, score)."""

import numpy as np
import pandas as pd

GT_COLUMNS = ["video", "start_sec", "end_sec", "label"]
PREDICTION_COLUMNS = [*GT_COLUMNS, "score"]


def check_columns(table: pd.DataFrame, name: str, columns: list[str]) -> None:
    """Refuse a table that lacks columns.

    Args:
        table: any table of a user.
        name: what the message calls it.
        columns: that it must have.

    Raises:
        ValueError: it lacks some.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{name} lacks the columns {', '.join(missing)}; it needs {', '.join(columns)}")


def segments_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N, 2) float64 starts and ends in seconds; ValueError where one is not a finite number.

    Args:
        table: any table with N rows.
        name: what the message calls it.
    """
    return np.stack([_numbers(table, name, column).astype(np.float64) for column in ("start_sec", "end_sec")], axis=1)


def labels_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) int64 label ids; ValueError where one is not a whole number.

    Args:
        table: any table with N rows.
        name: what the message calls it.
    """
    labels = _numbers(table, name, "label")
    _refuse(labels != np.rint(labels), table, name, "label", "a whole number")
    return labels.astype(np.int64)


def scores_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) scores in the precision that they come in; ValueError where one is not a finite number.

    Args:
        table: any table with N rows.
        name: what the message calls it.
    """
    return _numbers(table, name, "score")


def videos_of(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) video ids as Python objects; ValueError where one is missing.

    Args:
        table: any table with N rows.
        name: what the message calls it.
    """
    _refuse(table["video"].isna().to_numpy(), table, name, "video", "a video id")
    return table["video"].to_numpy(dtype=object)


def check_common_videos(gt: pd.DataFrame, predictions: pd.DataFrame) -> None:
    """Raise a ValueError that names the videos of both sides, if gt is empty or no prediction is in a video of it.

    Predictions without a single row are no mistake: nothing was found.
    """
    if gt.empty or not (predictions.empty or predictions["video"].isin(gt["video"]).any()):
        raise ValueError(
            f"{'gt has no rows, so ' if gt.empty else ''}gt and predictions have no video in common; "
            f"gt: {_few(gt['video'])}; predictions: {_few(predictions['video'])}; "
            f"give the ground truth of the videos that were predicted, under the same ids"
        )


def _few(videos: pd.Series) -> str:
    """The first names, and how many there are."""
    names = [str(name) for name in videos.unique()]
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)})" if names else "none"


def _numbers(table: pd.DataFrame, name: str, column: str) -> np.ndarray:
    values = table[column].to_numpy()
    if values.dtype.kind != "f":
        try:
            values = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise ValueError(f"column {column} of {name} does not hold numbers; convert it") from None
    _refuse(~np.isfinite(values), table, name, column, "a finite number")
    return values


def _refuse(bad: np.ndarray, table: pd.DataFrame, name: str, column: str, wanted: str) -> None:
    if bad.any():
        i = int(bad.argmax())
        value = table[column].iloc[i]
        raise ValueError(f"row {table.index[i]} of {name} has {column} {value}; each row needs {wanted} there")
