"""Batches: padding, masks, and the length to which a batch is padded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_data import tiny_recipe

from afkit.data.batches import collate, padded_batch_length
from afkit.data.items import Item
from afkit.model.actionformer import build_model


def test_items_are_padded_with_zeros():
    segments = torch.tensor([[0.0, 1.0]])
    one = Item("a", torch.ones(2, 3), segments, torch.tensor([4]), 1.0, 1.0, 1.0, 1.0)
    two = Item("b", 2 * torch.ones(2, 5), None, None, 1.0, 1.0, 1.0, 1.0)
    batch = collate([one, two], 6)
    assert batch.features[:, 0].tolist() == [[1, 1, 1, 0, 0, 0], [2, 2, 2, 2, 2, 0]]
    assert batch.mask.tolist() == [[True] * 3 + [False] * 3, [True] * 5 + [False]]
    assert (batch.features.dtype, batch.mask.dtype) == (torch.float32, torch.bool)
    assert batch.segments == [segments, None]
    assert batch.labels == [one.labels, None]
    assert [item[2:] for item in batch.items] == [one[2:], two[2:]]
    assert [item.video for item in batch.items] == ["a", "b"]
    assert all(torch.equal(own.features, item.features) for own, item in zip(batch.items, [one, two], strict=True))


def test_an_item_longer_than_the_batch_is_named():
    item = Item("a", torch.ones(2, 7), None, None, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="video 'a' has 7 steps, more than the 6 of the batch"):
        collate([item], 6)


# ---- the length of a batch


@given(st.integers(2, 4), st.integers(0, 6), st.integers(1, 20), st.integers(1, 3), st.data())
def test_every_level_keeps_a_padded_slot(factor, levels, blocks, wider, data):
    """Unless the batch is as long as the original's; and with one stretch less, the last level would have none."""
    strides = [factor**level for level in range(levels + 1)]
    align, max_seq_len = strides[-1] * wider, strides[-1] * blocks
    longest = data.draw(st.integers(1, max_seq_len))
    length = padded_batch_length(longest, max_seq_len, align)
    assert longest <= length <= max_seq_len
    assert length % strides[-1] == 0
    if length < max_seq_len:
        assert all(length // stride - -(-longest // stride) >= wider for stride in strides)
        assert length % align == 0 and length - align < longest + align
    assert padded_batch_length(longest, max_seq_len, 0) == max_seq_len


def outputs(model, features, length):
    """Logits and offsets of the true steps of one sequence (C, T), padded to a length."""
    batch = collate([Item("v", features, None, None, 1.0, 1.0, 1.0, 1.0)], length)
    with torch.no_grad():
        out = model(batch.features, batch.mask)
    levels = zip(out.logits, out.offsets, out.masks, strict=True)
    return [torch.cat([logits, offsets], dim=2)[mask] for logits, offsets, mask in levels]


def test_the_network_cannot_tell_how_far_a_batch_is_padded():
    """And it could, if a level had no padded slot."""
    torch.manual_seed(0)
    recipe = tiny_recipe()
    model = build_model(recipe).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "scale" in name:
            torch.nn.init.normal_(parameter, 0.5, 0.5)  # an untrained network has nothing in its padded slots
    random_features = torch.randn(6, 64)
    for longest in range(2, 65, 3):
        features = random_features[:, :longest]
        expected = outputs(model, features, 64)
        found = outputs(model, features, padded_batch_length(longest, 64, 4))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    without = outputs(model, random_features[:, :40], 40)
    expected = outputs(model, random_features[:, :40], 64)
    assert max((a - b).abs().max() for a, b in zip(without, expected, strict=True)) > 1e-3
