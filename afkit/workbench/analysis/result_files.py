"""Predictions on disk, in the result format of ActivityNet, so that other tools read them and we theirs.

{"version": ..., "results": {video: [{"label": name, "score": s, "segment": [start, end]}]}, "external_data": {}}

Tables, and the pickle that the original writes (`eval.py --saveonly`), are read, too.
"""

import json
import math
import reprlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.data.feature_formats import listed
from afkit.evaluation.pairs import PREDICTION_COLUMNS, check_columns, labels_of, scores_of, segments_of, videos_of
from afkit.files import read_json, write_texts
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
    ids = np.array([str(video) for video in videos_of(predictions, "predictions")], object)
    segments, scores = segments_of(predictions, "predictions"), scores_of(predictions, "predictions")
    labels = labels_of(predictions, "predictions")
    check_named(np.unique(labels).tolist(), label_names)

    code, found = pd.factorize(ids)
    rows_of = dict(zip(found, np.split(np.argsort(code, kind="stable"), np.bincount(code).cumsum()[:-1]), strict=False))

    def entries(video: str) -> list[dict[str, Any]]:
        rows = rows_of.get(video, np.zeros(0, np.int64))
        cells = zip(labels[rows].tolist(), scores[rows].tolist(), segments[rows].tolist(), strict=True)
        return [{"label": label_names[label], "score": score, "segment": segment} for label, score, segment in cells]

    whole = {"version": VERSION, "results": {}, "external_data": {}}
    order = dict.fromkeys([*map(str, videos), *found])
    write_texts(
        path, _json_texts(whole, ((video, entries(video)) for video in order), 0 if path.suffix == ".gz" else 2)
    )


def _json_texts(whole: Any, results: Iterable[tuple[str, Any]], indent: int) -> Iterator[str]:
    """JSON of `whole` with `results` in its first {}, piece by piece, so that one of them is held at a time."""
    to_text = partial(json.dumps, indent=indent or None, ensure_ascii=False, allow_nan=False)
    head, tail = to_text(whole).split("{}", 1)
    last = between = ""
    yield head + "{"
    for video, entries in results:
        text = to_text({video: entries})[1:-1]
        yield between + (text.removesuffix("\n").replace("\n", "\n" + " " * indent) if indent else text)
        between, last = ("," if indent else ", "), "\n" + " " * indent if indent else ""
    yield last + "}" + tail + ("\n" if indent else "")


def check_named(labels: Iterable[int], label_names: Mapping[int, str]) -> None:
    """Raise a ValueError that gives a label without a name, if there is one."""
    unnamed = sorted(set(labels) - set(label_names))
    if unnamed:
        raise ValueError(f"label_names has no name for label {unnamed[0]}; give the names of all predicted labels")


def forward_segments(predictions: pd.DataFrame) -> np.ndarray:
    """(N, 2) seconds; a ValueError where one ends before it starts."""
    segments = segments_of(predictions, "predictions")
    for row in predictions.index[segments[:, 1] < segments[:, 0]]:
        raise ValueError(f"row {row} of predictions ends before it starts; leave such rows out")
    return segments


def read_predictions(
    path: str | Path | Sequence[str | Path],
    label_names: Mapping[int, str],
    unknown_labels: str = "refuse",
    labels_are: str = "",
) -> pd.DataFrame:
    """Read predictions in the ActivityNet result format, a table (.csv, .tsv) or the original's pickle (.pkl).

    In JSON the videos may stand under "results", under "detect_results" (Ego4D), or alone: {video: [...]}. A segment is
    [start, end] in seconds; numbers may be text, with a point or a decimal comma, times clock times, too
    ("1:02:03.5", "2:03.5"). A table has columns such as video, start, end (seconds), name or label, and score, in any
    order; a pickle holds the same columns. Of pickles only numbers and text are read; nothing in them is executed.

    Args:
        path: the file, or several that are one result.
        label_names: name of each label id; the files may hold names or ids, also as text.
        unknown_labels: what becomes of a label that is neither. "refuse": an error. "keep": an id stays as it is, a
            name becomes label -1; `evaluate` counts both (predictions_unknown_label).
        labels_are: "names" or "ids"; "" for either. Where a label is then the name of one class and the id of
            another, all are what all can be, or what their column says (name, label_id; a pickle has ids).

    Returns:
        DataFrame with video (str), start_sec, end_sec (float64 seconds), label (int64 id), score (float64).

    Raises:
        ValueError: the file is missing or not of this format, a label is unknown, or a number is unusable; the message
            names file, video and row. Or the question what labels are, where nothing tells.
    """
    _check_names(label_names)
    if unknown_labels not in ("refuse", "keep"):
        raise ValueError(f"unknown_labels is {unknown_labels!r}; choose refuse or keep")
    if labels_are not in ("", "names", "ids"):
        raise ValueError(f"labels_are is {labels_are!r}; choose names or ids")
    by_name = {name: label for label, name in label_names.items()}
    columns, videos, rows, hints, first = _Columns(by_name), list[str](), array("q"), set[str](), dict[int, str]()
    for file in [path] if isinstance(path, str | Path) else path:
        for where, video, entry, hint in _entries(Path(file), columns):
            try:
                row = entry if isinstance(entry, _Row) else columns.add(entry)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            videos.append(video)
            rows.append(row)
            first.setdefault(columns.numbers[-1][row], where)
            hints.add(hint)
    texts = list(columns.labels)
    labels_are = labels_are or _told({texts[i]: where for i, where in first.items()}, by_name, hints)
    by_id = {str(label): label for label in label_names}
    ids = {"names": by_name, "ids": by_id}.get(labels_are, by_id | by_name)
    for i, where in first.items():
        text = texts[i]
        if text not in ids and unknown_labels == "refuse":
            spelled = reprlib.repr(columns.labels[text][1])
            raise ValueError(f"{where}: label {spelled} is neither the name nor the id of a class")
        number = text.isdecimal() and len(text) <= ID_DIGITS and int(text) < 2**31 and labels_are != "names"
        ids.setdefault(text, int(text) if number else UNKNOWN)
    start_sec, end_sec, score, label = (np.array(column)[np.array(rows, np.int64)] for column in columns.numbers)
    label = np.array([ids.get(text, UNKNOWN) for text in texts], np.int64)[label]
    found = (pd.Series(videos, dtype="str"), start_sec, end_sec, label, score)
    return pd.DataFrame(dict(zip(PREDICTION_COLUMNS, found, strict=True)))


class _Row(int):
    """A prediction that stands in the columns: its number there."""

    __slots__ = ()  # a third of the memory


class _Columns:
    """Predictions as they are read: of millions, the numbers are held, not the objects of their file."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names  # of the classes
        # start_sec, end_sec, score, index into labels
        self.numbers: tuple[array, ...] = array("d"), array("d"), array("d"), array("q")
        self.labels: dict[str, tuple[int, str | int]] = {}  # by their text: which it is, and what stood there first

    def add(self, entry: Any) -> _Row:
        """A ValueError where it is no prediction."""
        start, end, label, score = _read_entry(entry)
        text = label if isinstance(label, str) and label in self.names else str(label).strip()
        index, _ = self.labels.setdefault(text, (len(self.labels), label))
        for column, number in zip(self.numbers, (start, end, score, index), strict=True):
            column.append(number)
        return _Row(len(self.numbers[0]) - 1)

    def add_if_it_is_one(self, entry: dict[str, Any]) -> Any:
        """The row of a prediction; whatever else is in a file stays as it is, and is judged where it stands."""
        try:
            return self.add(entry)
        except ValueError:
            return entry


def _told(first: Mapping[str, str], by_name: Mapping[str, int], hints: Collection[str]) -> str:
    """What all labels are, where one would be another class by name than by id; `first` is where each stands first."""
    by_id = {str(label): label for label in by_name.values()}
    unclear = [text for text in first if text in by_id and by_name.get(text, by_id[text]) != by_id[text]]
    if not unclear:
        return ""
    known = [text for text in first if text in by_id or text in by_name]
    named, numbered = (all(text in one for text in known) for one in (by_name, by_id))
    if named != numbered:
        return "names" if named else "ids"
    if len(hints) == 1 and (hint := next(iter(hints))):
        return hint
    text, names = unclear[0], {label: name for name, label in by_name.items()}
    raise ValueError(
        f"{first[text]}: label {text!r} is the name of the class with id {by_name[text]}, and the id of the class "
        f"{names[by_id[text]]!r}; say which is meant: --labels-are names or --labels-are ids (labels_are in Python)"
    )


def _entries(path: Path, columns: _Columns) -> Iterator[tuple[str, str, Any, str]]:
    """(file and row, video, prediction, what its label must be) of all in a file, or a ValueError.

    A prediction is as JSON has it, or its row in the columns.
    """
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
        named_cells = content.items() if isinstance(content, dict) else ()
        named = {name: cells for name, cells in named_cells if isinstance(name, str)}
        lists = {name: v if isinstance(v, list) else plain_array(v).ravel().tolist() for name, v in named.items()}
        yield from _of_columns(path, lists, [])
    elif not path.name.lower().endswith((".json", ".json.gz")):
        raise ValueError(f"{path} must end in .json, .json.gz, .csv, .tsv or .pkl, to tell what it is")
    else:
        for video, entries in _videos_in(path, columns).items():
            if not isinstance(entries, list):
                raise ValueError(f"{path}, video '{video}': expected a list of predictions")
            for i, entry in enumerate(entries):
                yield f"{path}, video '{video}', row {i}", video, entry, ""


def _of_columns(path: Path, columns: Mapping[str, list], where: Sequence[str]) -> Iterator[tuple[str, str, Any, str]]:
    """The same from columns by name; what a column is, its name tells."""
    found: dict[str, list] = {}
    for name, values in columns.items():
        meaning = read_name(name)
        if plain(name) in SCORE.split():
            found.setdefault("score", values)
        elif meaning and meaning.unit in ("", "seconds"):
            found.setdefault(meaning.field, values)
    column = next((column for column in ("name", "label", "label_id") if column in found), "")
    hint = {"name": "names", "label_id": "ids"}.get(column, "" if where else "ids")
    needed = {field: found.get(field) for field in ("video", "start", "end", "score")} | {"label": found.get(column)}
    lacks = [field for field, values in needed.items() if values is None]
    if lacks or len({len(values) for values in needed.values() if values is not None}) != 1:
        seen = f"lacks {listed(lacks)} in the columns {listed(columns)}" if columns else "holds no columns"
        raise ValueError(f"{path} {seen}; it needs video, start and end (seconds), label or name, and score")
    rows = zip(*(values for values in needed.values() if values is not None), strict=True)
    for i, (video, start, end, score, label) in enumerate(rows):
        place = where[i] if where else f"{path}, row {i}"
        if not isinstance(video, str | int):
            raise ValueError(f"{place}: the video is no name but {reprlib.repr(video)}")
        yield place, str(video), {"label": label, "score": score, "segment": [start, end]}, hint


def _videos_in(path: Path, columns: _Columns) -> dict[str, Any]:
    """{video: its predictions}, as far as it has been looked at."""
    content = read_json(path, columns.add_if_it_is_one)
    if isinstance(content, dict):
        key = next((key for key in ("results", "detect_results") if key in content), None)
        videos = content[key] if key else content
        bare = key is None and content and all(isinstance(entries, list) for entries in content.values())
        if bare or (key and isinstance(videos, dict)):
            return videos
    raise ValueError(f'{path} holds no predictions; expected {{"results": {{video: [...]}}}}')


def _read_entry(entry: Any) -> tuple[float, float, str | int, float]:
    """(start_sec, end_sec, label, score) of one prediction."""
    if not isinstance(entry, dict) or not {"label", "score", "segment"} <= entry.keys():
        if isinstance(entry, dict) and {"verb", "noun"} <= entry.keys():
            raise ValueError("an action of EPIC-Kitchens (verb and noun) has no label; `actions` scores such pairs")
        raise ValueError("expected a prediction with label, score and segment")
    segment, label = entry["segment"], entry["label"]
    if not isinstance(segment, list) or len(segment) != 2:
        raise ValueError(f"segment {reprlib.repr(segment)} is not [start, end] in seconds")
    if isinstance(label, float) and label.is_integer():  # ids that went through a table
        label = int(label)
    if not isinstance(label, str | int) or isinstance(label, bool):
        raise ValueError(f"label {reprlib.repr(label)} is neither the name nor the id of a class")
    return _seconds(segment[0]), _seconds(segment[1]), label, _number(entry["score"])


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
