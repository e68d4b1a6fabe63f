"""Names, shapes and first values of all weights: the original's files load without a table of names."""

import math

import pytest
import torch
from golden_files import EXPERIMENTS, OTHER_EXPERIMENTS, OTHERS_AT_FULL_SIZE, content, experiment, of_family
from tiny_data import tiny_recipe

from afkit.model.actionformer import build_model


def test_the_class_bias_gives_the_prior():
    bias = build_model(tiny_recipe()).cls_head.cls_head.conv.bias
    assert bias.tolist() == pytest.approx([-math.log(99)] * 3)
    bias = build_model(tiny_recipe(model__class_prior=0.2)).cls_head.cls_head.conv.bias
    assert bias.sigmoid().tolist() == pytest.approx([0.2] * 3)


def test_classes_that_never_occur_start_lower():
    bias = build_model(tiny_recipe(model__empty_classes=[0, 2])).cls_head.cls_head.conv.bias
    never = -math.log((1 - 1e-6) / 1e-6)
    assert bias.tolist() == pytest.approx([never, -math.log(99), never])


@pytest.mark.parametrize(
    "overrides", [{}, {"model__backbone": "conv"}, {"model__neck": "fpn", "model__neck_norm": False}]
)
def test_all_other_biases_start_at_zero(overrides):
    model = build_model(tiny_recipe(model__embed_norm=False, model__head_norm=False, **overrides))
    biases = {name: value for name, value in model.named_parameters() if name.endswith(".bias")}
    del biases["cls_head.cls_head.conv.bias"]
    assert len(biases) > 10
    assert not [name for name, value in biases.items() if value.any()]


@pytest.mark.parametrize("name", ["thumos_i3d", "anet_tsp", *OTHERS_AT_FULL_SIZE])
def test_distributions_equal_the_original(name):
    """Mean, spread and extremes of every weight, within six standard errors of two samples."""
    torch.manual_seed(0)
    model = build_model(experiment(OTHERS_AT_FULL_SIZE.get(name, name)))
    stats = content(f"full/init_stats_seed0{of_family(name)}.json")[name]
    weights = model.state_dict()
    assert weights.keys() == stats.keys()
    for key, (mean, spread, low, high) in stats.items():
        weight = weights[key].double()
        if low == high:
            assert weight.unique().tolist() == pytest.approx([low], rel=1e-6), key
            continue
        error = 6 * spread / math.sqrt(weight.numel())
        assert weight.mean().item() == pytest.approx(mean, abs=2 * error), key
        assert weight.std().item() == pytest.approx(spread, abs=error), key
        edge = 40 * (high - low) / weight.numel()  # the extremes of uniform samples lie so close together
        if high - low > 1.1 * math.sqrt(12) * spread:  # of normal ones they do not
            edge = 2 * spread
        assert [weight.min().item(), weight.max().item()] == pytest.approx([low, high], abs=edge), key


@pytest.mark.parametrize("name", EXPERIMENTS + OTHER_EXPERIMENTS)
def test_published_size_has_the_original_names_and_shapes(name):
    expected = content(f"full_state_dict_shapes{of_family(name)}.json")
    with torch.device("meta"):  # shapes only
        model = build_model(experiment(name))
    found = {f"module.{key}": list(value.shape) for key, value in model.state_dict().items()}
    assert found == expected[name]
    assert sum(parameter.numel() for parameter in model.parameters()) == expected[f"{name}.n_params"]


def test_names_shapes_and_types_of_the_small_networks(config):
    found = [
        [f"module.{key}", list(value.shape), str(value.dtype)]
        for key, value in build_model(config.recipe).state_dict().items()
    ]
    assert sorted(found) == sorted(content(f"{config.name}/params.json")["state_dict_keys"])
