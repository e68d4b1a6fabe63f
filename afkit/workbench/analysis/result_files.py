"""Predictions on disk, in the result format of ActivityNet, so that other tools read them and we theirs.

{"version": ..., "results": {video: [{"label": name, "score": s, "segment": [start, end]}]}, "external_data": {}}

Tables, and the pickle that the original writes (`eval.py --saveonly`), are read, too.
"""

import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.data.feature_formats import listed
from afkit.evaluation.pairs import PREDICTION_COLUMNS, check_columns, labels_of, scores_of, segments_of, videos_of
from afkit.files import read_json, write_json, write_json_gz
from afkit.workbench.analysis.fusion import plain_array, read_pickle
from afkit.workbench.own_data.import_formats import read_csv_table
from afkit.workbench.own_data.import_names import SCORE, plain, read_name
from afkit.workbench.own_data.import_rows import as_number, clock_sec

VERSION = "VERSION 1.3"  # of the format; tools of the benchmark expect it
ID_DIGITS = 10  # more than any id has
UNKNOWN = -1  # label id of a name that is not known


def write_predictions(
    path: str | Path, predictions: pd.DataFrame, label_names: Mapping[int, str], videos: Iterable[str] = ()
) -> None:
    """Write predictions as .json or .json.gz; the same table gives the same bytes.

    Videos are written in the order of their first row, their segments in that of the rows; the ids in `videos` come
    first, and stand in the file even without predictions.

    Raises:
        ValueError: another ending, missing columns, a number that is not finite, or a label without a name of its own.
    """
    path = Path(path)
    if not path.name.endswith((".json", ".json.gz")):
        raise ValueError(f"{path} must end in .json or .json.gz")
    check_columns(predictions, "predictions", PREDICTION_COLUMNS)
    _check_names(label_names)
    of_rows = videos_of(predictions, "predictions")
    segments = segments_of(predictions, "predictions").tolist()
    scores = scores_of(predictions, "predictions").tolist()
    labels = labels_of(predictions, "predictions").tolist()
    check_named(labels, label_names)

    results: dict[str, list] = {str(video): [] for video in videos}
    for video, segment, label, score in zip(of_rows, segments, labels, scores, strict=True):
        results.setdefault(str(video), []).append({"label": label_names[label], "score": score, "segment": segment})
    write = write_json_gz if path.suffix == ".gz" else write_json
    write(path, {"version": VERSION, "results": results, "external_data": {}})


def check_named(labels: Iterable[int], label_names: Mapping[int, str]) -> None:
    """Raise a ValueError that gives a label without a name, if there is one."""
    unnamed = sorted(set(labels) - set(label_names))
    if unnamed:
        raise ValueError(f"label_names has no name for label {unnamed[0]}; give the names of all predicted labels")


def read_predictions(
    path: str | Path, label_names: Mapping[int, str], unknown_labels: str = "refuse", by_id: bool = True
) -> pd.DataFrame:
    """Read predictions in the ActivityNet result format, a table (.csv, .tsv) or the original's pickle (.pkl).

    In JSON the videos may stand under "results", under "detect_results" (Ego4D), or alone: {video: [...]}. A segment is
    [start, end] in seconds; numbers may be text, with a point or a decimal comma, times clock times, too
    ("1:02:03.5", "2:03.5"). A table has columns such as video, start, end (seconds), name or label, and score, in any
    order; a pickle holds the same columns. Of pickles only numbers and text are read; nothing in them is executed.

    Args:
        label_names: name of each label id; the file may hold names or ids, also as text.
        unknown_labels: what becomes of a label that is neither. "refuse": an error. "keep": an id stays as it is, a
            name becomes label -1; `evaluate` counts both (predictions_unknown_label).
        by_id: False where nobody gave labels their ids: a number is then a name, or unknown.

    Returns:
        DataFrame with video (str), start_sec, end_sec (float64 seconds), label (int64 id), score (float64).

    Raises:
        ValueError: the file is missing or not of this format, a label is unknown, or a number is unusable; the message
            names file, video and row.
    """
    _check_names(label_names)
    if unknown_labels not in ("refuse", "keep"):
        raise ValueError(f"unknown_labels is {unknown_labels!r}; choose refuse or keep")
    ids = {spelling: label for label in label_names for spelling in (label, str(label)) if by_id}
    ids |= {name: label for label, name in label_names.items()}
    rows, kept = [], None if unknown_labels == "refuse" else range(2**31 if by_id else 0)
    for where, video, entry in _entries(Path(path)):
        try:
            rows.append((video, *_read_entry(entry, ids, kept)))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    types = dict(zip(PREDICTION_COLUMNS, (str, "float64", "float64", "int64", "float64"), strict=True))
    return pd.DataFrame(rows, columns=PREDICTION_COLUMNS).astype(types)


def _entries(path: Path) -> Iterator[tuple[str, str, Any]]:
    """(file and row, video, prediction as JSON has it) of all in a file; ValueError where it is of no known form."""
    if not path.exists():
        raise ValueError(f"{path} does not exist; name a file of predictions")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the files of predictions in it")
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        table = read_csv_table(path)
        yield from _of_columns(path, {str(name): table.cells[name].tolist() for name in table.cells}, table.where)
    elif ending == ".pkl":
        content = read_pickle(path)
        columns = content.items() if isinstance(content, dict) else ()
        named = {name: cells for name, cells in columns if isinstance(name, str)}
        lists = {name: v if isinstance(v, list) else plain_array(v).ravel().tolist() for name, v in named.items()}
        yield from _of_columns(path, lists, [])
    elif not path.name.lower().endswith((".json", ".json.gz")):
        raise ValueError(f"{path} must end in .json, .json.gz, .csv, .tsv or .pkl, to tell what it is")
    else:
        for video, entries in _videos_in(path).items():
            if not isinstance(entries, list):
                raise ValueError(f"{path}, video '{video}': expected a list of predictions")
            for i, entry in enumerate(entries):
                yield f"{path}, video '{video}', row {i}", video, entry


def _of_columns(path: Path, columns: Mapping[str, list], where: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """The same from columns by name; what a column is, its name tells."""
    found: dict[str, list] = {}
    for name, values in columns.items():
        meaning = read_name(name)
        if plain(name) in SCORE.split():
            found.setdefault("score", values)
        elif meaning and meaning.unit in ("", "seconds"):
            found.setdefault(meaning.field, values)
    names = found.get("name", found.get("label", found.get("label_id")))
    needed = {field: found.get(field) for field in ("video", "start", "end", "score")} | {"label": names}
    lacks = [field for field, values in needed.items() if values is None]
    if lacks or len({len(values) for values in needed.values() if values is not None}) != 1:
        seen = f"lacks {listed(lacks)} in the columns {listed(columns)}" if columns else "holds no columns"
        raise ValueError(f"{path} {seen}; it needs video, start and end (seconds), label or name, and score")
    rows = zip(*(values for values in needed.values() if values is not None), strict=True)
    for i, (video, start, end, score, label) in enumerate(rows):
        place = where[i] if where else f"{path}, row {i}"
        if not isinstance(video, str | int):
            raise ValueError(f"{place}: the video is no name but {reprlib.repr(video)}")
        yield place, str(video), {"label": label, "score": score, "segment": [start, end]}


def _videos_in(path: str | Path) -> dict[str, Any]:
    """{video: its predictions}, as far as it has been looked at."""
    content = read_json(path)
    if isinstance(content, dict):
        key = next((key for key in ("results", "detect_results") if key in content), None)
        videos = content[key] if key else content
        bare = key is None and content and all(isinstance(entries, list) for entries in content.values())
        if bare or (key and isinstance(videos, dict)):
            return videos
    raise ValueError(f'{path} holds no predictions; expected {{"results": {{video: [...]}}}}')


def _read_entry(entry: Any, ids: Mapping[str | int, int], kept: range | None) -> tuple[float, float, int, float]:
    """(start_sec, end_sec, label id, score) of one prediction; `ids` by name, id, and id as text."""
    if not isinstance(entry, dict) or not {"label", "score", "segment"} <= entry.keys():
        raise ValueError("expected a prediction with label, score and segment")
    segment = entry["segment"]
    if not isinstance(segment, list) or len(segment) != 2:
        raise ValueError(f"segment {reprlib.repr(segment)} is not [start, end] in seconds")
    return _seconds(segment[0]), _seconds(segment[1]), _label(entry["label"], ids, kept), _number(entry["score"])


def _label(label: Any, ids: Mapping[str | int, int], kept: range | None) -> int:
    """The id; of a label that is none of `ids`, the number itself where it is `kept`, else -1 (None: refused)."""
    if isinstance(label, float) and label.is_integer():  # ids that went through a table
        label = int(label)
    if isinstance(label, str | int) and not isinstance(label, bool):
        text = str(label).strip()
        if (known := ids.get(label, ids.get(text))) is not None:
            return known
        if kept is not None:
            return int(text) if text.isdecimal() and len(text) <= ID_DIGITS and int(text) in kept else UNKNOWN
    raise ValueError(f"label {reprlib.repr(label)} is neither the name nor the id of a class")


def _seconds(value: Any) -> float:
    """Seconds, or hours and minutes before them."""
    seconds = clock_sec(value)
    if seconds is None and isinstance(value, str) and ":" in value:
        raise ValueError(f"{reprlib.repr(value)} is not a clock time such as 1:02:03.5")
    return _number(value) if seconds is None else seconds


def _number(value: Any) -> float:
    number = as_number(value)
    if number is None or not math.isfinite(number):
        raise ValueError(f"{reprlib.repr(value)} is not a finite number")
    return number


def _check_names(label_names: Mapping[int, str]) -> None:
    if len(set(label_names.values())) < len(label_names):
        raise ValueError("label_names gives one name to two labels; names must differ to be read back")
