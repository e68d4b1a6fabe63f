"""Sweeps of whole runs whose workers, kernels and own process are killed: each run is done, or failed with a reason."""

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest

from afkit.files import LOCK, read_json
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.paths import run_folder

pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytest.importorskip("distributed", reason="sweeps are made by dask")
from distributed import Client

psutil = pytest.importorskip("psutil", reason="comes with dask")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SMALL = {
    "data.input_dims": [8],
    "data.max_seq_len": 256,
    "model.embed_dim": 32,
    "optim.epochs": 49,
    "optim.warmup_epochs": 1,
    "decode.pre_nms_topk": 100,
    "decode.max_segments": 50,
}
SAME = SMALL | {"optim.momentum": 0.8}  # another run with the same numbers: it is that of SGD, and AdamW trains
WRONG = SMALL | {"optim.learning_rate": 1e30}  # the loss is soon not finite, and 02_train raises
DEADLINE_SEC = 600  # nothing takes so long, but machines may be busy
GONE = "afkit: the scheduler has gone; the same command goes on from here"


def write_file(folder: Path, data_root: Path, *runs: dict) -> Path:
    """A sweep file whose results come beside it."""
    lines = [f"data: twin\ndata_root: {data_root}\nresults: {folder}/results\nmemory_gb: 0.5\nseeds: [1]"]
    lines += ["parameters: {checkpoint_minutes: 0.002}\nruns:"]
    lines += [f"- {{recipe: thumos_i3d, overrides: {overrides}}}" for overrides in runs]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.yaml").write_text("\n".join(lines).replace("'", ""))
    return folder / "sweep.yaml"


def start(path: Path, workers: int = 2, scheduler: str = "") -> subprocess.Popen:
    """`python -m afkit sweep` as a process, with workers of its own or those of a running cluster."""
    where = ["--scheduler", scheduler] if scheduler else ["--workers", str(workers)]
    command = [sys.executable, "-m", "afkit", "sweep", str(path), *where]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, **pipes, cwd=ROOT, env=environment, process_group=0)


@contextmanager
def dask_cluster(facts: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A scheduler and a worker as processes of their own, as a user starts them; the scheduler and its address."""
    dask, own = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1", "--no-dashboard"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT, "env": environment}
    scheduler = subprocess.Popen([*dask, "scheduler", *own, "--port", "0", "--scheduler-file", str(facts)], **quiet)
    worker = subprocess.Popen(
        [*dask, "worker", *own, "--nthreads", "1", "--death-timeout", "30", "--scheduler-file", str(facts)], **quiet
    )
    try:
        until = time.monotonic() + DEADLINE_SEC
        while not facts.is_file():
            assert time.monotonic() < until and scheduler.poll() is None
            time.sleep(0.1)
        with Client(scheduler_file=str(facts)) as client:
            client.wait_for_workers(1, timeout=DEADLINE_SEC)
        yield scheduler, read_json(facts)["address"]
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(timeout=60)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit status and what it said."""
    said, _ = process.communicate(timeout=DEADLINE_SEC)
    return process.returncode, said


def folder_of(path: Path, overrides: dict = SMALL) -> Path:
    return run_folder("thumos_i3d", 1, overrides, path.parent / "results")


def wait_for_checkpoint(process: subprocess.Popen, folder: Path) -> tuple[psutil.Process, psutil.Process]:
    """Wait until a run is in its training; its worker and its kernel."""
    until = time.monotonic() + DEADLINE_SEC
    while not list(folder.glob("checkpoints/step*.pt")):
        assert process.poll() is None and time.monotonic() < until, "training did not start"
        time.sleep(0.05)
    worker = psutil.Process(int((folder / LOCK).read_text().split()[1]))
    kernels = [child for child in worker.children() if "ipykernel_launcher" in " ".join(child.cmdline())]
    assert len(kernels) == 1 and status(folder)["02_train"] == "running", "too late to show anything"
    return worker, kernels[0]


def status(folder: Path) -> dict[str, str]:
    return {stage: entry["status"] for stage, entry in read_json(folder / "run.json")["stages"].items()}


def results(folder: Path) -> tuple:
    """What must not depend on what happened on the way, bit by bit."""
    assert status(folder) == dict.fromkeys(STAGES, "done")
    assert not (folder / LOCK).exists()
    weights = (folder / "checkpoints" / "ema.safetensors").read_bytes()
    return (
        weights,
        gzip.decompress((folder / "predictions.json.gz").read_bytes()),
        read_json(folder / "eval.json")["map"],
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, tuple]:
    """The data root, and the results of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    path = write_file(folder, folder / "data", SMALL)
    code, said = finish(start(path))
    assert code == 0, said
    assert said.startswith("1 runs in ") and "data of thumos: done" in said and "1/1 thumos_i3d/seed1" in said
    assert said.splitlines()[-1] == str(folder / "results" / "report.html")
    assert "twin: thumos_i3d/seed1" in (folder / "results" / "report.html").read_text()
    return folder / "data", results(folder_of(path))


def test_killed_workers_and_kernels_and_errors_leave_every_run_done_or_failed(undisturbed, tmp_path):
    data, expected = undisturbed
    path = write_file(tmp_path, data, SMALL, SAME, WRONG)
    process = start(path)
    killed, dead, wrong = folder_of(path), folder_of(path, SAME), folder_of(path, WRONG)

    def kill(folder: Path) -> psutil.Process:
        worker, kernel = wait_for_checkpoint(process, folder)
        (worker if folder == killed else kernel).send_signal(signal.SIGKILL)
        return kernel

    with ThreadPoolExecutor() as pool:
        kernel, _ = pool.map(kill, (killed, dead))
    assert psutil.wait_procs([kernel], timeout=5)[1] == [], "no kernel outlives its worker"
    code, said = finish(process)
    assert code == 1
    assert results(killed) == expected
    assert read_json(killed / "run.json")["stages"]["01_data"]["status"] == "done"
    assert status(dead)["02_train"] == status(wrong)["02_train"] == "failed"
    assert "Kernel died" in read_json(dead / "run.json")["stages"]["02_train"]["error"]
    assert [line.split(" failed: ")[0].split("/")[-1] for line in said.splitlines() if " failed: 02_train" in line] == [
        dead.name,
        wrong.name,
    ]
    cells = nbformat.read(wrong / "02_train.ipynb", as_version=4).cells
    assert 'href="#papermill-error-cell"' in cells[0].source, "the notebook opens with a link to the failed cell"
    assert sum('id="papermill-error-cell"' in cell.source for cell in cells) == 1
    assert "1 of 3 runs have scores." in said

    code, said = finish(start(path, 1))
    assert code == 1 and said.startswith(f"3 runs in {path.parent}/results, 2 to do")
    assert results(dead) == expected
    assert f"2/2 thumos_i3d/{wrong.name} failed: 02_train failed in cell" in said


def test_a_killed_sweep_leaves_no_process_and_two_sweeps_at_once_finish_it(undisturbed, tmp_path):
    data, expected = undisturbed
    path = write_file(tmp_path, data, SMALL)
    process = start(path, 1)
    worker, kernel = wait_for_checkpoint(process, folder_of(path))
    process.kill()
    finish(process)
    assert psutil.wait_procs([worker, kernel], timeout=10)[1] == [], "nothing outlives the sweep"
    assert status(folder_of(path))["02_train"] == "running"
    both = [start(path, 1), start(path, 1)]
    ends = [finish(process) for process in both]
    assert [code for code, _ in ends] == [0, 0], ends
    waited = [said for _, said in ends if f"waits: {folder_of(path)} is in use by process" in said]
    assert len(waited) == 1, ends
    assert results(folder_of(path)) == expected


def when_workers_start(process: subprocess.Popen) -> None:
    """Wait until the first worker begins to load its libraries."""
    until, started = time.monotonic() + DEADLINE_SEC, ""
    while "spawn_main" not in started:
        assert process.poll() is None and time.monotonic() < until, "workers did not start"
        with suppress(psutil.Error):  # those that `nvidia-smi` and the like have left
            started = " ".join(word for child in psutil.Process(process.pid).children() for word in child.cmdline())


def interrupt(process: subprocess.Popen) -> None:
    """Press Ctrl-C, which a terminal also sends to the workers; the sweep ends without a page of errors."""
    everything = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    code, said = finish(process)
    assert code == 130 and said.splitlines()[-1] == "afkit: interrupted; the same command goes on from here", said
    others = [line for line in said.splitlines() if line and not line.startswith(("1 runs ", "data of ", "afkit: "))]
    assert others == [], said
    assert psutil.wait_procs(everything, timeout=60)[1] == [], "nothing outlives the sweep"


def test_a_sweep_that_is_interrupted_while_its_workers_start_ends_with_a_sentence(undisturbed, tmp_path):
    path = write_file(tmp_path, undisturbed[0], SMALL)
    process = start(path)
    when_workers_start(process)
    interrupt(process)
    assert not folder_of(path).exists()


def test_a_sweep_that_is_interrupted_at_work_ends_with_a_sentence_and_goes_on(undisturbed, tmp_path):
    data, expected = undisturbed
    path = write_file(tmp_path, data, SMALL)
    process = start(path)
    wait_for_checkpoint(process, folder_of(path))
    interrupt(process)
    code, said = finish(start(path))
    assert code == 0, said
    assert results(folder_of(path)) == expected


def test_a_sweep_whose_scheduler_is_killed_ends_and_goes_on_with_another(undisturbed, tmp_path):
    data, expected = undisturbed
    path = write_file(tmp_path, data, SMALL)
    with dask_cluster(tmp_path / "first.json") as (scheduler, address):
        process = start(path, scheduler=address)
        wait_for_checkpoint(process, folder_of(path))
        scheduler.kill()
        code, said = finish(process)
        assert code == 1 and said.splitlines()[-1] == GONE, said
        assert status(folder_of(path))["02_train"] == "running"
    with dask_cluster(tmp_path / "second.json") as (_, address):
        code, said = finish(start(path, scheduler=address))
    assert code == 0, said
    assert results(folder_of(path)) == expected
