"""Common to the tests of training: a small recipe, its files, and what it means that two trainings are the same."""

import pandas as pd
from tiny_data import tiny_recipe, training_set

from afkit.train.execution import Execution
from afkit.train.loop import train

RECIPE = tiny_recipe(optim__epochs=3)  # after one epoch of warm-up; 6 videos are 3 batches, so 12 steps
WEIGHTS = ["checkpoints/ema.safetensors", "checkpoints/raw.safetensors"]
LAST = "checkpoints/step000000012.pt"
FILES = [*WEIGHTS, LAST, "metrics.csv"]


class LostMachineError(Exception):
    """Stands for a lost machine."""


def start(data, folder, steps=0, **arguments):
    """Train RECIPE with seed 1; `steps`: of the execution, between two checkpoints."""
    arguments = {"seed": 1, "execution": Execution(checkpoint_steps=steps, checkpoint_minutes=0)} | arguments
    return train(RECIPE, training_set(data, RECIPE, seed=arguments["seed"]), folder, **arguments)


def stop_after(rows):
    """An on_progress that ends the training once that many rows are there."""

    def on_progress(table):
        if len(table) >= rows:
            raise LostMachineError

    return on_progress


def files_below(folder):
    """Relative names of all files but the event files, which need an extra package."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if not name.startswith("tensorboard/"))


def checkpoints_in(folder):
    """The steps of all checkpoints in a run folder."""
    return [int(path.stem.removeprefix("step")) for path in sorted((folder / "checkpoints").glob("*.pt"))]


def assert_same_training(folder, table, finished):
    """Weights bit by bit, and metrics but for the time, are those of the uninterrupted training."""
    other, expected = finished
    for name in WEIGHTS:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True)
    on_disk, expected = (pd.read_csv(place / "metrics.csv").drop(columns="seconds") for place in (folder, other))
    pd.testing.assert_frame_equal(on_disk, expected, check_exact=True)
