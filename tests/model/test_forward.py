"""The whole network: the original's outputs, padding, batches, and what is refused."""

import numpy as np
import pytest
import torch
from golden_files import EXPERIMENTS, LOGITS, OFFSETS, arrays, experiment, pad
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from tiny_data import tiny_recipe

from afkit.model.actionformer import build_model, count_parameters, padded_length


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


def test_a_sequence_that_fits_is_padded_to_the_training_length_whatever_the_windows():
    recipe = tiny_recipe(model__windows=7)  # in steps of 4 * 2 * 3 = 24, of which 64 is no multiple
    assert [padded_length(length, recipe) for length in (1, 63, 64, 65, 72, 73)] == [64, 64, 64, 72, 72, 96]


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
    assert all(counts.values())
