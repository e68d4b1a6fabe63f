"""Convolutions over (B, T, C) against the library's; what is computed again, and long sequences in parts."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import tiny_recipe
from torch.utils.flop_counter import FlopCounterMode

from afkit.model import products
from afkit.model.actionformer import build_model
from afkit.model.blocks import LayerNorm, activation, normalise
from afkit.model.products import convolve, in_parts


def assert_same_gradients(outputs, inputs):
    """Of a random weighting of two outputs that are to be the same."""
    weights = torch.randn_like(outputs[0])
    gradients = [torch.autograd.grad((out * weights).sum(), inputs) for out in outputs]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [24, 2, 1])
@pytest.mark.parametrize(
    "kernel, stride, groups", [(1, 1, 1), (1, 2, 1), (3, 1, 1), (5, 1, 1), (3, 2, 1), (3, 2, 8), (3, 1, 8), (5, 4, 8)]
)
def test_every_kind_of_convolution_equals_the_library(kernel, stride, groups, steps, bias):
    """Forward and backward, also where a sequence is shorter than the kernel."""
    conv = torch.nn.Conv1d(8, 16, kernel, stride, kernel // 2, groups=groups, bias=bias).double()
    x = torch.randn(3, 8, steps, dtype=torch.float64, requires_grad=True)
    expected, found = conv(x), convolve(conv, x.mT).mT
    torch.testing.assert_close(found, expected)
    assert_same_gradients((expected, found), (x, *conv.parameters()))


@pytest.mark.parametrize("rows", [[(0, 0)], [(0, 0), (0, 11), (1, 4), (1, 5)], []])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("prepare", [None, F.gelu])
def test_few_rows_with_a_gradient_give_those_of_all(prepare, kernel, rows):
    conv = torch.nn.Conv1d(8, 16, kernel, padding=kernel // 2).double()
    x = torch.randn(2, 8, 12, dtype=torch.float64, requires_grad=True)
    expected, found = conv(prepare(x) if prepare else x), convolve(conv, x.mT, prepare).mT
    weights = torch.zeros_like(expected)
    for video, step in rows:
        weights[video, :, step] = torch.randn(16, dtype=torch.float64)
    inputs = (x, *conv.parameters())
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), inputs), torch.autograd.grad((expected * weights).sum(), inputs)
    )


def test_rows_without_a_gradient_take_no_products():
    conv, x = torch.nn.Conv1d(8, 16, 3, padding=1), torch.randn(2, 40, 8, requires_grad=True)

    def flops_of(steps):
        y = convolve(conv, x)
        with FlopCounterMode(display=False) as counter:
            y[:, :steps].sum().backward()
        return counter.get_total_flops()

    assert flops_of(2) < flops_of(40) / 10


def test_with_the_librarys_convolutions_a_training_step_is_the_same(monkeypatch):
    recipe, losses, gradients = tiny_recipe(model__drop_path=0.0), [], []
    features, mask = torch.randn(2, sum(recipe.data.input_dims), 64), torch.ones(2, 64, dtype=torch.bool)
    mask[1, 40:] = False
    for kinds in ({"cpu"}, set()):
        monkeypatch.setattr(products, "AS_PRODUCTS", kinds)
        torch.manual_seed(0)
        model = build_model(recipe)
        out = model(features, mask)
        losses.append(sum(level.square().mean() for level in (*out.logits, *out.offsets)))
        gradients.append(torch.autograd.grad(losses[-1], list(model.parameters()), allow_unused=True))
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_convolution_under_autocast_computes_in_its_type():
    conv = torch.nn.Conv1d(8, 16, 3, padding=1)
    x = torch.randn(2, 24, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = convolve(conv, x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), convolve(conv, x), rtol=0.02, atol=0.02)
    found.float().sum().backward()
    assert conv.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("steps", [9, 1])
@pytest.mark.parametrize("kind", ["norm", "norm and ReLU", "ReLU", "GELU"])
def test_what_comes_before_a_product_may_be_computed_again(kind, steps, kernel):
    torch.manual_seed(0)
    norm = LayerNorm(8).double()
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    prepare, parameters = {
        "norm": (normalise, (norm.weight, norm.bias)),
        "norm and ReLU": activation(norm),
        "ReLU": activation(torch.nn.Identity()),
        "GELU": (F.gelu, ()),
    }[kind]
    conv = torch.nn.Conv1d(8, 5, kernel, padding=kernel // 2).double()
    x = torch.randn(2, steps, 8, dtype=torch.float64, requires_grad=True)
    before = x.detach().clone()
    expected, found = conv(prepare(x, *parameters).mT).mT, convolve(conv, x, prepare, parameters)
    torch.testing.assert_close(found, expected)
    assert_same_gradients((expected, found), (x, *conv.parameters(), *parameters))
    assert torch.equal(x, before)
    with torch.no_grad():
        torch.testing.assert_close(convolve(conv, x, prepare, parameters), expected)


def test_only_the_input_of_the_norm_is_kept_for_the_backward_pass():
    norm, conv = LayerNorm(64), torch.nn.Conv1d(64, 64, 1)
    x = torch.randn(1, 1000, 64, requires_grad=True)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        convolve(conv, x, normalise, (norm.weight, norm.bias))
    parameters = sum(p.numel() for p in (*norm.parameters(), *conv.parameters()))
    assert sum(kept.values()) <= 4 * (x.numel() + parameters)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_prepared_product_under_autocast_normalises_in_float32_what_it_is_given(kind):
    torch.manual_seed(0)
    norm, conv = LayerNorm(8), torch.nn.Conv1d(8, 16, 3, padding=1)
    x = (100 + torch.randn(2, 24, 8)).to(kind)
    seen = []

    def prepare(x, weight, bias):
        assert x.dtype == kind
        seen.append(normalise(x, weight, bias))
        return seen[-1]

    with torch.autocast("cpu", torch.bfloat16):
        found = convolve(conv, x, prepare, (norm.weight, norm.bias))
    assert found.dtype == torch.bfloat16
    assert seen[0].dtype == torch.float32
    found.float().sum().backward()
    assert conv.weight.grad.dtype == norm.weight.grad.dtype == torch.float32


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
        patch.setitem(products.PART_ROWS, "cpu", rows)
        found = in_parts(smooth, x, reach=reach, stride=stride)
    torch.testing.assert_close(found, expected)
    steps = max(rows // batch // stride, 1) * stride
    assert max(sizes[1:]) <= steps + 2 * (reach + stride)  # memory is bounded


def test_with_gradients_all_is_done_at_once(monkeypatch):
    monkeypatch.setitem(products.PART_ROWS, "cpu", 4)
    sizes = []

    def note(x):
        sizes.append(x.shape[1])
        return x * 2

    in_parts(note, torch.ones(1, 12, 1), reach=0)
    with torch.no_grad():
        in_parts(note, torch.ones(1, 12, 1), reach=0)
    assert sizes == [12, 4, 4, 4]


@pytest.mark.parametrize(
    "changes", [{}, {"model__neck": "fpn"}, {"model__windows": [5, 7, -1]}, {"model__head_layers": 1}]
)
def test_the_network_gives_the_same_in_parts(monkeypatch, changes):
    """Sequences with padding inside a part, at a border of parts, and over whole parts."""
    torch.manual_seed(0)
    model = build_model(tiny_recipe(**changes)).eval().double()
    for parameter in model.parameters():  # biases and scales that show
        torch.nn.init.normal_(parameter, std=0.3)
    features = torch.randn(4, 6, 120, dtype=torch.float64)
    mask = torch.arange(120) < torch.tensor([120, 95, 64, 3])[:, None]
    features = features * mask[:, None]
    with torch.no_grad():
        whole = model(features, mask)
        monkeypatch.setitem(products.PART_ROWS, "cpu", 32)
        found = model(features, mask)
    for level, valid in enumerate(whole.masks):
        for name in ("logits", "offsets"):
            ours, expected = getattr(found, name)[level][valid], getattr(whole, name)[level][valid]
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
