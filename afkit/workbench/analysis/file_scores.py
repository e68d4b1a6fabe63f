"""How good are detections that any program wrote, by labels of any tool: `python -m afkit evaluate`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import pandas as pd

from afkit.data.annotations import AnnotationFile, Video, groups_of, leave_out_ignored, read_annotations, to_frame
from afkit.data.feature_formats import listed
from afkit.evaluation.scores import Scores, evaluate
from afkit.files import read_json
from afkit.opening import read_bytes
from afkit.segments import MIN_LENGTH_SEC
from afkit.workbench.analysis.bootstrap import interval_facts
from afkit.workbench.analysis.report import interval_in_words, map_table, recall_table
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.own_data.import_checks import SORTED_IDS
from afkit.workbench.own_data.import_rows import MEDIA, SLACK_SEC, base_name
from afkit.workbench.own_data.importing import import_annotations
from afkit.workbench.runs.interrupts import temporary_folder


class FileScores(NamedTuple):
    """What `evaluate_files` found."""

    scores: Scores
    label_names: dict[int, str]  # of each label id
    evaluated: str  # which recordings, actions and detections, in two lines
    notes: list[str]  # what was left out, and what hints at a mistake
    interval: str  # of the average mAP, or why there is none

    def describe(self) -> str:
        """All of it as text, scores in percent."""
        table = pd.concat([map_table({"mAP": self.scores}), recall_table({"": self.scores})])
        table.index = ["mAP [%]", *(f"Recall@{k}x [%]" for k in self.scores.recall.columns)]
        table["average"] = table["average"].fillna(table.mean(axis=1))
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join(
            [self.evaluated, *notes, table.rename_axis(columns="tIoU").round(2).to_string(), self.interval]
        )


def evaluate_files(
    truth: str | Path,
    files: Sequence[str | Path],
    tious: Sequence[float],
    subsets: Sequence[str] = (),
    label_remap: str = "fixed",
    num_classes: int = 0,
    labels_are: str = "",
) -> FileScores:
    """Score predictions on disk against labels on disk, with the rules of `afkit.evaluate`.

    Predictions in recordings of other subsets, and those that lie mostly where nobody labelled, are left out. A
    recording that the labels do not have is the one whose name differs by an ending, folder, "v_", blanks or case.

    Args:
        truth: annotation file, or any labels that `import_annotations` reads without a question.
        files: of predictions, as `read_predictions` takes them; together they are one result.
        subsets: of the annotation file; () for those of the predicted recordings.
        num_classes: label ids below it are known even where no label has them.
        labels_are: of predictions, as `read_predictions` takes it; "names" where the labels have no ids.

    Raises:
        ValueError: a file that cannot be read, a subset that is not there, no recording in common, or none of the
            predictions with a label and subset of these.
    """
    if len(set(tious)) < len(tious):
        raise ValueError(f"a tIoU threshold is there twice: {listed(tious)}; give each once")
    annotations, told = read_truth(truth)
    names, labels_are = annotations.names_of(num_classes), labels_are or "names" * (SORTED_IDS in told)
    found = read_predictions(files, names, "keep", labels_are)
    found, renamed = _as_labelled(found, annotations.videos)
    every, predicted = list(annotations.videos.values()), set(found["video"])
    own = [video for video in every if video.name in predicted] or every
    unnamed = not any(video.subset for video in every)
    videos = annotations.of_subsets((not unnamed and subsets) or sorted({video.subset for video in own}))
    names_here = {video.name for video in videos}
    other = found["video"].isin([name for name in annotations.videos if name not in names_here])
    asked = found[~other].reset_index(drop=True)
    judged, gt = leave_out_ignored(asked, videos), to_frame(videos)
    lost = list(_about_lost(videos, gt))
    if lost and gt.empty:
        raise ValueError(f"{truth} has no action that counts; {lost[0]}")
    left_out = {"of recordings of other subsets": int(other.sum()), "where nobody labelled": len(asked) - len(judged)}
    notes = [f"predictions {which}, left out: {number}" for which, number in left_out.items() if number]
    notes += _about_unknown(files, judged, names, labels_are)
    if len(found) and not judged["label"].isin(list(names)).any():
        raise ValueError(f"none of the {len(found)} predictions can be judged: {'; '.join(notes)}")
    scores = evaluate(gt, judged, tious, label_remap)
    notes = [f"labels: {text}" for text in told if text != SORTED_IDS] + lost + renamed + notes
    of = "" if unnamed else f" of {', '.join(sorted({video.subset for video in videos}))}"
    evaluated = f"{truth}: {len(videos)} recordings{of}, {len(gt)} actions of {scores.counts['classes']} classes\n"
    evaluated += f"{', '.join(map(str, files))}: {len(judged)} predictions in {judged['video'].nunique()} recordings"
    notes += ["the labels name no subsets: all recordings count"] if unnamed and subsets else []
    notes += [*_about_classes(judged, names, scores), *_about_recordings(gt, judged, videos, scores)]
    interval = interval_in_words(interval_facts(gt, judged, tious, groups_of(videos), label_remap=label_remap))
    return FileScores(scores, names, evaluated, notes, interval)


def read_truth(path: str | Path) -> tuple[AnnotationFile, list[str]]:
    """The labels in a file that `read_annotations` or `import_annotations` reads, and what import did to all of them.

    Where they name no subset, all recordings are in the subset "". Errors are those of the two.
    """
    path = Path(path)
    content = read_bytes(path) if path.suffix.lower() == ".json" and path.is_file() else b""
    if b'"label_id"' in content and b'"subset"' in content:
        return read_annotations(path), []
    if b'"database"' in content and b'"subset"' in content:
        return _numbered(path), [SORTED_IDS, "they have no label_id, so that their sorted names are numbered from 0 on"]
    with temporary_folder() as folder:
        try:
            report = import_annotations(path, folder / "truth.json", draw=False)
            told = [change.what for change in report.changes if change.where == str(path)]
            return replace(read_annotations(report.target), path=path), told
        except ValueError as error:
            remedy = f"; or make an annotation file of it, with options: python -m afkit import {path} FILE.json"
            raise ValueError(f"{error}{remedy if path.exists() else ''}") from None


def _numbered(path: Path) -> AnnotationFile:
    """An annotation file as ActivityNet publishes it: labels have names alone, which are numbered here."""
    content = read_json(path)
    with suppress(AttributeError, KeyError, TypeError):  # what is malformed, the reading tells
        rows = [row for video in content["database"].values() for row in video.get("annotations") or []]
        ids = {name: number for number, name in enumerate(sorted({str(row["label"]) for row in rows}))}
        for row in rows:
            row["label_id"] = ids[str(row["label"])]
    return read_annotations(path, content)


def _as_labelled(found: pd.DataFrame, names: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
    """Predictions with the labels' names of recordings, and a note on those that are spelt otherwise."""
    known, others, seen = defaultdict(list), defaultdict(list), set(found["video"])
    renamed: dict[str, str] = {}
    for name in names:
        known[_bare(name)].append(name)
    for other in sorted(seen - {name for same in known.values() for name in same}):
        in_folder = MEDIA.sub("", other).casefold()
        others[in_folder if in_folder in known else _bare(other)].append(other)
    for bare, spelt in others.items():
        same = known.get(bare, [])
        free = [name for name in same if name not in seen]
        if len(same) > 1 or (free and len(spelt) > 1):
            both = f"the predictions' {listed(spelt)} may be the labels' {listed(same)}, nothing tells which is which"
            raise ValueError(f"{both}; give the recordings of both the same names")
        renamed |= dict(zip(spelt, free, strict=False))
    if not renamed:
        return found, []
    first = f"'{next(iter(renamed))}' as '{next(iter(renamed.values()))}'"
    note = f"recordings that the labels spell otherwise, taken for theirs: {len(renamed)}, {first}"
    return found.assign(video=found["video"].map(lambda name: renamed.get(name, name))), [note]


def _bare(name: str) -> str:
    """The name of a recording without what programs add to it, such as the "v_" of ActivityNet's files.

    Examples:
        >>> _bare("v_Tu\u0308r.MP4") == _bare("T\u00fcr")
        True
    """
    return normalize("NFC", base_name(name.strip()).removeprefix("v_")).casefold()


def _about_lost(videos: Sequence[Video], gt: pd.DataFrame) -> Iterator[str]:
    """A note on the annotations that do not count."""
    every = to_frame(videos, clean=False)
    length_sec = every["end_sec"] - every["start_sec"]
    turned, short = int((length_sec < 0).sum()), int((length_sec < MIN_LENGTH_SEC).sum())
    lost = {"end before they start": turned, "are shorter than 1 ms": short - turned}
    lost["are repeated, or mostly where nobody judges"] = len(every) - short - len(gt)
    if reasons := [f"{number} {why}" for why, number in lost.items() if number]:
        yield f"annotations left out: {', '.join(reasons)}"


def _about_unknown(
    files: Sequence[str | Path], found: pd.DataFrame, names: Mapping[int, str], labels_are: str
) -> Iterator[str]:
    """A note on labels that nobody has given."""
    unknown = int((~found["label"].isin(list(names))).sum())
    try:
        if unknown:
            read_predictions(files, names, labels_are=labels_are)
    except ValueError as error:
        of = f"{error}; the labels are {listed(names.values())}{', and have no ids' * (labels_are == 'names')}"
        yield f"predictions of labels that nobody has given, left out: {unknown}; the first: {of}"


def _about_classes(found: pd.DataFrame, names: Mapping[int, str], scores: Scores) -> Iterator[str]:
    """Notes on classes that are on one side only."""
    known = int(found["label"].isin(list(names)).sum())
    if idle := scores.counts["predictions_unknown_label"] - (len(found) - known):
        yield f"predictions of classes without an action here, left out: {idle}"
    if empty := scores.counts["classes_without_predictions"]:
        yield f"classes without a prediction, their AP is 0: {empty} of {scores.counts['classes']}"


def _about_recordings(gt: pd.DataFrame, found: pd.DataFrame, videos: Sequence[Video], scores: Scores) -> Iterator[str]:
    """Notes on recordings that are on one side only, and on times and rows that hint at a mistake."""
    durations = {video.name: video.duration_sec for video in videos}
    strange = found[~found["video"].isin(list(durations))]
    if len(strange):
        where = f"{strange['video'].nunique()} recordings, as '{strange['video'].iloc[0]}'"
        yield f"predictions in recordings that nobody labelled, false alarms: {len(strange)} in {where}"
    missed = gt[~gt["video"].isin(found["video"])]
    if len(missed):
        what = f"{missed['video'].nunique()} with {len(missed)} actions, as '{missed['video'].iloc[0]}'"
        yield f"recordings without a prediction, their actions are missed: {what}"
    last = found["video"].map(durations).astype(float) + SLACK_SEC
    outside = found[(found["end_sec"] > last) | (found["start_sec"] < -SLACK_SEC)]
    if len(outside):
        first = outside.iloc[0]
        where = f"{len(outside)}, as {first['start_sec']:g} to {first['end_sec']:g} s of '{first['video']}'"
        yield f"predictions beyond their recording: {where}; are their times seconds?"
    if len(found) and not scores.map.any():
        ends = f"they end by {found['end_sec'].max():g} s, the actions by {gt['end_sec'].max():g} s"
        yield f"no prediction is a hit: {ends}; do both count seconds, from the same beginning?"
    told = {
        "that end before they start, never a hit": "reversed",
        "without length, never a hit": "zero_length",
        "that are there twice, score and all, false alarms": "duplicated",
    }
    for what, kind in told.items():
        if number := scores.counts[f"predictions_{kind}"]:
            yield f"predictions {what}: {number}"
