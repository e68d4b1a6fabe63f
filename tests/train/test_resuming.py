"""Training that is interrupted, and its checkpoints: what is kept, what is refused, what a full disk does."""

import json
import random
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from refusals import full
from tiny_data import TEMPORALMAXER, TRIDET, tiny_recipe, training_set
from trainings import (
    FILES,
    LAST,
    RECIPE,
    WEIGHTS,
    LostMachineError,
    assert_same_training,
    checkpoints_in,
    files_below,
    start,
    stop_after,
)

from afkit.train import checkpoints, record
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.train.state import random_state, set_random_state


def copied(finished, folder, name=LAST):
    """A run folder that holds the last checkpoint of the finished training only."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / name).write_bytes((finished[0] / LAST).read_bytes())
    return folder / name


def saved(content):
    """The bytes of a file of torch."""
    torch.save(content, file := BytesIO())
    return file.getvalue()


# ---- the same ending


@pytest.mark.parametrize(("rows", "steps", "kept"), [(1, 2, []), (3, 1, [1, 2]), (6, 5, [5]), (11, 3, [6, 9])])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    data, finished, tmp_path, told_each_step, rows, steps, kept
):
    """Stopped within epochs of three steps and between them."""
    with pytest.raises(LostMachineError):
        start(data, tmp_path, steps, on_progress=stop_after(rows))
    assert checkpoints_in(tmp_path) == kept
    assert len(pd.read_csv(tmp_path / "metrics.csv")) == rows
    assert not (tmp_path / WEIGHTS[0]).exists(), "weights to evaluate exist only at the end"
    torch.manual_seed(99)  # another process
    seen = []
    table = start(data, tmp_path, steps, on_progress=lambda table: seen.append(len(table)))
    assert seen == list(range((kept or [0])[-1] + 1, 13)), "no step is done twice"
    assert_same_training(tmp_path, table, finished)


@pytest.mark.parametrize("network", [TRIDET | {"model__input_noise": 0.1, "model__sgp_deviation": 0.1}, TEMPORALMAXER])
def test_other_networks_end_as_uninterrupted_ones_too(data, tmp_path, told_each_step, network):
    """With noise on the input, convolutions that are skipped or not, and a norm of many names."""
    recipe = tiny_recipe(**network)
    dataset, execution = training_set(data, recipe, seed=1), Execution(checkpoint_steps=3, checkpoint_minutes=0)
    expected = train(recipe, dataset, tmp_path / "whole", 1, execution)
    with pytest.raises(LostMachineError):
        train(recipe, dataset, tmp_path / "parts", 1, execution, on_progress=stop_after(5))
    table = train(recipe, training_set(data, recipe, seed=1), tmp_path / "parts", 1, execution)
    assert_same_training(tmp_path / "parts", table, (tmp_path / "whole", expected))


def test_a_checkpoint_holds_where_the_random_numbers_are(data, tmp_path):
    """Of each pair of normal numbers NumPy keeps one for the next call."""

    def evaluate(model):  # whose random numbers are forgotten
        random.random(), np.random.rand(3), torch.rand(1)  # noqa: NPY002
        return 0.5

    def draw():
        return random.random(), np.random.randn(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    np.random.seed(3), np.random.randn()  # noqa: NPY002
    before = random_state()
    ahead = draw()
    set_random_state(before)
    assert draw() == ahead
    start(data, tmp_path, execution=Execution(evaluate_every=4), evaluate=evaluate)
    ahead = draw()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
    start(data, tmp_path)
    assert draw() == ahead


def test_a_finished_training_is_not_repeated(data, finished, tmp_path):
    path = copied(finished, tmp_path)
    written = path.stat().st_mtime_ns
    called = []
    table = start(data, tmp_path, on_progress=called.append)
    assert not called
    assert files_below(tmp_path) == FILES
    assert path.stat().st_mtime_ns == written
    assert_same_training(tmp_path, table, finished)


def test_without_resume_it_starts_anew(data, finished, tmp_path):
    start(data, tmp_path, steps=4, seed=5)
    assert checkpoints_in(tmp_path) == [8, 12]
    rows = []
    table = start(data, tmp_path, resume=False, on_progress=lambda table: rows.append(len(table)))
    assert_same_training(tmp_path, table, finished)
    assert checkpoints_in(tmp_path) == [12], "those of the former training are gone"


# ---- when and what is saved


@pytest.mark.parametrize(
    ("minutes", "steps", "expected"),
    [
        (4, 0, [[]] * 4 + [[4]] * 4 + [[4, 8]] * 4),
        (0, 2, [[], [], [2], [2], [2, 4], [2, 4], [4, 6], [4, 6], [6, 8], [6, 8], [8, 10], [8, 10]]),
        (0, 0, [[]] * 12),
    ],
)
def test_checkpoints_come_by_minutes_and_steps_and_the_last_two_are_kept(
    data, tmp_path, told_each_step, monkeypatch, minutes, steps, expected
):
    """Each step takes a minute; the last checkpoint is that of the end."""
    kept = []
    monkeypatch.setattr(record, "time", SimpleNamespace(monotonic=lambda: 60.0 * len(kept)))
    execution = Execution(checkpoint_minutes=minutes, checkpoint_steps=steps)
    start(data, tmp_path, execution=execution, on_progress=lambda table: kept.append(checkpoints_in(tmp_path)))
    assert kept == expected
    assert checkpoints_in(tmp_path) == [*expected[-1][-1:], 12]


def test_an_older_checkpoint_goes_only_when_the_newer_is_complete(data, tmp_path, monkeypatch):
    there = []
    save = torch.save

    def watched(content, file):
        save(content, file)
        there.append(checkpoints_in(tmp_path))

    monkeypatch.setattr(torch, "save", watched)
    start(data, tmp_path, steps=3)
    assert there == [[], [3], [3, 6], [6, 9]]


def test_a_checkpoint_says_what_it_is_of(finished):
    content = torch.load(finished[0] / LAST, weights_only=True)
    assert json.loads(content["recipe"]) == json.loads(RECIPE.model_dump_json())
    assert content["seed"] == 1 and content["step"] == 12
    assert content["execution"]["precision"] == "fp32"
    assert content["criterion"]["loss_norm"].item() != 100
    assert content["metrics"].shape == (12, 8)


def test_what_a_killed_process_left_is_removed(data, tmp_path):
    left = [tmp_path / "checkpoints" / ".step000000004.pt.123.tmp", tmp_path / ".metrics.csv.123.tmp"]
    left[0].parent.mkdir()
    for path in left:
        path.write_bytes(b"half")
    start(data, tmp_path)
    assert files_below(tmp_path) == FILES


def test_another_way_of_computing_is_said(data, tmp_path, told_each_step, capsys, bf16_units):
    with pytest.raises(LostMachineError):
        start(data, tmp_path, steps=5, on_progress=stop_after(6))
    capsys.readouterr()
    start(data, tmp_path, execution=Execution(precision="bf16", workers=1))
    said = "afkit: precision was fp32 up to step 5 and is bf16 from here on\nafkit: training goes on after step 5\n"
    assert capsys.readouterr().out == said


# ---- what is refused


def test_the_checkpoint_of_another_training_is_refused(data, finished, tmp_path):
    path = copied(finished, tmp_path)
    message = r"step000000012\.pt is of another recipe or seed; use another run folder, or delete it to start anew"
    with pytest.raises(ValueError, match=message):
        start(data, tmp_path, seed=2)
    for change in ({"optim__epochs": 4}, {"optim__epochs": 3, "loss__label_smoothing": 0.1}):
        other = tiny_recipe(**change)
        with pytest.raises(ValueError, match=message):
            train(other, training_set(data, other, seed=1), tmp_path, seed=1)
    assert path.read_bytes() == (finished[0] / LAST).read_bytes()
    assert files_below(tmp_path) == [LAST]


def test_a_checkpoint_of_a_version_with_fewer_settings_is_gone_on_with(data, finished, tmp_path):
    path = copied(finished, tmp_path)
    content = torch.load(path, weights_only=True)
    recipe = json.loads(content["recipe"])
    del recipe["data"]["max_missing"]
    torch.save(content | {"recipe": json.dumps(recipe)}, path)
    assert_same_training(tmp_path, start(data, tmp_path), finished)
    recipe["data"]["max_seq_len"] = 32
    torch.save(content | {"recipe": json.dumps(recipe)}, path)
    with pytest.raises(ValueError, match="is of another recipe or seed"):
        start(data, tmp_path)


def damaged(whole):
    """Contents of a checkpoint file that cannot be gone on from."""
    yield b""
    yield b"abc"
    yield b"this is no checkpoint, and it is somewhat longer"
    yield whole[: len(whole) // 2]
    yield whole[:-1]
    middle = len(whole) // 2
    yield whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


def test_what_cannot_be_gone_on_from_is_refused_and_stays(data, finished, tmp_path):
    """Damaged, something else, of an older version that wrote fewer parts, or of another network."""
    path = copied(finished, tmp_path)
    whole = torch.load(path, weights_only=True)
    cases = [(content, "is not a readable checkpoint") for content in damaged(path.read_bytes())]
    for content in ([1, 2], {"epoch": 3}, {"recipe": "no json", "seed": 1}):
        cases.append((saved(content), "is not a readable checkpoint"))
    for part in (*checkpoints.PARTS, *checkpoints.OTHERS):
        lacking = {name: value for name, value in whole.items() if name != part}
        cases.append((saved(lacking), f"is not a readable checkpoint .*it lacks {part}"))
    cases.append((saved(whole | {"model": {"weight": torch.zeros(3)}}), "does not fit this version of afkit"))
    for content, message in cases:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"012\.pt {message}.* delete it to start anew"):
            start(data, tmp_path)
        assert path.read_bytes() == content
    assert files_below(tmp_path) == [LAST]


def test_a_damaged_newest_checkpoint_is_passed_over_and_named(data, finished, tmp_path, told_each_step, capsys):
    with pytest.raises(LostMachineError):
        start(data, tmp_path, steps=4, on_progress=stop_after(10))
    newest = tmp_path / "checkpoints" / "step000000008.pt"
    whole = newest.read_bytes()
    rows = []
    for content in damaged(whole):
        newest.write_bytes(content)
        capsys.readouterr()
        with pytest.raises(LostMachineError):
            start(data, tmp_path, on_progress=stop_after(5))
        said = capsys.readouterr().out.splitlines()
        assert len(said) == 2 and "step000000008.pt is not a readable checkpoint" in said[0]
        assert said[0].endswith("; going on from step000000004.pt")
        assert said[1] == "afkit: training goes on after step 4"
    table = start(data, tmp_path, steps=5, on_progress=lambda table: rows.append(checkpoints_in(tmp_path)))
    assert rows[:6] == [[4, 8]] + [[4, 5]] * 5, "the damaged one does not outlive the next"
    assert_same_training(tmp_path, table, finished)


# ---- a full disk


@pytest.mark.parametrize(("place", "name"), [(record.MetricsFile, "flush"), (torch, "save")])
def test_a_full_disk_is_named(data, tmp_path, monkeypatch, told_each_step, place, name):
    monkeypatch.setattr(place, name, full)
    with pytest.raises(OSError, match=r"cannot be written to \(No space left on device\); make room") as caught:
        start(data, tmp_path)
    assert str(tmp_path) in str(caught.value)
