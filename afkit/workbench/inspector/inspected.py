"""What the inspector shows of a run: the segments of each video, what each of them is, and the list of videos."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.data.annotations import AnnotationFile, read_annotations, to_frame
from afkit.data.features import locate
from afkit.evaluation.pairs import PREDICTION_COLUMNS, check_columns
from afkit.files import read_json
from afkit.workbench.analysis.bootstrap import map_by_video
from afkit.workbench.analysis.false_positives import MIN_TIOU
from afkit.workbench.analysis.matching import match_segments, most_overlapping
from afkit.workbench.analysis.result_files import UNKNOWN, read_predictions
from afkit.workbench.inspector.tracks import Tracks
from afkit.workbench.runs.opened import no_run, open_run

# As of workbench.analysis.false_positives; browser/src/segments.js knows the numbers.
KINDS = ("ground truth", "miss", "hit", "localisation", "double detection", "wrong label", "confusion", "background")
FACTS = ["start_sec", "end_sec", "class", "score", "place"]  # columns of the binary form, float64
MIN_SCORE = 0.2  # predictions below are hidden to begin with, where 03_eval has chosen no threshold


@dataclass(frozen=True)
class Inspected:
    """What is to be inspected."""

    gt: pd.DataFrame  # video, start_sec, end_sec, label, of all videos
    predictions: pd.DataFrame  # the same and score
    label_names: dict[int, str]  # a label without one becomes "class 7"
    durations_sec: dict[str, float | None] = field(default_factory=dict)  # also of videos without any segment
    title: str = ""  # whose predictions they are
    remark: str = ""  # a sentence for the reader, e.g. that the run is not finished
    tracks: Tracks = field(default_factory=Tracks)  # what there is to be seen below the lanes
    annotations: AnnotationFile | None = None  # where the ground truth is from; corrections need it
    operating_score: float | None = None  # from which `predict` takes a prediction seriously
    # Two people, of whom the second one's segments stand as predictions; and of each video, what was compared: places
    # in both tables (-1: none) and how they differ, "" where they do not. See `workbench.inspector.annotators`.
    annotators: tuple[str, str] | None = None
    compared: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)

    @cached_property
    def labels(self) -> np.ndarray:
        """(K,) label ids in use or with a name, rising."""
        named = [label for label in self.label_names if label != UNKNOWN]
        used = [self.gt["label"].unique(), self.predictions["label"].unique()]
        return np.unique(np.concatenate([*used, named]).astype(np.int64))

    @cached_property
    def videos(self) -> list[str]:
        """Ids: those of `durations_sec`, then others with ground truth, then others with predictions."""
        return list(dict.fromkeys([*self.durations_sec, *self.gt["video"], *self.predictions["video"]]))

    @cached_property
    def _rows(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        return self.gt.groupby("video", sort=False).indices, self.predictions.groupby("video", sort=False).indices

    def of_video(self, video: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Ground truths and predictions of one video, in the order of their tables."""
        gt_rows, rows = (indices.get(video, np.zeros(0, np.int64)) for indices in self._rows)
        return self.gt.iloc[gt_rows], self.predictions.iloc[rows]

    def names(self) -> list[str]:
        """The name of each of `labels`."""
        return [str(self.label_names.get(label, f"class {label}")) for label in self.labels.tolist()]

    def duration_sec(self, video: str) -> float:
        """Length of a video; where it is not known, the end of its last segment."""
        known = self.durations_sec.get(video)
        ends = (table["end_sec"].max() for table in self.of_video(video) if len(table))
        return float(max(ends, default=0.0) if known is None else known)

    def fps(self, video: str) -> float | None:
        """Frames per second of a video, where the annotation file says so."""
        known = self.annotations.videos.get(video) if self.annotations else None
        return known.fps if known else None

    def ignored_sec(self, video: str) -> np.ndarray:
        """(R, 2) the spans of a video that are not judged, as far as they lie within it."""
        known = self.annotations.videos.get(video) if self.annotations else None
        spans = (np.zeros((0, 2)) if known is None else known.ignored_sec).clip(0, self.duration_sec(video))
        return spans[spans[:, 1] > spans[:, 0]]


def read_inspected(run_dir: str | Path, data_root: str | Path = "") -> Inspected:
    """Ground truth and predictions of a run.

    A run without predictions yet is no mistake: its ground truth is shown, and a remark says what is missing.

    Args:
        data_root: folder of all data sets; "" for where the run found it, relative to here or to a folder above the
            run's.

    Raises:
        ValueError: the folder holds no run, its annotation file is not found, or a file is malformed.
    """
    folder = Path(run_dir).absolute()
    if not (folder / "run.json").is_file():
        raise ValueError(no_run(Path(run_dir)))
    facts = read_json(folder / "run.json")
    try:
        config = facts["recipe"]["data"]
        relative, subsets, num_classes = config["annotations"], config["test_subsets"], config["num_classes"]
        stages = facts.get("stages", {})
        named = isinstance(relative, str) and isinstance(num_classes, int) and all(isinstance(s, str) for s in subsets)
    except (KeyError, TypeError):
        named = False
    if not named:
        raise ValueError(f"{folder / 'run.json'} names no data; is it of a run that was begun?")
    annotations = read_annotations(locate(open_run(folder).data_root(data_root), relative))
    videos = annotations.of_subsets(subsets)
    names = annotations.names_of(num_classes) | {UNKNOWN: "unknown label"}
    predictions, remark = pd.DataFrame(columns=PREDICTION_COLUMNS).astype({"label": int, "score": float}), ""
    if (folder / "predictions.json.gz").is_file():
        predictions = read_predictions(folder / "predictions.json.gz", names, "keep", "names")
    else:
        remark = f"This run has no predictions yet: {_how_far(stages)}."
    durations_sec = {video.name: video.duration_sec for video in videos}
    title, score = f"{folder.parent.name}/{folder.name}", _operating_score(folder)
    return Inspected(
        to_frame(videos),
        predictions,
        names,
        durations_sec,
        title,
        remark,
        annotations=annotations,
        operating_score=score,
    )


def _operating_score(run_dir: Path) -> float | None:
    """The one threshold of all classes that 03_eval chose, in hundredths, rounded down; None where there is none."""
    try:
        score = read_json(run_dir / "eval.json")["operating_point"]["one_threshold"]["threshold"]
        return math.floor(100 * score) / 100 if 0 <= score <= 1 else None
    except (ValueError, KeyError, TypeError):  # a run without an evaluation, or of another version
        return None


def _how_far(stages: Any) -> str:
    """The last stage that was begun, e.g. '02_train is running'."""
    own = [name for name in ("01_data", "02_train", "03_eval") if isinstance(stages.get(name), dict)]
    if not own:
        return "nothing was run"
    status = stages[own[-1]].get("status", "unknown")
    return f"{own[-1]} failed" if status == "failed" else f"{own[-1]} is {status}"


def list_segments(gt: pd.DataFrame, predictions: pd.DataFrame, videos: Sequence[str] | None = None) -> pd.DataFrame:
    """All segments of one video in one table, by onset; of several `videos`, one after the other in that order.

    Returns:
        DataFrame start_sec, end_sec, label, score (NaN: ground truth), place (within its video: of a ground truth in
        its table; of a prediction by falling score, 0 the best, equal ones in the order of the table). The index
        counts the rows.
    """
    types = {"start_sec": float, "end_sec": float, "label": np.int64, "score": float, "place": np.int64}
    parts, numbers = [], []
    for table in (gt.assign(score=np.nan), predictions):
        number = np.zeros(len(table), np.int64) if videos is None else pd.Index(videos).get_indexer(table["video"])
        order = np.lexsort((-table["score"].to_numpy(np.float64), number))  # stable; NaN keep their order
        place = np.empty(len(table), np.int64)
        place[order] = np.arange(len(table)) - np.searchsorted(number[order], number[order])
        parts.append(table.assign(place=place)[list(types)].astype(types))
        numbers.append(number)
    together = pd.concat(parts, ignore_index=True)
    return together.iloc[np.lexsort((together["start_sec"], np.concatenate(numbers)))].reset_index(drop=True)


def match_listed(segments: pd.DataFrame, tiou: float) -> pd.DataFrame:
    """What each segment of one video is at one threshold.

    A prediction that is no hit is judged by the ground truth with which it overlaps most, of any class, as by
    `workbench.analysis.false_positives`; of equal ones, by that of its own class, of these by the last of the table.

    Returns:
        DataFrame with the same rows: kind (int64, index into KINDS), partner (int64 row: of a ground truth the
        prediction that found it, of a hit its ground truth, of others the ground truth they are judged by; -1 for
        none), tiou (float64, with the partner; 0 without).

    Raises:
        ValueError: a number that is not finite, or an unusable threshold.
    """
    is_gt = segments["score"].isna()
    truth, predictions = (part.sort_values("place").assign(video="") for part in (segments[is_gt], segments[~is_gt]))
    matched = match_segments(truth, predictions, tiou)[1].loc[lambda table: table["outcome"] == "hit"]
    rows, partners = predictions.index.to_numpy(), truth.index.to_numpy()
    best, best_tiou = most_overlapping(truth, predictions)  # (P,) positions in truth, tIoU
    same = np.zeros(len(rows), bool)
    same[best >= 0] = predictions["label"].to_numpy()[best >= 0] == truth["label"].to_numpy()[best[best >= 0]]
    over, near, no = (
        np.where(same, KINDS.index(own), KINDS.index(other))
        for own, other in (("double detection", "wrong label"), ("localisation", "confusion"), 2 * ("background",))
    )
    judged = np.where(best_tiou >= tiou, over, np.where(best_tiou >= MIN_TIOU, near, no))

    kind = np.full(len(segments), KINDS.index("miss"))
    partner, overlap = np.full(len(segments), -1), np.zeros(len(segments))
    kind[rows], overlap[rows] = judged, best_tiou
    partner[rows[best >= 0]] = partners[best[best >= 0]]
    hits, found = matched.index.to_numpy(), matched["gt_index"].to_numpy(np.int64)
    kind[hits], kind[found] = KINDS.index("hit"), KINDS.index("ground truth")
    partner[hits], partner[found] = found, hits
    overlap[hits] = overlap[found] = matched["tiou"]
    return pd.DataFrame({"kind": kind, "partner": partner, "tiou": overlap}, index=segments.index)


def list_videos(inspected: Inspected, tiou: float, min_score: float) -> pd.DataFrame:
    """All videos with how well each was solved.

    Returns:
        DataFrame indexed by video: duration_sec, ground_truths, predictions, ap (fraction, of all predictions; NaN
        without ground truth), errors (misses and false alarms, counting predictions from `min_score` on alone).
    """
    gt, predictions = inspected.gt, inspected.predictions
    check_columns(predictions, "predictions", PREDICTION_COLUMNS)
    matched_gt, matched = match_segments(gt, predictions[predictions["score"] >= min_score], tiou)
    errors = [matched_gt.loc[~matched_gt["found"], "video"], matched.loc[matched["outcome"] != "hit", "video"]]
    tables = {"ground_truths": gt["video"], "predictions": predictions["video"], "errors": pd.concat(errors)}
    counts = {name: videos.value_counts() for name, videos in tables.items()}
    table = pd.DataFrame(index=pd.Index(inspected.videos, name="video", dtype=object))
    table["duration_sec"] = [inspected.duration_sec(video) for video in inspected.videos]
    for name, count in counts.items():
        table[name] = count.reindex(inspected.videos, fill_value=0).to_numpy(np.int64)
    table["ap"] = map_by_video(gt, predictions, [tiou]).reindex(inspected.videos).to_numpy(float)
    return table


def first_score(inspected: Inspected, min_score: float | None) -> float:
    """From which score predictions are shown to begin with: as asked, else as 03_eval chose, else MIN_SCORE."""
    chosen = inspected.operating_score if min_score is None else min_score
    return MIN_SCORE if chosen is None else chosen


def pack_facts(segments: pd.DataFrame, labels: np.ndarray) -> bytes:
    """The columns FACTS one after the other, as little-endian float64; class is the position in `labels`."""
    columns = segments.assign(**{"class": np.searchsorted(labels, segments["label"])})[FACTS]
    return np.ascontiguousarray(columns.to_numpy(np.float64).T, "<f8").tobytes()


def pack_run(inspected: Inspected) -> bytes:
    """`pack_facts` of all videos, one after the other; how many segments each has, `describe` says."""
    segments = list_segments(inspected.gt, inspected.predictions, inspected.videos)
    return pack_facts(segments, inspected.labels)


def describe(inspected: Inspected, tious: list[float], tiou: float, min_score: float) -> dict[str, Any]:
    """What the inspector knows of the whole run, ready for JSON; `tious` are the thresholds to choose from."""
    table = list_videos(inspected, tiou, min_score).reset_index()
    videos = table.astype(object).where(table.notna(), None).to_dict("records")
    facts: dict[str, Any] = {"title": inspected.title, "remark": inspected.remark, "classes": inspected.names()}
    if inspected.annotators:
        facts["annotators"] = list(inspected.annotators)
    facts["tracks"], facts["label_ids"] = inspected.tracks.offered(), inspected.labels.tolist()
    for entry in videos:
        entry["fps"] = inspected.fps(entry["video"])
        entry["ignored_sec"] = inspected.ignored_sec(entry["video"]).tolist()
        if inspected.annotators:
            entry["pairs"], entry["ap"] = inspected.compared[entry["video"]], None
            entry["errors"] = sum(what != "" for _, _, what in entry["pairs"])
        entry["known_sec"] = None if inspected.durations_sec.get(entry["video"]) is None else entry["duration_sec"]
    return facts | {"tious": sorted({*tious, tiou}), "tiou": tiou, "min_score": min_score, "videos": videos}
