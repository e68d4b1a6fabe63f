"""Long videos in windows: the candidates of the whole video, each point once, and memory bounded by the window."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from golden_files import assert_same_detections
from hypothesis import given, settings
from hypothesis import strategies as st
from job_processes import python
from tiny_data import tiny_recipe, write_tiny_data
from tiny_networks import RECIPES, all_offsets, network, parts
from watched import Watched

from afkit.data.batches import collate
from afkit.data.items import Dataset, Item
from afkit.detect.decoding import decode_batch
from afkit.detect.prediction import (
    WHOLE_STEPS,
    needed_window_steps,
    plan_windows,
    predict,
    predict_dataset,
    receptive_field,
    window_candidates,
)
from afkit.model.actionformer import padded_length


def random_item(steps, seed=0):
    """A video of random features."""
    features = torch.randn(6, steps, generator=torch.Generator().manual_seed(seed))
    return Item("v", features, None, None, 10.0, None, 4.0, 8.0)


def enough_steps(recipe):
    """The smallest windows in which no point loses anything."""
    stride = recipe.model.level_strides[-1]
    return 2 * stride * math.ceil(receptive_field(recipe) / stride)


# ---- the receptive field


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_beyond_the_receptive_field_changes_a_point(name):
    """And within it something does, up to its end."""
    recipe = tiny_recipe(**RECIPES[name])
    model = network(recipe).double()
    reach, stride = (receptive_field(recipe) - 1) / 2, recipe.model.level_strides[-1]
    steps = -(-int(2 * reach + 8 * stride) // stride) * stride
    features, mask = torch.randn(1, 6, steps).double(), torch.ones(1, steps, dtype=torch.bool)
    with torch.no_grad():
        before, farthest = model(features, mask), 0
        for changed in range(steps // 2, steps // 2 + stride):
            other = features.clone()
            other[:, :, changed] += 1
            after = model(other, mask)
            for level, points in enumerate(before.points):
                differ = (after.logits[level] != before.logits[level]).any(dim=2)[0]  # (T,)
                differ |= (all_offsets(after, level) != all_offsets(before, level))[0].flatten(1).any(dim=1)
                farthest = max(farthest, int((points[differ, 0] - changed).abs().max()))
    assert reach - stride < farthest <= reach


def test_the_receptive_field_of_the_published_network():
    """THUMOS: embedding 2, stem 2 (1 + 9), branch 19 (1 + 2 + 4 + 8 + 16), heads 3 x 32 on either side."""
    from afkit.recipes import recipe

    assert receptive_field(recipe("thumos_i3d")) == 1 + 2 * (2 + 20 + 589 + 96)
    assert receptive_field(recipe("anet_tsp")) == math.inf
    assert receptive_field(tiny_recipe(model__windows=[-1, 5, 5])) == math.inf
    assert math.isfinite(receptive_field(tiny_recipe(model__windows=[-1, 5, 5], model__stem_layers=0)))
    assert receptive_field(tiny_recipe(model__neck_norm="group")) == math.inf
    assert receptive_field(tiny_recipe(model__backbone="sgp", model__windows=1)) == math.inf
    assert receptive_field(tiny_recipe(model__absolute_position=True)) == math.inf


# ---- the plan


@settings(max_examples=200)
@given(st.sampled_from(sorted(RECIPES)), st.integers(1, 150), st.integers(0, 300))
def test_every_point_belongs_to_the_window_in_which_it_lies_deepest(name, blocks, more):
    recipe = tiny_recipe(**RECIPES[name])
    stride, enough = recipe.model.level_strides[-1], enough_steps(recipe)
    length, window_steps = blocks * stride, min(2 * recipe.model.length_divisor, enough) + more
    size, windows = plan_windows(length, recipe, window_steps)
    assert size == min(window_steps // stride * stride, length)
    assert all(window.start % stride == 0 and 0 <= window.start <= length - size for window in windows)
    assert len(windows) <= 2 + 2 * length / size

    def depth(window, point):
        """Steps from the nearest end at which the window was cut out of the video."""
        left = math.inf if window.start == 0 else point - window.start
        right = math.inf if window.start + size == length else window.start + size - point
        return min(left, right)

    for point in range(length):
        (own,) = [window for window in windows if window.own_from <= point < window.own_to]
        assert own.start <= point < own.start + size
        assert depth(own, point) == max(depth(window, point) for window in windows)
        if window_steps >= enough:
            reach = (receptive_field(recipe) - 1) / 2
            assert own.start == 0 or point - reach >= own.start
            assert own.start + size == length or point + reach <= own.start + size - 1


def test_too_small_windows_are_refused_with_the_smallest_that_make_sense():
    message = (
        "window_steps 31 is too small for recipe 'tiny'; give at least 32, and to lose nothing at the ends of windows "
        "at least 144"
    )
    with pytest.raises(ValueError) as raised:
        plan_windows(400, tiny_recipe(), 31)
    assert str(raised.value) == message
    assert plan_windows(400, tiny_recipe(), 32)[0] == 32
    assert enough_steps(tiny_recipe()) == 144
    with pytest.raises(ValueError, match=r"-5 is too small for recipe 'tiny'; give at least 16$"):
        plan_windows(400, tiny_recipe(model__windows=[5, 5, -1]), -5)
    recipe = tiny_recipe(model__backbone="conv", model__windows=31)  # which mean nothing to it
    least = enough_steps(recipe)
    with pytest.raises(ValueError, match=f"too small for recipe 'tiny'; give at least {least}$"):
        plan_windows(400, recipe, least - 1)
    assert plan_windows(400, recipe, least)[0] == least
    with pytest.raises(ValueError, match="give at least 32, and"):
        predict(network(tiny_recipe()), tiny_recipe(), np.zeros((10, 6)), fps=10, window_steps=8)


# ---- candidates


def whole_candidates(model, recipe, item):
    """Those of the whole video at once."""
    batch = collate([item], padded_length(item.features.shape[1], recipe))
    with torch.no_grad():
        return decode_batch(model(batch.features, batch.mask), recipe)


def assert_same_candidates(found, expected):
    """One to one, up to rounding."""
    assert found.offsets.tolist() == expected.offsets.tolist()
    for label in expected.labels.unique():
        ours, theirs = (
            torch.cat([part.segments, 100 * part.scores[:, None]], dim=1)[part.labels == label]
            for part in (found, expected)
        )
        assert len(ours) == len(theirs)
        distance = (ours[:, None] - theirs).abs().amax(dim=2)  # (n, n)
        nearest, partner = distance.min(dim=1)
        assert nearest.max() < 2e-3
        assert len(partner.unique()) == len(partner)


@pytest.mark.parametrize("name", RECIPES)
def test_windows_give_the_candidates_of_the_whole_video(name):
    recipe = tiny_recipe(**RECIPES[name], decode__pre_nms_topk=200)
    model, sizes = network(recipe), []
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(inputs[0].shape))
    enough, stride = enough_steps(recipe), recipe.model.level_strides[-1]
    for steps in (2 * enough + 13, 3 * enough - stride // 2 + 1):
        item = random_item(steps)
        expected = whole_candidates(model, recipe, item)
        assert int(expected.offsets[1]) > 300
        for window_steps in (enough, enough + stride + 1):
            sizes.clear()
            assert_same_candidates(window_candidates(model, recipe, item, window_steps), expected)
            assert len(sizes) > 2
            assert set(sizes) == {(1, 6, window_steps // stride * stride)}


@pytest.mark.parametrize(("steps", "calls"), [(1, 1), (20, 1), (48, 1), (49, 2), (81, 3), (127, 3), (128, 3)])
def test_windows_smaller_than_the_training_length(steps, calls):
    """The video is padded to 128 steps, and windows of nothing but padding are left out."""
    shallow = {"model__windows": 3, "model__stem_layers": 0, "model__head_layers": 1, "model__embed_layers": 1}
    recipe = tiny_recipe(data__max_seq_len=128, **shallow)
    assert enough_steps(recipe) == 64
    model, item, lengths = network(recipe), random_item(steps), []
    model.register_forward_pre_hook(lambda module, inputs: lengths.append(inputs[0].shape[2]))
    found = window_candidates(model, recipe, item, 64)
    assert lengths == [64] * calls
    assert_same_candidates(found, whole_candidates(model, recipe, item))


def test_the_best_are_chosen_over_the_whole_video():
    """40 of each level, however many windows there are."""
    recipe = tiny_recipe(decode__pre_nms_topk=40)
    model, item = network(recipe), random_item(700)
    expected = whole_candidates(model, recipe, item)
    assert int(expected.offsets[1]) == 120
    for window_steps in (144, 300, 600):
        assert_same_candidates(window_candidates(model, recipe, item, window_steps), expected)


def test_windows_with_attention_to_the_whole_sequence_or_absolute_positions_come_close():
    for settings_ in ({"model__windows": [5, 5, -1]}, {"model__absolute_position": True}):
        recipe = tiny_recipe(**settings_)
        model, features = network(recipe), random_item(500).features.T.numpy()
        found = predict(model, recipe, features, fps=10, window_steps=160)
        assert len(found) > 100
        assert np.isfinite(found[["start_sec", "end_sec", "score"]].to_numpy()).all()
        assert found["end_sec"].max() > 190  # of 200 s


# ---- predictions


@pytest.mark.parametrize("downsample", [1, 3])
@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_predictions_in_windows(kind, downsample):
    """Those of the whole video, while never more than a window is read."""
    recipe = tiny_recipe(data__downsample=downsample)
    model, features = network(recipe), np.random.default_rng(3).normal(size=(777, 6)).astype(kind)
    expected = predict(model, recipe, features, fps=10, duration=300.0, video="name")
    watched = Watched(features)
    found = predict(model, recipe, watched, fps=10, duration=300.0, video="name", window_steps=150)
    assert_same_detections(parts(found), parts(expected))
    assert set(found["video"]) == {"name"} and (found["score"].diff().dropna() <= 0).all()
    asked = [len(range(*rows.indices(777))) for rows in watched.asked]
    assert max(asked) <= 150 * downsample
    assert sum(asked) <= 2.5 * 777
    with pytest.raises(ValueError, match=r"features of 'w' must be \(T, 6\) for recipe 'tiny', not \(6, 777\)"):
        predict(model, recipe, Watched(features.T), fps=10, video="w", window_steps=150)


def test_a_data_set_in_windows(tmp_path):
    write_tiny_data(tmp_path, test=4)
    recipe = tiny_recipe(data__max_seq_len=4, model__windows=3, model__stem_layers=0, model__head_layers=1)
    model, done, shapes = network(recipe), [], []
    dataset = Dataset(recipe.data, tmp_path, recipe.data.test_subsets)
    expected = predict_dataset(model, recipe, dataset)
    model.register_forward_pre_hook(lambda module, inputs: shapes.append(inputs[0].shape))
    found = predict_dataset(model, recipe, dataset, done.append, batch_size=3, window_steps=64)
    assert enough_steps(recipe) == 64 and len(shapes) > 4
    assert all(shape[0] == 1 and shape[2] <= 64 for shape in shapes)
    assert done == [1, 2, 3, 4]
    assert found["video"].drop_duplicates().tolist() == [f"video{number}" for number in range(6, 10)]
    for video, rows in expected.groupby("video"):
        assert_same_detections(parts(found[found["video"] == video]), parts(rows))
    assert isinstance(found, pd.DataFrame) and found.index.tolist() == list(range(len(found)))


LONG = """
import resource
import numpy as np
import torch
from tiny_data import tiny_recipe
from afkit.detect.prediction import predict
from afkit.model.actionformer import build_model

torch.set_num_threads(1)
recipe = tiny_recipe(data__input_dims=[64], model__embed_dim=64, data__max_seq_len=512)
torch.manual_seed(0)
model = build_model(recipe)
features = np.load(sys.argv[1], mmap_mode="r")
found = []
for steps in (3000, len(features)):
    table = predict(model, recipe, features[:steps], fps=10, window_steps=int(sys.argv[2]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, len(table), table["end_sec"].max())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux only")
def test_memory_does_not_grow_with_the_video(tmp_path):
    """100 000 steps of a memory map in float16 (13 MB); at once they take 580 MB more than 3000 steps."""
    path = tmp_path / "features.npy"
    np.save(path, np.random.default_rng(0).normal(size=(100_000, 64)).astype(np.float16))
    done = subprocess.run(python(LONG, path, 1024), capture_output=True, text=True, check=True)
    (short_mb, _, _), (long_mb, count, end_sec) = (map(float, line.split()) for line in done.stdout.splitlines())
    assert count == 200 and end_sec > 39_000
    assert long_mb - short_mb < 60


@pytest.mark.parametrize("name", RECIPES)
def test_only_long_recordings_need_windows_and_then_exact_ones(name):
    recipe = tiny_recipe(**RECIPES[name])
    assert needed_window_steps(1, recipe) == needed_window_steps(WHOLE_STEPS, recipe) == 0
    size = needed_window_steps(WHOLE_STEPS + 1, recipe)
    assert size >= max(WHOLE_STEPS, 2 * receptive_field(recipe))
    assert needed_window_steps(10 * WHOLE_STEPS, recipe) == size, "memory does not grow with the recording"
    plan_windows(padded_length(WHOLE_STEPS + 1, recipe), recipe, size)


def test_where_the_receptive_field_has_no_end_windows_are_as_long_as_what_goes_through_at_once():
    assert needed_window_steps(WHOLE_STEPS + 1, tiny_recipe(model__windows=[1, 1, 1])) == WHOLE_STEPS
