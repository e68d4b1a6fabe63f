"""The score curves of a run's videos, from its weights and features."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from afkit.config import Recipe
from afkit.data.items import Dataset
from afkit.detect.windows import needed_window_steps
from afkit.files import read_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.workbench.analysis.score_curves import score_curves
from afkit.workbench.inspector.tracks import Curves
from afkit.workbench.runs.collection import dictionary, entry
from afkit.workbench.runs.folder import project_root
from afkit.workbench.runs.opened import recipe_of
from afkit.workbench.runs.places import without_paths


def curves_of_run(folder: Path, facts: dict[str, Any], data_root: Path) -> Curves:
    """The score curves of a run's test videos, made with the weights that 03_eval used, or else the averaged ones.

    Returns:
        a function of a video's id, which keeps the network; where it raises a ValueError, a weights or feature file
        is missing or unusable.
    """
    opened = functools.cache(functools.partial(_open, folder, facts, data_root))

    @functools.lru_cache(maxsize=8)
    def curves(video: str) -> tuple[np.ndarray, np.ndarray]:
        try:
            model, recipe, dataset = opened()
            place = [known.name for known in dataset.videos].index(video) if video not in dataset.missing else -1
            if place < 0:
                raise ValueError(f"a feature file of the video '{video}' is missing")
            item = dataset.unread(place)
            return score_curves(model, recipe, item, needed_window_steps(item.features.shape[1], recipe))
        except ValueError as error:
            raise ValueError(f"no score curve: {without_paths(error)}") from None
        except torch.OutOfMemoryError:
            raise ValueError("no score curve: the video does not fit into the memory of the GPU") from None

    return curves


def _open(folder: Path, facts: dict[str, Any], data_root: Path) -> tuple[nn.Module, Recipe, Dataset]:
    recipe = recipe_of(facts, folder)
    model = build_model(recipe).to("cuda" if torch.cuda.is_available() else "cpu")
    load_weights(model, *_weights(folder, facts))
    return model, recipe, Dataset(recipe.data, data_root, recipe.data.test_subsets)


def _weights(folder: Path, facts: dict[str, Any]) -> tuple[Path, str]:
    """The weights file that 03_eval used, and which of the weights in it."""
    which = dictionary(facts, "stages", "03_eval", "parameters").get("weights", "ema")
    used = entry(read_json(folder / "eval.json"), "weights") if (folder / "eval.json").is_file() else None
    if used in ("ema", "raw") or not isinstance(used, str):
        which = used or which
        return folder / "checkpoints" / f"{which}.safetensors", which
    return project_root() / used, which
