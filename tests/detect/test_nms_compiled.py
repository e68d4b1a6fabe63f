"""The compiled operator against the readable reference in plain torch, bit for bit, and as a citizen of PyTorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nms_candidates import KINDS, candidates

from afkit.detect.operator import unavailable
from afkit.detect.suppression import Kept, nms, nms_batch

REASON = unavailable("cpp")
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

PROBLEMS = st.builds(  # of one video, in places with segments as short as what is added to a length
    lambda kind, count, classes, seed, size: [
        part * size if part.dim() == 2 else part for part in candidates(kind, (count,), classes, seed)[:3]
    ],
    st.sampled_from(KINDS),
    st.integers(0, 120),
    st.integers(1, 7),
    st.integers(0, 2**31),
    st.sampled_from([1, 1e-7]),
)


@settings(max_examples=400)
@given(
    PROBLEMS,
    st.sampled_from(["soft", "linear", "hard"]),
    st.booleans(),
    st.sampled_from([0, 0.1, 0.5, 1]),
    st.sampled_from([0.05, 0.5]),
    st.sampled_from([0, 0.001, 0.3]),
    st.sampled_from([1, 10, 200]),
)
def test_compiled_equals_the_reference_in_every_bit(
    inputs, method, multiclass, iou_threshold, sigma, min_score, max_segments
):
    numbers = {"iou_threshold": iou_threshold, "sigma": sigma, "min_score": min_score, "max_segments": max_segments}
    settings = {"method": method, "multiclass": multiclass, **numbers}
    expected, found = (nms(*inputs, **settings, backend=backend) for backend in ("torch", "cpp"))
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("method", ["soft", "linear", "hard"])
@pytest.mark.parametrize("multiclass", [True, False])
def test_many_equal_scores_are_taken_in_the_order_of_the_input(method, multiclass):
    """More than the kernel looks at in one go (128): of equal ones in different blocks, the first wins."""
    count = 400
    onset = 10.0 * torch.arange(count)[torch.randperm(count, generator=torch.Generator().manual_seed(0))]
    inputs = torch.stack([onset, onset + 1], 1), torch.full((count,), 0.5), torch.arange(count) % 2
    settings = {"method": method, "multiclass": multiclass, "max_segments": count}
    for backend in ("torch", "cpp"):
        assert torch.equal(nms(*inputs, **settings, backend=backend)[0][:, 0], onset)


@settings(max_examples=200)
@given(
    PROBLEMS,
    st.sampled_from(["soft", "linear", "hard"]),
    st.sampled_from([0.01, 0.5, 1]),
    st.sampled_from(["score_iou", "score"]),
)
def test_votes_equal_the_reference(inputs, method, voting_threshold, weight):
    settings = {"method": method, "multiclass": False, "voting_threshold": voting_threshold, "voting_weight": weight}
    expected, found = (nms(*inputs, **settings, backend=backend) for backend in ("torch", "cpp"))
    assert torch.equal(expected[1], found[1])
    torch.testing.assert_close(found[0], expected[0], rtol=2e-7, atol=0)  # a sum in float64, in another order


def two_videos():
    """The operator's arguments."""
    segments = torch.tensor([[0.0, 4], [1, 5], [9, 12], [0, 2]])
    scores, labels, offsets = torch.tensor([0.9, 0.8, 0.3, 0.5]), torch.tensor([0, 0, 1, 0]), torch.tensor([0, 3, 4])
    return segments, scores, labels, offsets, 1, True, 0.1, 0.5, 0.001, 5, 0.0, True


def test_the_operator_keeps_the_rules_of_torch():
    nms(*(tensor for tensor in two_videos()[:3]), backend="cpp")  # it is loaded on first use
    torch.library.opcheck(torch.ops.afkit.nms, two_videos())


def test_compiling_a_function_around_it_changes_nothing():
    def best(segments, scores, labels, offsets):
        kept = Kept(*torch.ops.afkit.nms(segments * 2, scores, labels, offsets, *two_videos()[4:]))
        return kept.segments.sum(dim=2), kept.counts + 1

    expected = best(*two_videos()[:4])
    found = torch.compile(best, fullgraph=True, backend="aot_eager", dynamic=True)(*two_videos()[:4])
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    through_checks = torch.compile(nms_batch, backend="aot_eager")(*two_videos()[:4], backend="cpp")
    assert through_checks.counts.tolist() == [3, 1]


def test_the_operator_itself_refuses_what_would_crash():
    arguments = list(two_videos())
    for position, wrong in [
        (0, torch.zeros(4, 3)),
        (0, torch.zeros(4, 2, dtype=torch.float64)),
        (1, torch.zeros(3)),
        (1, torch.zeros(4, 1)),
        (1, torch.zeros(4, dtype=torch.float64)),
        (2, torch.zeros(4)),
        (2, torch.zeros(3, dtype=torch.int64)),
        (2, torch.zeros(4, 1, dtype=torch.int64)),
        (3, torch.zeros(0, dtype=torch.int64)),
        (3, torch.tensor([[0, 4]])),
        (3, torch.tensor([0, 4], dtype=torch.int32)),
        (4, 3),
        (7, 0.0),
        (8, -0.1),
        (9, 0),
    ]:
        with pytest.raises(ValueError):
            torch.ops.afkit.nms(*arguments[:position], wrong, *arguments[position + 1 :])


def test_non_contiguous_inputs():
    segments, scores, labels = two_videos()[:3]
    strided = torch.stack([segments, segments], dim=2)[..., 0], torch.stack([scores, scores], 1)[:, 0], labels
    assert not strided[0].is_contiguous()
    for a, b in zip(nms(segments, scores, labels, backend="cpp"), nms(*strided, backend="cpp"), strict=True):
        assert torch.equal(a, b)
