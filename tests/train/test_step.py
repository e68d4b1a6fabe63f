"""One step: losses that are not finite, lack of memory, and numbers that arrive late, as those of a GPU do."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_data import training_set, write_tiny_data
from trainings import RECIPE, WEIGHTS, assert_same_training, checkpoints_in, start

from afkit.data.batches import training_batches
from afkit.model.actionformer import ActionFormer
from afkit.train import loop
from afkit.train.loop import train_step
from afkit.train.state import new_state

CPU = torch.device("cpu")


@pytest.fixture
def late(monkeypatch):
    """A training whose numbers are read one step late."""

    def late_state(*arguments):
        state = new_state(*arguments)
        state.late = True
        return state

    monkeypatch.setattr(loop, "new_state", late_state)


def spoil_step(monkeypatch, step, number=float("nan")):
    """The network's logits are NaN (or another number) at one step, counted from 0."""
    forward, calls = ActionFormer.forward, []

    def spoiled(self, features, mask):
        out = forward(self, features, mask)
        calls.append(self.training)
        if len(calls) == step + 1:
            out.logits[0] = out.logits[0] * number
        return out

    monkeypatch.setattr(ActionFormer, "forward", spoiled)


# ---- losses that are not finite


def first_batch(data):
    """The first batch of RECIPE."""
    return next(iter(training_batches(training_set(data, RECIPE, seed=1), 2, epochs=1)))


def test_what_was_not_annotated_is_not_learned(data):
    batch, losses = first_batch(data), []
    for spans in (None, torch.tensor([[8.0, torch.inf]]), torch.tensor([[-torch.inf, torch.inf]])):
        items = [item._replace(ignored=spans) for item in batch.items]
        losses.append(train_step(new_state(RECIPE, 3, 1, CPU), batch._replace(items=items), RECIPE)[2].item())
    assert losses[0] > losses[1] > losses[2] == 0


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_on_a_cpu_the_weights_stay_as_they_were(data, what):
    state, batch = new_state(RECIPE, 3, 1, CPU), first_batch(data)
    for _ in range(2):
        train_step(state, batch, RECIPE)
    before = copy.deepcopy([*state.current, *state.averaged])
    if what == "loss":
        batch.features[0, 0, 0] = torch.inf
    else:
        state.parameters[0].register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(ValueError, match=r"the loss of recipe 'tiny', or its gradient, is nan at step 2 on the videos"):
        train_step(state, batch, RECIPE)
    assert all(map(torch.equal, before, [*state.current, *state.averaged]))
    assert state.step == 2


def test_a_loss_that_is_not_finite_names_the_videos_and_keeps_the_last_checkpoint(finished, tmp_path):
    write_tiny_data(tmp_path)
    broken = tmp_path / "tiny" / "features" / "video3.npy"
    whole = broken.read_bytes()
    np.save(broken, np.full((60, 6), np.nan, np.float32))
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=r"the loss of recipe 'tiny', .* is nan at step \d on the videos") as caught:
        start(tmp_path, folder, steps=1)
    assert "video3" in str(caught.value)
    assert "check their features, or lower optim.learning_rate (the last checkpoint is kept)" in str(caught.value)
    broken.write_bytes(whole)
    assert_same_training(folder, start(tmp_path, folder), finished)


@pytest.mark.parametrize(("step", "number", "kept"), [(5, "nan", [3]), (5, "inf", [3]), (11, "nan", [6, 9])])
def test_read_late_it_stops_one_step_later_before_anything_is_saved(
    data, tmp_path, monkeypatch, late, step, number, kept
):
    """Also at the last step; the checkpoint that was due after the bad step is not written."""
    spoil_step(monkeypatch, step, float(number))
    with pytest.raises(ValueError, match=rf"is (nan|inf) at step {step} on the videos"):
        start(data, tmp_path, steps=3)
    assert checkpoints_in(tmp_path) == kept and not (tmp_path / WEIGHTS[0]).exists()
    assert pd.read_csv(tmp_path / "metrics.csv")["step"].tolist() == list(range(step))


def test_numbers_read_late_are_the_same(data, finished, tmp_path, late):
    table = start(data, tmp_path, steps=5)
    assert_same_training(tmp_path, table, finished)
    assert (table["seconds"] > 0).all()


# ---- lack of memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 400 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_out_of_memory_says_what_to_lower(data, tmp_path, monkeypatch, error, bf16_units):
    def forward(self, features, mask):
        raise error

    monkeypatch.setattr(ActionFormer, "forward", forward)
    with pytest.raises(RuntimeError) as caught:
        start(data, tmp_path)
    message = str(caught.value)
    assert message.startswith("out of memory at step 0 of recipe 'tiny', a batch of 2 x 6 x ")
    assert "features (videos x channels x steps) in fp32; lower optim.batch_size or data.max_seq_len" in message
    assert "or set precision to 'bf16'" in message and "the last checkpoint is kept" in message
    assert caught.value.__cause__ is error


def test_another_error_stays_what_it_is(data, tmp_path, monkeypatch):
    def forward(self, features, mask):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(ActionFormer, "forward", forward)
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes cannot be multiplied$"):
        start(data, tmp_path)
    assert not (tmp_path / WEIGHTS[0]).exists()


def test_no_step_waits_for_the_device(data, monkeypatch):
    """Reading a number from a GPU waits for it: with numbers read late, a step must not turn any into a Python one."""
    state, batch = new_state(RECIPE, 3, 1, CPU), first_batch(data)
    state.late = True
    for name in ("item", "tolist", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(torch.Tensor, name, lambda self, name=name: pytest.fail(f"a step calls {name}"))
    train_step(state, batch, RECIPE)
