"""What a way of carrying out a training may be."""

import dataclasses

import pytest

from afkit.train.execution import Execution


def test_the_defaults_and_their_record():
    assert dataclasses.asdict(Execution()) == {
        "workers": 0,
        "pad_to_batch": True,
        "precision": "fp32",
        "cache_mb": 0,
        "checkpoint_minutes": 1.0,
        "checkpoint_steps": 0,
        "evaluate_every": 0,
        "devices": 1,
        "num_nodes": 1,
        "deterministic": False,
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        Execution().workers = 2


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("workers", -1, "workers must be a whole number, 0 or more, not -1"),
        ("workers", 1.5, "workers must be a whole number"),
        ("workers", True, "workers must be a whole number"),
        ("cache_mb", -5, "cache_mb must be a whole number"),
        ("checkpoint_steps", -1, "checkpoint_steps must be a whole number"),
        ("evaluate_every", "2", "evaluate_every must be a whole number"),
        ("checkpoint_minutes", -0.1, "checkpoint_minutes must be a number, 0 or more, not -0.1"),
        ("checkpoint_minutes", float("nan"), "checkpoint_minutes must be a number"),
        ("checkpoint_minutes", float("inf"), "checkpoint_minutes must be a number"),
        ("checkpoint_minutes", "5", "checkpoint_minutes must be a number"),
        ("pad_to_batch", 1, "pad_to_batch must be True or False, not 1"),
        ("deterministic", "yes", "deterministic must be True or False, not 'yes'"),
        ("precision", "fp16", "precision must be one of fp32, bf16, not 'fp16'"),
    ],
)
def test_a_wrong_setting_is_named(setting, value, wanted):
    with pytest.raises(ValueError, match=wanted):
        Execution(**{setting: value})


def test_what_is_allowed():
    assert Execution(workers=0, checkpoint_minutes=2, precision="bf16", evaluate_every=3).checkpoint_minutes == 2
