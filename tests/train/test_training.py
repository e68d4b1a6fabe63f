"""The training loop on a tiny data set: files, metrics, repeating, evaluating, precision, and what is refused."""

import copy
import multiprocessing
import random

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from tiny_data import change_video, tiny_recipe, training_set, write_tiny_data
from trainings import FILES, LAST, RECIPE, WEIGHTS, LostMachineError, assert_same_training, files_below, start

from afkit.data.batches import training_batches
from afkit.model.actionformer import ActionFormer, build_model
from afkit.model.checkpoints import load_weights
from afkit.model.losses import Criterion
from afkit.train import record, state
from afkit.train.execution import Execution
from afkit.train.loop import train, with_empty_classes
from afkit.train.state import METRICS, rate_factor


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
    saved = torch.load(folder / LAST, weights_only=True)
    for weights, part in (("ema", "average"), ("raw", "model")):
        load_weights(model := build_model(RECIPE), folder / f"checkpoints/{weights}.safetensors", weights)
        assert all(torch.equal(value, saved[part][name]) for name, value in model.state_dict().items())
    assert not torch.equal(
        saved["model"]["backbone.embd.0.conv.weight"], saved["average"]["backbone.embd.0.conv.weight"]
    )


@pytest.mark.parametrize("pad_to_batch", [False, True])
def test_the_first_step_is_what_its_parts_give(data, tmp_path, pad_to_batch):
    """Rate 0 at first, so the second batch meets the weights of the start as well."""
    recipe = tiny_recipe(optim__epochs=3, model__drop_path=0.0)
    execution = Execution(pad_to_batch=pad_to_batch)
    table = train(recipe, training_set(data, recipe, seed=1), tmp_path, seed=1, execution=execution)
    torch.manual_seed(1)
    model, criterion = build_model(recipe).train(), Criterion(recipe)
    align = recipe.model.level_strides[-1] if pad_to_batch else 0
    batches = training_batches(training_set(data, recipe, seed=1), 2, epochs=1, align=align)
    for row, batch in enumerate(list(batches)[:2]):
        losses = criterion(model(batch.features, batch.mask), batch.segments, batch.labels)
        assert losses["total"].item() == table["loss_total"][row]


@pytest.mark.parametrize("kernel", [3, 7])
def test_padding_to_the_batch_pads_less_and_changes_next_to_nothing(data, tmp_path, monkeypatch, kernel):
    """A convolution reads into the padding, a wide one farther."""
    settings = {"data__max_seq_len": 256, "optim__learning_rate": 1e-2, "model__head_kernel": kernel}
    recipe = tiny_recipe(optim__epochs=3, **settings)
    lengths, tables, forward = [], [], ActionFormer.forward

    def watched(self, features, mask):
        lengths[-1].add(features.shape[2])
        return forward(self, features, mask)

    monkeypatch.setattr(ActionFormer, "forward", watched)
    for padded in (False, True):
        lengths.append(set())
        execution = Execution(pad_to_batch=padded)
        tables.append(train(recipe, training_set(data, recipe), tmp_path / str(padded), seed=0, execution=execution))
    assert lengths[0] == {256}
    assert len(lengths[1]) > 1 and max(lengths[1]) <= 104
    np.testing.assert_allclose(tables[1]["loss_total"], tables[0]["loss_total"], rtol=2e-5)


def test_the_same_seed_repeats_and_another_differs(data, finished, tmp_path):
    torch.rand(7), np.random.rand(7)  # noqa: NPY002  drawn elsewhere, which must not matter
    assert_same_training(tmp_path / "same", start(data, tmp_path / "same"), finished)
    start(data, tmp_path / "other", seed=2)
    first, other = (safetensors.torch.load_file(folder / FILES[0]) for folder in (finished[0], tmp_path / "other"))
    assert not any(torch.equal(first[name], other[name]) for name in first if name.endswith("conv.weight"))


def test_workers_load_the_same_and_end_with_the_training(data, finished, tmp_path, told_each_step):
    at_work = []
    table = start(
        data,
        tmp_path,
        execution=Execution(workers=2),
        on_progress=lambda table: at_work.append(len(multiprocessing.active_children())),
    )
    assert at_work[:4] == [2] * 4
    assert multiprocessing.active_children() == []
    assert_same_training(tmp_path, table, finished)


def test_features_are_kept_in_memory_within_the_budget_and_change_nothing(data, finished, tmp_path):
    dataset = training_set(data, RECIPE, seed=1)
    table = train(RECIPE, dataset, tmp_path, seed=1, execution=Execution(cache_mb=1))
    assert 0 < dataset.cached_bytes <= 10**6
    assert_same_training(tmp_path, table, finished)


@pytest.mark.parametrize(("progress_sec", "told"), [(0, list(range(1, 13))), (1e9, [12])])
def test_progress_is_told_so_often_and_once_at_the_end(data, tmp_path, monkeypatch, progress_sec, told):
    monkeypatch.setattr(record, "PROGRESS_SEC", progress_sec)
    seen = []
    start(data, tmp_path, on_progress=seen.append)
    assert [len(table) for table in seen] == told
    assert seen[0].columns.tolist() == METRICS


# ---- bf16


def test_the_loss_falls_in_bf16_as_in_fp32_and_weights_stay_in_float32(data, tmp_path, bf16_units):
    recipe = tiny_recipe(optim__epochs=10, optim__learning_rate=1e-2, loss__init_loss_norm=20)
    losses = []
    for precision in ("fp32", "bf16"):
        folder, execution = tmp_path / precision, Execution(precision=precision)
        losses.append(train(recipe, training_set(data, recipe), folder, seed=0, execution=execution)["loss_total"])
        assert losses[-1].iloc[-6:].mean() < 0.5 * losses[-1].iloc[:3].mean()
    assert (losses[0] != losses[1]).mean() > 0.9, "bf16 computes otherwise"
    np.testing.assert_allclose(losses[1][:3], losses[0][:3], rtol=0.02)
    assert losses[1].iloc[-6:].mean() == pytest.approx(losses[0].iloc[-6:].mean(), rel=0.15)
    for weights in WEIGHTS:
        assert {value.dtype for value in safetensors.torch.load_file(folder / weights).values()} == {torch.float32}
    saved = torch.load(next((folder / "checkpoints").glob("*.pt")), weights_only=True)
    moments = [value for entry in saved["optimizer"]["state"].values() for value in entry.values()]
    assert {value.dtype for value in [*saved["model"].values(), *moments]} == {torch.float32}


@pytest.mark.parametrize(("precision", "in_network"), [("fp32", False), ("bf16", True), ("auto", True)])
def test_bf16_is_for_the_network_alone(data, tmp_path, monkeypatch, precision, in_network, bf16_units):
    seen = {}

    class Watched(Criterion):
        def forward(self, out, *actions):
            losses = super().forward(out, *actions)
            numbers = (*out.logits, *out.offsets, *losses.values())
            seen["loss"] = torch.is_autocast_enabled("cpu"), {number.dtype for number in numbers}
            return losses

    def watch(module, arguments, out):
        if isinstance(module, ActionFormer):
            seen["network"] = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    monkeypatch.setattr(state, "Criterion", Watched)
    hook = torch.nn.modules.module.register_module_forward_hook(watch)
    start(data, tmp_path, execution=Execution(precision=precision))
    hook.remove()
    assert seen == {"network": (in_network, torch.bfloat16), "loss": (False, {torch.float32})}


@pytest.mark.parametrize("bf16_units", [False], indirect=True)
@pytest.mark.parametrize(
    ("precision", "said"), [("bf16", "afkit: bf16 was asked for, but this processor has no units for it"), ("auto", "")]
)
def test_without_units_for_bf16_float32_goes_on(data, finished, tmp_path, capsys, bf16_units, precision, said):
    table = start(data, tmp_path, execution=Execution(precision=precision))
    assert_same_training(tmp_path, table, finished)
    assert capsys.readouterr().out.partition(" (python -m afkit doctor)")[0] == said


# ---- evaluating on the way


def test_evaluations_are_written_down_and_change_nothing(data, finished, tmp_path):
    called = []

    def evaluate(model):
        called.append(copy.deepcopy(model.state_dict()))
        assert not model.training
        torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
        return 0.125 * len(called)

    execution = Execution(evaluate_every=2, checkpoint_minutes=0)
    table = start(data, tmp_path, execution=execution, evaluate=evaluate)
    assert_same_training(tmp_path, table, finished)
    validation = pd.read_csv(tmp_path / "validation.csv")
    assert validation.to_dict("list") == {"epoch": [1, 3], "average_map": [0.125, 0.25]}
    last = safetensors.torch.load_file(tmp_path / WEIGHTS[0])
    assert all(torch.equal(value, last[name]) for name, value in called[1].items()), "the averaged weights"
    assert not all(torch.equal(value, last[name]) for name, value in called[0].items())


def test_an_evaluation_cut_short_is_done_again_and_none_twice_and_forgotten_where_it_starts_anew(
    data, finished, tmp_path
):
    calls = []

    def evaluate(model, fails_at=None):
        calls.append(None)
        if len(calls) == fails_at:
            raise LostMachineError
        return len(calls) / 10

    execution = Execution(evaluate_every=1, checkpoint_minutes=0)
    with pytest.raises(LostMachineError):
        start(data, tmp_path, execution=execution, evaluate=lambda model: evaluate(model, 2))
    assert pd.read_csv(tmp_path / "validation.csv")["epoch"].tolist() == [0]
    table = start(data, tmp_path, execution=execution, evaluate=evaluate)
    validation = pd.read_csv(tmp_path / "validation.csv")
    assert validation.to_dict("list") == {"epoch": [0, 1, 2, 3], "average_map": [0.1, 0.3, 0.4, 0.5]}
    assert_same_training(tmp_path, table, finished)
    start(data, tmp_path, execution=execution, evaluate=evaluate)
    assert len(calls) == 5, "a complete training evaluates nothing again"
    start(data, tmp_path, resume=False)
    assert not (tmp_path / "validation.csv").exists()


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
        start(data, tmp_path, start_from=thumos.checkpoint)
    assert files_below(tmp_path) == []
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / LAST).write_bytes((finished[0] / LAST).read_bytes())
    assert_same_training(tmp_path, start(data, tmp_path, start_from=thumos.checkpoint), finished)


# ---- unusual and wrong input


def test_what_does_not_fit_is_refused_before_anything_is_written(data, tmp_path):
    with pytest.raises(ValueError, match="evaluate_every needs a function"):
        start(data, tmp_path, execution=Execution(evaluate_every=1))
    recipe = tiny_recipe(optim__batch_size=7)
    with pytest.raises(ValueError, match=r"6 training videos do not fill a batch of 7; lower optim\.batch_size"):
        train(recipe, training_set(data, recipe), tmp_path, seed=0)
    assert files_below(tmp_path) == []


def test_more_videos_without_features_than_allowed(tmp_path):
    write_tiny_data(tmp_path / "data")
    (tmp_path / "data" / "tiny" / "features" / "video3.npy").unlink()
    recipe = tiny_recipe(optim__epochs=1)
    with pytest.raises(ValueError, match=r"1 of 6 videos of training have no features .* set data\.max_missing=0\.17"):
        train(recipe, training_set(tmp_path / "data", recipe), tmp_path / "run", seed=0)
    assert not (tmp_path / "run").exists()
    allowed = tiny_recipe(optim__epochs=1, data__max_missing=0.2)
    assert len(train(allowed, training_set(tmp_path / "data", allowed), tmp_path / "run", seed=0)) == 4


@pytest.mark.parametrize(("batch_size", "rates"), [(4, [0, 1e-3]), (6, [0, 1e-3])])
def test_a_last_partial_batch_is_dropped(data, tmp_path, batch_size, rates):
    """One batch in each epoch, with and without a rest; the warm-up has one step, and its rate is not 0/0."""
    recipe = tiny_recipe(optim__batch_size=batch_size, optim__epochs=1)
    table = train(recipe, training_set(data, recipe), tmp_path, seed=0)
    assert table["learning_rate"].tolist() == pytest.approx(rates, rel=1e-4)
    assert np.isfinite(table).all().all()


def test_extra_epochs_are_trained_and_epochs_left_out_are_not(data, tmp_path):
    for extra, epochs in ((1, 4), (-2, 1)):
        recipe = tiny_recipe(optim__extra_epochs=extra, data__crop_min_overlap=0.0)
        metrics = train(recipe, training_set(data, recipe), tmp_path / str(extra), seed=0)
        assert metrics["epoch"].max() + 1 == epochs
        assert np.isfinite(metrics["loss_total"]).all()


def test_videos_without_annotations_are_background(tmp_path):
    write_tiny_data(tmp_path)
    for video in ("video0", "video1", "video2"):
        change_video(tmp_path, video, annotations=[])
    recipe = tiny_recipe(optim__batch_size=1, optim__epochs=2)
    table = train(recipe, training_set(tmp_path, recipe), tmp_path / "run", seed=0)
    assert np.isfinite(table).all().all()
    assert (table["loss_reg"] == 0).sum() == 3 * 3, "three videos in each of three epochs have nothing to locate"
    assert (table["loss_cls"] > 0).all()
