"""Evaluation against a plain loop: `python -m benchmarks.evaluate [--csv FILE] [--quick]`.

mAP and recall of a large test set, ours and a loop over the predictions as textbooks write it, in the same run and
with the same numbers; a larger set with many classes and thresholds; and a bootstrap of the first.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.evaluation.scores import RECALL_KS, evaluate
from afkit.segments import tiou
from afkit.workbench.analysis.bootstrap import bootstrap_map
from benchmarks import timing

SHOWN = ("name", "ours_s", "target_s", "plain_s", "ratio", "target_ratio", "same_numbers", "met")
VIDEO_SEC = 180


class Case(NamedTuple):
    """A test set: its size and its tIoU thresholds."""

    videos: int
    per_video: int  # predictions
    classes: int
    tious: tuple[float, ...]


FIRST = Case(1000, 200, 20, (0.3, 0.4, 0.5, 0.6, 0.7))
LARGE = Case(5000, 100, 200, tuple(np.linspace(0.5, 0.95, 10).tolist()))
RESAMPLES = 1000


def make(case: Case, gts: int = 10, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ground truth of a few classes in each video, and predictions of which a third lie near it."""
    rng = np.random.default_rng(seed)
    names = np.array([f"video_{i:07d}" for i in range(case.videos)], dtype=object)
    video = np.repeat(np.arange(case.videos), gts)
    start, length = rng.uniform(0, VIDEO_SEC, len(video)), rng.lognormal(2, 0.8, len(video))
    classes_of_video = rng.integers(case.classes, size=(case.videos, 3))
    label = classes_of_video[video, rng.integers(3, size=len(video))]
    gt = pd.DataFrame({"video": names[video], "start_sec": start, "end_sec": start + length, "label": label})

    video = np.repeat(np.arange(case.videos), case.per_video)
    count = len(video)
    near = rng.random(count) < 1 / 3
    aim = video * gts + rng.integers(gts, size=count)  # the ground truth that it lies near
    length_near = length[aim] * rng.lognormal(0, 0.3, count)
    start_near = start[aim] + rng.normal(0, 0.25, count) * length[aim]
    start = np.where(near, start_near, rng.uniform(0, VIDEO_SEC, count))
    length = np.where(near, length_near, rng.lognormal(2, 0.8, count))
    columns = {
        "video": names[video],
        "start_sec": start,
        "end_sec": start + length,
        "label": np.where(near & (rng.random(count) < 0.8), label[aim], rng.integers(case.classes, size=count)),
        "score": np.where(near, rng.beta(2, 3, count), rng.beta(1, 6, count)),
    }
    return gt, pd.DataFrame(columns)


def plain_ap(gt: pd.DataFrame, predictions: pd.DataFrame, tious: Sequence[float]) -> np.ndarray:
    """(K, S) average precision, prediction by prediction."""
    table = []
    for label, truths in gt.groupby("label"):
        truths_of = dict(tuple(truths.groupby("video")))
        taken = [set() for _ in tious]
        mine = predictions[predictions["label"] == label].sort_values("score", ascending=False, kind="stable")
        hits = np.zeros((len(mine), len(tious)), bool)
        for rank, (_, prediction) in enumerate(mine.iterrows()):
            if prediction["video"] not in truths_of:
                continue
            candidates = truths_of[prediction["video"]]
            segment = prediction[["start_sec", "end_sec"]].to_numpy(float)
            overlaps = tiou(segment, candidates[["start_sec", "end_sec"]].to_numpy())
            for s, threshold in enumerate(tious):
                for place in overlaps.argsort()[::-1]:
                    if overlaps[place] < threshold:
                        break
                    if candidates.index[place] not in taken[s]:
                        taken[s].add(candidates.index[place])
                        hits[rank, s] = True
                        break
        table.append([_area(column, len(truths)) for column in hits.T])
    return np.array(table)


def _area(hits: np.ndarray, num_gt: int) -> float:
    """Below the falling envelope of precision over recall."""
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    for rank in range(len(hits) - 2, -1, -1):
        precision[rank] = max(precision[rank], precision[rank + 1])
    return float(precision[hits].sum() / num_gt)


def plain_recall(gt: pd.DataFrame, predictions: pd.DataFrame, tious: Sequence[float], k: int) -> np.ndarray:
    """(S,) Recall@kx, mean over the classes, video by video."""
    predictions_of = dict(tuple(predictions.groupby(["label", "video"])))
    table = []
    for label, truths in gt.groupby("label"):
        found = np.zeros(len(tious))
        for video, some in truths.groupby("video"):
            mine = predictions_of.get((label, video), predictions.iloc[:0])
            best = mine.sort_values("score", ascending=False, kind="stable").head(k * len(some))
            for _, truth in some.iterrows():
                segment = truth[["start_sec", "end_sec"]].to_numpy(float)
                overlaps = tiou(segment, best[["start_sec", "end_sec"]].to_numpy())
                found += [bool((overlaps >= threshold).any()) for threshold in tious]
        table.append(found / len(truths))
    return np.mean(table, axis=0)


def clock(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def measure(name: str, case: Case, rounds: int, target_s: float, target_ratio: float | None = None) -> dict:
    """mAP and recall together: ours in `rounds` before and after the plain loop, which runs once if it is wanted."""
    gt, predictions = make(case)
    ours = [clock(lambda: evaluate(gt, predictions, case.tious)) for _ in range(rounds)]
    plain_s = same = None
    if target_ratio is not None:
        plain_s, ap = clock(lambda: plain_ap(gt, predictions, case.tious))
        recall_s, recall = clock(lambda: [plain_recall(gt, predictions, case.tious, k) for k in RECALL_KS])
        plain_s += recall_s
        scores = ours[0][1]
        same = np.allclose(ap, scores.ap, rtol=0, atol=1e-9)
        same = bool(same and np.allclose(np.transpose(recall), scores.recall, rtol=0, atol=1e-9))
        ours += [clock(lambda: evaluate(gt, predictions, case.tious)) for _ in range(rounds)]
    ours_s = statistics.median(seconds for seconds, _ in ours)
    return row(name, case, ours_s, target_s, plain_s, target_ratio, same)


def measure_bootstrap(name: str, case: Case, resamples: int, target_s: float) -> dict:
    """All resamples once, and whether the measured value is that of `evaluate`."""
    gt, predictions = make(case)
    ours_s, drawn = clock(lambda: bootstrap_map(gt, predictions, case.tious, resamples))
    expected = evaluate(gt, predictions, case.tious).average_map
    return row(name, case, ours_s, target_s, same=bool(abs(drawn.average_map.value - expected) < 1e-9))


def row(
    name: str,
    case: Case,
    ours_s: float,
    target_s: float,
    plain_s: float | None = None,
    target_ratio: float | None = None,
    same: bool | None = None,
) -> dict:
    """A line of the CSV file."""
    ratio = None if plain_s is None else plain_s / ours_s
    met = ours_s < target_s and (ratio is None or ratio >= target_ratio) and same is not False
    return {
        "name": name,
        "videos": case.videos,
        "predictions": case.videos * case.per_video,
        "classes": case.classes,
        "tious": len(case.tious),
        "ours_s": ours_s,
        "target_s": target_s,
        "plain_s": plain_s,
        "ratio": ratio,
        "target_ratio": target_ratio,
        "same_numbers": same,
        "met": met,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "evaluate.csv")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    options = parser.parse_args(arguments)
    facts = timing.announce()
    first, large, resamples = (FIRST, LARGE, RESAMPLES)
    if options.quick:
        first, large, resamples = first._replace(videos=5), large._replace(videos=5), 10
    sizes = [f"{case.videos} videos x {case.per_video} predictions x {case.classes} classes" for case in (first, large)]
    rows = [
        measure(f"mAP and recall, {sizes[0]}", first, rounds=3, target_s=1, target_ratio=200),
        measure(f"mAP and recall, {sizes[1]} x {len(large.tious)} tIoU", large, rounds=3, target_s=8),
        measure_bootstrap(f"{resamples} resamples of the first", first, resamples, target_s=60),
    ]
    timing.show(rows, SHOWN)
    timing.write_csv(options.csv, [{**line, **facts} for line in rows])
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
