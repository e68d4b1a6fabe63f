"""A stream gives what the whole recording gives, however its vectors are cut, as soon as that is certain."""

import numpy as np
import pandas as pd
import pytest
import torch
from golden_files import assert_same_detections
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import FPS, NUM_FRAMES, STRIDE, TRIDET, tiny_recipe
from tiny_networks import RECIPES, network, parts

import afkit
from afkit.data.batches import collate
from afkit.data.items import Item
from afkit.detect.decoding import decode
from afkit.detect.prediction import padded_steps
from afkit.model.blocks import LayerNorm
from afkit.workbench.streaming.blocks import NOTHING, Blocks, join
from afkit.workbench.streaming.stream import COLUMNS, Stream, plan_of

SHORT = {"decode__max_segments": 5000, "decode__pre_nms_topk": 5000, "model__class_prior": 0.1}
NMS = {
    "soft": {},
    "hard": {"decode__nms": "hard"},
    "voting": {"decode__multiclass": False, "decode__voting_threshold": 0.3},
    "none": {"decode__nms": "none"},
}
STEP_SEC, LONGEST_SEC, EVERY_SEC = STRIDE / FPS, 24.0, 9.6


def made(**changes):
    """A recipe, and a network that finds short actions."""
    recipe = tiny_recipe(**SHORT | changes)
    model = network(recipe)
    torch.nn.init.normal_(model.reg_head.offset_head.conv.weight, 0, 0.05)
    torch.nn.init.constant_(model.reg_head.offset_head.conv.bias, 1.5)
    for layer in model.modules():
        if isinstance(layer, LayerNorm):  # a padded step holds its bias, which the step before it reads
            torch.nn.init.normal_(layer.bias, 0, 0.5)
    return model, recipe


def vectors(steps, seed=0):
    """(T, C)."""
    return np.random.default_rng(seed).normal(size=(steps, 6)).astype(np.float32)


def whole(model, recipe, features, least):
    """Offline, from a score on, until the last vector's end."""
    end_sec = ((len(features) - 1) * STRIDE + NUM_FRAMES) / FPS
    found = afkit.predict(model, recipe, features, fps=FPS, duration=end_sec)
    return found[found["score"] >= least]


def in_a_gap(scores, near=0.3):
    """A threshold that rounding does not put on the other side of a score."""
    scores = np.sort(np.append(scores, [0.0, 1.0]))
    middles = ((scores[1:] + scores[:-1]) / 2)[np.diff(scores) > 2e-4]
    return float(middles[np.abs(middles - near).argmin()])


def pushed(stream, features, cuts):
    """What each part gives, and the end."""
    tables = [stream.push(part) for part in np.split(features, cuts)]
    return [*tables, stream.finish()]


def same(found, expected):
    """Whether tables hold the same detections, whatever their order."""
    assert len(found) == len(expected)
    if len(found):
        assert_same_detections(parts(found), parts(expected))


# ---- (a) candidates


@pytest.mark.parametrize("name", RECIPES)
def test_each_candidate_equals_the_whole_recordings_once_its_levels_delay_has_passed(name):
    model, recipe = made(**RECIPES[name], decode__pre_nms_thresh=0.0, decode__duration_thresh=0.0)
    plan, strides = plan_of(recipe, every_steps=10), recipe.model.level_strides
    steps = 3 * plan.sights[-1].after + 27
    features, blocks = torch.from_numpy(vectors(steps)), Blocks(model, recipe, plan, 0.0)
    parts_found = []
    for row in features.numpy():
        for found in blocks.take(row[None]):
            parts_found.append(found)
            for end, stride, sight in zip(blocks.final, strides, plan.sights, strict=True):
                assert blocks.steps - 1 < end + sight.after, "as soon as it can"
                assert end == 0 or end - stride + sight.after <= blocks.steps - 1, "and no sooner"
    assert sum(len(found.labels) for found in parts_found) > steps
    found = join(NOTHING, *parts_found, blocks.rest())
    batch = collate([Item("v", features.T, None, None, FPS, None, 4.0, 8.0)], padded_steps(steps, recipe))
    with torch.no_grad():
        ((segments, scores, labels),) = decode(model(batch.features, batch.mask), recipe)
    columns = found.segments, 100 * found.scores[:, None], 1e4 * found.labels[:, None]
    ours = torch.from_numpy(np.concatenate(columns, axis=1)).float()
    theirs = torch.cat([segments, 100 * scores[:, None], 1e4 * labels[:, None]], dim=1)
    assert len(ours) == len(theirs)
    nearest, partner = (ours[:, None] - theirs).abs().amax(dim=2).min(dim=1)
    assert nearest.max() < 2e-3 and len(partner.unique()) == len(partner)


# ---- (b) detections


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(sorted(RECIPES)),
    st.sampled_from(sorted(NMS)),
    st.integers(1, 250),
    st.lists(st.integers(0, 250), max_size=5),
    st.floats(0.2, 0.7),
    st.sampled_from([3.2, 20.0]),
    st.integers(0, 10**6),
)
def test_detections_equal_the_whole_recordings(name, nms, steps, cuts, near, every_sec, seed):
    model, recipe = made(**RECIPES[name], **NMS[nms])
    features = vectors(steps, seed)
    least = in_a_gap(whole(model, recipe, features, 0.0)["score"], near)
    stream = Stream(model, recipe, FPS, least, LONGEST_SEC, every_sec)
    found = pd.concat(pushed(stream, features, sorted(cuts)), ignore_index=True)
    assert stream.beyond == (0, 0, 0)
    same(found, whole(model, recipe, features, least))
    assert found["final"].all() and found.columns.tolist() == COLUMNS


@pytest.mark.parametrize("kind", ["plain", "pooling"])
def test_most_detections_come_while_the_recording_goes_on_and_what_else_there_is_is_provisional(kind):
    model, recipe = made(**RECIPES[kind])
    features, given_ones = vectors(480), []
    least = in_a_gap(whole(model, recipe, features, 0.0)["score"])
    stream = Stream(model, recipe, FPS, least, LONGEST_SEC, EVERY_SEC)
    waits = stream.delays_sec[-1] + stream.longest_sec + stream.every_sec
    for steps in range(30, 481, 30):
        given_ones.append(stream.push(features[steps - 30 : steps]))
        assert stream.seconds == pytest.approx(((steps - 1) * STRIDE + NUM_FRAMES) / FPS)
        if steps % 120 == 0:
            ahead = stream.provisional()
            assert not ahead["final"].any() and len(ahead)
            so_far, expected = pd.concat([*given_ones, ahead]), whole(model, recipe, features[:steps], 0.0)
            near_least = (expected["score"] - least).abs() < 1e-4
            if not near_least.any():
                same(so_far, expected[expected["score"] >= least])
        if len(given_ones[-1]):
            assert given_ones[-1]["end_sec"].max() < stream.seconds - stream.delays_sec[-1]
    early = pd.concat(given_ones)
    rest = stream.finish()
    assert len(early) > 2 * len(rest) > 0
    assert rest["end_sec"].min() > stream.seconds - 2 * waits


def test_what_is_longer_than_the_longest_action_is_left_out_and_counted():
    model, recipe = made(decode__nms="none")
    features = vectors(200)
    expected = whole(model, recipe, features, 0.3)
    lengths = expected["end_sec"] - expected["start_sec"]
    longest = float(lengths.median()) + 1e-3
    stream = Stream(model, recipe, FPS, 0.3, longest, EVERY_SEC)
    found = pd.concat(pushed(stream, features, [100]))
    assert len(found) == (lengths <= longest).sum()
    assert stream.beyond.too_long >= (lengths > longest).sum() > 10
    with pytest.raises(ValueError, match="longest_sec must be a number above 0, not -1"):
        Stream(model, recipe, FPS, 0.3, -1)


@pytest.mark.parametrize(("changes", "place"), [({"decode__pre_nms_topk": 20}, 1), ({"decode__max_segments": 9}, 2)])
def test_where_a_whole_recording_keeps_the_best_alone_the_others_are_counted(changes, place):
    model, recipe = made(**changes)
    features = vectors(200)
    stream = Stream(model, recipe, FPS, 0.3, LONGEST_SEC, EVERY_SEC)
    found = pd.concat(pushed(stream, features, [77]))
    assert len(found) > len(whole(model, recipe, features, 0.3))
    assert stream.beyond[place] > 0 == stream.beyond[0]


def test_each_class_has_its_own_threshold_and_all_need_one():
    model, recipe = made()
    features = vectors(200)
    expected = whole(model, recipe, features, 0.0)
    least = {label: in_a_gap(rows["score"], 0.2 + 0.2 * label) for label, rows in expected.groupby("label")} | {
        2: np.inf
    }
    stream = Stream(model, recipe, FPS, least, LONGEST_SEC, EVERY_SEC)
    found = pd.concat(pushed(stream, features, []))
    same(found, expected[expected["score"] >= expected["label"].map(least)])
    assert set(found["label"]) == {0, 1}
    with pytest.raises(ValueError, match="no threshold for label 1; give one for each label"):
        Stream(model, recipe, FPS, {0: 0.5})
    for wrong in (1e-4, np.inf, np.nan):
        with pytest.raises(ValueError, match=r"the lowest threshold is .*; give a number from 0\.001 on"):
            Stream(model, recipe, FPS, wrong)


def test_only_every_nth_vector_counts_where_the_recipe_says_so():
    model, recipe = made(data__downsample=3)
    features = vectors(500)
    least = in_a_gap(whole(model, recipe, features, 0.0)["score"])
    found = pd.concat(pushed(Stream(model, recipe, FPS, least, 3 * LONGEST_SEC, 30.0), features, [1, 5, 100, 101, 333]))
    same(found, whole(model, recipe, features, least))


def test_times_begin_where_the_stream_does():
    model, recipe = made()
    features = vectors(200)
    first, second = (
        pd.concat(pushed(Stream(model, recipe, FPS, 0.3, LONGEST_SEC, EVERY_SEC, start_sec=start), features, [50]))
        for start in (0.0, 1e6)
    )
    assert (first["start_sec"] == 0).any() and second["start_sec"].min() == 1e6
    np.testing.assert_allclose(second["end_sec"] - 1e6, first["end_sec"], atol=1e-6)


# ---- windows


def test_windows_stand_in_for_the_whole_sequence_of_a_network_that_looks_at_all_of_it():
    model, recipe = made(**TRIDET)
    features = vectors(200)
    with pytest.raises(ValueError, match=r"means over the whole sequence; windows .* come close \(--window 64, or"):
        Stream(model, recipe, FPS, 0.3)
    with pytest.raises(ValueError, match="window_steps 15 is too small for recipe 'tiny'; give 16"):
        Stream(model, recipe, FPS, 0.3, window_steps=15)
    short = features[:60]  # fits into a window
    least = in_a_gap(whole(model, recipe, short, 0.0)["score"])
    stream = Stream(model, recipe, FPS, least, LONGEST_SEC, window_steps=64)
    same(pd.concat(pushed(stream, short, [17])), whole(model, recipe, short, least))
    sizes = []
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(inputs[0].shape[2]))
    stream = Stream(model, recipe, FPS, least, LONGEST_SEC, window_steps=64)
    early = stream.push(features)
    assert stream.delays_sec == [16 * STEP_SEC] * 3 and len(early) and set(sizes) == {64}
    assert len(stream.finish()) and sizes[-1] >= 64


def test_windows_of_twice_the_receptive_field_lose_nothing():
    model, recipe = made()
    features = vectors(500)
    least = in_a_gap(whole(model, recipe, features, 0.0)["score"])
    stream = Stream(model, recipe, FPS, least, LONGEST_SEC, window_steps=4 * 36)
    same(pd.concat(pushed(stream, features, [200])), whole(model, recipe, features, least))


# ---- what cannot be taken, and memory


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full((3, 6), np.nan), "vector 40 of the stream: NaN or infinite in channel 0"),
        (np.full((3, 6), 1e300), "vector 40 of the stream: NaN or infinite in channel 0"),
        (np.zeros((3, 5)), r"vectors must be \(n, 6\) real numbers for recipe 'tiny', not \(3, 5\) of float64"),
        (np.zeros((1, 3, 6)), r"not \(1, 3, 6\) of float64"),
        ([["a"] * 6], r"not \(1, 6\) of <U1"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_stream_goes_on(value, message):
    model, recipe = made()
    features = vectors(100)
    stream = Stream(model, recipe, FPS, 0.3, LONGEST_SEC, EVERY_SEC)
    stream.push(features[:40])
    with pytest.raises(ValueError, match=message):
        stream.push(value)
    found = [stream.push(features[40]), *pushed(stream, features[41:], [])]
    same(pd.concat(found), pd.concat(pushed(Stream(model, recipe, FPS, 0.3, LONGEST_SEC, EVERY_SEC), features, [])))
    for wrong in (lambda: stream.push(features), stream.finish):
        with pytest.raises(ValueError, match="the stream has ended; make a new one"):
            wrong()
    assert not len(stream.provisional())


def test_a_stream_without_vectors_has_no_detections():
    stream = Stream(*made(), FPS)
    assert not len(stream.push(np.zeros((0, 6)))) and not len(stream.provisional()) and stream.seconds == 0
    with pytest.raises(ValueError, match="the stream ended before its first vector; push some"):
        stream.finish()


def test_what_is_kept_does_not_grow_with_the_stream():
    model, recipe = made()
    stream, kept = Stream(model, recipe, FPS, 0.5, LONGEST_SEC, EVERY_SEC), []
    for seed in range(12):
        stream.push(vectors(100, seed))
        kept.append((sum(map(len, stream._blocks._rows)), len(stream._pending.labels)))
    rows, pending = zip(*kept, strict=True)
    assert max(rows[2:]) < 2 * stream._blocks.plan.sights[-1].after + 150
    assert max(pending[8:]) < 1.5 * max(pending[2:6])
