"""The whole network: the original's outputs, padding, batches, heads on all levels at once, and what is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_files import EXPERIMENTS, LOGITS, OFFSETS, arrays, experiment, pad
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from tiny_data import tiny_recipe

from afkit.model.actionformer import ClassHead, OffsetHead, build_model, count_parameters, join_levels, padded_length
from afkit.model.products import arithmetic


@torch.no_grad()
def test_outputs_equal_the_original(config):
    model, recipe = config.model("state_dict_ema").eval(), config.recipe
    for case, expected in config.cases():
        length = padded_length(expected["feats"].shape[1], recipe)
        assert length == expected["padded_len"], case
        out = model(*pad(expected["feats"], length))
        assert len(out.logits) == len(out.offsets) == len(out.masks) == len(out.points) == recipe.model.num_levels
        for level in range(recipe.model.num_levels):
            valid = expected[f"mask_{level}"]
            np.testing.assert_array_equal(out.masks[level][0], valid)
            np.testing.assert_array_equal(out.points[level], expected[f"points_{level}"])
            for found, name, tolerance in ((out.logits, "logits", LOGITS), (out.offsets, "offsets", OFFSETS)):
                wanted = expected[f"{name}_{level}"]
                assert found[level].shape[1:] == wanted.shape
                difference = np.abs(found[level][0].numpy() - wanted)[valid]
                assert difference.max(initial=0) <= tolerance, f"{name} of {case}, level {level}"


def test_outputs_in_training_mode_equal_the_original(config):
    model = config.model("state_dict").train()
    features, mask, _, _ = config.training_batch()
    out = model(features, mask)
    expected = arrays(f"{config.name}/train.npz")
    valid = torch.cat(out.masks, dim=1)
    np.testing.assert_array_equal(valid, expected["valid_mask"])
    np.testing.assert_array_equal(torch.cat(out.points), expected["points"])
    for found, name, tolerance in ((out.logits, "logits", LOGITS), (out.offsets, "offsets", OFFSETS)):
        difference = (torch.cat(found, dim=1).detach() - torch.from_numpy(expected[name])).abs()
        assert difference[valid].max() <= tolerance, name


@torch.no_grad()
def test_a_batch_gives_each_video_what_it_gets_alone(thumos):
    model = thumos.model("state_dict_ema").eval()
    recordings = [expected["feats"] for _, expected in thumos.cases()]
    pairs = [pad(features[:, :steps], 576) for features, steps in zip(recordings, (576, 61, 333), strict=True)]
    features, masks = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    together = model(features, masks)
    for row, pair in enumerate(pairs):
        alone = model(*pair)
        for level, mask in enumerate(alone.masks):
            assert torch.equal(together.masks[level][row], mask[0])
            logits = (together.logits[level][row] - alone.logits[level][0])[mask[0]]
            offsets = (together.offsets[level][row] - alone.offsets[level][0])[mask[0]]
            assert logits.abs().max() <= LOGITS
            assert offsets.abs().max() <= OFFSETS


@torch.no_grad()
@pytest.mark.parametrize("streams", [{}, {"data__input_dims": [4, 2], "model__stream_dims": [12, 4]}])
def test_without_embedding_the_features_are_the_first_level(streams):
    sizes = {"data__input_dims": [16], "model__embed_layers": 0, "model__stem_layers": 0} | streams
    backbone = build_model(tiny_recipe(**sizes)).backbone.eval()
    features, mask = torch.randn(2, 64, sum(sizes["data__input_dims"])), torch.ones(2, 64, 1, dtype=torch.bool)
    levels, _ = backbone(features, mask)
    parts = zip(backbone.proj, features.split([4, 2], dim=2), strict=True) if streams else []
    expected = torch.cat([project.conv(x.mT).mT for project, x in parts], dim=2) if streams else features
    torch.testing.assert_close(levels[0], expected)
    assert [level.shape for level in levels] == [(2, 64, 16), (2, 32, 16), (2, 16, 16)]


def longest_block(strides, windows):
    """The divisor of a padded length, as the original's description puts it."""
    return max(s * (w // 2) * 2 if w > 1 else s for s, w in zip(strides, windows, strict=True))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_padded_length(name):
    recipe = experiment(name)
    longest = recipe.data.max_seq_len
    windows = [7, 7, 7, 7, 7, -1] if name.startswith("anet") else [recipe.model.windows] * recipe.model.num_levels
    divisor = longest_block([2**level for level in range(len(windows))], windows)
    assert padded_length(1, recipe) == padded_length(longest, recipe) == longest
    for length in range(longest + 1, longest + 3 * divisor + 2):
        padded = padded_length(length, recipe)
        assert padded % divisor == 0
        assert length <= padded < length + divisor


@settings(max_examples=30)
@given(st.lists(st.integers(-1, 20), min_size=3, max_size=3), st.integers(65, 400))
@example([6, 0, 0], 65)  # 6, the largest divisor, is no multiple of the last level's stride
def test_a_padded_sequence_is_accepted(windows, steps):
    try:
        recipe = tiny_recipe(model__windows=windows)
    except ValueError:
        reject()  # windows that do not fit may be refused, but then with the recipe
    length = padded_length(steps, recipe)
    assert length % longest_block([1, 2, 4], windows) == 0
    out = build_model(recipe).eval()(*pad(np.zeros((6, steps), np.float32), length))
    assert [mask.sum().item() for mask in out.masks] == [steps, -(-steps // 2), -(-steps // 4)]


def test_wrong_shapes_are_refused():
    model = build_model(tiny_recipe())
    mask = torch.ones(1, 64, dtype=torch.bool)
    for features, own, message in [
        (torch.zeros(1, 64, 6), mask, r"features must be \(B, 6, T\) for recipe 'tiny'"),
        (torch.zeros(1, 6, 64), mask[:, None], r"mask must be \(B, T\) bool"),
        (torch.zeros(1, 6, 64), mask.float(), r"mask must be \(B, T\) bool"),
        (torch.zeros(1, 6, 62), mask[:, :62], "T = 62 must be a multiple of 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            model(features, own)


def test_parameters_are_counted_by_part(thumos):
    model = thumos.model("state_dict")
    counts = count_parameters(model)
    total = counts.pop("all")
    assert total == sum(counts.values()) == sum(parameter.numel() for parameter in model.parameters())
    assert counts["neck"] == 6 * 2 * 32  # weight and bias of a norm per level
    assert not counts.pop("boundary heads") and all(counts.values())


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
    head = (kind(recipe) if kind is OffsetHead else kind(recipe, kernel)).double()
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


@pytest.mark.parametrize("backbone", ["transformer", "conv", "sgp", "maxpool"])
@pytest.mark.parametrize("head", [{"head_norm": True}, {"head_norm": False}, {"head_layers": 1, "neck_norm": "none"}])
def test_in_bf16_what_the_heads_say_is_float32_and_close(backbone, head):
    torch.manual_seed(0)
    settings = {f"model__{name}": value for name, value in head.items()}
    recipe = tiny_recipe(model__backbone=backbone, model__windows=5, model__embed_dim=16, **settings)
    model, features = build_model(recipe).eval(), torch.randn(2, sum(recipe.data.input_dims), 64)
    mask = torch.ones(2, 64, dtype=torch.bool)
    with torch.no_grad():
        exact = model(features, mask)
        with arithmetic("bf16", "cpu"):
            near = model(features, mask)
    for ours, theirs in zip((*exact.logits, *exact.offsets), (*near.logits, *near.offsets), strict=True):
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(theirs, ours, rtol=0.1, atol=0.05)
    assert not torch.equal(near.logits[0], exact.logits[0])
