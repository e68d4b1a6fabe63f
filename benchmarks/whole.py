"""A whole THUMOS training through `afkit.train.loop.train`: 200 synthetic videos of true size, held in memory."""

import math
import os
import statistics
import tempfile
import time
from typing import Any

import torch

from afkit.config import Recipe
from afkit.data.items import Dataset, Item
from afkit.train.execution import Execution
from afkit.train.loop import train
from benchmarks import synthetic

RECIPE = "thumos_i3d"
VIDEOS = 200
LENGTHS = statistics.NormalDist(7.1, 0.75)  # logarithm of a video's steps: half below 1200, 1600 in the mean
SHORTEST, LONGEST = 100, 8000
TARGET_SEC = 180
SHORT = {"optim.warmup_epochs": 1, "optim.epochs": 1}  # what is measured for a projection


class SyntheticVideos(Dataset):
    """Training videos that were never on a disk.

    Args:
        recipe: width and classes.
        count: how many.
        shrink: factor on their lengths, for trials.
    """

    def __init__(self, recipe: Recipe, count: int, shrink: float = 1.0):
        self.config, self.training, self.seed, self.epoch = recipe.data, True, 0, 0
        self.cache_mb = self.cached_bytes = 0
        self.videos, self.missing, self._cached = [], [], {}
        self.label_names = {label: str(label) for label in range(recipe.data.num_classes)}
        steps = [LENGTHS.inv_cdf((index + 0.5) / count) for index in range(count)]
        steps = [min(max(SHORTEST, math.exp(logarithm)), LONGEST) for logarithm in steps]
        self.items = [synthetic.item(recipe, int(length * shrink), seed) for seed, length in enumerate(steps)]

    def __len__(self) -> int:
        return len(self.items)

    def unread(self, index: int) -> Item:
        """The whole video at an index."""
        return self.items[index]


def measure(device: str, precision: str, whole: bool, size: str = "full") -> dict[str, Any]:
    """Seconds of the whole training: really run, or projected from the second epoch of a short one.

    Args:
        device: "cuda" or "cpu"; `train` takes the GPU where there is one.
        precision: as of `benchmarks.train`.
        whole: really run it.
        size: "full" or "tiny".
    """
    recipe = synthetic.sized(RECIPE, size)
    steps = VIDEOS // recipe.optim.batch_size * recipe.optim.total_epochs
    shrink = recipe.data.max_seq_len / synthetic.sized(RECIPE, "full").data.max_seq_len
    videos = SyntheticVideos(recipe, VIDEOS, shrink)
    settings = Execution(
        workers=min(8, (os.cpu_count() or 2) // 2), precision="bf16" if precision == "bf16" else "fp32"
    )
    run = recipe if whole else synthetic.sized(RECIPE, size, SHORT)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        metrics = train(run, videos, folder, seed=0, execution=settings)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
    step = metrics["seconds"][metrics["epoch"] > 0].mean()
    seconds = seconds if whole else step * steps
    return {
        "recipe": RECIPE,
        "size": size,
        "precision": precision,
        "videos": VIDEOS,
        "epochs": recipe.optim.total_epochs,
        "steps": steps,
        "step_ms": 1e3 * step,
        "seconds": seconds,
        "how": "run" if whole else "projected",
        "target_seconds": TARGET_SEC,
        "met": seconds <= TARGET_SEC,
    }
