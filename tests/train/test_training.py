"""The training loop on a tiny data set: files, metrics, resuming, repeating, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from tiny_data import tiny_recipe, training_set, write_tiny_data

from afkit.data.batches import training_batches
from afkit.data.items import Dataset
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.model.losses import Criterion
from afkit.train.loop import METRICS, train, with_empty_classes
from afkit.train.optimizer import rate_factor

FILES = ["checkpoints/ema.safetensors", "checkpoints/raw.safetensors", "checkpoints/state.pt", "metrics.csv"]
WEIGHTS = FILES[:2]
RECIPE = tiny_recipe(optim__epochs=3)  # after one epoch of warm-up; 6 videos are 3 batches


class LostMachineError(Exception):
    """Stands for a lost machine."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data root with the tiny data set."""
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root)
    return root


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """An uninterrupted training with seed 1: (folder, metrics)."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, train(RECIPE, training_set(data, RECIPE, seed=1), folder, seed=1)


def files_below(folder):
    """Relative names of all files."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def assert_same_training(folder, table, finished):
    """Weights bit by bit, and metrics but for the time, are those of the uninterrupted training."""
    other, expected = finished
    for name in WEIGHTS:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    pd.testing.assert_frame_equal(table.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True)
    assert files_below(folder) == FILES


def test_files_and_metrics(finished):
    folder, table = finished
    assert files_below(folder) == FILES
    assert table.columns.tolist() == METRICS
    assert table["step"].tolist() == list(range(12))
    assert table["epoch"].tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    rates = [1e-3 * rate_factor(step, RECIPE.optim, 3) for step in range(12)]
    assert table["learning_rate"].tolist() == pytest.approx(rates, rel=1e-12)
    assert table["loss_total"].tolist() == pytest.approx((table["loss_cls"] + table["loss_reg"]).tolist(), rel=1e-6)
    assert (table[["grad_norm", "seconds"]] > 0).all().all()
    pd.testing.assert_frame_equal(pd.read_csv(folder / "metrics.csv"), table, rtol=1e-8)


def test_both_weights_are_written(finished):
    folder, _ = finished
    states = []
    for weights in ("ema", "raw"):
        model = build_model(RECIPE)
        load_weights(model, folder / f"checkpoints/{weights}.safetensors", weights)
        states.append(model.state_dict())
    assert not torch.equal(states[0]["backbone.embd.0.conv.weight"], states[1]["backbone.embd.0.conv.weight"])


def test_the_first_step_is_what_its_parts_give(data, tmp_path):
    """Rate 0 at first, so the second batch meets the weights of the start as well."""
    recipe = tiny_recipe(optim__epochs=3, model__drop_path=0.0)
    table = train(recipe, training_set(data, recipe, seed=1), tmp_path, seed=1)
    torch.manual_seed(1)
    model, criterion = build_model(recipe).train(), Criterion(recipe)
    for row, batch in enumerate(list(training_batches(training_set(data, recipe, seed=1), 0, 2))[:2]):
        losses = criterion(model(batch.features, batch.mask), batch.segments, batch.labels)
        assert losses["total"].item() == table["loss_total"][row]


def test_the_loss_falls(data, tmp_path):
    recipe = tiny_recipe(optim__epochs=10, optim__learning_rate=1e-2, loss__init_loss_norm=20)
    table = train(recipe, training_set(data, recipe), tmp_path, seed=0)
    assert table["loss_total"].iloc[-6:].mean() < 0.5 * table["loss_total"].iloc[:3].mean()


def test_the_same_seed_repeats_and_another_differs(data, finished, tmp_path):
    table = train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path / "same", seed=1)
    assert_same_training(tmp_path / "same", table, finished)
    train(RECIPE, training_set(data, RECIPE, seed=2), tmp_path / "other", seed=2)
    first, other = (safetensors.torch.load_file(folder / FILES[0]) for folder in (finished[0], tmp_path / "other"))
    assert not any(torch.equal(first[name], other[name]) for name in first if name.endswith("conv.weight"))


def test_random_numbers_drawn_elsewhere_do_not_matter(data, finished, tmp_path):
    torch.rand(7)
    np.random.rand(7)  # noqa: NPY002
    table = train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1)
    assert_same_training(tmp_path, table, finished)


# ---- resuming


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_interrupted_after_an_epoch(data, finished, tmp_path, epochs):
    seen = []

    def interrupt(table):
        seen.append(len(table))
        if len(seen) == epochs:
            raise LostMachineError

    with pytest.raises(LostMachineError):
        train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1, on_epoch=interrupt)
    assert files_below(tmp_path) == FILES[2:]  # weights to evaluate exist only at the end
    torch.manual_seed(99)  # another process
    table = train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1, on_epoch=lambda t: seen.append(len(t)))
    assert seen == [3, 6, 9, 12]  # no epoch is done twice
    assert_same_training(tmp_path, table, finished)


class Breaking(Dataset):
    """Raises after fifteen items."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.taken = []

    def __getitem__(self, index):
        self.taken.append(index)
        if len(self.taken) > 15:
            raise LostMachineError
        return super().__getitem__(index)


def test_interrupted_within_an_epoch(data, finished, tmp_path):
    with pytest.raises(LostMachineError):
        train(RECIPE, Breaking(RECIPE.data, data, ["training"], True, seed=1), tmp_path, seed=1)
    assert len(pd.read_csv(tmp_path / "metrics.csv")) == 6  # two whole epochs
    table = train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1)
    assert_same_training(tmp_path, table, finished)


def test_a_finished_training_is_not_repeated(data, finished, tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((finished[0] / name).read_bytes())
    for name in WEIGHTS:
        (tmp_path / name).unlink()
    called = []
    table = train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1, on_epoch=called.append)
    assert not called
    assert_same_training(tmp_path, table, finished)


def test_without_resume_it_starts_anew(data, finished, tmp_path):
    train(RECIPE, training_set(data, RECIPE, seed=5), tmp_path, seed=5)
    epochs = []
    dataset = training_set(data, RECIPE, seed=1)
    table = train(RECIPE, dataset, tmp_path, seed=1, resume=False, on_epoch=epochs.append)
    assert len(epochs) == 4
    assert_same_training(tmp_path, table, finished)


def test_the_checkpoint_of_another_training_is_refused(data, finished, tmp_path):
    state = tmp_path / FILES[2]
    state.parent.mkdir()
    state.write_bytes((finished[0] / FILES[2]).read_bytes())
    message = r"state\.pt is of another recipe or seed; use another run folder, or delete it to start anew"
    with pytest.raises(ValueError, match=message):
        train(RECIPE, training_set(data, RECIPE, seed=2), tmp_path, seed=2)
    for change in ({"optim__epochs": 4}, {"optim__epochs": 3, "loss__label_smoothing": 0.1}):
        other = tiny_recipe(**change)
        with pytest.raises(ValueError, match=message):
            train(other, training_set(data, other, seed=1), tmp_path, seed=1)
    assert state.read_bytes() == (finished[0] / FILES[2]).read_bytes()
    assert files_below(tmp_path) == [FILES[2]]


def broken_states(whole):
    """Contents of a checkpoint file that cannot be gone on from."""
    yield b""
    yield b"abc"
    yield b"this is no checkpoint, and it is somewhat longer"
    yield whole[: len(whole) // 2]
    yield whole[:-1]


def test_a_broken_checkpoint_is_refused(data, finished, tmp_path):
    state = tmp_path / FILES[2]
    state.parent.mkdir()
    for content in broken_states((finished[0] / FILES[2]).read_bytes()):
        state.write_bytes(content)
        with pytest.raises(ValueError, match=r"state\.pt is not a readable checkpoint .* delete it to start anew"):
            train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1)
        assert state.read_bytes() == content


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"recipe": "no json", "seed": 1}])
def test_a_file_that_is_no_checkpoint_is_refused(data, tmp_path, content):
    (tmp_path / "checkpoints").mkdir()
    torch.save(content, tmp_path / FILES[2])
    with pytest.raises(ValueError, match=r"state\.pt is not a readable checkpoint .* delete it to start anew"):
        train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1)


def test_a_checkpoint_that_lacks_a_part_is_refused(data, finished, tmp_path):
    """An older version may have written one with the same recipe."""
    whole = torch.load(finished[0] / FILES[2], weights_only=True)
    (tmp_path / "checkpoints").mkdir()
    for part in ("step", "criterion", "torch_rng"):
        torch.save({name: value for name, value in whole.items() if name != part}, tmp_path / FILES[2])
        with pytest.raises(ValueError, match=r"state\.pt is not a readable checkpoint .* delete it to start anew"):
            train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1)


# ---- beginning from elsewhere


def test_classes_that_no_annotation_has_start_silent(data, tmp_path):
    recipe = tiny_recipe(data__num_classes=5, optim__epochs=1)
    dataset = training_set(data, recipe)
    never = with_empty_classes(recipe, dataset)
    assert never.model.empty_classes == [3, 4]
    assert never.model_copy(update={"model": recipe.model}) == recipe
    assert with_empty_classes(RECIPE, dataset) == RECIPE
    listed = tiny_recipe(data__num_classes=5, model__empty_classes=[1])
    assert with_empty_classes(listed, dataset) == listed
    train(recipe, dataset, tmp_path, seed=0)
    bias = safetensors.torch.load_file(tmp_path / FILES[0])["cls_head.cls_head.conv.bias"]
    assert (bias[3:] < -13).all() and (bias[:3] > -5).all()


def test_our_own_checkpoint_goes_before_one_of_the_original(data, finished, tmp_path, thumos):
    """The original's file is of another architecture: it is refused when it is read, and not read when resuming."""
    with pytest.raises(ValueError, match="is of another architecture"):
        train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1, start_from=thumos.checkpoint)
    assert files_below(tmp_path) == []
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / FILES[2]).write_bytes((finished[0] / FILES[2]).read_bytes())
    table = train(RECIPE, training_set(data, RECIPE, seed=1), tmp_path, seed=1, start_from=thumos.checkpoint)
    assert_same_training(tmp_path, table, finished)


# ---- what is refused


def test_fewer_videos_than_a_batch(data, tmp_path):
    recipe = tiny_recipe(optim__batch_size=7)
    with pytest.raises(ValueError, match=r"6 training videos do not fill a batch of 7; lower optim\.batch_size"):
        train(recipe, training_set(data, recipe), tmp_path, seed=0)
    assert files_below(tmp_path) == []


def test_a_last_partial_batch_is_dropped(data, tmp_path):
    recipe = tiny_recipe(optim__batch_size=4, optim__epochs=1)
    assert len(train(recipe, training_set(data, recipe), tmp_path, seed=0)) == 2  # one batch in each of two epochs


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(finished, tmp_path):
    write_tiny_data(tmp_path)
    broken = tmp_path / "tiny" / "features" / "video3.npy"
    whole = broken.read_bytes()

    def spoil(table):
        if len(table) == 6:
            np.save(broken, np.full((60, 6), np.nan, np.float32))

    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=r"the loss .*is nan .*on the videos") as caught:
        train(RECIPE, training_set(tmp_path, RECIPE, seed=1), folder, seed=1, on_epoch=spoil)
    assert "video3" in str(caught.value)
    assert "check their features, or lower optim.learning_rate (the last checkpoint is kept)" in str(caught.value)
    broken.write_bytes(whole)
    table = train(RECIPE, training_set(tmp_path, RECIPE, seed=1), folder, seed=1)
    assert_same_training(folder, table, finished)


def test_the_state_file_holds_the_recipe(finished):
    state = torch.load(finished[0] / FILES[2], weights_only=True)
    assert json.loads(state["recipe"]) == json.loads(RECIPE.model_dump_json())
    assert state["criterion"]["loss_norm"].item() != 100
