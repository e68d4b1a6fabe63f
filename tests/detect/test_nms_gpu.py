"""The CUDA operator against the compiled one for the CPU, bit for bit. Needs a GPU, see gpu_device."""

import pytest
import torch
from gpu_device import DEVICE, needs_device, nudged, only_cuda
from nms_candidates import KINDS, candidates

from afkit.detect.suppression import Kept, nms_batch

pytestmark = needs_device
BACKEND = {"cuda": "cuda", "cpu": "cpp"}[DEVICE]
PUBLISHED_VIDEOS = 213 if DEVICE == "cuda" else 3
METHODS = ["hard", "soft", "linear"]
SIZES = {
    "few": (150, 0, 1, 33, 0),
    "many": tuple(range(0, 3000, 75)),
    "one large": (12000,),
    "around the size of shared memory": (3000, 16566, 16567, 20000) if DEVICE == "cuda" else (300, 1656),
}


def check(inputs, **settings) -> Kept:
    """Assert that both devices give the same; returns it."""
    expected = nms_batch(*inputs, **settings, backend="cpp")
    found = nms_batch(*(tensor.to(DEVICE) for tensor in inputs), **settings, backend=BACKEND)
    assert_same(found, expected)
    return expected


def assert_same(found: Kept, expected: Kept) -> None:
    """Assert that the device's result has the bits of the CPU's."""
    for a, b in zip(found, expected, strict=True):
        assert a.device.type == DEVICE
        assert torch.equal(a.cpu(), b)


@pytest.mark.parametrize("column", Kept._fields[:2])
def test_one_wrong_bit_is_noticed(column):
    inputs = candidates("spread", (400, 300))
    kept = nms_batch(*inputs, backend="cpp")
    there = Kept(*(tensor.to(DEVICE) for tensor in kept))
    assert_same(there, kept)
    with pytest.raises(AssertionError):
        assert_same(there._replace(**{column: nudged(getattr(there, column), 0)}), kept)


@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_cuda_equals_the_cpu_in_every_bit(sizes, kind, method, multiclass):
    check(candidates(kind, SIZES[sizes]), method=method, multiclass=multiclass, max_segments=100)


@pytest.mark.parametrize("weight", ["score_iou", "score"])
@pytest.mark.parametrize("threshold", [0.01, 0.7, 1.0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", ["few", "many", "around the size of shared memory"])
def test_votes_equal_those_of_the_cpu(sizes, kind, threshold, weight):
    voting = {"multiclass": False, "voting_threshold": threshold, "voting_weight": weight}
    for method in METHODS:
        check(candidates(kind, SIZES[sizes]), method=method, **voting)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "settings",
    [
        {"max_segments": 1},
        {"max_segments": 5000, "min_score": 0.0},
        {"min_score": 2.0},
        {"iou_threshold": 0.0, "sigma": 1e-3},
        {"iou_threshold": 1.0, "sigma": 100.0},
    ],
    ids=str,
)
def test_extreme_settings_equal_the_cpu(method, settings):
    for kind in ("grid", "signed"):
        check(candidates(kind, (900, 40, 3000)), method=method, **settings)


def test_a_batch_of_published_size_equals_the_cpu_and_each_time_itself():
    inputs = candidates("spread", (12000,) * PUBLISHED_VIDEOS)
    expected = check(inputs, max_segments=200)
    on_device = [tensor.to(DEVICE) for tensor in inputs]
    for _ in range(20):
        again = nms_batch(*on_device, max_segments=200, backend=BACKEND)
        assert all(torch.equal(a.cpu(), b) for a, b in zip(again, expected, strict=True))


def test_high_labels_stay_themselves():
    inputs = candidates("grid", (500, 20000), classes=65536)
    assert check(inputs).labels.max() > 60000


def test_no_videos_and_no_candidates():
    for sizes in ((), (0,), (0, 0, 0)):
        assert not check(candidates("spread", sizes)).counts.any()


def test_inputs_need_not_be_contiguous():
    segments, scores, labels, offsets = candidates("spread", (400, 300))
    expected = nms_batch(segments, scores, labels, offsets, backend="cpp")
    apart = torch.stack([scores, scores], dim=1).to(DEVICE)[:, 0], torch.stack([labels, labels], dim=1).to(DEVICE)[:, 1]
    found = nms_batch(segments.t().contiguous().to(DEVICE).t(), *apart, offsets.to(DEVICE), backend=BACKEND)
    assert all(torch.equal(a.cpu(), b) for a, b in zip(found, expected, strict=True))


@only_cuda
def test_another_stream_waits_for_its_own_work():
    inputs = [tensor.to(DEVICE) for tensor in candidates("spread", (12000, 9000))]
    expected = nms_batch(*inputs, backend=BACKEND)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        busy = torch.rand(4000, 4000, device="cuda")
        for _ in range(10):
            busy = busy @ busy / 4000
        late = inputs[1] + 0 * busy[0, 0]  # ready only when the products are
        found = nms_batch(inputs[0], late, *inputs[2:], backend=BACKEND)
    stream.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("video", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "argument", "place", "value"),
    [
        ("segments", 0, 0, torch.nan),
        ("segments", 0, 1, torch.inf),
        ("segments", 0, 1, -1e6),
        ("scores", 1, ..., torch.nan),
        ("scores", 1, ..., -torch.inf),
        ("labels", 2, ..., -1),
        ("labels", 2, ..., 65536),
    ],
)
def test_a_bad_value_is_refused(name, argument, place, value, video):
    inputs = [tensor.to(DEVICE) for tensor in candidates("spread", (700, 2500, 17000))]
    inputs[argument][(600, 3000, 20000)[video]][place] = value
    with pytest.raises(ValueError, match=name):
        nms_batch(*inputs, backend=BACKEND)


@pytest.mark.parametrize(
    "offsets",
    [
        [0, 60, 40, 115],
        [0, -(10**9), 40, 115],
        [0, 40, 10**12, 115],
        [5, 40, 60, 115],
        [0, 40, 60, 114],
        [0, 40, 60, 116],
    ],
)
def test_bad_offsets_are_refused(offsets):
    inputs = [tensor.to(DEVICE) for tensor in candidates("spread", (40, 20, 55))]
    inputs[3] = torch.tensor(offsets, device=DEVICE)
    with pytest.raises(ValueError, match="offsets"):
        nms_batch(*inputs, backend=BACKEND)


@only_cuda
def test_tensors_of_two_devices_are_refused():
    inputs = candidates("spread", (40, 20))
    with pytest.raises(ValueError, match="scores"):
        nms_batch(inputs[0].to(DEVICE), *inputs[1:], backend=BACKEND)
    with pytest.raises(ValueError, match="cuda"):
        nms_batch(*inputs, backend=BACKEND)
