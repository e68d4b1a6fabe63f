"""What NMS says of candidates that come by and by is what it says of all at once, and is said early."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afkit.detect.reference import Settings
from afkit.detect.suppression import nms
from afkit.workbench.streaming.blocks import NOTHING, Found, join
from afkit.workbench.streaming.closing import EXACT_STEPS, settle, voted, voting

SETTINGS = {
    "soft": Settings("soft", min_score=0.05),
    "across classes": Settings("soft", multiclass=False, min_score=0.2, sigma=0.3),
    "hard": Settings("hard", iou_threshold=0.3, min_score=0.2),
    "voting": Settings("hard", multiclass=False, iou_threshold=0.3, min_score=0.2, voting_threshold=0.5),
    "none": Settings("none"),
}


def candidates(seed, count, span, longest=8.0, first=0.0):
    """By their onsets, all above the lowest score, no two scores alike."""
    random = np.random.default_rng(seed)
    onset = np.sort(random.uniform(0, span, count)) + first
    segments = np.stack([onset, onset + random.uniform(0.5, longest, count)], axis=1)
    scores = random.permutation(np.linspace(0.21, 0.99, count)).astype(np.float32)
    return Found(np.zeros(count, np.int64), segments, scores, random.integers(0, 2, count), scores)


def by_and_by(found, borders, nms_settings):
    """The picks of all calls, and how many candidates were pending at most; those before a border are known there."""
    picks, pending, most, seen = [], NOTHING, 0, 0
    for border in [*sorted(borders), np.inf]:
        known = int((found.segments[:, 0] < border).sum())
        new, seen = found.rows(np.arange(seen, known)), known
        settled, pending = settle(join(pending, new), border, nms_settings)
        picks.append(voted(settled, found.rows(found.segments[:, 0] < border), nms_settings))
        most = max(most, len(pending.labels))
    assert not len(pending.labels)
    return picks, most


def rows(segments, scores, labels):
    """Sorted (N, 4), rounded so far that the order of sums does not show."""
    return np.array(sorted(np.column_stack([segments, scores, labels]).tolist())).reshape(-1, 4)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(SETTINGS)),
    st.integers(0, 10**6),
    st.integers(0, 60),
    st.sampled_from([10.0, 60.0, 300.0]),
    st.lists(st.floats(0, 300), max_size=8),
)
def test_candidates_that_come_by_and_by_give_what_all_at_once_give(name, seed, count, span, borders):
    own = SETTINGS[name]
    found = candidates(seed, count, span)
    picks, _ = by_and_by(found, borders, own)
    options = own._asdict() | {"max_segments": max(count, 1)}
    inputs = map(torch.from_numpy, (found.segments.astype(np.float32), found.scores, found.labels))
    expected = nms(*inputs, backend="torch", **options)
    got = join(NOTHING, *picks)
    np.testing.assert_allclose(rows(got.segments, got.left, got.labels), rows(*expected), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["soft", "across classes"])
def test_a_chain_of_overlapping_candidates_does_not_wait_for_its_end(name):
    """700 steps in which each overlaps the next: the group is one, but its picks come while it goes on."""
    found = candidates(1, 900, 700.0)
    borders = list(range(20, 700, 20))
    picks, most = by_and_by(found, borders, SETTINGS[name])
    behind = [
        border - float(own.segments[:, 0].min()) for border, own in zip(borders, picks, strict=False) if len(own[0])
    ]
    assert len(behind) > 30 and max(behind) < 60
    assert most < 100


def test_what_ends_before_the_border_and_touches_nothing_open_is_settled():
    scores, labels = np.array([0.5, 0.6, 0.9], np.float32), np.array([0, 0, 1])
    two = Found(np.zeros(3, int), np.array([[0.0, 9.0], [5.0, 12.0], [5.0, 9.5]]), scores, labels, scores)
    picks, pending = settle(two, 10.0, SETTINGS["soft"])
    assert picks.labels.tolist() == [1] and pending.labels.tolist() == [0, 0]  # the first waits for the second
    picks, pending = settle(two._replace(left=two.left[::-1].copy()), 10.0, SETTINGS["soft"])
    assert picks.segments[:, 0].tolist() == [0.0, 5.0], "an open one that scores less changes nothing"


def test_far_from_the_beginning_positions_are_as_exact_as_near_it():
    far = 1e9
    near, away = candidates(3, 200, 300.0), candidates(3, 200, 300.0, first=far)
    assert not voting(SETTINGS["soft"])
    for name in ("soft", "voting"):
        first, second = (join(NOTHING, *by_and_by(found, [], SETTINGS[name])[0]) for found in (near, away))
        np.testing.assert_allclose(second.segments - far, first.segments, atol=1e-2)
        np.testing.assert_allclose(second.left, first.left, atol=1e-3)
    assert far > EXACT_STEPS
