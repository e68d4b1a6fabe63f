"""Attention in blocks against a dense textbook implementation, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from afkit.model.blocks import ConvAttention, band_bias, local_attention


def dense_attention(query, key, value, mask, window, rel_pe=None):
    """Every query with every key. Keys out of reach get -inf, padded keys -1e4, rows of padded queries become 0.

    query, key, value: (B, T, H, D); mask (B, T).
    """
    reach = window // 2
    step = torch.arange(query.shape[1])
    distance = step[None, :] - step[:, None]  # (query, key)
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[3] ** 0.5
    if rel_pe is not None:
        scores = scores + rel_pe[0, 0][:, (distance + reach).clamp(0, 2 * reach)]
    scores = scores + torch.where(mask, 0.0, -1e4)[:, None, None, :]
    scores = scores.masked_fill(distance.abs() > reach, -torch.inf)
    weights = scores.softmax(dim=-1) * mask[:, None, :, None]  # (B, H, T, T)
    return torch.einsum("bhqk,bkhd->bqhd", weights, value)


@st.composite
def problems(draw):
    """(window, query, key, value, mask, rel_pe or None, weights of the rows) in float64."""
    window, steps = draw(st.integers(2, 70)), draw(st.integers(1, 100))
    valid = draw(st.lists(st.integers(1, steps), min_size=2, max_size=2))
    heads, with_position = draw(st.integers(1, 2)), draw(st.booleans())
    rng = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    query, key, value, weights = torch.randn(4, 2, steps, heads, 3, generator=rng, dtype=torch.float64).unbind(0)
    rel_pe = torch.randn(1, 1, heads, 2 * (window // 2) + 1, generator=rng, dtype=torch.float64)
    mask = torch.arange(steps) < torch.tensor(valid)[:, None]
    return window, query, key, value, mask, rel_pe if with_position else None, weights


@settings(max_examples=150)
@given(problems())
def test_blocks_equal_the_dense_textbook(problem):
    window, query, key, value, mask, rel_pe, weights = problem
    inputs = [tensor.requires_grad_() for tensor in (query, key, value, rel_pe) if tensor is not None]
    rows = weights * mask[..., None, None]  # rows of padded queries are not read
    answers = []
    for attention in (local_attention, dense_attention):
        out = attention(query, key, value, mask, window, rel_pe) * mask[..., None, None]
        answers.append([out.detach(), *torch.autograd.grad((out * rows).sum(), inputs)])
    torch.testing.assert_close(*answers, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 31, 32, 33, 64, 65])
def test_a_window_wider_than_the_sequence_sees_all(steps):
    query, key, value = torch.randn(3, 1, steps, 2, 4, dtype=torch.float64).unbind(0)
    mask = torch.ones(1, steps, dtype=torch.bool)
    out = local_attention(query, key, value, mask, window=3 * steps + 40)
    expected = F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (query, key, value)))
    torch.testing.assert_close(out, expected.transpose(1, 2))


def test_scores_grow_with_the_length_and_not_its_square():
    sizes = [band_bias(torch.ones(1, steps, dtype=torch.bool), reach=9).numel() for steps in (320, 640, 1280)]
    assert sizes == [sizes[0], 2 * sizes[0], 4 * sizes[0]]


def textbook_module(attention, x, mask, stride):
    """What ConvAttention computes, from its parameters, with dense attention: (B, C, T), (B, 1, T) -> the same."""

    def projected(name):
        conv, norm = getattr(attention, f"{name}_conv").conv, getattr(attention, f"{name}_norm")
        channels = x.shape[1]
        y = F.conv1d(x, conv.weight, None, stride, conv.weight.shape[-1] // 2, groups=channels) * out_mask[:, None]
        y = (y - y.mean(1, keepdim=True)) / (y.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        y = F.conv1d(y * norm.weight + norm.bias, getattr(attention, name).weight, getattr(attention, name).bias)
        return torch.stack(y.chunk(attention.heads, dim=1), dim=1).permute(0, 3, 1, 2)  # (B, T, H, D)

    out_mask = F.interpolate(mask.double(), scale_factor=1 / stride, mode="nearest")[:, 0] > 0
    query, key, value = (projected(name) for name in ("query", "key", "value"))
    if attention.window > 1:
        out = dense_attention(query, key, value, out_mask, attention.window, attention.rel_pe)
    else:
        scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[3] ** 0.5
        weights = scores.masked_fill(~out_mask[:, None, None, :], -torch.inf).softmax(dim=-1)
        out = torch.einsum("bhqk,bkhd->bqhd", weights, value * out_mask[..., None, None])
    out = out.flatten(2).mT  # heads are contiguous groups of channels
    return F.conv1d(out, attention.proj.weight, attention.proj.bias) * out_mask[:, None], out_mask[:, None]


@pytest.mark.parametrize("relative_position", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("window", [7, 8, 1, -1])
def test_convolutional_attention_equals_the_textbook(window, stride, relative_position):
    torch.manual_seed(0)
    attention = ConvAttention(8, 2, window, stride, 0.0, relative_position).double()
    assert (attention.rel_pe is not None) == (relative_position and window > 1)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(3, 8, 48, dtype=torch.float64)
    mask = torch.arange(48) < torch.tensor([48, 33, 2])[:, None, None]
    found, found_mask = (out.mT for out in attention(x.mT, mask.mT))
    expected, expected_mask = textbook_module(attention, x, mask, stride)
    assert torch.equal(found_mask, expected_mask)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    gradients = (torch.autograd.grad(out.square().sum(), tuple(attention.parameters())) for out in (found, expected))
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-8)


def test_dropout_acts_on_the_output_only():
    torch.manual_seed(0)
    attention = ConvAttention(8, 2, 5, 1, 0.5, False).train()
    torch.nn.init.zeros_(attention.proj.weight)
    torch.nn.init.ones_(attention.proj.bias)
    mask = torch.ones(4, 500, 1, dtype=torch.bool)
    out, _ = attention(torch.zeros(4, 500, 8), mask)
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert (out == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    attention.proj_drop.p = 0.0
    x = torch.randn(4, 500, 8)
    assert torch.equal(attention(x, mask)[0], attention.eval()(x, mask)[0])  # nothing else is dropped
