"""Suppression of duplicates: plain loops as the reference, what must hold for any input, and wrong arguments.

Everything is asked of each backend that works here.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from afkit.detect import suppression
from afkit.detect.operator import unavailable
from afkit.detect.reference import vote
from afkit.detect.suppression import BACKENDS, nms_batch

WITHOUT_CPP = unavailable("cpp")
TESTED = {"backend": "torch"}


@pytest.fixture(
    params=["torch", pytest.param("cpp", marks=pytest.mark.skipif(bool(WITHOUT_CPP), reason=WITHOUT_CPP))],
    scope="module",
    autouse=True,
)
def backend(request):
    """Each backend in turn answers all tests of this file."""
    TESTED["backend"] = request.param
    return request.param


def nms(*inputs, **arguments):
    """The answer of the tested backend."""
    return suppression.nms(*inputs, **TESTED | arguments)


# ---- candidates


@st.composite
def candidates(draw, max_size=25, classes=3):
    """Segments (N, 2), scores (N,), labels (N,): touching, nested, identical and empty ones, before and after 0."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(-12, 12),
                st.sampled_from([0, 0.5, 1, 2, 3, 6]),
                st.integers(1, 64),
                st.integers(0, classes - 1),
            ),
            max_size=max_size,
        )
    )
    segments = torch.tensor([[onset, onset + length] for onset, length, _, _ in rows], dtype=torch.float32)
    scores = torch.tensor([score / 64 for _, _, score, _ in rows], dtype=torch.float32)  # equal ones among them
    labels = torch.tensor([label for _, _, _, label in rows], dtype=torch.int64)
    return segments.reshape(-1, 2), scores, labels


def rows_of(segments, scores, labels):
    """[(onset, end, score, label)]."""
    return [
        (*segment, score, label)
        for segment, score, label in zip(segments.tolist(), scores.tolist(), labels.tolist(), strict=True)
    ]


# ---- the reference: one class at a time, one candidate at a time


def iou(a, b):
    """IoU of two segments in float32; a length counts 1e-6 more."""
    (a_onset, a_end), (b_onset, b_end) = (np.array(segment, np.float32) for segment in (a, b))
    lengths = [np.float32(end - onset) + np.float32(1e-6) for onset, end in ((a_onset, a_end), (b_onset, b_end))]
    overlap = max(min(a_end, b_end) - max(a_onset, b_onset), np.float32(0))
    return overlap / (lengths[0] + lengths[1] - overlap)


def hard_by_loops(segments, scores, indices, threshold, min_score):
    """[(index, score)] that one class keeps."""
    left = [i for i in indices if min_score == 0 or scores[i] > np.float32(min_score)]
    left.sort(key=lambda i: (-scores[i], i))
    kept = []
    while left:
        best = left.pop(0)
        kept.append((best, scores[best]))
        left = [i for i in left if iou(segments[best], segments[i]) < np.float32(threshold)]
    return kept


def soft_by_loops(segments, scores, indices, weight_of, min_score):
    """[(index, decayed score)] that one class keeps, in float64; None where rounding might decide about the order.

    `weight_of` gives the factor for an IoU.
    """
    left = {i: (float(scores[i]), ()) for i in indices}  # score now, and what happened to it
    kept = []
    while left:
        best = min(left, key=lambda i: (-left[i][0], i))
        score, history = left.pop(best)
        kept.append((best, score))
        for other, other_history in left.values():
            twins = (scores[best], history) == (scores[best], other_history) and score == other
            if not twins and math.isclose(other, score, rel_tol=1e-5):
                return None
        for i, (now, past) in list(left.items()):
            overlap = float(iou(segments[best], segments[i]))
            decayed = now * weight_of(overlap)
            if min_score > 0 and math.isclose(decayed, min_score, rel_tol=1e-5):
                return None
            left[i] = (decayed, (*past, overlap) if overlap else past)
            if decayed < min_score:
                del left[i]
    return kept


def by_loops(method, inputs, multiclass, max_segments, threshold=0.1, sigma=0.5, min_score=0.001):
    """What nms returns without voting, as rows; None as above."""
    segments, scores, labels = (tensor.numpy() for tensor in inputs)
    groups = labels if multiclass else np.zeros_like(labels)
    kept = []
    for group in sorted(set(groups.tolist())):
        indices = np.flatnonzero(groups == group).tolist()
        if method == "hard":
            kept += hard_by_loops(segments, scores, indices, threshold, min_score)
        else:
            weight_of = {
                "soft": lambda iou: math.exp(-(iou**2) / sigma),
                "linear": lambda iou: 1 - iou if np.float32(iou) >= np.float32(threshold) else 1,
            }[method]
            of_class = soft_by_loops(segments, scores, indices, weight_of, min_score)
            if of_class is None:
                return None
            kept += of_class
    kept.sort(key=lambda pick: (-pick[1], pick[0]))
    finals = sorted(score for _, score in kept)
    if method != "hard" and any(0 < b - a < 1e-5 * b for a, b in itertools.pairwise(finals)):
        return None  # two classes meet within rounding
    return [(*segments[i].tolist(), float(score), int(labels[i])) for i, score in kept[:max_segments]]


@settings(max_examples=200)
@given(
    candidates(), st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.sampled_from([0, 0.25]), st.integers(1, 30)
)
def test_hard_equals_plain_loops(inputs, multiclass, threshold, min_score, max_segments):
    arguments = {"multiclass": multiclass, "min_score": min_score, "max_segments": max_segments}
    found = nms(*inputs, method="hard", iou_threshold=threshold, **arguments)
    assert rows_of(*found) == by_loops("hard", inputs, threshold=threshold, **arguments)


@settings(max_examples=300)
@given(
    candidates(),
    st.one_of(
        st.tuples(st.just("soft"), st.just("sigma"), st.sampled_from([0.2, 0.9])),
        st.tuples(st.just("linear"), st.just("threshold"), st.sampled_from([0, 0.3, 0.5])),
    ),
    st.booleans(),
    st.sampled_from([0, 0.01, 0.25]),
    st.integers(1, 30),
)
def test_soft_and_linear_equal_plain_loops(inputs, how, multiclass, min_score, max_segments):
    method, name, value = how
    arguments = {"multiclass": multiclass, "min_score": min_score, "max_segments": max_segments}
    expected = by_loops(method, inputs, **arguments, **{name: value})
    assume(expected is not None)
    found = rows_of(
        *nms(*inputs, method=method, **arguments, **{{"threshold": "iou_threshold"}.get(name, name): value})
    )
    assert [(onset, end, label) for onset, end, _, label in found] == [(*row[:2], row[3]) for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], abs=1e-6)


# ---- what holds for any input

METHODS = st.sampled_from(["soft", "linear", "hard", "none"])


@settings(max_examples=200)
@given(candidates(max_size=40), METHODS, st.booleans(), st.integers(1, 45), st.sampled_from([0.0, 0.01]))
def test_properties(inputs, method, multiclass, max_segments, min_score):
    before = [tensor.clone() for tensor in inputs]
    segments, scores, labels = nms(
        *inputs, method=method, multiclass=multiclass, max_segments=max_segments, min_score=min_score
    )
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(inputs, before, strict=True))
    assert len(segments) == len(scores) == len(labels) <= max_segments
    assert (scores[1:] <= scores[:-1]).all()
    assert (segments.dtype, scores.dtype, labels.dtype) == (torch.float32, torch.float32, torch.int64)
    source = rows_of(*inputs)
    for onset, end, score, label in rows_of(segments, scores, labels):
        possible = [row for row in source if (*row[:2], row[3]) == (onset, end, label) and row[2] >= score]
        assert possible, "a detection is none of the candidates, or its score rose"
        source.remove(min(possible, key=lambda row: row[2]))
    if len(inputs[1]):
        assert scores[0] == inputs[1].max()


@settings(max_examples=100)
@given(candidates(max_size=40), st.booleans(), st.sampled_from([0.1, 0.5]))
def test_hard_suppression_is_idempotent(inputs, multiclass, threshold):
    arguments = {"method": "hard", "multiclass": multiclass, "iou_threshold": threshold, "min_score": 0.1}
    once = nms(*inputs, **arguments)
    twice = nms(*once, **arguments)
    assert rows_of(*once) == rows_of(*twice)


@settings(max_examples=100)
@given(candidates(max_size=30), METHODS)
def test_classes_do_not_disturb_each_other(inputs, method):
    together = rows_of(*nms(*inputs, method=method))
    for label in range(3):
        chosen = inputs[2] == label
        alone = nms(*(tensor[chosen] for tensor in inputs), method=method)
        assert [row for row in together if row[3] == label] == rows_of(*alone)


@settings(max_examples=100)
@given(candidates(max_size=30), METHODS, st.booleans(), st.integers(1, 30))
def test_a_smaller_cap_gives_the_beginning(inputs, method, multiclass, max_segments):
    arguments = {"method": method, "multiclass": multiclass}
    whole = rows_of(*nms(*inputs, max_segments=100, **arguments))
    assert rows_of(*nms(*inputs, max_segments=max_segments, **arguments)) == whole[:max_segments]


# ---- cases with a known answer


def run(rows, **arguments):
    """nms of (onset, end, score, label) rows."""
    segments = torch.tensor([row[:2] for row in rows], dtype=torch.float32).reshape(-1, 2)
    scores = torch.tensor([row[2] for row in rows], dtype=torch.float32)
    labels = torch.tensor([row[3] for row in rows], dtype=torch.int64)
    return rows_of(*nms(segments, scores, labels, **arguments))


def test_soft_decay():
    found = run([(0, 4, 0.8, 0), (2, 6, 0.5, 0), (0, 4, 0.25, 1)], sigma=0.5)
    decayed = 0.5 * math.exp(-((2 / 6) ** 2) / 0.5)
    assert [row[2] for row in found] == pytest.approx([0.8, decayed, 0.25], abs=1e-6)
    across = run([(0, 4, 0.8, 0), (2, 6, 0.5, 0), (0, 4, 0.25, 1)], sigma=0.5, multiclass=False)
    twice = 0.25 * math.exp(-1 / 0.5) * math.exp(-((2 / 6) ** 2) / 0.5)
    assert [row[2] for row in across] == pytest.approx([0.8, decayed, twice], abs=1e-6)


def test_the_first_pick_of_a_class_stays_whatever_its_score():
    rows = [(0, 4, 0.5, 0), (0, 4, 0.4, 0), (10, 14, 0.01, 1), (20, 24, 0.01, 1)]
    found = run(rows, min_score=0.2)
    assert [(row[0], row[3]) for row in found] == [(0, 0), (10, 1)]
    assert len(run(rows, min_score=0.005)) == 4
    assert [row[0] for row in run(rows, method="hard", min_score=0.2)] == [0]


def test_hard_threshold_counts_as_reached():
    rows = [(0, 4, 0.8, 0), (2, 6, 0.5, 0)]  # IoU a little under 1/3, because of the 1e-6
    assert len(run(rows, method="hard", iou_threshold=0.3333)) == 1
    assert len(run(rows, method="hard", iou_threshold=0.3334)) == 2
    assert len(run([(0, 4, 0.8, 0), (50, 60, 0.5, 0)], method="hard", iou_threshold=0)) == 1  # 0 reaches 0


def test_hard_minimum_is_exclusive_and_zero_keeps_all():
    rows = [(0, 1, 0.5, 0), (10, 11, 0.25, 0), (20, 21, 0.0, 0)]
    assert len(run(rows, method="hard", min_score=0.25)) == 1
    assert len(run(rows, method="hard", min_score=0)) == 3


def test_equal_scores_are_taken_in_the_order_of_the_input():
    rows = [(0, 4, 0.5, 1), (1, 5, 0.5, 0), (20, 24, 0.5, 1), (0, 4, 0.5, 0)]
    assert [row[:2] for row in run(rows, method="none")] == [row[:2] for row in rows]
    found = run(rows, method="hard", multiclass=False)
    assert [row[:2] + row[3:] for row in found] == [(0, 4, 1), (20, 24, 1)]


def test_none_only_sorts_and_caps():
    rows = [(0, 4, 0.2, 0), (0, 4, 0.9, 0), (0, 4, 0.0001, 1)]
    assert [row[2] for row in run(rows, method="none", max_segments=2)] == pytest.approx([0.9, 0.2])
    assert len(run(rows, method="none")) == 3


@pytest.mark.parametrize("method", suppression.METHODS)
@pytest.mark.parametrize("multiclass", [True, False])
def test_no_candidates(method, multiclass):
    empty = torch.zeros(0, 2), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    segments, scores, labels = nms(*empty, method=method, multiclass=multiclass, voting_threshold=0.5)
    assert (segments.shape, scores.shape, labels.shape) == ((0, 2), (0,), (0,))
    assert run([(0, 4, 0.1, 0)], method="hard", min_score=0.5) == []


def test_gradients_are_not_followed():
    segments = torch.tensor([[0.0, 1.0]], requires_grad=True)
    found = nms(segments, torch.tensor([0.5], requires_grad=True), torch.tensor([0]))
    assert not any(tensor.requires_grad for tensor in found)


# ---- voting


def test_voting_is_a_weighted_mean_of_the_candidates_around():
    rows = [(0, 10, 0.8, 0), (1, 10, 0.6, 1), (0, 20, 0.5, 0), (40, 50, 0.4, 0)]
    found = run(rows, multiclass=False, voting_threshold=0.7)
    weights = [0.8 * 1, 0.6 * 0.9]  # the third overlaps by 0.5 only
    onset = (weights[0] * 0 + weights[1] * 1) / sum(weights)
    assert found[0][:2] == pytest.approx((onset, 10), abs=1e-5)
    assert found[0][2:] == (pytest.approx(0.8), 0)  # score and label stay
    wide = next(row for row in found if row[1] > 15 and row[0] < 15)
    assert wide[:2] == pytest.approx((0, 20), abs=1e-5)
    assert (40, 50) in [row[:2] for row in found]


def test_a_vote_has_the_original_score_and_suppressed_candidates_vote_as_well():
    rows = [(0, 10, 0.8, 0), (1, 10, 0.6, 0)]
    hard = run(rows, method="hard", multiclass=False, voting_threshold=0.7)
    soft = run(rows, method="soft", multiclass=False, voting_threshold=0.7)
    assert len(hard) == 1
    assert hard[0][:2] == soft[0][:2]
    assert hard[0][0] == pytest.approx(0.54 / (0.8 + 0.54), abs=1e-5)


def test_voting_counts_an_iou_that_equals_the_threshold():
    rows = [(0, 8, 0.5, 0), (0, 4, 0.25, 0)]
    assert run(rows, multiclass=False, voting_threshold=0.5)[0][1] == pytest.approx((0.5 * 8 + 0.125 * 4) / 0.625)
    assert run(rows, multiclass=False, voting_threshold=0.51)[0][1] == 8


def test_no_voting_within_classes_or_at_zero():
    rows = [(0, 10, 0.8, 0), (1, 10, 0.6, 0)]
    assert run(rows, multiclass=True, voting_threshold=0.5) == run(rows, multiclass=True)
    assert run(rows, multiclass=False, voting_threshold=0.0)[0][:2] == (0, 10)


def test_votes_by_hand():
    segments = torch.tensor([[0.0, 4.0], [2.0, 6.0], [10.0, 12.0]])
    found = vote(segments[:1], segments, torch.tensor([0.5, 0.25, 1.0]), 0.25)
    weights = torch.tensor([0.5 * 1, 0.25 / 3])
    torch.testing.assert_close(found, (weights @ segments[:2] / weights.sum())[None])


@pytest.mark.parametrize("rows", [[(3, 3, 0.9, 0), (5, 9, 0.8, 0)], [(1, 2, 0.0, 0), (5, 9, 0.8, 0)]])
def test_a_segment_without_votes_stays_as_it_is(rows):
    """An empty segment overlaps not even itself, and a score of 0 has no weight."""
    found = run(rows, multiclass=False, voting_threshold=0.5, min_score=0)
    assert sorted(row[:2] for row in found) == sorted(row[:2] for row in rows)


# ---- wrong arguments


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"method": "gaussian"}, "method must be one of soft, linear, hard, none, not 'gaussian'"),
        ({"backend": "tpu"}, f"backend must be one of {', '.join(BACKENDS)}, not 'tpu'"),
        ({"max_segments": 0}, "max_segments must be at least 1, not 0"),
        ({"sigma": 0}, "sigma must be above 0, not 0"),
        ({"sigma": math.nan}, "sigma must be above 0, not nan"),
        ({"min_score": -0.1}, "min_score must not be negative, not -0.1"),
        ({"min_score": math.nan}, "min_score must not be negative, not nan"),
        ({"iou_threshold": 1.5}, "iou_threshold must lie between 0 and 1, not 1.5"),
        ({"voting_threshold": -1}, "voting_threshold must lie between 0 and 1, not -1"),
        ({"voting_threshold": math.nan}, "voting_threshold must lie between 0 and 1, not nan"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    for rows in ([(0, 1, 0.5, 0)], []):
        with pytest.raises(ValueError, match=message):
            run(rows, **arguments)


def test_wrong_shapes_are_named():
    segments, scores, labels = torch.zeros(3, 2), torch.zeros(3), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"segments must be \(N, 2\), not \(3, 3\)"):
        nms(torch.zeros(3, 3), scores, labels)
    with pytest.raises(ValueError, match=r"segments must be \(N, 2\), not \(6,\)"):
        nms(torch.zeros(6), scores, labels)
    with pytest.raises(ValueError, match=r"scores and labels must be \(3,\) like segments, not \(2,\) and \(3,\)"):
        nms(segments, scores[:2], labels)
    with pytest.raises(ValueError, match=r"scores and labels must be \(3,\) like segments, not \(3,\) and \(3, 1\)"):
        nms(segments, scores, labels[:, None])


def test_wrong_types_are_named():
    segments, scores, labels = torch.zeros(3, 2), torch.zeros(3), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"segments must be torch.float32, not torch.float64"):
        nms(segments.double(), scores, labels)
    with pytest.raises(ValueError, match=r"scores must be torch.float32, not torch.bfloat16"):
        nms(segments, scores.bfloat16(), labels)
    with pytest.raises(ValueError, match=r"labels must be torch.int64, not torch.int32"):
        nms(segments, scores, labels.int())
    with pytest.raises(ValueError, match=r"labels must be on 'cpu' like segments, not on 'meta'"):
        nms(segments, scores, labels.to("meta"))


@pytest.mark.parametrize("method", suppression.METHODS)
@pytest.mark.parametrize(
    "row, message",
    [
        ((0, 1, math.nan, 0), "scores must be finite; that of candidate 1 is not"),
        ((0, 1, math.inf, 0), "scores must be finite; that of candidate 1 is not"),
        ((math.nan, 1, 0.5, 0), "segments must be finite .* segment 1 is"),
        ((0, math.nan, 0.5, 0), "segments must be finite .* segment 1 is"),
        ((-math.inf, 0, 0.5, 0), "segments must be finite .* segment 1 is"),
        ((0, 2e37, 0.5, 0), r"segments must be finite \(at most 1e\+37\) .* segment 1 is"),
        ((-2e37, 0, 0.5, 0), "segments must be finite .* segment 1 is"),
        ((2, 1, 0.5, 0), r"with end >= start; segment 1 is \[2.0, 1.0\]"),
        ((0, 1, 0.5, -1), "labels must lie between 0 and 65535; that of candidate 1 is -1"),
        ((0, 1, 0.5, 65536), "labels must lie between 0 and 65535; that of candidate 1 is 65536"),
    ],
)
def test_wrong_values_are_named(method, row, message):
    with pytest.raises(ValueError, match=message):
        run([(0, 2, 0.5, 0), row], method=method)
    assert len(run([(-1e37, 1e37, 0.5, 65535)], method=method)) == 1  # the limits are allowed


# ---- many videos at once


@settings(max_examples=150)
@given(st.lists(candidates(max_size=12), max_size=5), METHODS, st.booleans(), st.integers(1, 9))
def test_many_videos_equal_one_by_one(videos, method, multiclass, max_segments):
    arguments = {"method": method, "multiclass": multiclass, "max_segments": max_segments, "voting_threshold": 0.4}
    empty = torch.zeros(0, 2), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    together = [torch.cat(parts) for parts in zip(*videos, empty, strict=True)]
    offsets = torch.tensor([0, *(len(scores) for _, scores, _ in videos)]).cumsum(0)
    kept = nms_batch(*together, offsets, **arguments, **TESTED)
    assert kept.segments.shape == (len(videos), max_segments, 2)
    for video, inputs in enumerate(videos):
        count = kept.counts[video]
        assert rows_of(*(part[video, :count] for part in kept[:3])) == rows_of(*nms(*inputs, **arguments))
        assert not kept.segments[video, count:].any()
        assert not kept.scores[video, count:].any()
        assert (kept.labels[video, count:] == -1).all()


@pytest.mark.parametrize("method", suppression.METHODS)
@pytest.mark.parametrize("offsets", [[0, 2], [1, 3], [0, 2, 1, 3], [0, -1, 3], [0, 4, 3], [0, 4]])
def test_wrong_offsets_are_named(method, offsets):
    candidates = torch.tensor([[0.0, 1], [1, 2], [2, 3]]), torch.ones(3), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match="offsets must rise from 0 to the 3 segments, not"):
        nms_batch(*candidates, torch.tensor(offsets), method=method, **TESTED)
    with pytest.raises(ValueError, match=r"offsets must be \(B \+ 1,\), not \(0,\)"):
        nms_batch(*candidates, torch.zeros(0, dtype=torch.int64), method=method, **TESTED)


def test_the_backend_of_cuda_needs_a_cuda_device():
    with pytest.raises(ValueError, match="backend 'cuda' needs tensors on a CUDA device, not on 'cpu'"):
        run([(0, 1, 0.5, 0)], backend="cuda")
