"""The small parts: masked convolution, norm, scale, drop path, positions, and how a block joins them.

What is expected is written for (B, C, T), as PyTorch's own functions take it; `.mT` turns it into (B, T, C).
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_data import tiny_recipe

from afkit.model.backbone import Backbone, ConvBlock, TransformerBlock
from afkit.model.blocks import AffineDropPath, MaskedConv1d, sinusoid_positions


def mask_of(*steps, length):
    """(B, 1, length) with so many true steps."""
    return torch.arange(length) < torch.tensor(steps)[:, None, None]


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_masked_convolution(stride):
    conv = MaskedConv1d(3, 5, 3, stride)
    torch.manual_seed(0)
    x, mask = torch.randn(4, 3, 32), torch.cat([mask_of(32, 13, 1, length=32), torch.rand(1, 1, 32) < 0.5])
    out, out_mask = (result.mT for result in conv(x.mT, mask.mT))
    nearest = F.interpolate(mask.float(), size=32 // stride, mode="nearest") > 0
    assert torch.equal(out_mask, nearest)
    expected = F.conv1d(x, conv.conv.weight, conv.conv.bias, stride, padding=1)
    torch.testing.assert_close(out, torch.where(nearest, expected, 0.0))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_drop_path_in_training_drops_whole_samples(rate):
    torch.manual_seed(0)
    branch = AffineDropPath(3, rate).train()
    torch.nn.init.constant_(branch.scale, 2.0)
    samples = 20_000
    skip = torch.arange(3.0).expand(samples, 2, 3)
    out = (branch(skip, torch.ones(samples, 2, 3)) - skip).flatten(1)
    kept = out[:, 0] > 0
    torch.testing.assert_close(out, (kept * 2 / (1 - rate))[:, None].expand(samples, 6))
    spread = math.sqrt(rate * (1 - rate) / samples)
    assert kept.float().mean().item() == pytest.approx(1 - rate, abs=5 * spread)


def test_drop_path_is_absent_without_a_rate():
    assert not list(AffineDropPath(4, 0.0).parameters())
    skip, branch = torch.randn(2, 2, 4, 3)
    assert torch.equal(AffineDropPath(4, 0.0).train()(skip, branch), skip + branch)


def test_positions_are_cut_for_short_and_stretched_for_long_sequences():
    backbone = Backbone(tiny_recipe(model__absolute_position=True))
    table = sinusoid_positions(64, 16)
    assert torch.equal(backbone._positions_for(32), table[:, :32])
    assert torch.equal(backbone._positions_for(64), table)
    stretched = backbone._positions_for(96)
    source = (np.arange(96) + 0.5) * 64 / 96 - 0.5  # align_corners=False
    expected = [np.interp(source, np.arange(64), channel) for channel in table[0].T.double().numpy()]
    np.testing.assert_allclose(stretched[0].T, expected, atol=1e-6)
    assert "positions" not in backbone.state_dict()


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_transformer_block_joins_its_parts(stride):
    torch.manual_seed(0)
    block = TransformerBlock(tiny_recipe(), window=5, stride=stride).eval()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x, mask = torch.randn(2, 16, 32), mask_of(32, 13, length=32)
    found, out_mask = (result.mT for result in block(x.mT, mask.mT))
    kept = mask[:, :, ::stride].float()
    skip = F.max_pool1d(x, stride + 1, stride, (stride + 1) // 2) if stride > 1 else x
    attended = skip * kept + block.drop_path_attn.scale * block.attn(block.ln1(x.mT), mask.mT)[0].mT
    hidden = F.gelu(block.mlp[0](block.ln2(attended.mT).mT))
    expected = attended + block.drop_path_mlp.scale * block.mlp[3](hidden) * kept
    torch.testing.assert_close(found, expected)
    assert torch.equal(out_mask, mask[:, :, ::stride])
    assert hidden.shape[1] == 64


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutional_block_joins_its_parts(stride):
    torch.manual_seed(0)
    block = ConvBlock(6, stride)
    x, mask = torch.randn(2, 6, 32), mask_of(32, 13, length=32)
    found, out_mask = (result.mT for result in block(x.mT, mask.mT))
    kept = mask[:, :, ::stride].float()
    hidden = F.relu(block.conv1.conv(x) * kept)
    skip = x if stride == 1 else block.downsample.conv(x) * kept
    torch.testing.assert_close(found, F.relu(block.conv2.conv(hidden) * kept + skip))
    assert torch.equal(out_mask, mask[:, :, ::stride])


def test_streams_are_projected_apart():
    torch.manual_seed(0)
    recipe = tiny_recipe(data__features=["a", "b"], data__input_dims=[4, 2], model__stream_dims=[10, 6])
    backbone = Backbone(recipe)
    seen = []
    backbone.embd[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    x, mask = torch.randn(1, 6, 64), mask_of(64, length=64)
    backbone(x.mT, mask.mT)
    expected = torch.cat([backbone.proj[0].conv(x[:, :4]), backbone.proj[1].conv(x[:, 4:])], dim=1)
    torch.testing.assert_close(seen[0].mT, expected)
    assert backbone.proj[0].conv.bias is not None


def test_dropout_in_the_mlp_is_the_same_when_it_is_computed_again():
    """The textbook's MLP with the library's dropout, with the same random numbers."""
    block = TransformerBlock(tiny_recipe(model__dropout=0.4), window=5, stride=1).double().train()
    x = torch.randn(2, 40, 16, dtype=torch.float64, requires_grad=True)
    expand, activate, _, contract, drop_out = block.mlp
    torch.manual_seed(1)
    found = block._mlp(x)
    torch.manual_seed(1)
    hidden = activate(F.linear(block.ln2(x), expand.weight[..., 0], expand.bias))
    kept = torch.empty_like(hidden, dtype=torch.bool).bernoulli_(0.6)
    assert 0.55 < kept.double().mean() < 0.65
    expected = drop_out(F.linear(hidden * kept / 0.6, contract.weight[..., 0], contract.bias))
    torch.testing.assert_close(found, expected)
    weights, inputs = torch.randn_like(expected), (x, *block.mlp.parameters())
    torch.testing.assert_close(*(torch.autograd.grad((out * weights).sum(), inputs) for out in (found, expected)))
    block.eval()
    torch.testing.assert_close(block._mlp(x), contract(activate(expand(block.ln2(x).mT))).mT)
