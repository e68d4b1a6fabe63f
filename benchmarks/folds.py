"""HAPT, each of its people left out once: `python -m benchmarks.folds --network tridet --setting published|small`.

As in the published study (Bock et al. 2024): trained on 29 people, tested on the one left out, average mAP over tIoU
0.3 to 0.7, DETAD's normalised one beside it. A line of the CSV per person and kind of weights (ema: their running
average, raw: their last state). People whose lines are there are skipped, so the same command goes on where it was cut
short. Several people may be trained at once, each in a process of its own; one leaves a GPU idle for the most part.
`--table` prints what results/published holds of all networks and settings, beside the published figures.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afkit.config import Recipe
from afkit.data.annotations import read_annotations, to_frame
from afkit.data.features import locate
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.evaluation.scores import evaluate
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.recipes import recipe as published
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.analysis.normalised import match_all, normalised_map
from afkit.workbench.runs.provenance import git_state
from benchmarks import timing

ROOT = Path(__file__).parents[1]
ANNOTATIONS = "hapt/annotations/people.json"  # each person is a subset
PUBLISHED = ROOT / "results" / "published"
STUDY = {"actionformer": 94.32, "tridet": 93.98, "temporalmaxer": 93.87}  # normalised, percent: the study's table
_STUDY_SETTING: dict[str, Any] = {
    "optim.learning_rate": 1e-4,
    "optim.epochs": 100,
    "optim.warmup_epochs": 5,
    "optim.ema_warmup": False,
    "decode.pre_nms_topk": 5000,
    "decode.min_score": 0.0,
    "decode.max_segments": 2000,
    "decode.voting_threshold": 0.75,
}
_BOTH_SENSORS = {"data.features": ["hapt/acceleration", "hapt/rotation"], "data.input_dims": [150, 150]}
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {},  # the recipe's: width 256, 40 epochs
    "gyroscope": _BOTH_SENSORS,  # the small one, with angular velocity
    "published": _STUDY_SETTING | {"model.embed_dim": 512},
    "narrow": _STUDY_SETTING,  # the published one with the recipe's width, 256: what comes of the schedule alone?
    "tiny": {"model.embed_dim": 16, "model.head_dim": 16, "optim.epochs": 1, "optim.warmup_epochs": 1},  # a trial
}
NETWORKS: dict[str, dict[str, Any]] = {
    "actionformer": {},
    "tridet": {
        "data.crop_margin": False,
        "model.backbone": "sgp",
        "model.windows": 1,
        "model.window_ratio": 4,
        "model.head": "trident",
        "loss.class_iou_power": 0.25,
    },
    "temporalmaxer": {
        "model.backbone": "maxpool",
        "model.stem_layers": 0,
        "model.drop_path": 0,
        "model.neck_norm": "shared",
        "loss.offset_target": "cheapest",
        "loss.label_smoothing": 0,
    },
}
WEIGHTS = ("ema", "raw")
SEED = 1
POLL_SEC = 0.2


def fold_recipe(network: str, setting: str, person: str, people: Sequence[str]) -> Recipe:
    """The recipe that leaves one person out for the test."""
    others = [name for name in people if name != person]
    split = {"data.annotations": ANNOTATIONS, "data.train_subsets": others, "data.test_subsets": [person]}
    own = NETWORKS[network] | SETTINGS[setting]
    if network == "tridet":
        own = {"model.mlp_dim": 3 * own.get("model.embed_dim", 256) // 2} | own  # 768 at the study's width of 512
    return published("hapt", own | split)


def run_fold(person: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train without a person, and score the detections in that person's recording: a line for each kind of weights."""
    annotations = read_annotations(locate(options.data_root, ANNOTATIONS))
    recipe = fold_recipe(options.network, options.setting, person, sorted(annotations.videos))
    training = Dataset(recipe.data, options.data_root, recipe.data.train_subsets, training=True, seed=SEED)
    test = Dataset(recipe.data, options.data_root, recipe.data.test_subsets)
    gt = to_frame(annotations.of_subsets(recipe.data.test_subsets))
    began, rows = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, training, folder, SEED, Execution(precision=options.precision, checkpoint_minutes=0))
        seconds = time.perf_counter() - began
        model = build_model(recipe).to("cuda" if torch.cuda.is_available() else "cpu")
        for which in WEIGHTS:
            weights = Path(folder) / "checkpoints" / f"{which}.safetensors"
            load_weights(model, weights, which)
            if options.keep:
                keep_weights(weights, options.keep / options.network / options.setting / f"{person}_{which}")
            found = predict_dataset(model, recipe, test)
            scores = evaluate(gt, found, recipe.data.tious)
            normalised = normalised_map(match_all(gt, found, recipe.data.tious)).mean()
            row = {"person": person, "weights": which, "average_map": scores.average_map}
            rows.append(row | {"normalised_map": float(normalised), "seconds": seconds})
    return rows


def keep_weights(path: Path, kept: Path) -> None:
    """Copy a file of weights to where it outlives its training."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, kept.with_suffix(path.suffix))


def run_all(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The folds that are missing in the CSV file, so many at once; each is written as soon as it is done."""
    rows = timing.read_csv(options.csv)
    own = (options.network, options.setting)
    done = {row["person"] for row in rows if (row["network"], row["setting"]) == own}
    people = sorted(read_annotations(locate(options.data_root, ANNOTATIONS)).videos)
    waiting = [person for person in people if person not in done]
    print(f"{len(people)} people, {len(waiting)} to do, {options.at_once} at once", flush=True)
    common = {"network": options.network, "setting": options.setting, "precision": options.precision, "seed": SEED}
    common |= {"commit": git_state()["commit"], "device": device_name(), "torch": torch.__version__}
    running: dict[str, subprocess.Popen] = {}
    failed = []
    try:
        while waiting or running:
            while waiting and len(running) < options.at_once:
                person = waiting.pop(0)
                running[person] = start_fold(person, options)
            time.sleep(POLL_SEC)
            for person in [name for name, process in running.items() if process.poll() is not None]:
                said, _ = (process := running.pop(person)).communicate()
                if process.returncode:
                    failed.append(person)
                    print(f"{person} failed with code {process.returncode}", flush=True)
                    continue
                rows += [row | common for row in json.loads(said.splitlines()[-1])]
                timing.write_csv(options.csv, rows)
                print(f"{person}: {say(rows[-len(WEIGHTS) :])}", flush=True)
    finally:
        for process in running.values():
            process.kill()
    if failed:
        raise SystemExit(f"{len(failed)} folds failed: {', '.join(sorted(failed))}; the same command tries them again")
    return rows


def start_fold(person: str, options: argparse.Namespace) -> subprocess.Popen:
    """A fold in a process of its own, with its share of the cores; its last line is JSON."""
    command = [sys.executable, "-m", "benchmarks.folds", "--fold", person]
    command += ["--network", options.network, "--setting", options.setting]
    command += ["--keep", str(options.keep.resolve())] if options.keep else []
    command += ["--data-root", str(Path(options.data_root).resolve()), "--precision", options.precision]
    threads = str(max((os.cpu_count() or 1) // options.at_once, 1))
    environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads)}
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)


def say(rows: Sequence[dict[str, Any]]) -> str:
    """The scores of a fold, in percent."""
    parts = []
    for row in rows:
        average, normalised = (100 * float(row[name]) for name in ("average_map", "normalised_map"))
        parts.append(f"{row['weights']} {average:.2f} % (normalised {normalised:.2f} %)")
    return ", ".join(parts)


def summary(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """A line for each network, setting and kind of weights: people, means in percent, interval over the people."""
    groups = Counter((row["network"], row["setting"], row["weights"]) for row in rows)
    table = []
    for group, people in groups.items():
        own = [row for row in rows if (row["network"], row["setting"], row["weights"]) == group]
        plain, normalised = (
            np.array([100 * float(row[name]) for row in own]) for name in ("average_map", "normalised_map")
        )
        low, high = interval(normalised)
        seconds = float(np.mean([float(row["seconds"]) for row in own]))
        means = (f"{plain.mean():.2f}", f"{normalised.mean():.2f}")
        table.append((*group, people, *means, f"{low:.2f} to {high:.2f}", STUDY[group[0]], seconds))
    return table


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean over other people of their kind: bootstrap of the (N,) values, 10 000 times."""
    picks = np.random.default_rng(0).integers(len(values), size=(10_000, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def print_all(paths: Sequence[Path]) -> None:
    """The summary of what several files hold."""
    rows = [row for path in paths for row in timing.read_csv(path)]
    if not rows:
        raise SystemExit(f"{PUBLISHED} holds no hapt_*.csv yet; name a --network and a --setting to make one")
    header = ("network", "setting", "weights", "people", "map", "normalised", "interval_95", "study", "seconds")
    timing.print_table(header, summary(rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-root", default="data", help="holds hapt/, see `python -m afkit prepare hapt`")
    parser.add_argument("--network", choices=list(NETWORKS), default="actionformer")
    parser.add_argument("--setting", choices=sorted(SETTINGS), default="published")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--at-once", type=int, default=1, help="people that are trained at the same time")
    parser.add_argument("--csv", type=Path, help="default: results/published/hapt_<network>_<setting>.csv")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the trained weights there")
    parser.add_argument("--table", action="store_true", help="print what was made so far, of all, and train nothing")
    parser.add_argument("--fold", metavar="PERSON", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.table:
        print_all(sorted(PUBLISHED.glob("hapt_*.csv")))
        return
    if options.fold:
        print(json.dumps(run_fold(options.fold, options)))
        return
    options.csv = options.csv or PUBLISHED / f"hapt_{options.network}_{options.setting}.csv"
    run_all(options)
    print_all([options.csv])
    print(f"\n{options.csv}")


def device_name() -> str:
    """What trains."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else timing.machine()["processor"]


if __name__ == "__main__":
    main()
