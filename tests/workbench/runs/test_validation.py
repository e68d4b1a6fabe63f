"""Evaluation during training: the number that 03_eval would find, and the network as it was."""

import copy

import pytest
import torch
from tiny_data import change_video, read_database, tiny_recipe, write_tiny_data

import afkit
from afkit.data.annotations import leave_out_ignored
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model
from afkit.workbench.runs.training import validation


@pytest.mark.parametrize("share", [1, 0.6])  # of a recording that was annotated
def test_it_is_the_average_map_on_the_test_subsets(tmp_path, share):
    write_tiny_data(tmp_path)
    torch.manual_seed(0)
    recipe = tiny_recipe(model__class_prior=0.3, data__tious=[0.1, 0.2])
    model = build_model(recipe).eval()
    before, whole = copy.deepcopy(model.state_dict()), validation(recipe, tmp_path)(model)
    for video in ("video6", "video7") if share < 1 else ():
        change_video(tmp_path, video, annotated=[0, share * read_database(tmp_path)[video]["duration"]])
    found, dataset = validation(recipe, tmp_path)(model), Dataset(recipe.data, tmp_path, ["test"])
    predictions = leave_out_ignored(predict_dataset(model, recipe, dataset), dataset.videos)
    gt = afkit.load_annotations(tmp_path / "tiny" / "annotations.json", "test")
    assert found == afkit.evaluate(gt, predictions, [0.1, 0.2]).average_map
    assert 0 < found < 1 and (found == whole) == (share == 1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_missing_test_videos_are_found_before_the_training_begins(tmp_path):
    write_tiny_data(tmp_path, test=0)
    with pytest.raises(ValueError, match="test"):
        validation(tiny_recipe(), tmp_path)
