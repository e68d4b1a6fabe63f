"""SIGKILL at random moments and while a checkpoint is being written: the training ends as if nothing had happened.

AFKIT_TIMES says how often; `make reliability` also kills at every write, see `tests/reliability`.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from job_processes import python
from tiny_data import write_tiny_data
from trainings import assert_same_training, checkpoints_in, files_below

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

TIMES = int(os.environ.get("AFKIT_TIMES", 1))
STEPS = 120 * TIMES  # 3 in an epoch
PROGRAM = """
import torch
from tiny_data import tiny_recipe, training_set
from afkit.train import record
from afkit.train.execution import Execution
from afkit.train.loop import train

torch.set_num_threads(1)
recipe = tiny_recipe(optim__epochs=int(sys.argv[3]) // 3 - 1)
dataset = training_set(sys.argv[1], recipe, seed=1)
execution = Execution(checkpoint_steps=7, evaluate_every=8)
record.PROGRESS_SEC = 0

def evaluate(model):
    torch.rand(1)
    return 1 / model.cls_head.cls_head.conv.bias.abs().sum().item()

def say(table):
    print(len(table), flush=True)

train(recipe, dataset, sys.argv[2], 1, execution, on_progress=say, evaluate=evaluate)
"""


class Child:
    """A process that trains, and says how many steps are done."""

    def __init__(self, data, folder):
        command = python(PROGRAM, data, folder, STEPS)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.steps = self._steps_said()

    def _steps_said(self):
        line = self.process.stdout.readline()
        while line.startswith("afkit: "):  # that it goes on
            line = self.process.stdout.readline()
        return int(line)

    def wait_for(self, steps):
        """Wait until that many steps are done."""
        while self.steps < steps:
            self.steps = self._steps_said()

    def kill(self):
        """SIGKILL; whether it was still at work."""
        self.process.send_signal(signal.SIGKILL)
        self.process.stdout.close()
        return self.process.wait() == -signal.SIGKILL

    def kill_while_writing(self, folder):
        """SIGKILL as soon as half a checkpoint is there; whether it stayed half."""
        while self.process.poll() is None and not half_written(folder):
            pass
        return self.kill() and bool(half_written(folder))

    def finish(self):
        """Wait for the end of the training."""
        self.process.stdout.read()
        assert self.process.wait() == 0


def newest_in(folder):
    """The step of the newest checkpoint; 0 where there is none."""
    return (checkpoints_in(folder) or [0])[-1]


def half_written(folder):
    """Checkpoints that are being written."""
    return list((folder / "checkpoints").glob(".*.tmp"))


def test_killed_at_any_moment_it_ends_with_the_same_bits(tmp_path):
    write_tiny_data(tmp_path)
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    Child(tmp_path, whole).finish()
    draws, reached, halves = random.Random(5), [], 0
    for _ in range(2 * TIMES):
        child = Child(tmp_path, folder)
        child.wait_for(child.steps + draws.randrange(7, 20))
        time.sleep(draws.uniform(0, 0.03))  # less or more than a step
        assert child.kill(), "killed too late to show anything"
        reached.append(newest_in(folder))
    while halves < TIMES and len(reached) < 10 * TIMES:
        child = Child(tmp_path, folder)
        child.wait_for(child.steps + draws.randrange(6))
        halves += child.kill_while_writing(folder)
        reached.append(newest_in(folder))
    assert halves == TIMES, "no checkpoint was caught half written"
    assert reached == sorted(reached) and 0 < reached[-1] < STEPS
    assert len(set(reached)) >= 2, "several stretches of the training were done"
    Child(tmp_path, folder).finish()
    expected = pd.read_csv(whole / "metrics.csv")
    assert len(expected) == STEPS
    assert_same_training(folder, pd.read_csv(folder / "metrics.csv"), (whole, expected))
    assert (folder / "validation.csv").read_bytes() == (whole / "validation.csv").read_bytes()
    assert files_below(folder) == files_below(whole), "nothing half written is left"
    assert checkpoints_in(folder) == [STEPS // 7 * 7, STEPS]
