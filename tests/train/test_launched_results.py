"""What two devices end with, started as children of this process: after a kill, on two machines, in detection."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from job_processes import assert_all_ended, processes
from tiny_data import tiny_recipe, training_set
from trainings import assert_same_training, checkpoints_in, files_below

import afkit
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.runs.launch import predict_on_devices, train_on_devices

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("on_the_processor"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

TESTS = Path(__file__).parents[1]
RECIPE = tiny_recipe(optim__epochs=30)
TWO = Execution(devices=2, checkpoint_steps=5, checkpoint_minutes=0)
PROGRAM = """
import sys
sys.path[:0] = sys.argv[3:]
from test_launched_results import RECIPE, TWO
from afkit.workbench.runs.launch import train_on_devices

train_on_devices(RECIPE, sys.argv[1], sys.argv[2], 1, TWO)
"""


def test_killed_and_started_again_it_ends_with_the_same_bits(root):
    seen = []
    expected = train_on_devices(RECIPE, root, root / "whole", 1, TWO, on_progress=lambda table: seen.append(len(table)))
    assert len(expected) == 93 and seen[-1] == 93 and seen == sorted(set(seen))
    folder = root / "run"
    command = [sys.executable, "-c", PROGRAM, root, folder, Path(afkit.__file__).parents[1], TESTS, TESTS / "train"]
    with subprocess.Popen([str(part) for part in command]) as parent:
        until = time.monotonic() + 600
        while len(checkpoints_in(folder)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        for process in [parent.pid, *processes(folder)]:
            os.kill(process, signal.SIGKILL)
    assert_all_ended(folder)
    assert 5 <= checkpoints_in(folder)[-1] < 93, "killed in the middle"
    table = train_on_devices(RECIPE, root, folder, 1, TWO)
    assert_same_training(folder, table, (root / "whole", expected))
    one, other = (torch.load(place / "checkpoints" / "step000000093.pt") for place in (root / "whole", folder))
    assert [state["python"] for state in one["random"]] == [state["python"] for state in other["random"]]
    assert files_below(folder) == files_below(root / "whole"), "neither job nor log is left"
    assert_all_ended(folder)


def test_two_machines(root, capfd, monkeypatch):
    """Played by one: the printed command is started beside it."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29467")
    recipe, printed, other = tiny_recipe(optim__epochs=3, model__drop_path=0.0), [], []

    def start_the_other():
        while not printed:
            time.sleep(0.05)
            printed.extend(line for line in capfd.readouterr().out.splitlines() if "other machines" in line)
        command = printed[0].split(": ", 2)[2]
        other.append(subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    thread = threading.Thread(target=start_the_other)
    thread.start()
    table = train_on_devices(recipe, root, root / "run", 1, Execution(num_nodes=2))
    thread.join()
    assert other[0].wait(30) == 0
    expected = train(recipe, training_set(root, recipe, seed=1), root / "one", 1)
    losses = ["loss_cls", "loss_reg", "loss_total", "grad_norm"]
    pd.testing.assert_frame_equal(table[losses], expected[losses], rtol=1e-5)


def test_detection_on_two_devices(root):
    torch.manual_seed(5)
    model = build_model(RECIPE)
    save_weights(model, root / "weights.safetensors", "ema")
    expected = predict_dataset(model, RECIPE, Dataset(RECIPE.data, root, RECIPE.data.test_subsets))
    found = predict_on_devices(RECIPE, root, root / "run", root / "weights.safetensors", devices=2, backend="torch")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert files_below(root / "run") == []
