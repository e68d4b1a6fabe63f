"""How far a network looks, level by level: an input is changed, and what changes lies within, up to both ends."""

import pytest
import torch
from tiny_data import TRIDET, tiny_recipe
from tiny_networks import RECIPES, all_offsets, network

from afkit.recipes import recipe as published
from afkit.workbench.streaming.delays import delays_sec, level_sights, step_sec


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_changed_input_changes_lies_within_each_levels_sight_up_to_both_ends(name):
    recipe = tiny_recipe(**RECIPES[name])
    model, sights, stride = network(recipe).double(), level_sights(recipe), recipe.model.level_strides[-1]
    steps = -(-(2 * sights[-1].before + 6 * stride) // stride) * stride
    features, mask = torch.randn(1, 6, steps).double(), torch.ones(1, steps, dtype=torch.bool)
    found = [(0, 0)] * len(sights)
    with torch.no_grad():
        before = model(features, mask)
        for changed in range(steps // 2, steps // 2 + stride):
            other = features.clone()
            other[:, :, changed] += 3
            after = model(other, mask)
            for level, points in enumerate(before.points):
                differ = (after.logits[level] != before.logits[level]).any(dim=2)[0]  # (T,)
                differ |= (all_offsets(after, level) != all_offsets(before, level))[0].flatten(1).any(dim=1)
                distance = (points[differ, 0] - changed).tolist()
                found[level] = max(found[level][0], *distance), max(found[level][1], *(-step for step in distance))
    assert found == [tuple(sight) for sight in sights]


def test_delays_of_published_recipes():
    """THUMOS: embedding 2, stem 2 (1 + 9), heads 3; then 19 times each stride of the branch, and the heads' stride."""
    reaches = [25, 22 + 19 + 6, 22 + 57 + 12, 22 + 133 + 24, 22 + 285 + 48, 22 + 589 + 96]
    assert delays_sec(published("thumos_i3d"), fps=30) == pytest.approx([4 / 30 * steps for steps in reaches])
    assert delays_sec(published("temporalmaxer_epic_verb"))[-1] == pytest.approx(16 / 30 * (2 + 31 + 96))
    assert step_sec(tiny_recipe(data__downsample=3), fps=10) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (TRIDET, "streamed exactly: model.backbone 'sgp' takes means over the whole sequence"),
        ({"model__neck_norm": "group"}, "streamed exactly: model.neck_norm 'group' normalises over the whole sequence"),
        (
            {"model__absolute_position": True},
            "streamed exactly: model.absolute_position counts from the beginning of the seq",
        ),
        (
            {"model__windows": [5, 5, -1]},
            r"streamed exactly: with model.windows \[5, 5, -1\] a block attends to the whole seq",
        ),
        ({"data__resize": True}, "streamed: with data.resize True the length of a recording decides when its vec"),
        ({"data__stride_frames": -1.0}, "streamed: with data.stride_frames -1.0 the length of a recording decides"),
    ],
)
def test_a_network_that_sees_the_whole_sequence_is_refused_with_the_reason(changes, message):
    with pytest.raises(ValueError, match=f"^recipe 'tiny' cannot be {message}"):
        delays_sec(tiny_recipe(**changes), fps=10)


@pytest.mark.parametrize("fps", [None, 0, float("nan")])
def test_a_frame_rate_must_be_known(fps):
    with pytest.raises(ValueError, match=r"fps"):
        delays_sec(tiny_recipe(), fps)
