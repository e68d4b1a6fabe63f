"""THUMOS14 from end to end on synthetic videos of true size, held in memory: `python -m benchmarks.whole [--run]`.

The whole training of 200 videos through `afkit.train.loop.train`, projected from two epochs, with `--run` really made;
and the detections of the 212 test videos through `predict_dataset`, with a network that gives as many candidates as a
trained one.
"""

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from afkit.config import Recipe
from afkit.data.items import Dataset, Item
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model
from afkit.train.execution import Execution
from afkit.train.loop import train
from benchmarks import launches, synthetic, timing
from benchmarks.infer import make_talkative
from benchmarks.train import set_arithmetic

RECIPE = "thumos_i3d"
VIDEOS = {"full": 200, "tiny": 8}  # for the training
TEST_VIDEOS = {"full": 212, "tiny": 6}
LENGTHS = statistics.NormalDist(7.1, 0.75)  # logarithm of a video's steps: half below 1200, 1600 in the mean
SHORTEST, LONGEST = 100, 8000
TARGET_SEC, TEST_TARGET_SEC = 180, 5
SHORT = {"optim.warmup_epochs": 1, "optim.epochs": 1}  # what is measured for a projection
EPOCHS: dict[str, dict[str, int]] = {"full": {}, "tiny": {"optim.warmup_epochs": 1, "optim.epochs": 2}}
PRECISIONS = ("fp32", "bf16")  # of `train`


class SyntheticVideos(Dataset):
    """Videos that were never on a disk.

    Args:
        recipe: width and classes.
        count: how many.
        training: whether they are cropped as in training.
    """

    def __init__(self, recipe: Recipe, count: int, training: bool = True):
        shrink = recipe.data.max_seq_len / synthetic.sized(RECIPE, "full").data.max_seq_len
        self.config, self.training, self.seed, self.epoch = recipe.data, training, 0, 0
        self.cache_mb = self.cached_bytes = 0
        self.videos, self.missing, self._cached = [], [], {}
        self.label_names = {label: str(label) for label in range(recipe.data.num_classes)}
        steps = [LENGTHS.inv_cdf((index + 0.5) / count) for index in range(count)]
        steps = [min(max(SHORTEST, math.exp(logarithm)), LONGEST) for logarithm in steps]
        steps = [max(int(length * shrink), recipe.model.level_strides[-1]) for length in steps]
        self.items = [synthetic.item(recipe, length, seed) for seed, length in enumerate(steps)]

    def __len__(self) -> int:
        return len(self.items)

    def unread(self, index: int) -> Item:
        """The whole video at an index."""
        return self.items[index]


def measure(device: str, precision: str, whole: bool, size: str = "full") -> dict[str, Any]:
    """Seconds of the whole training: really run, or projected from the second epoch of a short one. A line of the CSV.

    Args:
        device: "cuda" or "cpu"; `train` takes the GPU where there is one.
        precision: as of `benchmarks.train`.
        whole: really run it.
        size: "full" or "tiny".
    """
    recipe = synthetic.sized(RECIPE, size, EPOCHS[size])
    steps = VIDEOS[size] // recipe.optim.batch_size * recipe.optim.total_epochs
    videos = SyntheticVideos(recipe, VIDEOS[size])
    settings = Execution(
        workers=min(8, (os.cpu_count() or 2) // 2), precision="bf16" if precision == "bf16" else "fp32"
    )
    run = recipe if whole else synthetic.sized(RECIPE, size, SHORT)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        metrics = train(run, videos, folder, seed=0, execution=settings)
        launches.wait(device)
        seconds = time.perf_counter() - began
    step = metrics["seconds"][metrics["epoch"] > 0].mean()
    seconds = seconds if whole else step * steps
    return {
        "what": "training",
        "recipe": RECIPE,
        "size": size,
        "precision": precision,
        "videos": VIDEOS[size],
        "epochs": recipe.optim.total_epochs,
        "steps": steps,
        "step_ms": 1e3 * step,
        "seconds": seconds,
        "how": "run" if whole else "projected",
        "target_seconds": TARGET_SEC,
        "met": bool(seconds <= TARGET_SEC),
    }


def measure_test(device: str, size: str = "full") -> dict[str, Any]:
    """Seconds for the detections of the test videos in float32, one after the other. A line of the CSV."""
    recipe = synthetic.sized(RECIPE, size)
    videos = SyntheticVideos(recipe, TEST_VIDEOS[size], training=False)
    torch.manual_seed(0)
    model = build_model(recipe)
    make_talkative(model)
    model.to(device)
    first = SyntheticVideos(recipe, 1, training=False)
    predict_dataset(model, recipe, first)  # loads the operator and what else is made once
    began = time.perf_counter()
    found = predict_dataset(model, recipe, videos)
    seconds = time.perf_counter() - began
    print(f"{len(found)} detections in {found['video'].nunique()} of {len(videos)} test videos")
    line = {"what": "test", "recipe": RECIPE, "size": size, "precision": "fp32", "videos": len(videos), "epochs": None}
    line |= {"steps": sum(item.features.shape[1] for item in videos.items), "step_ms": 1e3 * seconds / len(videos)}
    line |= {"seconds": seconds, "how": "run", "target_seconds": TEST_TARGET_SEC, "met": seconds <= TEST_TARGET_SEC}
    return line


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["fp32"], help="of the training")
    parser.add_argument("--run", action="store_true", help="really make the training, in the last of the precisions")
    parser.add_argument("--csv", type=Path, help="default: results/benchmarks/whole_<device>.csv")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    options = parser.parse_args(arguments)
    set_arithmetic("fp32")
    facts, path = timing.machine(options.device), options.csv or timing.RESULTS / f"whole_{options.device}.csv"
    calls = [lambda: measure_test(options.device, options.size)]
    calls += [lambda name=name: measure(options.device, name, False, options.size) for name in options.precision]
    if options.run:
        calls.append(lambda: measure(options.device, options.precision[-1], True, options.size))
    rows: list[dict[str, Any]] = []
    for call in calls:
        rows.append(call())
        timing.write_csv(path, [{**line, **facts} for line in rows])  # a run that is cut short keeps what it has
        timing.show(rows[-1:])
        print(flush=True)
    print(path)


if __name__ == "__main__":
    main()
