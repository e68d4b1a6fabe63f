"""Evaluation during training: how good the averaged weights are on the recordings that training does not see."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from afkit.config import Recipe
from afkit.data.annotations import leave_out_ignored, read_annotations, to_frame
from afkit.data.features import locate
from afkit.data.items import Dataset
from afkit.detect.fusion import classify
from afkit.evaluation.scores import evaluate
from afkit.workbench.runs.launch import predict_shared


def validation(recipe: Recipe, data_root: str | Path) -> Callable[[nn.Module], float]:
    """The function that `afkit.train.loop.train` takes as `evaluate`: a network's average mAP on the test subsets.

    It is what 03_eval finds for these weights.

    Raises:
        ValueError: the test subsets are not there.
    """
    dataset = Dataset(recipe.data, data_root, recipe.data.test_subsets)
    annotations = read_annotations(locate(data_root, recipe.data.annotations))
    gt = to_frame(annotations.of_subsets(recipe.data.test_subsets))

    def average_map(model: nn.Module) -> float:
        predictions = predict_shared(model, recipe, dataset)
        predictions = classify(predictions, recipe, data_root, len(annotations.label_names))
        predictions = leave_out_ignored(predictions, dataset.videos)
        return evaluate(gt, predictions, recipe.data.tious).average_map

    return average_map
