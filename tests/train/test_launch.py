"""Training and detection on two devices as children of this process: errors, kills, interrupts, and no orphans."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from job_processes import assert_all_ended, workers
from tiny_data import tiny_recipe, training_set
from trainings import checkpoints_in

from afkit.runs import launch
from afkit.runs.launch import train_on_devices
from afkit.train.execution import Execution

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("on_the_processor"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

TESTS = Path(__file__).parents[1]
RECIPE = tiny_recipe(optim__epochs=3)
TWO = Execution(devices=2, checkpoint_steps=5, checkpoint_minutes=0)


def break_video(root, recipe, row, seed=1):
    """Fill a video of the first batch with NaN, that of the given row; its name."""
    order = np.random.default_rng([seed, 0]).permutation(6)
    video = training_set(root, recipe, seed).videos[order[row]].name
    path = root / "tiny" / "features" / f"{video}.npy"
    np.save(path, np.full_like(np.load(path), np.nan))
    return video


def test_a_loss_that_is_not_finite_ends_all(root):
    video = break_video(root, RECIPE, row=1)
    with pytest.raises(
        ValueError, match="the loss of recipe 'tiny', or its gradient, is nan at step 0 on the"
    ) as caught:
        train_on_devices(RECIPE, root, root / "run", 1, TWO)
    assert f"on the videos {video}; check" in str(caught.value), "that of the second process, and no other"
    assert checkpoints_in(root / "run") == []
    assert_all_ended(root / "run")


def test_an_error_of_one_process_ends_all(root):
    video = break_video(root, RECIPE, row=1)
    (root / "tiny" / "features" / f"{video}.npy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=f"{video}.npy"):
        train_on_devices(RECIPE, root, root / "run", 1, TWO)
    assert (root / "run" / "train_job.log").exists()
    assert_all_ended(root / "run")


def test_a_killed_process_ends_all(root):
    folder, recipe = root / "run", tiny_recipe(optim__epochs=5000)

    def kill(table):
        if not killed:
            killed.append(os.kill(workers(folder)[1], signal.SIGKILL))

    killed = []
    with pytest.raises(RuntimeError, match="process 1 of the devices was ended by SIGKILL") as caught:
        train_on_devices(recipe, root, folder, 1, TWO, on_progress=kill)
    assert "train_job.log" in str(caught.value)
    assert killed and (folder / "train_job.log").exists() and not (folder / "train_job.json").exists()
    assert_all_ended(folder)


def test_an_interrupt_ends_all(root):
    def interrupt(table):
        assert len(workers(root / "run")) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on_devices(tiny_recipe(optim__epochs=5000), root, root / "run", 1, TWO, on_progress=interrupt)
    assert_all_ended(root / "run", seconds=2)


def test_what_cannot_be_is_refused_before_anything_starts(root, monkeypatch):
    with pytest.raises(ValueError, match=r"optim.batch_size 2 does not divide by 6 devices; .* optim.learning_rate"):
        train_on_devices(RECIPE, root, root / "run", 1, Execution(devices=3, num_nodes=2))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="devices is 2, but this machine has 1 GPUs"):
        train_on_devices(RECIPE, root, root / "run", 1, TWO)
    assert not (root / "run").exists()


def test_processors_are_shared(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert launch._environment(3)["OMP_NUM_THREADS"] == "1", "as the user has it"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert launch._environment(3)["OMP_NUM_THREADS"] == "2"
    assert launch._environment(16)["OMP_NUM_THREADS"] == "1"
