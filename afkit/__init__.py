"""afkit: temporal action localisation with ActionFormer, from features on disk to pictures of what was found.

The names below are the public interface. They are imported on first use, so that a part of the package works
where the libraries of another part are missing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "recipe": "afkit.recipes",
    "recipe_names": "afkit.recipes",
    "recipe_from_original": "afkit.original",
    "Dataset": "afkit.data.items",
    "load_annotations": "afkit.data.annotations",
    "suggest": "afkit.data.suggest",
    "build_model": "afkit.model.actionformer",
    "padded_length": "afkit.model.actionformer",
    "load_weights": "afkit.model.checkpoints",
    "Criterion": "afkit.model.losses",
    "build_optimizer": "afkit.train.optimizer",
    "decode": "afkit.detect.decoding",
    "nms": "afkit.detect.suppression",
    "fuse_scores": "afkit.detect.fusion",
    "predict": "afkit.detect.prediction",
    "evaluate": "afkit.evaluation.scores",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'afkit' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
