"""Three steps of training as the original did them: losses, gradients, weights, averages; and its resumed run."""

import copy

import pytest
import torch
from golden_files import GRADIENT_NORMS, LOSSES, UPDATES, Config, content, golden

from afkit.data.batches import Batch
from afkit.model.checkpoints import load_weights
from afkit.model.losses import Criterion
from afkit.train.loop import train_step
from afkit.train.state import load_original, new_state

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
            assert parameter.grad.norm().item() == pytest.approx(wanted["l2"], rel=GRADIENT_NORMS), name


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


def spoiled(content, entry, value):
    """A checkpoint with another entry; None removes it."""
    return {key: kept for key, kept in content.items() if key != entry} | ({entry: value} if value is not None else {})


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
        (spoiled(entries, "state_dict_ema", None), "has no 'state_dict_ema'"),
    ]
    for saved, message in cases:
        torch.save(saved, path)
        with pytest.raises(ValueError, match=message) as caught:
            load_original(path, new_state(recipe, 2, 0, CPU), recipe, 2)
        assert "half.pth.tar" in str(caught.value)
