"""Detection that several processes share."""

import copy
from io import BytesIO
from typing import Any

import pandas as pd
from torch import nn

from afkit.config import Recipe
from afkit.data.items import Dataset
from afkit.detect.prediction import COLUMNS, predict_dataset
from afkit.train.distributed import gather_bytes, world
from afkit.workbench.runs.tables import read_table, write_table


def predict_shared(model: nn.Module, recipe: Recipe, dataset: Dataset, **arguments: Any) -> pd.DataFrame:
    """What `predict_dataset` gives, with its arguments; of R processes each takes every R-th video.

    All must call it, and all receive the detections of all videos, in the data set's order. With one process, and for
    batches of one video, they are exactly those of one process.

    Args:
        model, recipe, dataset: as of `predict_dataset`, the same in all processes.
        arguments: its others.
    """
    rank, ranks = world()
    if ranks == 1:
        return predict_dataset(model, recipe, dataset, **arguments)
    dataset.check_missing()
    part = copy.copy(dataset)
    part.videos, part.missing, part._cached = dataset.videos[rank::ranks], [], {}
    own = predict_dataset(model, recipe, part, **arguments) if part.videos else pd.DataFrame(columns=COLUMNS)
    write_table(packed := BytesIO(), own)
    tables = [table for part in gather_bytes(packed.getvalue()) if len(table := read_table(BytesIO(part)))]
    if not tables:
        return own
    place = {video.name: number for number, video in enumerate(dataset.videos)}
    together = pd.concat(tables, ignore_index=True)
    order = together["video"].map(place).argsort(kind="stable")
    return together.iloc[order].reset_index(drop=True)
