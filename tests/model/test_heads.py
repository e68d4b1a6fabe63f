"""Heads on all levels at once: as if every sequence of every level were alone."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import tiny_recipe

from afkit.model.actionformer import ClassHead, OffsetHead, join_levels


def levels_of(lengths, batch, channels):
    levels = [torch.randn(batch, length, channels, dtype=torch.float64) for length in lengths]
    masks = [torch.rand(batch, length, 1) < 0.8 for length in lengths]
    return levels, masks


@settings(max_examples=50)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 3))
def test_joined_levels_come_apart_again(lengths, batch, gap):
    levels, masks = levels_of(lengths, batch, 2)
    rows = join_levels(levels, masks, gap)
    assert rows.x.shape == (1, batch * (sum(lengths) + gap * len(lengths)), 2)
    assert rows.gaps.sum() == batch * gap * len(lengths)
    assert not rows.x[rows.gaps.expand_as(rows.x)].any()
    assert not (rows.mask & rows.gaps).any()
    for level, found in zip(levels, rows.split(rows.x), strict=True):
        assert torch.equal(found, level)
    for mask, found in zip(masks, rows.split(rows.mask), strict=True):
        assert torch.equal(found, mask)


def alone(head, x, mask):
    """One sequence of one level by the library's convolutions: (T, C), (T, 1) -> (T, C')."""
    x, mask = x.T[None], mask.T[None]  # (1, C, T)
    for conv, norm in zip(head.head, head.norm, strict=True):
        x = F.relu(norm((conv.conv(x) * mask).mT).mT)
    last = head.cls_head if isinstance(head, ClassHead) else head.offset_head
    return (last.conv(x) * mask)[0].T


@pytest.mark.parametrize(
    "kernel, layers, norm", [(3, 3, True), (3, 3, False), (5, 2, True), (1, 2, True), (3, 1, True)]
)
@pytest.mark.parametrize("kind", [ClassHead, OffsetHead])
def test_every_sequence_is_treated_as_if_it_were_alone(kind, kernel, layers, norm):
    torch.manual_seed(0)
    recipe = tiny_recipe(model__head_kernel=kernel, model__head_layers=layers, model__head_norm=norm)
    head = kind(recipe).double()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    lengths = (8, 4, 2)
    levels, masks = levels_of(lengths, 3, 16)
    levels = [level.requires_grad_() for level in levels]
    found = head(join_levels(levels, masks, kernel // 2))
    for level, out in enumerate(found):
        expected = torch.stack([alone(head, x, mask) for x, mask in zip(levels[level], masks[level], strict=True)])
        if kind is OffsetHead:
            expected = F.relu(expected * head.scale[level].scale)
        torch.testing.assert_close(out, expected)
        weights, inputs = torch.randn_like(expected), (levels[level], *head.head.parameters())
        grads = (torch.autograd.grad((y * weights).sum(), inputs, retain_graph=True) for y in (out, expected))
        torch.testing.assert_close(*grads)
