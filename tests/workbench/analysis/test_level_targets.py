"""What each level is to learn, as it is shown, is what the loss is computed with."""

import numpy as np
import torch
from tiny_data import tiny_recipe

from afkit.model.actionformer import build_model, padded_length
from afkit.model.losses import assign_targets
from afkit.workbench.analysis.steps import targets_by_level


def test_each_level_learns_the_actions_of_its_range():
    recipe = tiny_recipe()  # strides 1, 2, 4; ranges to 4, to 8, beyond
    segments, labels = torch.tensor([[2.0, 8.0], [20.0, 44.0]]), torch.tensor([2, 1])
    levels = targets_by_level(recipe, segments, labels, 50)
    learned = [{int(at): int(label) for at, label in zip(*level, strict=True) if label >= 0} for level in levels]
    # centre 5: positions 4, 5, 6 lie within 1.5 steps; from 4 and 6 the farther end is 4 steps away, as from level 1's
    assert learned == [{4: 2, 5: 2, 6: 2}, {4: 2, 6: 2}, {28: 1, 32: 1, 36: 1}]
    assert [len(position) for position, _ in levels] == [50, 25, 13], "padding has no points"
    assert all(label.dtype == np.int64 and position.dtype == np.float32 for position, label in levels)


def test_a_video_without_annotation_learns_that_there_is_nothing():
    for actions in ((None, None), (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))):
        levels = targets_by_level(tiny_recipe(), *actions, 10)
        assert [len(label) for _, label in levels] == [10, 5, 3]
        assert all((label == -1).all() for _, label in levels)


def test_it_is_the_assignment_of_the_training():
    recipe, draws = tiny_recipe(), torch.Generator().manual_seed(0)
    segments = torch.rand(20, 2, generator=draws).cumsum(1) * 30
    labels = torch.randint(3, (20,), generator=draws)
    length = padded_length(60, recipe)
    points = torch.cat(build_model(recipe).points([length // s for s in (1, 2, 4)], torch.device("cpu")))
    classes, _ = assign_targets(points, segments[None], labels[None], 3, recipe.loss)
    found = np.concatenate([label for _, label in targets_by_level(recipe, segments, labels, length)])
    some = classes[0].any(dim=1).numpy()
    np.testing.assert_array_equal(found >= 0, some)
    assert (classes[0].numpy()[np.flatnonzero(some), found[some]] == 1).all() and some.sum() > 10
