"""Parameter groups, learning rates and the running average of the weights."""

import copy

import numpy as np
import pytest
import torch
from golden_files import EXPERIMENTS, arrays, content, experiment
from tiny_data import tiny_recipe

from afkit.config import OptimConfig
from afkit.model.actionformer import build_model
from afkit.train.state import build_optimizer, rate_factor, update_average


def names_in_groups(model, optimizer):
    """Parameter names of each group of the optimiser, in its order."""
    name_of = {id(parameter): f"module.{name}" for name, parameter in model.named_parameters()}
    return [[name_of[id(parameter)] for parameter in group["params"]] for group in optimizer.param_groups]


def test_groups_equal_the_original(config):
    model = build_model(config.recipe)
    optimizer, _ = build_optimizer(model, config.recipe, steps_per_epoch=2)
    expected = content(f"{config.name}/params.json")["groups"]
    assert names_in_groups(model, optimizer) == [group["names"] for group in expected]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [group["weight_decay"] for group in expected]
    kind = torch.optim.SGD if config.recipe.optim.optimizer == "sgd" else torch.optim.AdamW
    assert type(optimizer) is kind


def test_scales_and_relative_positions_do_not_decay():
    recipe = tiny_recipe(model__relative_position=True, optim__weight_decay=0.3)
    model = build_model(recipe)
    optimizer, _ = build_optimizer(model, recipe, steps_per_epoch=2)
    decayed, others = names_in_groups(model, optimizer)
    assert len(decayed) + len(others) == len(list(model.parameters()))
    assert all(name.endswith(".weight") and "norm" not in name and ".ln" not in name for name in decayed)
    assert {"module.backbone.stem.0.attn.rel_pe", "module.reg_head.scale.0.scale"} < set(others)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]


@pytest.mark.parametrize("name", [*EXPERIMENTS, "multistep", "nowarmup_cosine"])
def test_learning_rates_equal_the_original(name):
    saved = arrays("schedules.npz")
    recipe = experiment(name if name in EXPERIMENTS else "thumos_i3d")
    changes = {
        "multistep": {"schedule": "multistep", "schedule_epochs": [1, 3], "schedule_gamma": 0.1},
        "nowarmup_cosine": {"warmup_epochs": 0},
    }
    config = OptimConfig.model_validate(recipe.optim.model_dump() | changes.get(name, {}))
    for key in (key for key in saved if key.rsplit(".", 1)[0] == name):
        rates = [config.learning_rate * rate_factor(step, config, 20) for step in range(len(saved[key]))]
        np.testing.assert_allclose(rates, saved[key], rtol=1e-12, atol=0, err_msg=key)
        assert len(rates) >= 200


def test_the_schedule_sets_the_rate_of_both_groups():
    recipe = tiny_recipe(optim__warmup_epochs=2, optim__epochs=3, optim__learning_rate=0.5)
    optimizer, schedule = build_optimizer(build_model(recipe), recipe, steps_per_epoch=4)
    rates = []
    for _ in range(20):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert all(a == b for a, b in rates)
    expected = [0.5 * rate_factor(step, recipe.optim, 4) for step in range(20)]
    assert [rate for rate, _ in rates] == pytest.approx(expected, rel=1e-12)
    assert rates[0][0] == 0
    assert rates[7][0] == 0.5  # the last step of the warm-up
    assert schedule.get_last_lr()[0] == pytest.approx(1e-8, rel=1e-6)  # after the last step


@pytest.mark.parametrize("warmup_epochs", [0, 2])
def test_extra_epochs_go_on_with_the_cosine_of_torch(warmup_epochs):
    config = OptimConfig(warmup_epochs=warmup_epochs, epochs=3, extra_epochs=2, learning_rate=0.5)
    floor = 1e-8 if warmup_epochs else 0.0
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12, eta_min=floor)
    for step in range(4 * warmup_epochs, 4 * config.total_epochs):
        rate = optimizer.param_groups[0]["lr"]
        assert 0.5 * rate_factor(step, config, 4) == pytest.approx(rate, rel=1e-9, abs=1e-15)
        optimizer.step()
        cosine.step()
    assert rate > 0.1, "it has risen again"


def test_an_epoch_needs_a_step():
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1"):
        build_optimizer(build_model(tiny_recipe()), tiny_recipe(), steps_per_epoch=0)


# ---- the running average


@pytest.mark.parametrize(
    ("warmup", "first_step", "decays"),
    [(False, 0, [0.9] * 4), (True, 0, [0.1, 2 / 11, 3 / 12, 4 / 13]), (True, 100_000, [0.9])],
)
def test_the_average_follows_its_formula(warmup, first_step, decays):
    average, current = (
        [torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for size in (3, 1, 7)]
        for seed in range(2)
    )
    config = OptimConfig(ema_decay=0.9, ema_warmup=warmup)
    expected, before = copy.deepcopy(average), copy.deepcopy(current)
    for step, decay in enumerate(decays, start=first_step):
        update_average(average, current, step, config)
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, before, strict=True)]
        torch.testing.assert_close(average, expected, rtol=1e-12, atol=1e-14)
    assert all(map(torch.equal, current, before))
