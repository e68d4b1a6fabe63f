"""How long a training takes on this machine: some of its steps, on the real data, are timed."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from afkit.config import Recipe
from afkit.data.batches import Batch, training_batches
from afkit.data.items import Dataset
from afkit.model.actionformer import padding_alignment
from afkit.train.loop import train_step
from afkit.train.state import new_state

MOST_STEPS, MOST_SEC = 6, 20.0  # that are timed, after the first


class TrainingTime(NamedTuple):
    """What a training takes."""

    minutes: float
    step_sec: float  # median, with reading the batch
    steps_per_epoch: int
    epochs: int  # with the warm-up


def training_time(recipe: Recipe, data_root: str | Path) -> TrainingTime:
    """Time the first steps of a training; nothing is kept or written."""
    dataset = Dataset(recipe.data, data_root, recipe.data.train_subsets, training=True, seed=0)
    per_epoch, epochs = len(dataset) // recipe.optim.batch_size, recipe.optim.total_epochs
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = new_state(recipe, max(per_epoch, 1), 0, device)
    state.model.train()
    stream: Iterator[Batch] = training_batches(
        dataset, recipe.optim.batch_size, epochs, align=padding_alignment(recipe)
    )
    seconds: list[float] = []
    with closing(stream):  # type: ignore[type-var]
        begin = time.perf_counter()
        for batch in islice(stream, MOST_STEPS + 1):
            train_step(state, batch, recipe)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            if sum(seconds) > MOST_SEC:
                break
    step_sec = float(np.median(seconds[1:] or seconds))
    return TrainingTime(step_sec * per_epoch * epochs / 60, step_sec, per_epoch, epochs)
