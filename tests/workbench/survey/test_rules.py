"""The rules from facts to settings, by hand-made numbers, and what must hold for any data."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afkit.config import make_recipe
from afkit.workbench.survey.facts import Facts
from afkit.workbench.survey.suggest import choose, num_levels, regression_ranges


def facts(durations=(10,), lengths=(1000,), actions=(5,), neighbours=(0.0,), num_classes=3):
    return Facts(*(np.array(values, float) for values in (lengths, actions, durations, neighbours)), num_classes)


def value(given, parameter, input_dims=()):
    return {choice.parameter: choice.value for choice in choose(given, input_dims)}[parameter]


@pytest.mark.parametrize(
    ("duration", "levels"), [(0.5, 1), (4, 1), (4.1, 2), (8, 2), (8.1, 3), (64, 5), (64.1, 6), (128, 6), (128.1, 7)]
)
def test_the_levels_before_the_last_reach_the_ends_of_the_actions(duration, levels):
    assert num_levels(facts([duration] * 50)) == levels  # half a duration is at most 2 ** levels
    assert num_levels(facts([10] * 996 + [5000] * 4)) == 3, "a few long actions are left to the last level"
    assert num_levels(facts([10] * 950 + [500] * 50, [5000])) == 8


@pytest.mark.parametrize(
    ("longest", "levels"), [(1, 1), (15, 1), (16, 2), (31, 2), (64, 4), (127, 4), (2048, 8), (10**6, 8)]
)
def test_the_last_level_has_eight_points_in_the_longest_sequence(longest, levels):
    assert num_levels(facts([500] * 5, lengths=[longest, 1])) == levels
    assert num_levels(facts([10**6], lengths=[10**7])) == 10, "a training sequence has 4608 steps at most"


def test_ranges_overlap_and_the_last_has_no_end():
    assert regression_ranges(facts([30]), 4) == [[0, 4], [2, 8], [4, 16], [8, 10000]]
    assert regression_ranges(facts([20000.5]), 2) == [[0, 4], [2, 20001]]
    assert regression_ranges(facts([3]), 1) == [[0, 10000]]


@pytest.mark.parametrize(
    ("lengths", "length"),
    [
        ([500, 700, 900], 904),  # all fit: a multiple of 8, the stride of 4 levels
        ([100] * 10, 104),
        ([1000] * 9 + [1500], 1504),  # 1.43 of the 90 % at 1050
        ([1000] * 95 + [9000] * 5, 1000),  # 90 %
    ],
)
def test_a_sequence_holds_all_videos_or_most(lengths, length):
    assert value(facts([30] * 5, lengths), "data.max_seq_len") == length
    assert value(facts([40] * 5, [9000] * 10), "data.max_seq_len") == 4608


def test_tiny_actions_in_long_recordings_are_learned_from_crops():
    found = facts([26] * 100, [3687] * 30)
    assert value(found, "data.max_seq_len") == 832 and value(found, "optim.batch_size") == 3  # 30 / 8 at most
    why = {choice.parameter: choice.why for choice in choose(found)}["data.max_seq_len"]
    assert "but 3687 steps are 142 times what 99 % of the actions last at most: crops of 832 steps" in why
    assert "cost 4.4 times less" in why
    assert value(facts([29] * 100, [3687] * 30), "data.max_seq_len") == 3688, "127 times: as a whole"
    assert value(facts([1] * 100, [3687] * 30), "data.max_seq_len") == 256


@pytest.mark.parametrize(
    ("videos", "steps", "batch"),
    [(200, 2304, 2), (200, 4608, 2), (200, 576, 8), (9000, 192, 16), (14, 576, 2), (40, 576, 5), (1, 576, 1)],
)
def test_a_batch_is_as_many_vectors_as_published_and_few_videos_give_eight(videos, steps, batch):
    assert value(facts([60], [steps] * videos), "optim.batch_size") == batch


@pytest.mark.parametrize(
    ("videos", "epochs", "rate", "warmup"),
    [
        (200, 30, 1e-4, False),  # 35 epochs of 100 steps: 0.999 ** 3500 = 3 %
        (20, 35, 4e-4, True),  # 40 of 10: 67 %; 1e-4 x 8.75 ** (2 / 3) = 4.2e-4
        (2, 35, 1e-3, True),  # 40 of 1: 96 %; 1e-4 x 87.5 ** (2 / 3) = 2.0e-3, which is too much
        (500, 10, 1e-4, False),  # 15 of 250
        (160, 35, 1e-4, False),  # 40 of 80: 4.1 %
        (148, 35, 1e-4, True),  # 40 of 74: 5.2 %
    ],
)
def test_few_videos_are_seen_more_often_and_at_a_higher_rate(videos, epochs, rate, warmup):
    found = {choice.parameter: choice.value for choice in choose(facts([30], [2304] * videos))}
    assert (found["optim.epochs"], found["optim.warmup_epochs"]) == (epochs, 5)
    assert (found["optim.learning_rate"], found["optim.ema_warmup"]) == (rate, warmup)


def test_the_loss_starts_at_the_points_that_learn():
    # 40 videos, batches of 2; 4 levels. An action of 3 steps has 3 points of the first level (half: 1.5, in [0, 4]
    # alone). One of 12 steps (half: 6) is in [2, 8] with 3 points and in [4, 16] with 12 / 4 = 3. One of 24 (half: 12)
    # is in [4, 16] with 3 and in [8, ...] with 24 / 8 = 3.
    durations = [3] * 40 + [12] * 40 + [24] * 80
    assert num_levels(facts(durations)) == 4
    assert value(facts(durations, [2304] * 40), "loss.init_loss_norm") == 40  # 2 x (3 + 6 + 2 x 6) = 42
    assert value(facts([3], [2304] * 40), "loss.init_loss_norm") == 10, "not less"


@pytest.mark.parametrize(
    ("actions", "segments", "candidates"),
    [([5], 200, 2000), ([100], 200, 2000), ([101], 300, 3000), ([10] * 99 + [1000], 200, 2000), ([800], 1600, 5000)],
)
def test_crowded_videos_keep_more_detections(actions, segments, candidates):
    found = facts(actions=actions)
    assert value(found, "decode.max_segments") == segments
    assert value(found, "decode.pre_nms_topk") == candidates


@pytest.mark.parametrize(("overlap", "sigma"), [(0, 0.4), (0.5, 0.4), (0.6, 0.52), (0.75, 0.81), (0.95, 0.9)])
def test_a_true_neighbour_keeps_half_its_score(overlap, sigma):
    assert value(facts(neighbours=[overlap] * 9), "decode.sigma") == sigma
    if 0.4 < sigma < 0.9:
        assert np.exp(-(overlap**2) / sigma) == pytest.approx(0.5, abs=0.01)


def test_the_reasons_say_the_numbers():
    found = facts([10] * 99 + [100], [500] * 20 + [1000], [4] * 21, num_classes=7)
    reasons = {choice.parameter: choice.why for choice in choose(found, [100])}
    assert reasons["data.num_classes"] == "Label ids go from 0 to 6."
    assert reasons["data.max_seq_len"].startswith("90 % of 21 training videos have at most 500 steps; longer ones are")
    assert reasons["model.branch_layers"].startswith(
        "3 levels: 99 % of the actions last up to 11 steps, and 99.0 % end"
    )
    assert "the longest action: 100 steps" in reasons["model.regression_ranges"]
    assert "40 epochs of 10 batches with the warm-up are 400 steps" in reasons["optim.epochs"]
    assert "67 % of the random start" in reasons["optim.ema_warmup"]
    assert "without effect" in reasons["decode.voting_threshold"]
    one = {choice.parameter: choice for choice in choose(facts(num_classes=1))}
    assert one["decode.multiclass"].value is False and "averaged" in one["decode.voting_threshold"].why
    assert "model.embed_dim" not in one
    assert one["model.backbone"].value == "transformer" and "of three networks" in one["model.backbone"].why
    widths = {1: 128, 30: 128, 128: 128, 150: 256, 520: 512, 4096: 512}
    assert {channels: value(facts(), "model.embed_dim", [channels]) for channels in widths} == widths


NUMBERS = st.floats(1e-3, 1e5)
ANY = st.builds(
    facts,
    st.lists(NUMBERS, min_size=1, max_size=30),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=30),
    st.lists(st.integers(0, 5000), min_size=1, max_size=30),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
    st.integers(1, 400),
)


@given(ANY, st.lists(st.integers(1, 5000), min_size=1, max_size=3))
def test_any_data_gives_a_recipe_that_is_valid_and_covers_its_actions(found, input_dims):
    where = {"annotations": "a", "features": ["f"] * len(input_dims), "stride_frames": 4, "num_frames": 4}
    overrides = {choice.parameter: choice.value for choice in choose(found, input_dims)}
    json.dumps(overrides)  # plain numbers, as run.json and recipe files hold them
    recipe = make_recipe({"name": "any", "data": where | {"input_dims": input_dims}}, overrides)
    ranges = recipe.model.regression_ranges
    assert all(any(low <= half <= high for low, high in ranges) for half in found.durations_grid / 2)
    assert all(after[0] < before[1] for before, after in itertools.pairwise(ranges)), "no gap"
    assert len(found.lengths) // recipe.optim.batch_size >= 1, "an epoch has a step"
    assert recipe.data.max_seq_len <= 4608 and 10 <= recipe.optim.epochs <= 35
