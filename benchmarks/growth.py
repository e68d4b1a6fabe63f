"""What happens as a data set grows: `python -m benchmarks.growth --recipe thumos_i3d --times 1 2 4 8 --root FOLDER`.

A twin of each size is written below `--root`, in the published layout, with as many videos as the data set has times
`--times`, and deleted again. What a user does with it is done in processes of their own, of each of which the CSV has
seconds and peak memory: `prepare` writes the twin, `check` is 01_data's (every feature file read once), `train` opens
the training set and makes some steps of the published network, `predict` finds the actions of all test videos with a
network of width 32 (the published one would say more about the processor than about growth), `evaluate` scores them.

Seconds should grow with the videos, and memory hardly: `memory` is relative to the first size. Peak memory counts the
pages of files that are mapped, too.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from afkit.config import Recipe
from afkit.data.annotations import read_annotations, to_frame
from afkit.data.batches import training_batches
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.evaluation.scores import evaluate
from afkit.model.actionformer import build_model, padding_alignment
from afkit.recipes import recipe as published
from afkit.train.loop import train_step
from afkit.train.state import new_state
from afkit.workbench.analysis.fusion import classify, num_labels
from afkit.workbench.analysis.result_files import read_predictions, write_predictions
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.survey.checks import count_notes, inspect_data
from benchmarks import memory, timing
from benchmarks.infer import make_talkative

ROOT = Path(__file__).parents[1]
# Half of the published number of videos, since a twin has equally many in either subset: THUMOS14 413, ActivityNet
# 19 228 with TSP features, EPIC-Kitchens 633, Ego4D 2 488 clips of Moment Queries.
VIDEOS = {"thumos_i3d": 207, "anet_tsp": 9614, "epic_verb": 317, "ego4d_o": 1244}
STEPS = 5  # of training
WIDTH = {"model.embed_dim": 32, "model.head_dim": None}
SHOWN = ("recipe", "times", "videos", "gigabytes", "stage", "seconds", "per_video_ms", "peak_mb", "memory", "said")


def prepare(recipe: Recipe, root: Path, videos: int) -> str:
    """Write the twin."""
    write_twin(recipe, root, videos_per_subset=videos, classes=20, say=str)
    return ""


def check(recipe: Recipe, root: Path, videos: int) -> str:
    """What 01_data looks for."""
    _, findings = inspect_data(recipe.data, root)
    return count_notes(findings)


def train(recipe: Recipe, root: Path, videos: int) -> str:
    """Steps of the published network, from the opening of the data set on."""
    dataset = Dataset(recipe.data, root, recipe.data.train_subsets, training=True, seed=1)
    steps_per_epoch = len(dataset) // recipe.optim.batch_size
    state = new_state(recipe, steps_per_epoch, 1, torch.device("cpu"))
    state.model.train()
    stream = training_batches(
        dataset, recipe.optim.batch_size, recipe.optim.total_epochs, align=padding_alignment(recipe)
    )
    with closing(stream):
        for batch in stream:
            train_step(state, batch, recipe)
            if state.step == STEPS:
                break
    return f"{state.step} steps"


def predict(recipe: Recipe, root: Path, videos: int) -> str:
    """Detections of all test videos, into a file."""
    narrow = published(recipe.name, WIDTH)
    torch.manual_seed(0)
    model = build_model(narrow)
    make_talkative(model)
    dataset = Dataset(narrow.data, root, narrow.data.test_subsets)
    found = predict_dataset(model, narrow, dataset)
    found = classify(found, narrow, root, len(dataset.label_names))
    write_predictions(root / "predictions.json.gz", found, names(narrow, root))
    return f"{len(found)} detections"


def score(recipe: Recipe, root: Path, videos: int) -> str:
    """Their mAP, which means nothing."""
    dataset = Dataset(recipe.data, root, recipe.data.test_subsets)
    found = read_predictions(root / "predictions.json.gz", names(recipe, root))
    scores = evaluate(to_frame(dataset.videos), found, recipe.data.tious)
    return f"{scores.counts['predictions']} scored"


def names(recipe: Recipe, root: Path) -> dict[int, str]:
    """Of all labels that detections may have."""
    return read_annotations(root / recipe.data.annotations).names_of(num_labels(recipe, root))


STAGES: dict[str, Callable[[Recipe, Path, int], str]] = {
    "prepare": prepare,
    "check": check,
    "train": train,
    "predict": predict,
    "evaluate": score,
}


def in_child(stage: str, recipe: str, root: Path, videos: int) -> dict[str, Any]:
    """Seconds and peak memory of a stage in a process of its own, its start not counted."""
    command = ["benchmarks.growth", "--recipe", recipe, "--root", root, "--videos", videos, "--stage", stage]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def carry_out(stage: str, recipe: str, root: Path, videos: int) -> dict[str, Any]:
    """What `in_child` returns, in this process."""
    began = time.perf_counter()
    said = STAGES[stage](published(recipe), root, videos)
    return {"seconds": time.perf_counter() - began, "peak_mb": memory.peak_mb("cpu"), "said": said}


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line for each size and stage, written as soon as it is there."""
    facts, rows = timing.announce("cpu"), []
    for times in options.times:
        root = options.root / f"growth{times}"
        root.mkdir(parents=True)
        videos = times * (options.videos or VIDEOS[options.recipe])
        try:
            for stage in STAGES:
                found = in_child(stage, options.recipe, root.resolve(), videos)
                size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
                first = next((row["peak_mb"] for row in rows if row["stage"] == stage), found["peak_mb"])
                row = {"recipe": options.recipe, "times": times, "videos": 2 * videos, "gigabytes": size / 1e9}
                row |= {"stage": stage, "per_video_ms": 1e3 * found["seconds"] / (2 * videos)} | found
                rows.append(row | {"memory": found["peak_mb"] / first} | facts)
                timing.write_csv(options.csv, rows)
                timing.show(rows[-1:], SHOWN)
                print(flush=True)
        finally:
            shutil.rmtree(root)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", choices=sorted(VIDEOS), default="thumos_i3d")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 2, 4, 8], help="the published number of videos")
    parser.add_argument("--videos", type=int, default=0, help="in each of the two subsets, instead of that number")
    parser.add_argument("--root", type=Path, required=True, help="where twins may lie; 7 GB for each THUMOS14")
    parser.add_argument("--csv", type=Path, help="default: results/benchmarks/growth_<recipe>.csv")
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.stage:
        print(json.dumps(carry_out(options.stage, options.recipe, options.root, options.videos)))
        return
    options.csv = options.csv or timing.RESULTS / f"growth_{options.recipe}.csv"
    timing.show(measure(options), SHOWN)
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
