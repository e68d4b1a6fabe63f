"""Suppression of duplicates: cases with a known answer, what must hold for any input, and wrong arguments.

Everything is asked of each backend that works here.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afkit.detect import suppression
from afkit.detect.operator import unavailable
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


def test_linear_decay_from_the_threshold_on():
    rows = [(0, 4, 0.8, 0), (2, 6, 0.5, 0), (3, 7, 0.4, 0), (0, 4, 0.25, 1)]  # IoU with the first 1/3, 1/7
    kept = run(rows, method="linear", iou_threshold=0.2)
    # the second decays by 1 - 1/3 and is overtaken; the third then takes 1 - 3/5 of it
    expected = [(0, 0.8), (3, 0.4), (0, 0.25), (2, 0.5 * 2 / 3 * 2 / 5)]
    assert [row[0] for row in kept] == [onset for onset, _ in expected]
    assert [row[2] for row in kept] == pytest.approx([score for _, score in expected], abs=1e-6)


def test_what_falls_to_the_minimum_stays_and_below_it_goes():
    rows = [(0, 8, 0.5, 0), (0, 4, 0.5, 0)]  # IoU 1/2, but for the 1e-6
    decayed = run(rows, method="linear", iou_threshold=0.4)[1][2]
    assert len(run(rows, method="linear", iou_threshold=0.4, min_score=decayed)) == 2
    assert len(run(rows, method="linear", iou_threshold=0.4, min_score=math.nextafter(decayed, 1) + 1e-7)) == 1


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


# ---- voting


def test_voting_counts_an_iou_that_equals_the_threshold():
    rows = [(0, 8, 0.5, 0), (0, 4, 0.25, 0)]
    assert run(rows, multiclass=False, voting_threshold=0.5)[0][1] == pytest.approx((0.5 * 8 + 0.125 * 4) / 0.625)
    assert run(rows, multiclass=False, voting_threshold=0.51)[0][1] == 8


def test_no_voting_within_classes_or_at_zero():
    rows = [(0, 10, 0.8, 0), (1, 10, 0.6, 0)]
    assert run(rows, multiclass=True, voting_threshold=0.5) == run(rows, multiclass=True)
    assert run(rows, multiclass=False, voting_threshold=0.0)[0][:2] == (0, 10)


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


@pytest.mark.parametrize(
    "change, message",
    [
        ({"segments": torch.zeros(3, 3)}, r"segments must be \(N, 2\), not \(3, 3\)"),
        ({"segments": torch.zeros(6)}, r"segments must be \(N, 2\), not \(6,\)"),
        ({"scores": torch.zeros(2)}, r"scores and labels must be \(3,\) like segments, not \(2,\) and \(3,\)"),
        ({"labels": torch.zeros(3, 1)}, r"scores and labels must be \(3,\) like segments, not \(3,\) and \(3, 1\)"),
        ({"segments": torch.zeros(3, 2).double()}, r"segments must be torch.float32, not torch.float64"),
        ({"scores": torch.zeros(3).bfloat16()}, r"scores must be torch.float32, not torch.bfloat16"),
        ({"labels": torch.zeros(3).int()}, r"labels must be torch.int64, not torch.int32"),
        ({"labels": torch.zeros(3, device="meta").long()}, r"labels must be on 'cpu' like segments, not on 'meta'"),
    ],
)
def test_wrong_shapes_and_types_are_named(change, message):
    right = {"segments": torch.zeros(3, 2), "scores": torch.zeros(3), "labels": torch.zeros(3).long()}
    with pytest.raises(ValueError, match=message):
        nms(**right | change)


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
