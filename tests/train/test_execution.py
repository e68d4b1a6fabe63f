"""How a training may be carried out; the same bits each time: what is switched for it and back, and what lacks."""

import dataclasses
import os
import shutil
import warnings

import pytest
import torch
from trainings import LostMachineError, assert_same_training, start, stop_after

from afkit.files import read_json, write_json
from afkit.train.execution import CUBLAS, FILE, Execution, deterministic


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
        ("precision", "fp16", "precision must be one of fp32, bf16, auto, not 'fp16'"),
    ],
)
def test_a_wrong_setting_is_named(setting, value, wanted):
    with pytest.raises(ValueError) as caught:
        Execution(**{setting: value})
    assert str(caught.value) == wanted


SAME_BITS = Execution(deterministic=True, checkpoint_minutes=0)


def state():
    """Everything that is switched."""
    cudnn = torch.backends.cudnn
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warns": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": (cudnn.deterministic, cudnn.benchmark),
        "fused attention": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "warns always": torch.is_warn_always_enabled(),
        "cublas": os.environ.get(CUBLAS),
        "warnings": (warnings.showwarning, list(warnings.filters)),
    }


@pytest.fixture
def otherwise(monkeypatch):
    """Settings of the user's own, none of them torch's default."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.delenv(CUBLAS, raising=False)
    torch.use_deterministic_algorithms(False)  # the first call loads modules that add filters of their own
    before = state()
    yield before
    assert state() == before, "a test must not leave anything switched"


def use_put(*_):
    """An operation that torch has no deterministic implementation of."""
    torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
    return 0.5


def test_it_is_on_inside_and_as_before_outside_also_after_an_error(otherwise):
    with pytest.raises(LostMachineError), deterministic(True):
        inside = state()
        raise LostMachineError
    assert inside["deterministic"] and inside["warns"] and inside["warns always"]
    assert inside["cudnn"] == (True, False) and not inside["fused attention"]
    assert inside["cublas"] == ":4096:8"
    assert state() == otherwise


def test_what_the_user_has_switched_on_stays(monkeypatch):
    monkeypatch.setenv(CUBLAS, ":16:8")
    torch.use_deterministic_algorithms(True, warn_only=False)
    try:
        before = state()
        with deterministic(True):
            assert os.environ[CUBLAS] == ":16:8"
        assert state() == before and before["deterministic"] and not before["warns"]
    finally:
        torch.use_deterministic_algorithms(False)


def test_operations_are_named_once_and_other_warnings_are_shown(otherwise):
    with pytest.warns(UserWarning) as shown, deterministic(True) as names:
        for _ in range(2):
            use_put()
        warnings.warn("mine", stacklevel=1)
    assert names == {"put_"}
    assert [str(warning.message) for warning in shown] == ["mine"]


@pytest.mark.parametrize(
    ("warning", "name"),
    [
        ("cumsum_cuda_kernel does not have a deterministic implementation, but you set", "cumsum_cuda_kernel"),
        ("Memory Efficient attention defaults to a non-deterministic algorithm. To", "Memory Efficient attention"),
        (
            "but this operation is not deterministic because it uses CuBLAS and you",
            f"matrix products ({CUBLAS} is :1:2)",
        ),
    ],
)
def test_warnings_of_a_gpu_are_understood(monkeypatch, warning, name):
    monkeypatch.setenv(CUBLAS, ":1:2")
    with deterministic(True) as names:
        warnings.warn(f"{warning} ... (Triggered internally)", stacklevel=1)
    assert names == {name}


def test_on_a_processor_a_training_has_the_same_bits_with_and_without(data, finished, tmp_path, capsys, otherwise):
    seen = []

    def look(table):
        seen.append(torch.are_deterministic_algorithms_enabled())

    table = start(data, tmp_path, execution=SAME_BITS, on_progress=look)
    assert seen and all(seen)
    assert_same_training(tmp_path, table, finished)
    assert read_json(tmp_path / FILE) == {"threads": 1, "not_deterministic": []}
    assert "the same training gives the same bits on this machine with as many threads (1)" in capsys.readouterr().out


def test_what_lacks_is_named_in_a_file_and_a_sentence(data, tmp_path, capsys, otherwise):
    execution = Execution(deterministic=True, evaluate_every=2, checkpoint_minutes=0)
    start(data, tmp_path, execution=execution, evaluate=use_put)
    assert read_json(tmp_path / FILE)["not_deterministic"] == ["put_"]
    said = capsys.readouterr().out
    assert (
        "afkit: deterministic=True: torch has no deterministic implementation of put_, so that bits may differ" in said
    )


def test_a_training_that_fails_leaves_torch_as_it_was_and_no_claim(data, tmp_path, told_each_step, otherwise):
    with pytest.raises(LostMachineError):
        start(data, tmp_path, execution=SAME_BITS, on_progress=stop_after(2))
    assert state() == otherwise
    assert not (tmp_path / FILE).exists()


def test_the_record_is_that_of_the_training_whose_weights_are_there(data, finished, tmp_path, capsys):
    run = shutil.copytree(finished[0], tmp_path / "run")
    start(data, run, execution=SAME_BITS)  # complete: no step is done
    assert not (run / FILE).exists()
    assert "deterministic was False up to step 12 and is True from here on" in capsys.readouterr().out
    write_json(run / FILE, {})
    start(data, run)
    assert (run / FILE).exists()
    start(data, run, resume=False)
    assert not (run / FILE).exists()
