"""Loading of training batches: `python -m benchmarks.loading [--videos N] [--workers N] [--cold] [--csv FILE]`.

Random features of THUMOS14's true size (2048 channels, 200 videos as long as the real ones, 2.5 GB) are written to a
temporary folder and read by a plain loop over whole files, as the original reads, and by afkit's stream: mapped files,
the same with worker processes, and from its cache. All take turns; figures are medians: batches per second, beside the
19.4 that a GPU needs to do a whole training (35 epochs of 100 steps) in 3 minutes, and what such a GPU would wait for
each batch.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from afkit.config import Recipe
from afkit.data.batches import training_batches
from afkit.data.items import Dataset, crop
from afkit.recipes import recipe as published
from benchmarks import timing

SHOWN = (
    "method", "batches_per_sec", "needed_per_sec", "times_needed", "enough", "wait_ms", "own_cpu_ms",
    "first_batch_sec", "cached_mb",
)  # fmt: skip
NEEDED_PER_SEC = 35 * 100 / 180  # a whole training in 3 minutes
SHORTEST, LONGEST = 64, 8806  # steps of THUMOS14's training videos; the median is 1126
SECONDS_PER_STEP = 4 / 30
EPOCHS = 1000  # more than is ever read


class Measured(NamedTuple):
    """A round of a method."""

    rate: float  # batches per second, without a pause, after the first one
    first_sec: float  # until the first one; filling of the cache included
    own_cpu_ms: float  # of this process for each batch, which depends little on what else the machine does
    wait_ms: float  # for each batch, when a step takes 1 / NEEDED_PER_SEC


def write_data(root: Path, recipe: Recipe, videos: int) -> int:
    """Annotations and features of as many training videos; the bytes of all features."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(np.log(1126), 0.9, videos)).clip(SHORTEST, LONGEST).astype(int)
    (folder := root / recipe.data.features[0]).mkdir(parents=True)
    (root / recipe.data.annotations).parent.mkdir(parents=True, exist_ok=True)
    database = {}
    for number, steps in enumerate(lengths.tolist()):
        np.save(folder / f"video{number}.npy", rng.standard_normal((steps, *recipe.data.input_dims), np.float32))
        onsets = (rng.random(15) * 0.95 * steps * SECONDS_PER_STEP).tolist()
        rows = [{"segment": [onset, onset + 4], "label": "action", "label_id": 0} for onset in onsets]
        entry = {"subset": recipe.data.train_subsets[0], "duration": steps * SECONDS_PER_STEP, "fps": 30.0}
        database[f"video{number}"] = {**entry, "annotations": rows}
    (root / recipe.data.annotations).write_text(json.dumps({"database": database}), encoding="utf-8")
    return int(lengths.sum()) * sum(recipe.data.input_dims) * 4


def forget(root: Path) -> None:
    """Ask the system to drop the feature files from its memory, so that they come from the disk again."""
    for path in root.rglob("*.npy"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def plain_batches(dataset: Dataset, root: Path, recipe: Recipe) -> Iterator[torch.Tensor]:
    """The plain way, in this process: read the whole file, turn it to (C, T), crop, pad to M."""
    folder, size = root / recipe.data.features[0], recipe.optim.batch_size
    for epoch in range(EPOCHS):
        order = np.random.default_rng([0, epoch]).permutation(len(dataset)).tolist()
        for first in range(0, len(order) - size + 1, size):
            features = torch.zeros(size, sum(recipe.data.input_dims), recipe.data.max_seq_len)
            for row, index in enumerate(order[first : first + size]):
                item = dataset.unread(index)
                whole = torch.from_numpy(np.ascontiguousarray(np.load(folder / f"{item.video}.npy").T))
                item = crop(item._replace(features=whole), recipe.data, random.Random(f"0 {epoch} {index}"))
                features[row, :, : item.features.shape[1]] = item.features
            yield features


def methods(root: Path, recipe: Recipe, workers: int) -> dict[str, Callable[[], Iterator[Any]]]:
    """What is compared: each starts its stream anew."""
    mapped, cached = (
        Dataset(recipe.data, root, recipe.data.train_subsets, training=True, cache_mb=cache) for cache in (0, 10**6)
    )

    def stream(dataset: Dataset, workers: int) -> Iterator[Any]:
        align = recipe.model.level_strides[-1]
        return training_batches(dataset, recipe.optim.batch_size, EPOCHS, workers=workers, align=align)

    return {
        "whole files": lambda: plain_batches(mapped, root, recipe),
        "mapped": lambda: stream(mapped, 0),
        f"mapped, {workers} workers": lambda: stream(mapped, workers),
        "cache": lambda: stream(cached, 0),
        f"cache, {workers} workers": lambda: stream(cached, workers),
    }


def measure(start: Callable[[], Iterator[Any]], batches: int) -> Measured:
    """As many batches as fast as they come, and as many with a pause after each, in which a GPU would be at work."""
    began = time.perf_counter()
    with closing(start()) as stream:
        next(stream)
        first_sec = time.perf_counter() - began
        began, own = time.perf_counter(), time.process_time()
        for _ in range(batches):
            next(stream)
        rate, own = batches / (time.perf_counter() - began), time.process_time() - own
        waits = []
        for _ in range(batches):
            time.sleep(1 / NEEDED_PER_SEC)
            began = time.perf_counter()
            next(stream)
            waits.append(time.perf_counter() - began)
    return Measured(rate, first_sec, 1e3 * own / batches, 1e3 * statistics.mean(waits))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--batches", type=int, default=100, help="of each method in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="files come from the disk, not from the system's memory")
    parser.add_argument("--folder", help="where the temporary folder is made")
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "loading.csv")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    facts = timing.announce()
    recipe = published("thumos_i3d")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        size = write_data(Path(folder), recipe, options.videos)
        print(f"{options.videos} videos, {size / 1e9:.2f} GB of features, batches of {recipe.optim.batch_size}\n")
        starts = methods(Path(folder), recipe, options.workers)
        rounds: dict[str, list[Measured]] = {name: [] for name in starts}
        for _ in range(options.rounds):
            for name, start in starts.items():
                if options.cold:
                    forget(Path(folder))
                rounds[name].append(measure(start, options.batches))
    rows = [row(name, measured, size, options) for name, measured in rounds.items()]
    timing.show(rows, SHOWN)
    timing.write_csv(options.csv, [{**line, **facts} for line in rows])
    print(f"\n{options.csv}")


def row(method: str, rounds: list[Measured], size: int, options: argparse.Namespace) -> dict[str, Any]:
    """A line of the CSV file."""
    rate = statistics.median(measured.rate for measured in rounds)
    return {
        "method": method,
        "batches_per_sec": rate,
        "needed_per_sec": NEEDED_PER_SEC,
        "times_needed": rate / NEEDED_PER_SEC,
        "enough": rate >= NEEDED_PER_SEC,
        "wait_ms": statistics.median(measured.wait_ms for measured in rounds),
        "own_cpu_ms": statistics.median(measured.own_cpu_ms for measured in rounds),
        "first_batch_sec": rounds[0].first_sec,  # the cache is full from the second round on
        "cached_mb": size / 1e6 if method.startswith("cache") else 0.0,
        "videos": options.videos,
        "feature_mb": size / 1e6,
        "cold": options.cold,
    }


if __name__ == "__main__":
    main()
