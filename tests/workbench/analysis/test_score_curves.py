"""Score curves are what the network says, step by step of the finest grid, checked against loops over its outputs."""

import numpy as np
import pytest
import torch
from tiny_data import seconds_of, tiny_recipe

from afkit.data.features import RawFeatures
from afkit.data.items import GridFeatures, Item
from afkit.detect.prediction import receptive_field
from afkit.model.actionformer import build_model
from afkit.workbench.analysis.score_curves import score_curves

STEPS = 50


@pytest.fixture(scope="module")
def model():
    """A tiny network whose scores differ from point to point."""
    torch.manual_seed(0)
    model = build_model(tiny_recipe())
    for name, parameter in model.named_parameters():
        if name.startswith("cls_head.cls_head"):
            torch.nn.init.normal_(parameter, 0.0, 0.5)
    return model


def item(steps=STEPS):
    features = np.random.default_rng(1).normal(size=(steps, 6)).astype(np.float32)
    grid = GridFeatures(RawFeatures([features], ["features"], "v"), tiny_recipe().data, 10.0, 30.0)
    return Item("v", grid, None, None, 10.0, 30.0, grid.stride, grid.num_frames)


@torch.no_grad()
def by_hand(model, steps, padded):
    """For each step and class the best of the points that lie nearest to it, one of each level."""
    features = torch.zeros(1, 6, padded)
    features[0, :, :steps] = item(steps).features[:, :]
    out = model.eval()(features, torch.arange(padded)[None] < steps)
    best = np.zeros((steps, 3))
    for step in range(steps):
        for level, stride in enumerate((1, 2, 4)):
            true_points = [p for p in range(len(out.masks[level][0])) if out.masks[level][0, p]]
            nearest = min(true_points, key=lambda p: (abs(p * stride - step), -p))  # of two equally near the later
            for label in range(3):
                score = 1 / (1 + np.exp(-float(out.logits[level][0, nearest, label])))
                best[step, label] = max(best[step, label], score)
    return best


def test_a_step_has_the_best_score_of_the_nearest_point_of_each_level(model):
    times_sec, scores = score_curves(model, tiny_recipe(), item())
    assert scores.shape == (STEPS, 3) and scores.dtype == np.float32
    assert times_sec.tolist() == pytest.approx([seconds_of(step) for step in range(STEPS)])
    assert scores == pytest.approx(by_hand(model, STEPS, 64), abs=1e-6)
    assert scores.min() > 0 and scores.max() - scores.min() > 0.1, "the network says different things"


def test_a_long_video_goes_through_as_a_whole_or_in_windows_with_the_same_scores(model):
    field = int(receptive_field(tiny_recipe()))
    steps = 6 * field + 3  # more than max_seq_len
    whole = score_curves(model, tiny_recipe(), item(steps))[1]
    assert whole == pytest.approx(by_hand(model, steps, -(-steps // 16) * 16), abs=1e-6)
    in_windows = score_curves(model, tiny_recipe(), item(steps), window_steps=2 * -(-field // 4) * 4 + 8)[1]
    assert in_windows == pytest.approx(whole, abs=1e-5)


def test_too_small_windows_are_refused_as_by_prediction(model):
    with pytest.raises(ValueError, match="window_steps 1 is too small for recipe 'tiny'"):
        score_curves(model, tiny_recipe(), item(), window_steps=1)
