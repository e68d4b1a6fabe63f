"""Training and detection on two devices as children of this process: errors, kills, interrupts, no orphans, results."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from job_processes import assert_all_ended, processes, python, start_rank, workers
from tiny_data import tiny_recipe, training_set
from trainings import assert_same_training, checkpoints_in, files_below

from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.files import read_json, write_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.runs import launch
from afkit.workbench.runs.launch import predict_on_devices, train_on_devices

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("on_the_processor"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

RECIPE = tiny_recipe(optim__epochs=3)
TWO = Execution(devices=2, checkpoint_steps=5, checkpoint_minutes=0)
PROGRAM = """
from test_launch import TWO
from tiny_data import tiny_recipe
from afkit.workbench.runs.launch import train_on_devices

train_on_devices(tiny_recipe(optim__epochs=int(sys.argv[3])), sys.argv[1], sys.argv[2], 1, TWO)
"""
WAITING = """
import time
import torch
import torch.distributed as dist
from afkit.workbench.runs import worker

def fail(job):
    while dist.get_rank():
        time.sleep(1)
    dist.all_reduce(torch.ones(1), async_op=True)
    raise ValueError("broken")

worker.TASKS["fail"] = fail
worker.main(sys.argv[1:])
"""


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
        os.kill(workers(root / "run")[1], signal.SIGSTOP)  # as one that is too busy to look whether its parent is there
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on_devices(tiny_recipe(optim__epochs=5000), root, root / "run", 1, TWO, on_progress=interrupt)
    assert_all_ended(root / "run")


def test_an_error_ends_a_process_that_the_others_keep_waiting(tmp_path):
    job = tmp_path / "train_job.json"
    write_json(job, {"task": "fail", "meet": str(tmp_path / "store")})
    ranks = [start_rank(rank, WAITING, job, stdin=subprocess.PIPE) for rank in range(2)]
    try:
        assert ranks[0].wait(300) == 1
        assert ranks[1].poll() is None
    finally:
        for process in ranks:
            process.kill()
            process.communicate()
    assert read_json(launch.error_file(job)) == {"kind": "ValueError", "message": "broken"}


def test_the_end_of_the_parent_ends_all(root):
    folder = root / "run"
    with subprocess.Popen(python(PROGRAM, root, folder, 5000)) as parent:
        while not (folder / "metrics.csv").exists() and parent.poll() is None:
            time.sleep(0.02)
        meet = Path(read_json(folder / "train_job.json")["meet"])
        assert meet.exists() and len(workers(folder)) == 2
        parent.kill()
    assert_all_ended(folder)
    assert not meet.parent.exists()


def test_what_cannot_be_is_refused_before_anything_starts(root, monkeypatch):
    with pytest.raises(ValueError, match=r"optim.batch_size 2 does not divide by 6 devices; .* optim.learning_rate"):
        train_on_devices(RECIPE, root, root / "run", 1, Execution(devices=3, num_nodes=2))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="devices is 2, but this machine has 1 GPUs"):
        train_on_devices(RECIPE, root, root / "run", 1, TWO)
    assert not (root / "run").exists()


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([None, 1], "process 1 of the devices ended with code 1"),
        ([1, -9, 0], "process 1 of the devices was ended by SIGKILL (the system does so where memory runs out)"),
        ([0, 2, 2], "process 1 of the devices ended with code 2"),
    ],
)
def test_the_process_that_failed_first_is_named(tmp_path, codes, said):
    error = launch._error(tmp_path / "train_job.json", codes)
    assert type(error) is RuntimeError and str(error).startswith(said + ", and the others with it; what they said is")


class Started(list):
    """Stands for `subprocess.Popen`, and keeps the environments of what it was to start."""

    def __call__(self, command, **arguments):
        self.append(arguments["env"])
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def kill(self):
        """Ends nothing."""


def test_each_process_is_told_who_it_is_and_where_to_listen(tmp_path, monkeypatch):
    for name in launch.LOOPBACK:
        monkeypatch.setenv(name, "eth0")
    for num_nodes, machine in ((1, 0), (2, 0), (2, 1)):
        monkeypatch.setattr(launch.subprocess, "Popen", started := Started())
        with launch._processes(tmp_path / "train_job.json", 2, num_nodes, machine):
            pass
        assert [process["RANK"] for process in started] == [str(2 * machine), str(2 * machine + 1)]
        assert [process["LOCAL_RANK"] for process in started] == ["0", "1"]
        for process in started:
            assert (process["WORLD_SIZE"], process["LOCAL_WORLD_SIZE"]) == (str(2 * num_nodes), "2")
            places = [process[name] for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")]
            assert places == (["lo", "=lo"] if num_nodes == 1 else ["eth0", "eth0"])


def test_modules_in_the_working_directory_are_none_of_the_processes(tmp_path):
    (tmp_path / "stranger.py").write_text("")
    program = (
        "import importlib.util; print(*[importlib.util.find_spec(name) is not None for name in ('stranger', 'afkit')])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=launch._environment(1), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_processors_are_shared(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert launch._environment(3)["OMP_NUM_THREADS"] == "1", "as the user has it"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert launch._environment(3)["OMP_NUM_THREADS"] == "2"
    assert launch._environment(16)["OMP_NUM_THREADS"] == "1"


# ---- what they end with


def test_killed_and_started_again_it_ends_with_the_same_bits(root, capsys):
    seen, recipe = [], tiny_recipe(optim__epochs=30)
    expected = train_on_devices(recipe, root, root / "whole", 1, TWO, on_progress=lambda table: seen.append(len(table)))
    assert len(expected) == 93 and seen[-1] == 93 and seen == sorted(set(seen))
    folder = root / "run"
    with subprocess.Popen(python(PROGRAM, root, folder, 30)) as parent:
        until = time.monotonic() + 600
        while len(checkpoints_in(folder)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        for process in [parent.pid, *processes(folder)]:
            os.kill(process, signal.SIGKILL)
    assert_all_ended(folder)
    assert 5 <= checkpoints_in(folder)[-1] < 93, "killed in the middle"
    table = train_on_devices(recipe, root, folder, 1, TWO)
    assert "afkit: training goes on after step" in capsys.readouterr().out, "what the processes say is passed on"
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
