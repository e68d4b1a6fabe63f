"""What the inspector shows of a run: the segments of each video, what each of them is, and the list of videos."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.data.annotations import AnnotationFile, read_annotations, to_frame
from afkit.data.features import locate
from afkit.evaluation.pairs import PREDICTION_COLUMNS, check_columns, overlapping_pairs
from afkit.files import read_json
from afkit.workbench.analysis.bootstrap import map_by_video
from afkit.workbench.analysis.false_positives import MIN_TIOU
from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.analysis.result_files import UNKNOWN, read_predictions
from afkit.workbench.inspector.tracks import Tracks
from afkit.workbench.runs.opened import open_run

# As of workbench.analysis.false_positives; browser/src/segments.js knows the numbers.
KINDS = ("ground truth", "miss", "hit", "localisation", "double detection", "wrong label", "confusion", "background")
FACTS = ["start_sec", "end_sec", "class", "score", "place"]  # columns of the binary form, float64
MATCHING = ["kind", "partner", "tiou"]  # float32
PAIRS_AT_ONCE = 1_000_000  # keeps the memory small where everything overlaps


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
        predictions = read_predictions(folder / "predictions.json.gz", names, unknown_labels="keep")
    else:
        remark = f"This run has no predictions yet: {_how_far(stages)}."
    durations_sec = {video.name: video.duration_sec for video in videos}
    title = f"{folder.parent.name}/{folder.name}"
    return Inspected(to_frame(videos), predictions, names, durations_sec, title, remark, annotations=annotations)


def _how_far(stages: Any) -> str:
    """The last stage that was begun, e.g. '02_train is running'."""
    own = [name for name in ("01_data", "02_train", "03_eval") if isinstance(stages.get(name), dict)]
    if not own:
        return "nothing was run"
    status = stages[own[-1]].get("status", "unknown")
    return f"{own[-1]} failed" if status == "failed" else f"{own[-1]} is {status}"


def list_segments(gt: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """All segments of one video in one table, by onset.

    Returns:
        DataFrame start_sec, end_sec, label, score (NaN: ground truth), place (of a ground truth in its table; of a
        prediction by falling score, 0 the best, equal ones in the order of the table). The index counts the rows.
    """
    place = np.empty(len(predictions), np.int64)
    place[np.argsort(-predictions["score"].to_numpy(np.float64), kind="stable")] = np.arange(len(predictions))
    tables = (gt.assign(score=np.nan, place=np.arange(len(gt))), predictions.assign(place=place))
    types = {"start_sec": float, "end_sec": float, "label": np.int64, "score": float, "place": np.int64}
    together = pd.concat([table[list(types)].astype(types) for table in tables], ignore_index=True)
    return together.sort_values("start_sec", kind="stable", ignore_index=True)


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
    best, best_tiou = _most_overlapping(truth, predictions)  # (P,) positions in truth, tIoU
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


def _most_overlapping(truth: pd.DataFrame, predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(P,) position of the ground truth that each prediction overlaps most, -1 for none, and (P,) the tIoU."""
    gt_sec, gt_label = truth[["start_sec", "end_sec"]].to_numpy(), truth["label"].to_numpy()
    sec, label = predictions[["start_sec", "end_sec"]].to_numpy(), predictions["label"].to_numpy()
    best, best_tiou = np.full(len(sec), -1), np.zeros(len(sec))
    at_once = max(PAIRS_AT_ONCE // max(len(gt_sec), 1), 1)
    for begin in range(0, len(sec), at_once):
        part = sec[begin : begin + at_once]
        rank, gt, overlap = overlapping_pairs(np.zeros(len(gt_sec), int), gt_sec, np.zeros(len(part), int), part)
        order = np.lexsort((gt, label[begin + rank] == gt_label[gt], overlap, rank))  # each prediction's best come last
        best[begin + rank[order]], best_tiou[begin + rank[order]] = gt[order], overlap[order]
    return best, best_tiou


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


def pack_facts(segments: pd.DataFrame, labels: np.ndarray) -> bytes:
    """The columns FACTS one after the other, as little-endian float64; class is the position in `labels`."""
    columns = segments.assign(**{"class": np.searchsorted(labels, segments["label"])})[FACTS]
    return np.ascontiguousarray(columns.to_numpy(np.float64).T, "<f8").tobytes()


def pack_matching(matching: pd.DataFrame) -> bytes:
    """The columns MATCHING one after the other, as little-endian float32 (which holds rows up to 16 million)."""
    return np.ascontiguousarray(matching[MATCHING].to_numpy(np.float64).T, "<f4").tobytes()


def describe(inspected: Inspected, tious: list[float], tiou: float, min_score: float) -> dict[str, Any]:
    """What the inspector knows of the whole run, ready for JSON; `tious` are the thresholds to choose from."""
    table = list_videos(inspected, tiou, min_score).reset_index()
    videos = table.astype(object).where(table.notna(), None).to_dict("records")
    facts: dict[str, Any] = {"title": inspected.title, "remark": inspected.remark, "classes": inspected.names()}
    facts["tracks"], facts["label_ids"] = inspected.tracks.offered(), inspected.labels.tolist()
    for entry in videos:
        entry["ignored_sec"] = inspected.ignored_sec(entry["video"]).tolist()
        entry["known_sec"] = None if inspected.durations_sec.get(entry["video"]) is None else entry["duration_sec"]
    return facts | {"tious": sorted({*tious, tiou}), "tiou": tiou, "min_score": min_score, "videos": videos}
