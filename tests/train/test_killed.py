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

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]

TIMES = int(os.environ.get("AFKIT_TIMES", 1))
STEPS, EVERY = 120 * TIMES, 7  # of which 3 are an epoch; between two checkpoints
PROGRAM = """
import torch
from tiny_data import tiny_recipe, training_set
from afkit.train import record
from afkit.train.execution import Execution
from afkit.train.loop import train

torch.set_num_threads(1)
recipe = tiny_recipe(optim__epochs=int(sys.argv[3]) // 3 - 1)
dataset = training_set(sys.argv[1], recipe, seed=1)
execution = Execution(checkpoint_steps=int(sys.argv[4]), evaluate_every=8)
record.PROGRESS_SEC = 0

def evaluate(model):
    torch.rand(1)
    return 1 / model.cls_head.cls_head.conv.bias.abs().sum().item()

def say(table):
    print(len(table), flush=True)
    sys.stdin.readline()  # waits to be allowed the next step

train(recipe, dataset, sys.argv[2], 1, execution, on_progress=say, evaluate=evaluate)
"""


class Child:
    """A process that trains, says how many steps are done, and does no step that it is not allowed."""

    def __init__(self, data, folder):
        command = python(PROGRAM, data, folder, STEPS, EVERY)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.steps = self._steps_said()

    def _steps_said(self):
        line = self.process.stdout.readline()
        while line.startswith("afkit: "):  # that it goes on
            line = self.process.stdout.readline()
        return int(line)

    def allow(self, steps):
        """Let it do so many more steps."""
        self.process.stdin.write("\n" * steps)
        self.process.stdin.flush()

    def go_on(self, steps):
        """Wait until so many more steps are done."""
        self.allow(steps)
        for _ in range(steps):
            self.steps = self._steps_said()

    def kill(self):
        """SIGKILL; whether it was still at work."""
        self.process.send_signal(signal.SIGKILL)
        self.process.stdout.close()
        return self.process.wait() == -signal.SIGKILL

    def kill_while_writing(self, folder):
        """SIGKILL as soon as half a checkpoint is there, or the next is whole; whether it stayed half."""
        before = newest_in(folder)
        self.allow(EVERY)
        while newest_in(folder) == before and not half_written(folder):
            pass
        return self.kill() and bool(half_written(folder))

    def finish(self):
        """Let it do all that is left, and wait for its end."""
        self.process.communicate()
        assert self.process.returncode == 0


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
        child.go_on(draws.randrange(EVERY, 20))
        child.allow(1)
        time.sleep(draws.uniform(0, 0.03))  # less or more than a step
        assert child.kill(), "killed too late to show anything"
        reached.append(newest_in(folder))
    while halves < TIMES and len(reached) < 7 * TIMES:
        child = Child(tmp_path, folder)
        child.go_on(draws.randrange(6))
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
    assert checkpoints_in(folder) == [STEPS // EVERY * EVERY, STEPS]
