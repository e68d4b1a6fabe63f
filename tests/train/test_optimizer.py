"""Parameter groups, learning rates, the average, and three steps of training as the original did them."""

import copy

import numpy as np
import pytest
import torch
from golden_files import (
    EXPERIMENTS,
    GRADIENT_NORMS,
    LOSSES,
    OTHER_EXPERIMENTS,
    UPDATES,
    Config,
    arrays,
    content,
    experiment,
    golden,
    of_family,
)
from tiny_data import tiny_recipe

from afkit.config import OptimConfig
from afkit.data.batches import Batch
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.model.losses import Criterion
from afkit.train.loop import train_step
from afkit.train.state import build_optimizer, load_original, new_state, rate_factor, update_average


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


@pytest.mark.parametrize("name", [*EXPERIMENTS, *OTHER_EXPERIMENTS, "multistep", "nowarmup_cosine"])
def test_learning_rates_equal_the_original(name):
    saved = arrays(f"schedules{of_family(name)}.npz")
    recipe = experiment(name if name in EXPERIMENTS + OTHER_EXPERIMENTS else "thumos_i3d")
    changes = {
        "multistep": {"schedule": "multistep", "schedule_epochs": [1, 3], "schedule_gamma": 0.1},
        "nowarmup_cosine": {"warmup_epochs": 0},
    }
    config = OptimConfig.model_validate(recipe.optim.model_dump() | changes.get(name, {}))
    keys = [key for key in saved if key.rsplit(".", 1)[0] == name]
    assert keys
    for key in keys:
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


CPU = torch.device("cpu")
ROUNDINGS = 4e-7  # relative: three float32 roundings, by which two ways to write an average may differ


def without_drop_path(state, config):
    """The state with the model that the goldens were made with: nothing is dropped at random."""
    for part in (state.model, state.average):
        for module, still in zip(part.modules(), config.model("state_dict").modules(), strict=True):
            for setting in ("rate", "p"):
                if hasattr(module, setting):
                    setattr(module, setting, getattr(still, setting))
    state.model.train()
    return state


def started(config, steps_per_epoch):
    """A training at the original's start."""
    state = without_drop_path(new_state(config.recipe, steps_per_epoch, 0, CPU), config)
    for model in (state.model, state.average):
        load_weights(model, config.checkpoint, "raw")
    return state


def assert_same_step(wanted, state, recipe, batch):
    """Do a step; learning rates, losses, gradient norm and normaliser are the original's."""
    assert [group["lr"] for group in state.optimizer.param_groups] == pytest.approx(wanted["lr"], rel=1e-12)
    assert state.criterion.loss_norm.item() == pytest.approx(wanted["loss_normalizer_before"], rel=1e-12)
    cls, reg, total, norm = train_step(state, batch, recipe).tolist()
    assert cls == pytest.approx(wanted["cls_loss"], rel=LOSSES)
    assert reg == pytest.approx(wanted["reg_loss"], rel=LOSSES)
    assert total == pytest.approx(wanted["final_loss"], rel=LOSSES)
    assert norm == pytest.approx(wanted["total_grad_norm_before_clip"], rel=GRADIENT_NORMS)
    assert state.criterion.loss_norm.item() == pytest.approx(wanted["loss_normalizer_after"], rel=1e-12)
    assert state.schedule.get_last_lr() == pytest.approx(wanted["lr_after"], rel=1e-12)


def test_gradients_equal_the_original(config):
    expected = content(f"{config.name}/train.json")
    model, (features, mask, segments, labels) = config.model("state_dict").train(), config.training_batch()
    Criterion(config.recipe)(model(features, mask), segments, labels)["total"].backward()
    assert {f"module.{name}" for name, _ in model.named_parameters()} == expected["grads_first_step"].keys()
    for name, parameter in model.named_parameters():
        wanted = expected["grads_first_step"][f"module.{name}"]
        if wanted is None:
            assert parameter.grad is None or not parameter.grad.any(), name
        elif f"module.{name}" not in expected["noise_gradient_params"]:  # those are zero but for rounding
            # the original's in float64: those of its float32 have as much rounding of their own as ours
            assert parameter.grad.norm().item() == pytest.approx(wanted["l2_fp64"], rel=GRADIENT_NORMS), name


def test_three_steps_equal_the_original(config):
    expected, batch = content(f"{config.name}/train.json"), Batch(*config.training_batch(), items=[])
    state = started(config, expected["num_iters_per_epoch"])
    start = copy.deepcopy(state.model.state_dict())
    for wanted in expected["steps"]:
        assert_same_step(wanted, state, config.recipe, batch)
    for name, value in state.model.state_dict().items():
        if f"module.{name}" in expected["noise_gradient_params"]:
            continue
        wanted = expected["after_3_steps"][f"module.{name}"]
        moved = (value - start[name]).norm().item()
        assert moved == pytest.approx(wanted["delta_l2"], rel=UPDATES, abs=1e-12), name
        assert value.double().abs().sum().item() == pytest.approx(wanted["abs_sum"], rel=ROUNDINGS), name
        averaged = state.average.state_dict()[name].double()
        averaged_sum, averaged_abs = expected["ema_after_3_steps"][f"module.{name}"]
        assert averaged.abs().sum().item() == pytest.approx(averaged_abs, rel=ROUNDINGS), name
        assert averaged.sum().item() == pytest.approx(averaged_sum, abs=ROUNDINGS * averaged_abs), name


@pytest.mark.parametrize("name", ["thumos_i3d", "anet_tsp"])
def test_a_checkpoint_of_the_original_goes_on(name):
    """As its own training does that is resumed: the loss normaliser is not in the file and starts anew."""
    config = Config(name)
    expected, batch = content(f"{name}/train.json"), Batch(*config.training_batch(), items=[])
    state = without_drop_path(new_state(config.recipe, expected["num_iters_per_epoch"], 0, CPU), config)
    path = golden(f"{name}/ckpt_step3.pth.tar")
    load_original(path, state, config.recipe, expected["num_iters_per_epoch"])
    assert state.step == 3
    averaged = torch.load(path, weights_only=True)["state_dict_ema"]
    for key, value in state.average.state_dict().items():
        assert torch.equal(value, averaged[f"module.{key}"]), key
    for wanted in expected["resume_2_steps"]:
        assert_same_step(wanted, state, config.recipe, batch)
    for key, value in state.model.state_dict().items():
        if f"module.{key}" not in expected["noise_gradient_params"]:
            wanted = expected["after_resume"][f"module.{key}"]["abs_sum"]
            assert value.double().abs().sum().item() == pytest.approx(wanted, rel=ROUNDINGS), key


def test_a_checkpoint_without_a_usable_optimiser_is_refused(thumos, tmp_path):
    path, recipe = tmp_path / "half.pth.tar", thumos.recipe
    entries = {
        name: torch.load(thumos.checkpoint, weights_only=True)[name] for name in ("state_dict", "state_dict_ema")
    }
    wrong = {"state": {0: {"exp_avg": torch.zeros(3, 3)}}}
    cases = [
        (entries, "no usable optimizer"),
        (entries | {"optimizer": wrong, "scheduler": {"last_epoch": 3}}, r"exp_avg of parameter 0 is \(3, 3\)"),
        (entries | {"optimizer": {"state": {}}, "scheduler": {}}, "no usable optimizer and scheduler"),
        ({"state_dict": entries["state_dict"]}, "has no 'state_dict_ema'"),
    ]
    for saved, message in cases:
        torch.save(saved, path)
        with pytest.raises(ValueError, match=message) as caught:
            load_original(path, new_state(recipe, 2, 0, CPU), recipe, 2)
        assert "half.pth.tar" in str(caught.value)
