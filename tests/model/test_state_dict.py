"""Names and shapes of all weights: the original's files load without a table of names."""

import pytest
import torch
from golden_files import EXPERIMENTS, content, experiment

from afkit.model.actionformer import build_model


def test_eleven_experiments_are_published():
    assert len(EXPERIMENTS) == 11


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_published_size_has_the_original_names_and_shapes(name):
    expected = content("full_state_dict_shapes.json")
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
