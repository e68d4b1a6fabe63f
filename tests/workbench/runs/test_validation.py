"""Evaluation during training: the number that 03_eval would find, and the network as it was."""

import copy

import pytest
import torch
from tiny_data import tiny_recipe, write_tiny_data

import afkit
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model
from afkit.workbench.runs.validation import validation


def test_it_is_the_average_map_on_the_test_subsets(tmp_path):
    write_tiny_data(tmp_path)
    torch.manual_seed(0)
    recipe = tiny_recipe(model__class_prior=0.3, data__tious=[0.1, 0.2])
    model = build_model(recipe).eval()
    before = copy.deepcopy(model.state_dict())
    found = validation(recipe, tmp_path)(model)
    predictions = predict_dataset(model, recipe, Dataset(recipe.data, tmp_path, ["test"]))
    gt = afkit.load_annotations(tmp_path / "tiny" / "annotations.json", "test")
    assert found == afkit.evaluate(gt, predictions, [0.1, 0.2]).average_map
    assert 0 < found < 1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_missing_test_videos_are_found_before_the_training_begins(tmp_path):
    write_tiny_data(tmp_path, test=0)
    with pytest.raises(ValueError, match="test"):
        validation(tiny_recipe(), tmp_path)
