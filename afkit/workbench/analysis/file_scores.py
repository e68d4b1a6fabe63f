"""How good are detections that any program wrote, by labels of any tool: `python -m afkit evaluate`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from afkit.data.annotations import AnnotationFile, Video, groups_of, leave_out_ignored, read_annotations, to_frame
from afkit.evaluation.scores import Scores, evaluate
from afkit.opening import read_bytes
from afkit.workbench.analysis.bootstrap import interval_facts
from afkit.workbench.analysis.report import interval_in_words, map_table, recall_table
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.own_data.import_rows import SLACK_SEC
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
) -> FileScores:
    """Score predictions on disk against labels on disk, with the rules of `afkit.evaluate`.

    Predictions in recordings of other subsets, and those that lie mostly where nobody labelled, are left out.

    Args:
        truth: annotation file, or any labels that `import_annotations` reads without a question.
        files: of predictions, as `read_predictions` takes them; together they are one result.
        subsets: of the annotation file; () for those of the predicted recordings.
        num_classes: label ids below it are known even where no label has them.

    Raises:
        ValueError: a file that cannot be read, a subset that is not there, or no recording in common.
    """
    annotations = read_truth(truth)
    names = annotations.names_of(num_classes)
    found = pd.concat([read_predictions(path, names, "keep") for path in files], ignore_index=True)
    every, predicted = list(annotations.videos.values()), set(found["video"])
    own = [video for video in every if video.name in predicted] or every
    unnamed = not any(video.subset for video in every)
    videos = annotations.of_subsets((not unnamed and subsets) or sorted({video.subset for video in own}))
    names_here = {video.name for video in videos}
    other = found["video"].isin([name for name in annotations.videos if name not in names_here])
    asked = found[~other].reset_index(drop=True)
    judged, gt = leave_out_ignored(asked, videos), to_frame(videos)
    scores = evaluate(gt, judged, tious, label_remap)
    of = "" if unnamed else f" of {', '.join(sorted({video.subset for video in videos}))}"
    evaluated = f"{truth}: {len(videos)} recordings{of}, {len(gt)} actions of {scores.counts['classes']} classes\n"
    evaluated += f"{', '.join(map(str, files))}: {len(judged)} predictions in {judged['video'].nunique()} recordings"
    left_out = {"of recordings of other subsets": int(other.sum()), "where nobody labelled": len(asked) - len(judged)}
    notes = [f"predictions {which}, left out: {number}" for which, number in left_out.items() if number]
    notes += ["the labels name no subsets: all recordings count"] if unnamed and subsets else []
    notes += [*_about_labels(files, judged, names, scores), *_about_recordings(gt, judged, videos, scores)]
    interval = interval_in_words(interval_facts(gt, judged, tious, groups_of(videos), label_remap=label_remap))
    return FileScores(scores, names, evaluated, notes, interval)


def read_truth(path: str | Path) -> AnnotationFile:
    """The labels in a file that `read_annotations` or `import_annotations` reads; errors are theirs.

    Where they name no subset, all recordings are in the subset "".
    """
    path = Path(path)
    if path.suffix == ".json" and path.is_file() and b'"label_id"' in read_bytes(path):
        return read_annotations(path)
    with temporary_folder() as folder:
        try:
            return read_annotations(import_annotations(path, folder / "truth.json", draw=False).target)
        except ValueError as error:
            remedy = f"; or make an annotation file of it, with options: python -m afkit import {path} FILE.json"
            raise ValueError(f"{error}{remedy if path.exists() else ''}") from None


def _about_labels(
    files: Sequence[str | Path], found: pd.DataFrame, names: Mapping[int, str], scores: Scores
) -> Iterator[str]:
    """Notes on labels that nobody, or nobody here, has given."""
    unknown = int((~found["label"].isin(list(names))).sum())
    try:
        for path in files if unknown else ():
            read_predictions(path, names)
    except ValueError as error:
        yield f"predictions of labels that nobody has given, left out: {unknown}; the first: {error}"
    if idle := scores.counts["predictions_unknown_label"] - unknown:
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
    told = {
        "that end before they start, never a hit": "reversed",
        "without length, never a hit": "zero_length",
        "that are there twice, score and all, false alarms": "duplicated",
    }
    for what, kind in told.items():
        if number := scores.counts[f"predictions_{kind}"]:
            yield f"predictions {what}: {number}"
