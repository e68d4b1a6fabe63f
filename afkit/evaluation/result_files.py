"""Predictions on disk, in the result format of ActivityNet, so that other tools read them and we theirs.

{"version": ..., "results": {video: [{"label": name, "score": s, "segment": [start, end]}]}, "external_data": {}}
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.evaluation.tables import PREDICTION_COLUMNS, check_columns, labels_of, scores_of, segments_of, videos_of
from afkit.files import read_json, write_json, write_json_gz

VERSION = "VERSION 1.3"  # of the format; tools of the benchmark expect it


def write_predictions(path: str | Path, predictions: pd.DataFrame, label_names: Mapping[int, str]) -> None:
    """Write predictions as .json or .json.gz; the same table gives the same bytes.

    Args:
        path: the file to write; it appears only when it is complete.
        predictions: rows with video, start_sec, end_sec (seconds), label (integer id), score. Videos are written in
            the order of their first row, their segments in that of the rows.
        label_names: name of each label id.

    Raises:
        ValueError: another ending, missing columns, a number that is not finite, or a label without a name of its own.
    """
    path = Path(path)
    if not path.name.endswith((".json", ".json.gz")):
        raise ValueError(f"{path} must end in .json or .json.gz")
    check_columns(predictions, "predictions", PREDICTION_COLUMNS)
    _check_names(label_names)
    videos = videos_of(predictions, "predictions")
    segments = segments_of(predictions, "predictions").tolist()
    scores = scores_of(predictions, "predictions").tolist()
    labels = labels_of(predictions, "predictions").tolist()
    unnamed = sorted(set(labels) - set(label_names))
    if unnamed:
        raise ValueError(f"label_names has no name for label {unnamed[0]}; give the names of all predicted labels")

    results: dict[str, list] = {}
    for video, segment, label, score in zip(videos, segments, labels, scores, strict=True):
        results.setdefault(str(video), []).append({"label": label_names[label], "score": score, "segment": segment})
    write = write_json_gz if path.suffix == ".gz" else write_json
    write(path, {"version": VERSION, "results": results, "external_data": {}})


def read_predictions(path: str | Path, label_names: Mapping[int, str]) -> pd.DataFrame:
    """Read predictions in the ActivityNet result format, ours or another tool's.

    Args:
        path: .json, or compressed with the ending .gz.
        label_names: name of each label id; the file may hold names or ids, and numbers as strings.

    Returns:
        DataFrame with video (str), start_sec, end_sec (float64 seconds), label (int64 id), score (float64).

    Raises:
        ValueError: the file is missing or not of this format, a label is unknown, or a number is unusable; the message
            names file, video and row.
    """
    _check_names(label_names)
    content = read_json(path)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise ValueError(f'{path} holds no predictions; expected {{"results": {{video: [...]}}}}')
    ids = {spelling: label for label in label_names for spelling in (label, str(label))}
    ids |= {name: label for label, name in label_names.items()}
    rows = []
    for video, entries in results.items():
        if not isinstance(entries, list):
            raise ValueError(f"{path}, video '{video}': expected a list of predictions")
        for i, entry in enumerate(entries):
            try:
                rows.append((video, *_read_entry(entry, ids)))
            except ValueError as error:
                raise ValueError(f"{path}, video '{video}', row {i}: {error}") from None
    types = dict(zip(PREDICTION_COLUMNS, (str, "float64", "float64", "int64", "float64"), strict=True))
    return pd.DataFrame(rows, columns=PREDICTION_COLUMNS).astype(types)


def _read_entry(entry: Any, ids: Mapping[str | int, int]) -> tuple[float, float, int, float]:
    """(start_sec, end_sec, label id, score) of one prediction; `ids` by name, id, and id as text."""
    if not isinstance(entry, dict) or not {"label", "score", "segment"} <= entry.keys():
        raise ValueError("expected a prediction with label, score and segment")
    segment = entry["segment"]
    if not isinstance(segment, list) or len(segment) != 2:
        raise ValueError(f"segment {segment!r} is not [start, end] in seconds")
    label = entry["label"]
    if not isinstance(label, (str, int)) or label not in ids:
        raise ValueError(f"label {label!r} is neither a name nor an id of label_names")
    return _number(segment[0]), _number(segment[1]), ids[label], _number(entry["score"])


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _check_names(label_names: Mapping[int, str]) -> None:
    if len(set(label_names.values())) < len(label_names):
        raise ValueError("label_names gives one name to two labels; names must differ to be read back")
