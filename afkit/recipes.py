"""The experiments by name: each only what differs from the defaults in `config.py`."""

from collections.abc import Mapping
from typing import Any

from afkit.config import Recipe, make_recipe, nearest

_THUMOS_I3D = {
    "data": {
        "annotations": "thumos/annotations/thumos14.json",
        "features": ["thumos/i3d_features"],
        "train_subsets": ["validation"],
        "test_subsets": ["test"],
        "num_classes": 20,
        "input_dims": [2048],
        "stride_frames": 4,
        "num_frames": 16,
        "max_seq_len": 2304,
    },
}

_WATCH = {
    "data": {
        "annotations": "watch/annotations/watch.json",
        "features": ["watch/features"],
        "test_subsets": ["test"],
        "num_classes": 5,
        "input_dims": [30],
        "stride_frames": 10,
        "num_frames": 50,
        "max_seq_len": 1536,
    },
    "model": {"embed_dim": 128, "windows": 9},
    "decode": {"pre_nms_topk": 1000, "max_segments": 100},
    "optim": {"learning_rate": 1e-3, "epochs": 35, "ema_warmup": True},
}

_RECIPES: dict[str, dict[str, Any]] = {"thumos_i3d": _THUMOS_I3D, "watch": _WATCH}


def recipe_names() -> list[str]:
    """Names that `recipe` knows."""
    return list(_RECIPES)


def recipe(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The settings of an experiment.

    Args:
        name: one of `recipe_names()`.
        overrides: {"section.parameter": value}, e.g. {"optim.epochs": 5}.

    Raises:
        ValueError: unknown name or parameter (the nearest valid one is offered), wrong type, contradiction.
    """
    if name not in _RECIPES:
        raise ValueError(f"there is no recipe '{name}'; {nearest(name, recipe_names())}")
    return make_recipe({"name": name, **_RECIPES[name]}, overrides)
