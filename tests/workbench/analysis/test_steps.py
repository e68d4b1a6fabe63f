"""The steps that are shown end in the detections of the prediction."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_data import tiny_recipe, write_tiny_data

import afkit
from afkit.detect.decoding import decode
from afkit.detect.prediction import detect_items
from afkit.workbench.analysis.steps import detection_steps


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A random tiny network whose scores are not all low, and a recording."""
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root)
    recipe = tiny_recipe()
    torch.manual_seed(0)
    model = afkit.build_model(recipe)
    torch.nn.init.zeros_(model.cls_head.cls_head.conv.bias)
    return model, recipe, afkit.Dataset(recipe.data, root, ["test"])[0]


def test_what_is_kept_are_the_detections(case):
    model, recipe, item = case
    steps = detection_steps(model, recipe, item)
    pd.testing.assert_frame_equal(steps.kept, detect_items(model, recipe, [item]))
    assert 0 < len(steps.kept) <= len(steps.candidates)
    assert set(steps.candidates["video"]) == {item.video}
    assert steps.candidates["end_sec"].max() <= item.duration


def test_scores_and_times_are_those_of_the_points_within_the_recording(case):
    model, recipe, item = case
    steps = detection_steps(model, recipe, item)
    length = item.features.shape[1]
    assert [len(times) for times in steps.times_sec] == [-(-length // stride) for stride in (1, 2, 4)]
    assert [scores.shape for scores in steps.scores] == [(len(times), 3) for times in steps.times_sec]
    assert steps.times_sec[2][:3] == pytest.approx([0.4, 2.0, 3.6])  # (4 frames i * 4 + 8 / 2) / 10
    assert max(scores.max() for scores in steps.scores) == pytest.approx(steps.candidates["score"].max())


def test_candidates_are_those_of_the_decoding(case):
    model, recipe, item = case
    size = afkit.padded_length(item.features.shape[1], recipe)
    features = torch.nn.functional.pad(torch.as_tensor(item.features), (0, size - item.features.shape[1]))
    mask = torch.arange(size) < item.features.shape[1]
    with torch.no_grad():
        ((_, scores, labels),) = decode(model(features[None], mask[None]), recipe)
    found = detection_steps(model, recipe, item).candidates
    np.testing.assert_allclose(np.sort(found["score"]), np.sort(scores.double()), atol=1e-5)
    assert sorted(found["label"]) == sorted(labels.tolist())
