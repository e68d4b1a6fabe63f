"""What a way of carrying out a training may be."""

import dataclasses

import pytest

from afkit.train.execution import Execution


def test_it_is_frozen_and_goes_into_a_record():
    assert Execution(**dataclasses.asdict(Execution(checkpoint_minutes=2, precision="bf16"))).checkpoint_minutes == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Execution().workers = 2


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("workers", -1, "workers must be a whole number, 0 or more, not -1"),
        ("cache_mb", 1.5, "cache_mb must be a whole number, 0 or more, not 1.5"),
        ("checkpoint_steps", True, "checkpoint_steps must be a whole number, 0 or more, not True"),
        ("evaluate_every", "2", "evaluate_every must be a whole number, 0 or more, not '2'"),
        ("devices", 0, "devices must be a whole number, 1 or more, not 0"),
        ("num_nodes", 0, "num_nodes must be a whole number, 1 or more, not 0"),
        ("checkpoint_minutes", -0.1, "checkpoint_minutes must be a number, 0 or more, not -0.1"),
        ("checkpoint_minutes", float("nan"), "checkpoint_minutes must be a number, 0 or more, not nan"),
        ("checkpoint_minutes", float("inf"), "checkpoint_minutes must be a number, 0 or more, not inf"),
        ("checkpoint_minutes", "5", "checkpoint_minutes must be a number, 0 or more, not '5'"),
        ("pad_to_batch", 1, "pad_to_batch must be True or False, not 1"),
        ("deterministic", "yes", "deterministic must be True or False, not 'yes'"),
        ("precision", "fp16", "precision must be one of fp32, bf16, not 'fp16'"),
    ],
)
def test_a_wrong_setting_is_named(setting, value, wanted):
    with pytest.raises(ValueError) as caught:
        Execution(**{setting: value})
    assert str(caught.value) == wanted
