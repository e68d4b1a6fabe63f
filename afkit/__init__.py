"""afkit: temporal action localisation, from features on disk to pictures of what was found.

The names below are the public interface. They are imported on first use, so that a part of the package works
where the libraries of another part are missing.
"""

import sys
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.abc import MetaPathFinder
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "recipe": "afkit.recipes",
    "recipe_names": "afkit.recipes",
    "recipe_from_original": "afkit.workbench.original",
    "Dataset": "afkit.data.items",
    "load_annotations": "afkit.data.annotations",
    "import_annotations": "afkit.workbench.own_data.importing",
    "suggest": "afkit.workbench.survey.suggest",
    "build_model": "afkit.model.actionformer",
    "padded_length": "afkit.model.actionformer",
    "load_weights": "afkit.model.checkpoints",
    "Criterion": "afkit.model.losses",
    "build_optimizer": "afkit.train.state",
    "decode": "afkit.detect.decoding",
    "nms": "afkit.detect.suppression",
    "fuse_scores": "afkit.workbench.analysis.fusion",
    "predict": "afkit.detect.prediction",
    "Stream": "afkit.workbench.streaming.stream",
    "evaluate": "afkit.evaluation.scores",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'afkit' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


_MOVED = {  # where it is now: what of afkit lay elsewhere; * stands for its own name
    "afkit.workbench.*": "view inspector runs commands published trust shipped scratch original",
    "afkit.workbench.datasets.*": "data.watch data.hapt data.ego4d data.archives data.prepare data.twin data.sensors",
    "afkit.workbench.own_data.*": "data.importing data.signals data.signal_files data.corrected",
    "afkit.workbench.own_data": "data.import_* data.number_tables data.sample_files data.rules data.clocks",
    "afkit.workbench.datasets": "data.twin_* data.prepared data.unpacking",
    "afkit.workbench.survey": "data.alike data.durations data.widespread",
    "afkit.workbench.survey.*": "data.facts data.checks data.suggest",
    "afkit.workbench.survey.facts": "data.report",
    "afkit.workbench.analysis.*": "detect.fusion evaluation.baseline evaluation.bootstrap evaluation.calibration "
    "evaluation.diagnosis evaluation.exports evaluation.false_positives evaluation.matching evaluation.normalised "
    "evaluation.operating_point evaluation.report evaluation.result_files "
    "evaluation.sensitivity evaluation.submissions detect.steps detect.score_curves",
    "afkit.workbench.analysis.bootstrap": "evaluation.resampling evaluation.videos",
    "afkit.workbench.analysis.sensitivity": "evaluation.characteristics",
    "afkit.detect.prediction": "detect.windows",
    "afkit.evaluation.pairs": "evaluation.tables",
    "afkit.evaluation.scores": "evaluation.average_precision evaluation.recall",
    "afkit.files": "lock",
    "afkit.model.blocks": "model.attention",
    "afkit.model.losses": "model.targets model.level_targets",
    "afkit.model.products": "model.parts",
    "afkit.opening": "zips home file_names",
    "afkit.train.execution": "train.deterministic",
    "afkit.train.loop": "train.interruption train.step",
    "afkit.train.record": "train.logs",
    "afkit.train.state": "train.optimizer train.metrics",
}


class _Moved(MetaPathFinder):
    """Tells code that was written for another order of the package where a module is now."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        for new, names in _MOVED.items() if fullname.startswith("afkit.") else ():
            if any(fnmatchcase(fullname, f"afkit.{name}") for name in names.split()):
                new = new.replace("*", fullname.rpartition(".")[2])
                raise ImportError(f"{fullname} has moved; import {new}", name=fullname)


sys.meta_path.append(_Moved())
