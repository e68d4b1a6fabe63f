"""Annotation files in the ActivityNet format that the original uses: videos, segments in seconds, labels."""

import math
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.config import DataConfig, nearest
from afkit.files import read_json
from afkit.segments import keep_distinct, mostly_within

NAME_LETTERS = 200  # of a video: with prefix and suffix, a file name has room for them


@dataclass(frozen=True)
class Video:
    """What an annotation file says about one video."""

    name: str  # id, as in the file
    subset: str  # in lower case
    duration_sec: float | None  # of the recording; None where the file has none
    fps: float | None  # frames per second; None where the file has none
    segments_sec: np.ndarray  # (N, 2) float64
    labels: np.ndarray  # (N,) int64, label ids
    # (R, 2) float64, rising: where nobody labelled, or nobody can tell; infinite before and after an annotated part
    ignored_sec: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    group: str | None = None  # person, animal or site; None where the file has none

    def judged_sec(self, duration_sec: float | None) -> float | None:
        """How many of the seconds from 0 on lie outside the ignored spans; None stays None."""
        if duration_sec is None:
            return None
        return duration_sec - float(np.diff(self.ignored_sec.clip(0, duration_sec)).sum())


@dataclass(frozen=True)
class AnnotationFile:
    """All videos of an annotation file in its order, and the names of the label ids."""

    path: Path  # where it was read
    videos: dict[str, Video]  # by id, in the order of the file
    label_names: dict[int, str]  # of each label id

    def names_of(self, num_classes: int) -> dict[int, str]:
        """Names of the label ids, with a stand-in for those below `num_classes` that no annotation has."""
        return {label: f"label {label}" for label in range(num_classes)} | self.label_names

    def of_subsets(self, subsets: Iterable[str]) -> list[Video]:
        """The videos of some subsets, in the file's order; a ValueError where it has no video of one of them."""
        there = sorted({video.subset for video in self.videos.values()})
        wanted = [subset.lower() for subset in subsets]
        for subset in wanted:
            if subset not in there:
                raise ValueError(f"{self.path} has no video of the subset '{subset}'; {nearest(subset, there)}")
        return [video for video in self.videos.values() if video.subset in wanted]


def read_annotations(path: str | Path, content: Any = None) -> AnnotationFile:
    """Read an annotation file: {"database": {video: {"subset", "duration", "fps", "annotations": [...]}}}.

    Every annotation has "segment" [start, end] in seconds, "label" and "label_id". A video of which only a part was
    labelled says so by "annotated": [start, end], or a list of such parts; "ignored" is a list of spans in which it is
    not to be judged. Neither training nor evaluation looks there. "group" is whom it is of: a person, an animal, a
    site. A ValueError names file, video and row; of a label with two ids or an id of two labels, both.
    `content`, where it is given, is taken for what the file holds.
    """
    path, content = Path(path), read_json(path) if content is None else content
    database = content.get("database") if isinstance(content, Mapping) else None
    if not isinstance(database, Mapping):
        raise ValueError(f"{path} has no 'database' of videos; is it an annotation file?")
    names, ids = dict[int, str](), dict[str, int]()
    videos = {name: _read_video(path, name, entry, names, ids) for name, entry in database.items()}
    return AnnotationFile(path, videos, dict(sorted(names.items())))


def _read_video(path: Path, name: str, entry: Any, names: dict[int, str], ids: dict[str, int]) -> Video:
    check_name(path, name)
    where = f"{path}, video '{name}'"
    if not isinstance(entry, Mapping) or not isinstance(entry.get("subset"), str):
        raise ValueError(f"{where}: 'subset' is missing; give each video the name of its subset")
    rows = entry.get("annotations") or []
    if not isinstance(rows, list):
        raise ValueError(f"{where}: 'annotations' must be a list, not {reprlib.repr(rows)}")
    segments, labels = np.zeros((len(rows), 2)), np.zeros(len(rows), np.int64)
    for row, annotation in enumerate(rows):
        try:
            (start, end), label = annotation["segment"], annotation["label"]
            if not isinstance(annotation["segment"], list) or not isinstance(label, str | int | float):
                raise TypeError
            segments[row] = float(start), float(end)
            labels[row] = annotation["label_id"]
            if labels[row] != float(annotation["label_id"]):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ValueError(
                f"{where}, annotation {row}: expected 'segment' [start, end] in seconds, 'label' and an integer "
                f"'label_id', found {reprlib.repr(annotation)}"
            ) from None
        own = str(label), int(labels[row])
        before = names.setdefault(own[1], own[0]), ids.setdefault(*own)
        if before != own:
            seen = f"before, it had {before[1]}" if before[1] != own[1] else f"before, {before[0]!r} had it"
            raise ValueError(
                f"{where}, annotation {row}: {own[0]!r} has the label_id {own[1]}; {seen}; give each label its own"
            )
    if not np.isfinite(segments).all():
        raise ValueError(f"{where}: a segment is not finite; correct or remove it")
    duration_sec, fps = (_positive(where, key, entry.get(key)) for key in ("duration", "fps"))
    ignored_sec = np.concatenate([_outside(read_spans(where, entry, "annotated")), read_spans(where, entry, "ignored")])
    of, group = (name, entry["subset"].lower(), duration_sec, fps, segments, labels), _group(where, entry.get("group"))
    return Video(*of, joined_spans(ignored_sec), group)


def _group(where: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"{where}: 'group' must be the name of a person, animal or site, not {reprlib.repr(value)}")
    return str(value)


def groups_of(videos: Iterable[Video]) -> dict[str, str]:
    """{video id: group} of those videos whose group is known."""
    return {video.name: video.group for video in videos if video.group is not None}


def read_spans(where: str, entry: Mapping[str, Any], key: str) -> np.ndarray:
    """The spans (R, 2) of a video in seconds, rising and apart; a single one may stand without a list around it."""
    rows = entry.get(key) or []
    if isinstance(rows, list) and rows and not isinstance(rows[0], list):
        rows = [rows]
    try:
        spans = np.array(rows, np.float64).reshape(-1, 2)
        if len(spans) != len(rows) or not (np.isfinite(spans).all() and (spans[:, 0] < spans[:, 1]).all()):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"{where}: '{key}' must be [start, end] in seconds, or a list of these, not {reprlib.repr(entry[key])}"
        ) from None
    return joined_spans(spans)


def joined_spans(spans: np.ndarray) -> np.ndarray:
    """Spans (R, 2) sorted, those that overlap or touch as one."""
    joined: list[list[float]] = []
    for start, end in spans[np.argsort(spans[:, 0], kind="stable")].tolist():
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, np.float64).reshape(-1, 2)


def _outside(spans: np.ndarray) -> np.ndarray:
    """What lies before, between and after spans (R, 2); nothing where there is none."""
    if len(spans) == 0:
        return spans
    return np.column_stack([np.append(-np.inf, spans[:, 1]), np.append(spans[:, 0], np.inf)])


def check_name(path: str | Path, video: str) -> None:
    """Raise a ValueError where the name of a video is too long, or holds what cannot be shown (e.g. line breaks)."""
    if not video.isprintable() or len(video) > NAME_LETTERS:
        raise ValueError(
            f"{path}, video {video[:NAME_LETTERS]!a}: files and pages bear the name, so give it at most "
            f"{NAME_LETTERS} letters, and none that cannot be shown"
        )


def _positive(where: str, key: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{where}: '{key}' must be a number above 0, not {reprlib.repr(value)}")
    return number


def frames_per_second(config: DataConfig, video: Video) -> float:
    """The recipe's frame rate, or the annotation file's; a ValueError where neither gives one."""
    fps = config.fps if config.fps is not None else video.fps
    if fps is None:
        raise ValueError(f"video '{video.name}' has no 'fps' in the annotation file; add it, or set data.fps")
    return fps


def to_frame(videos: Iterable[Video], clean: bool = True) -> pd.DataFrame:
    """A table of some videos: video, start_sec, end_sec (float64), label (int64 label id), in the file's order.

    `clean` drops repetitions and segments under 1e-3 s (see `afkit.segments.keep_distinct`), and what lies mostly where
    its video is not judged.
    """
    names, segments, labels = [], [np.zeros((0, 2))], [np.zeros(0, np.int64)]
    for video in videos:
        keep: np.ndarray | slice = slice(None)
        if clean:
            keep = keep_distinct(video.segments_sec, video.labels)
            keep &= ~mostly_within(video.segments_sec, video.ignored_sec)
        segments.append(video.segments_sec[keep])
        labels.append(video.labels[keep])
        names += [video.name] * len(labels[-1])
    table = pd.DataFrame(np.concatenate(segments), columns=["start_sec", "end_sec"])
    table.insert(0, "video", pd.Series(names, dtype="str"))
    return table.assign(label=np.concatenate(labels))


def leave_out_ignored(table: pd.DataFrame, videos: Iterable[Video]) -> pd.DataFrame:
    """The rows (video, start_sec, end_sec, ...) of which more than half lies where their video is judged."""
    keep = np.ones(len(table), bool)
    for video in videos:
        if len(video.ignored_sec):
            own = np.flatnonzero(table["video"] == video.name)
            keep[own] = ~mostly_within(table[["start_sec", "end_sec"]].to_numpy()[own], video.ignored_sec)
    return table if keep.all() else table[keep].reset_index(drop=True)


def load_annotations(path: str | Path, subset: str | list[str] | None = None) -> pd.DataFrame:
    """Ground truth of an annotation file as of `to_frame`, cleaned as the original's evaluation cleans it.

    Of one subset or several, compared without case; None: of all videos. A ValueError where the file is missing or
    malformed, or has no such subset.
    """
    file = read_annotations(path)
    if subset is None:
        return to_frame(file.videos.values())
    return to_frame(file.of_subsets([subset] if isinstance(subset, str) else subset))
