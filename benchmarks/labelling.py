"""Does it matter which recordings are labelled next? `python -m benchmarks.labelling --data-root DIR`, on `watch`.

Two training recordings are labelled to begin with, drawn by the seed. A network is trained on them and proposes actions
in the others; the next recordings are chosen, by `afkit.workbench.survey.queue` (next), by the doubt in it alone
(doubt) or by chance (random), and labelled (by their known labels); and so on. A line of the CSV for each seed, order
and number of labelled recordings: average mAP on the test recordings, which nobody labels, and what the labelling has
cost until then.

Effort, by a model: a recording is watched once, at twice its speed, and each key takes 1.5 s. With proposals (from the
threshold of best F1 on) a right one is accepted (1 key), each end that is off by more than 0.5 s corrected (2), a wrong
class changed (1), a wrong proposal deleted (1), what is missing added (3: start, end, class). From nothing, everything
is added. The first recordings are labelled from nothing.

The network is a small TemporalMaxer on every second feature vector, so that a training takes seconds; it takes the same
number of steps however many recordings there are. What a network found is kept beside the CSV, so the same command goes
on where it was cut short.
"""

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.data.annotations import to_frame
from afkit.data.features import read_features
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.evaluation.scores import evaluate
from afkit.files import write_text
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.recipes import recipe as published
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.analysis.operating_point import operating_points
from afkit.workbench.datasets.watch import write_watch
from afkit.workbench.survey.queue import look_of, queue_of
from benchmarks import timing

STEPS_PER_EPOCH = 7  # an epoch goes round the labelled recordings until so many batches are seen
SETTINGS = {
    "data.downsample": 4,
    "data.max_seq_len": 160,
    "model.backbone": "maxpool",
    "model.stem_layers": 0,
    "model.drop_path": 0.0,
    "model.neck_norm": "group",
    "model.embed_dim": 64,
    "model.branch_layers": 4,
    "model.regression_ranges": [[0, 4], [4, 8], [8, 16], [16, 32], [32, 10000]],
    "optim.batch_size": 4,
    "optim.learning_rate": 2e-3,
    "optim.warmup_epochs": 2,
    "optim.epochs": 18,
}
NUMBERS = (2, 4, 6, 8, 10, 14)  # of labelled recordings; 14 are all
ORDERS = ("next", "doubt", "random")
SEEDS = (1, 2, 3)
TIOU, END_SEC = 0.5, 0.5  # from which a proposal is right, and up to which an end is
ACCEPT, END, DELETE, CLASS, ADD = 1, 2, 1, 1, 3  # keys
SPEED, KEY_SEC = 2.0, 1.5
COSTS = ("watched_min", "keys", "minutes", "keys_from_nothing", "minutes_from_nothing")


def detections_of(names: Sequence[str], seed: int, options: argparse.Namespace) -> pd.DataFrame:
    """What a network that was trained on some recordings finds in all; read where an earlier call has written it."""
    path = kept_at(names, seed, options)
    if path.is_file():
        return pd.read_csv(path)
    began, recipe = time.process_time(), published("watch", SETTINGS)
    dataset = Dataset(recipe.data, options.data_root, ["training"], training=True, seed=seed)
    labelled = [video for video in dataset.videos if video.name in names]
    length = STEPS_PER_EPOCH * recipe.optim.batch_size
    dataset.videos = (labelled * length)[:length]  # each time another crop is drawn
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, dataset, folder, seed, Execution(checkpoint_minutes=0, cache_mb=100))
        model = build_model(recipe)
        load_weights(model, Path(folder) / "checkpoints" / "ema.safetensors", "ema")
    everything = Dataset(recipe.data, options.data_root, ["training", "test"])
    text = io.StringIO()
    predict_dataset(model, recipe, everything).to_csv(text, index=False)
    write_text(path, text.getvalue())
    print(f"{path.name}: {time.process_time() - began:.0f} s of the processor", flush=True)
    return pd.read_csv(path)


def kept_at(names: Sequence[str], seed: int, options: argparse.Namespace) -> Path:
    """Where the detections are kept."""
    digest = hashlib.sha256(f"{seed} {sorted(names)} {SETTINGS}".encode()).hexdigest()[:12]
    return options.csv.parent / "labelling" / f"{len(names)}_{seed}_{digest}.csv"


def class_thresholds(gt: pd.DataFrame, found: pd.DataFrame) -> dict[int, float]:
    """Of best F1 on the test recordings, as 03_eval chooses them and `predict` takes them; of all classes else."""
    points = operating_points(gt, found, TIOU)
    rest = points.best["threshold"] if points.best["threshold"] > 0 else 0.2
    own = points.best_by_class["threshold"]
    return {label: float(own.get(label, np.nan)) if own.get(label, np.nan) > 0 else float(rest) for label in range(5)}


def count_keys(gt: pd.DataFrame, proposals: pd.DataFrame) -> int:
    """Keys that turn the proposals of one recording into its labels."""
    found, matched = match_segments(gt, proposals, TIOU)
    hits = matched[matched["outcome"] == "hit"]
    keys = ACCEPT * len(hits) + END * _ends_off(gt.loc[hits["gt_index"]], hits)
    missed, wrong = found[~found["found"]], matched[matched["outcome"] != "hit"]
    _, again = match_segments(missed.assign(label=0), wrong[proposals.columns].assign(label=0), TIOU)
    other_class = again[again["outcome"] == "hit"]
    keys += CLASS * len(other_class) + END * _ends_off(missed.loc[other_class["gt_index"]], other_class)
    return keys + DELETE * (len(wrong) - len(other_class)) + ADD * (len(missed) - len(other_class))


def _ends_off(gt: pd.DataFrame, proposals: pd.DataFrame) -> int:
    """Ends of proposals that are too far from those of the actions, row by row."""
    ends = ["start_sec", "end_sec"]
    return int((np.abs(gt[ends].to_numpy() - proposals[ends].to_numpy()) > END_SEC).sum())


def simulate(order: str, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each number of labelled recordings."""
    data = published("watch").data
    pool, test = (Dataset(data, options.data_root, [subset]).videos for subset in ("training", "test"))
    gt, gt_test = to_frame(pool), to_frame(test)
    minutes = {video.name: video.duration_sec / 60 for video in pool}
    looks = {name: look_of(read_features(data, options.data_root, name)) for name in minutes}
    shuffled = np.random.default_rng(seed).permutation(sorted(minutes)).tolist()  # the same start for both orders
    labelled = shuffled[: NUMBERS[0]]
    scratch = helped = ADD * int(gt["video"].isin(labelled).sum())
    rows = []
    for number, following in zip(NUMBERS, [*NUMBERS[1:], NUMBERS[-1]], strict=True):
        found = detections_of(labelled, seed, options)
        of_test = found[found["video"].isin([video.name for video in test])]
        watched = sum(minutes[name] for name in labelled)
        rows.append({"order": order, "seed": seed, "recordings": number})
        rows[-1] |= {"average_map": evaluate(gt_test, of_test, data.tious).average_map, "watched_min": watched}
        rows[-1] |= {"keys": helped, "keys_from_nothing": scratch, "minutes": watched / SPEED + helped * KEY_SEC / 60}
        rows[-1] |= {"minutes_from_nothing": watched / SPEED + scratch * KEY_SEC / 60, "labelled": " ".join(labelled)}
        thresholds, left = class_thresholds(gt_test, of_test), [name for name in shuffled if name not in labelled]
        offered = found[found["video"].isin(left)]
        if order != "random" and left:
            counts = gt[gt["video"].isin(labelled)]["label"].value_counts().to_dict()
            known = np.array([looks[name] for name in labelled])
            left = queue_of(offered, thresholds, counts, {name: minutes[name] for name in left}, looks, known)
            left = (left if order == "next" else left.sort_values("doubt", ascending=False))["recording"].tolist()
        chosen = left[: following - number]
        kept = offered[offered["score"] >= offered["label"].map(thresholds)]
        for name in chosen:
            own = gt[gt["video"] == name]
            helped += count_keys(own, kept[kept["video"] == name])
            scratch += ADD * len(own)
        labelled = labelled + chosen
    return rows


def summarise(rows: Sequence[dict[str, Any]]) -> None:
    """Print the means over the seeds, and by how much the queue is ahead of random order, seed by seed."""
    table = pd.DataFrame(rows)
    lines = []
    for (order, number), own in table.groupby(["order", "recordings"]):
        score = " ".join(f"{100 * value:.1f}" for value in own["average_map"])
        means = [f"{value:.1f}" for value in own[list(COSTS)].mean()]
        lines.append((order, number, f"{100 * own['average_map'].mean():.1f}", score, *means))
    timing.print_table(("order", "recordings", "map_percent", "of_each_seed", *COSTS), lines)
    curves = {key: own for key, own in table.groupby(["order", "seed"])}
    lines = []
    for order in ORDERS[:-1]:
        ahead = []
        for seed in SEEDS:
            ours, random = curves[order, seed], curves["random", seed]
            each = (
                ours["average_map"].to_numpy()[1:-1] - random["average_map"].to_numpy()[1:-1]
            )  # the ends are the same
            ahead.append([*each, each.mean(), _mean_over_minutes(ours) - _mean_over_minutes(random)])
        rows_of_order = [*zip(SEEDS, ahead, strict=True), ("mean", np.mean(ahead, axis=0))]
        lines += [(order, seed, *(f"{100 * value:+.1f}" for value in row)) for seed, row in rows_of_order]
    print()
    numbers = [f"{number}_recordings" for number in NUMBERS[1:-1]]
    timing.print_table(("less_random", "seed", *numbers, "mean", "over_minutes"), lines)


def _mean_over_minutes(rows: pd.DataFrame) -> float:
    """Average mAP, the mean over the minutes of labelling from the first recordings to the last ones."""
    minutes, score = rows["minutes"].to_numpy(), rows["average_map"].to_numpy()
    return float(np.trapezoid(score, minutes) / (minutes[-1] - minutes[0]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-root", default="data", help="folder of all data sets; `watch` is written there")
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "labelling.csv", help="default: %(default)s")
    options = parser.parse_args(arguments)
    write_watch(options.data_root)
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        for order in ORDERS:
            rows += simulate(order, seed, options)
            timing.write_csv(options.csv, rows)
    summarise(rows)
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
