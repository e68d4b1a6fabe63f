"""Detections for people and their tools: a table, the ActivityNet format, subtitles, and text that ELAN imports."""

import html
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import GT_COLUMNS, PREDICTION_COLUMNS, check_columns, labels_of, scores_of, videos_of
from afkit.files import atomic_open, write_text
from afkit.opening import safe_names
from afkit.workbench.analysis.result_files import check_named, forward_segments, write_predictions
from afkit.workbench.own_data.export_tiers import Labelled, Row
from afkit.workbench.own_data.exporting import TOOLS, one_line
from afkit.workbench.progress import progress

FORMATS = ("csv", "json", "srt", "vtt", "elan")
SINGLE = (*FORMATS, *(tool for tool in TOOLS if tool not in FORMATS))  # of one recording, as `predict` writes it
_ENDINGS = {"elan": "txt"}  # where a format's name is not the file's ending

Cue = tuple[int, int, str, float]  # start and end in ms, label, score


def export_detections(
    folder: str | Path,
    predictions: pd.DataFrame,
    label_names: Mapping[int, str],
    formats: Iterable[str] = FORMATS,
    videos: Iterable[str] = (),
) -> list[Path]:
    """Write detections that are to be looked at or worked with, and give the files, format by format.

    `csv` is one table (detections.csv, exact; ids and names as they are, also those that a spreadsheet takes for
    formulas), `json` one file in the result format of ActivityNet (detections.json, exact). The others are one file per
    video, in a folder named after the format: `srt` and `vtt` subtitles (SubRip, WebVTT) and `elan`, tab-delimited text
    (tier, begin, end, annotation) for ELAN's "Import CSV / Tab-delimited Text". Their times are rounded to
    milliseconds, from 0 on, and every detection lasts 1 ms at least. Line breaks and tabs in a label become blanks.
    SubRip knows no escapes: there < and > become single quotation marks. An ELAN tier cannot hold overlapping
    annotations, so that detections of a class which overlap are spread over tiers "name", "name [2]", ...

    Args:
        videos: ids that get files even without detections, e.g. all of the split.

    Raises:
        ValueError: an unknown format, missing columns, a number that is not finite, a label without a name, or a
            segment that ends before it starts.
    """
    folder, formats = Path(folder), list(formats)
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise ValueError(f"there is no format '{unknown[0]}'; choose from: {', '.join(FORMATS)}")
    by_video = _cues(predictions, label_names, videos)
    names = safe_names(by_video)
    written = []
    for kind in formats:
        if kind == "csv":
            written.append(_write_csv(folder / "detections.csv", predictions, label_names))
        elif kind == "json":
            written.append(folder / "detections.json")
            write_predictions(written[-1], predictions, label_names)
        else:
            for video, cues in progress(by_video.items(), f"files of detections ({kind})"):
                written.append(folder / kind / f"{names[video]}.{_ENDINGS.get(kind, kind)}")
                # they can be written again, so none waits for the disk: of 6900 files that is nearly all of the time
                write_text(written[-1], _WRITERS[kind](cues), sync=False)
    return written


def write_recording(
    folder: str | Path, name: str, video: str, predictions: pd.DataFrame, label_names: Mapping[int, str], form: str
) -> Path:
    """Write the detections of one recording as one file, also where there are none; errors as above.

    `form` is one of `SINGLE`; times are to the millisecond, but those of `json`. `name` is the file's, without its
    ending (see `afkit.opening.safe_names`).
    """
    path = recording_file(folder, name, form)
    cues = _cues(predictions, label_names, [video])[video]
    if form not in FORMATS:
        ids = {one_line(label): number for number, label in label_names.items()}
        rows = [
            Row(start / 1000, end / 1000, one_line(label), ids[one_line(label)], score=score)
            for start, end, label, score in cues
        ]
        write_text(path, TOOLS[form][0]([Labelled(video, rows)]))
    elif form == "csv":
        _write_csv(path, predictions.round({"start_sec": 3, "end_sec": 3, "score": 4}), label_names)
    elif form == "json":
        write_predictions(path, predictions, label_names, [video])
    else:
        write_text(path, _WRITERS[form](cues))
    return path


def recording_file(folder: str | Path, name: str, form: str) -> Path:
    """The file that `write_recording` writes."""
    ending = f".{_ENDINGS.get(form, form)}" if form in FORMATS else TOOLS[form][1]
    return Path(folder) / f"{name}{ending}"


def _cues(predictions: pd.DataFrame, label_names: Mapping[int, str], videos: Iterable[str]) -> dict[str, list[Cue]]:
    """Detections of each video by time, those of `videos` first."""
    check_columns(predictions, "predictions", PREDICTION_COLUMNS)
    segments = forward_segments(predictions)
    labels, scores = labels_of(predictions, "predictions").tolist(), scores_of(predictions, "predictions").tolist()
    check_named(labels, label_names)
    start_ms = np.rint(1000 * segments[:, 0]).clip(min=0).astype(np.int64)
    end_ms = np.maximum(np.rint(1000 * segments[:, 1]).astype(np.int64), start_ms + 1)
    by_video: dict[str, list[Cue]] = {str(video): [] for video in videos}
    rows = zip(videos_of(predictions, "predictions"), start_ms.tolist(), end_ms.tolist(), labels, scores, strict=True)
    for video, start, end, label, score in rows:
        by_video.setdefault(str(video), []).append((start, end, " ".join(str(label_names[label]).split()), score))
    return {video: sorted(cues, key=lambda cue: cue[:2]) for video, cues in by_video.items()}


def _write_csv(path: Path, predictions: pd.DataFrame, label_names: Mapping[int, str]) -> Path:
    table = predictions[PREDICTION_COLUMNS].copy()
    table.insert(
        len(GT_COLUMNS), "name", [label_names[label] for label in labels_of(predictions, "predictions").tolist()]
    )
    with atomic_open(path) as file:
        table.to_csv(file, index=False)
    return path


def _srt(cues: list[Cue]) -> str:
    look_alike = str.maketrans("<>", "\u2039\u203a")
    texts = [f"{_times(cue, ',')}\n{_text(cue).translate(look_alike)}\n" for cue in cues]
    return "\n".join(f"{number}\n{text}" for number, text in enumerate(texts, start=1))


def _vtt(cues: list[Cue]) -> str:
    texts = [f"{_times(cue, '.')}\n{html.escape(_text(cue), quote=False)}\n" for cue in cues]
    return "\n".join(["WEBVTT\n", *texts])


def _elan(cues: list[Cue]) -> str:
    ends: dict[str, int] = {}  # of the last annotation on each tier
    lines = []
    for cue in cues:
        start, end, name, _ = cue
        tiers = (name if i == 1 else f"{name} [{i}]" for i in count(1))
        tier = next(title for title in tiers if ends.get(title, start) <= start)
        ends[tier] = end
        lines.append(f"{tier}\t{_clock(start, '.')}\t{_clock(end, '.')}\t{_text(cue)}\n")
    return "".join(lines)


def _text(cue: Cue) -> str:
    """What a cue says. The score follows the name, in three digits."""
    return f"{cue[2]} ({cue[3]:.3f})"


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue[0], point)} --> {_clock(cue[1], point)}"


def _clock(ms: int, point: str) -> str:
    """Milliseconds as hours:minutes:seconds."""
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{ms:03}"


_WRITERS: dict[str, Callable[[list[Cue]], str]] = {"srt": _srt, "vtt": _vtt, "elan": _elan}
