"""Long sequences in parts: the same as in one piece, part by part, and only where no gradient is wanted."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import tiny_recipe

from afkit.model import products as parts
from afkit.model.actionformer import build_model
from afkit.model.products import in_parts


@settings(max_examples=100)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 4), st.sampled_from([1, 2, 4]), st.integers(1, 3))
def test_parts_of_a_convolution_equal_the_whole(units, rows, reach, stride, batch):
    x = torch.randn(batch, units * stride, 1, dtype=torch.float64)
    weight = torch.randn(1, 1, 2 * reach + 1, dtype=torch.float64)
    sizes = []

    def smooth(x):
        sizes.append(x.shape[1])
        return F.conv1d(x.mT, weight, stride=stride, padding=reach).mT

    expected = smooth(x)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setitem(parts.PART_ROWS, "cpu", rows)
        found = in_parts(smooth, x, reach=reach, stride=stride)
    torch.testing.assert_close(found, expected)
    steps = max(rows // batch // stride, 1) * stride
    assert max(sizes[1:]) <= steps + 2 * (reach + stride)  # memory is bounded


def test_with_gradients_all_is_done_at_once(monkeypatch):
    monkeypatch.setitem(parts.PART_ROWS, "cpu", 4)
    sizes = []

    def note(x):
        sizes.append(x.shape[1])
        return x * 2

    in_parts(note, torch.ones(1, 12, 1), reach=0)
    with torch.no_grad():
        in_parts(note, torch.ones(1, 12, 1), reach=0)
    assert sizes == [12, 4, 4, 4]


@pytest.mark.parametrize(
    "changes", [{}, {"model.neck": "fpn"}, {"model.windows": [5, 7, -1]}, {"model.head_layers": 1}]
)
def test_the_network_gives_the_same_in_parts(monkeypatch, changes):
    """Sequences with padding inside a part, at a border of parts, and over whole parts."""
    torch.manual_seed(0)
    recipe = tiny_recipe(**{name.replace(".", "__"): value for name, value in changes.items()})
    model = build_model(recipe).eval().double()
    for parameter in model.parameters():  # biases and scales that show
        torch.nn.init.normal_(parameter, std=0.3)
    features = torch.randn(4, 6, 120, dtype=torch.float64)
    mask = torch.arange(120) < torch.tensor([120, 95, 64, 3])[:, None]
    features = features * mask[:, None]
    with torch.no_grad():
        whole = model(features, mask)
        monkeypatch.setitem(parts.PART_ROWS, "cpu", 32)
        found = model(features, mask)
    for level, valid in enumerate(whole.masks):
        for name in ("logits", "offsets"):
            ours, expected = getattr(found, name)[level][valid], getattr(whole, name)[level][valid]
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
