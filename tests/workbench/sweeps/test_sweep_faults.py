"""Sweeps of whole runs whose workers, kernels and own process are killed: each run is done, or failed with a reason."""

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

from afkit.workbench.runs.comparing import NOTEBOOK
from afkit.workbench.sweeps.sweep import cells_left
from afkit.workbench.sweeps.sweep_file import read_sweep

psutil = pytest.importorskip("psutil", reason="comes with dask")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SMALL = {
    "data.input_dims": [8],
    "data.max_seq_len": 256,
    "model.embed_dim": 32,
    "optim.epochs": 4,  # of 2 steps, as is that of the warm-up
    "optim.warmup_epochs": 1,
    "decode.pre_nms_topk": 100,
    "decode.max_segments": 50,
}
# Other runs with the same numbers, since this is the momentum of SGD, and AdamW trains; the last raises at once.
DEAD, CALM, WRONG = (SMALL | {"optim.momentum": momentum} for momentum in (0.8, 0.7, 0.6))
DEADLINE_SEC = 600  # nothing takes so long, but machines may be busy
GONE = "afkit: the scheduler has gone; the same command goes on from here"
INTERRUPTED = "afkit: interrupted; the same command goes on from here"
STAGE = """
import json
from pathlib import Path
if overrides.get("optim.momentum") == 0.6:
    raise ValueError("wrong")
if "{stage}" == "03_eval":
    Path(run_dir, "eval.json").write_text('{{"average_map": 0.5}}')
facts = json.loads(Path(run_dir, "run.json").read_text())
facts["stages"]["{stage}"] |= {{"status": "done", "files": []}}  # as note_stage does, which takes seconds to import
Path(run_dir, "run.json").write_text(json.dumps(facts))
"""
# Before each step of which there is a file, training takes that away, and waits until a signal ends it.
TRAIN = """
import time
from afkit.train import loop
make_note = loop.Note
def hold(step, *rest):
    file = run.folder.parents[2] / "hold" / f"{run.folder.name}-{step}"
    if file.exists():
        file.unlink()
        while True:
            time.sleep(0.02)
    return make_note(step, *rest)
loop.Note = hold
metrics = training.train_run(run, dataset, execution, resume=resume)
training.finish_training(run, execution, metrics)
"""
SETTING_UP = ("02-02", "02-03", "02-07")  # cells of 02_train
COMPARE = "from pathlib import Path\nPath(out_dir, 'report.html').write_text(str(runs))\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project whose 02_train does nothing but train, which is where all faults are made, and the others nothing."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks").mkdir()
    for name in (*STAGES, NOTEBOOK):
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        source = COMPARE if name == NOTEBOOK else TRAIN if name == "02_train" else STAGE.format(stage=name)
        kept = [
            cell for cell in notebook.cells if cell.id in SETTING_UP or "parameters" in cell.metadata.get("tags", [])
        ]
        notebook.cells = [*kept, nbformat.v4.new_code_cell(source)]
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    return folder


def write_file(folder: Path, data_root: Path, *runs: dict) -> Path:
    """A sweep file whose results come beside it."""
    lines = [f"data: twin\ndata_root: {data_root}\nresults: {folder}/results\nmemory_gb: 0.5\nseeds: [1]"]
    lines += ["parameters: {checkpoint_minutes: 0.00001}\nruns:"]
    lines += [f"- {{recipe: thumos_i3d, overrides: {overrides}}}" for overrides in runs]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.yaml").write_text("\n".join(lines).replace("'", ""))
    return folder / "sweep.yaml"


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start(project: Path, path: Path, workers: int = 1, scheduler: str = "") -> subprocess.Popen:
    """`python -m afkit sweep` as a process, with workers of its own or those of a running cluster."""
    where = ["--scheduler", scheduler] if scheduler else ["--workers", str(workers)]
    command = [sys.executable, "-m", "afkit", "sweep", str(path), *where]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, **pipes, cwd=project, env=environment(), process_group=0)


@contextmanager
def dask_cluster(project: Path, facts: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A scheduler and a worker as processes of their own, as a user starts them; the scheduler and its address."""
    dask, own = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": project, "env": environment()}
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


def hold(path: Path, step: int, overrides: dict = SMALL) -> Path:
    """Let the training of a run wait before a step; the file that is gone as soon as it does."""
    (file := path.parent / "hold" / f"{folder_of(path, overrides).name}-{step}").parent.mkdir(exist_ok=True)
    file.touch()
    return file


def wait_for_hold(process: subprocess.Popen, file: Path, folder: Path) -> tuple[psutil.Process, psutil.Process]:
    """Wait until the training of a run waits; its worker and its kernel."""
    until = time.monotonic() + DEADLINE_SEC
    while file.exists():
        assert process.poll() is None and time.monotonic() < until, "training did not start"
        time.sleep(0.05)
    worker = psutil.Process(int((folder / LOCK).read_text().split()[1]))
    kernels = [child for child in worker.children() if "ipykernel_launcher" in " ".join(child.cmdline())]
    step = int(file.name.rpartition("-")[2])
    assert len(kernels) == 1 and status(folder)["02_train"] == "running"
    assert (folder / f"checkpoints/step{step:09d}.pt").exists()
    return worker, kernels[0]


def status(folder: Path) -> dict[str, str]:
    return {stage: entry["status"] for stage, entry in read_json(folder / "run.json")["stages"].items()}


def weights(folder: Path) -> bytes:
    """Of a run that is done: what must not depend on what happened on the way, bit by bit."""
    assert status(folder) == dict.fromkeys(STAGES, "done")
    assert not (folder / LOCK).exists()
    return (folder / "checkpoints" / "ema.safetensors").read_bytes()


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, project) -> tuple[Path, int, str]:
    """A sweep of four runs: one whose worker is killed, one whose kernel is, a calm and a wrong one; how it ended."""
    folder = tmp_path_factory.mktemp("faulty")
    path = write_file(folder, folder / "data", SMALL, DEAD, CALM, WRONG)
    held = {id(overrides): hold(path, 3, overrides) for overrides in (SMALL, DEAD)}
    process = start(project, path, workers=2)

    def kill(overrides: dict) -> psutil.Process:
        worker, kernel = wait_for_hold(process, held[id(overrides)], folder_of(path, overrides))
        (worker if overrides is SMALL else kernel).send_signal(signal.SIGKILL)
        return kernel

    with ThreadPoolExecutor() as pool:
        kernel, _ = pool.map(kill, (SMALL, DEAD))
    assert psutil.wait_procs([kernel], timeout=60)[1] == [], "no kernel outlives its worker"
    return path, *finish(process)


def test_killed_workers_and_kernels_and_errors_leave_every_run_done_or_failed(faulty):
    path, code, said = faulty
    killed, dead, calm, wrong = (folder_of(path, overrides) for overrides in (SMALL, DEAD, CALM, WRONG))
    assert code == 1 and said.startswith(f"4 runs in {path.parent}/results, 4 to do\ndata of thumos: done"), said
    assert weights(killed) == weights(calm)
    assert status(dead) == {"01_data": "done", "02_train": "failed"} and status(wrong) == {"01_data": "failed"}
    assert "Kernel died" in read_json(dead / "run.json")["stages"]["02_train"]["error"]
    failed = [line.partition(" failed: ") for line in said.splitlines() if " failed: 0" in line and "/4 " in line]
    assert {name.split("/")[-1]: why[:2] for name, _, why in failed} == {dead.name: "02", wrong.name: "01"}, said
    cells = nbformat.read(wrong / "01_data.ipynb", as_version=4).cells
    assert 'href="#papermill-error-cell"' in cells[0].source, "the notebook opens with a link to the failed cell"
    assert sum('id="papermill-error-cell"' in cell.source for cell in cells) == 1
    assert said.splitlines()[-1] == str(path.parent / "results" / "report.html")
    assert (path.parent / "results" / "report.html").read_text().count("thumos_i3d/") == 4, "all are compared"
    assert [cell.folder for cell in cells_left(read_sweep(path))] == [dead, wrong]


def interrupt(process: subprocess.Popen) -> None:
    """Press Ctrl-C, which a terminal also sends to the workers; the sweep ends without a page of errors."""
    everything = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    code, said = finish(process)
    assert code == 130 and said.splitlines()[-1] == INTERRUPTED, said
    others = [line for line in said.splitlines() if line and not line.startswith(("1 runs ", "data of ", "afkit: "))]
    assert others == [], said
    assert psutil.wait_procs(everything, timeout=60)[1] == [], "nothing outlives the sweep"


def test_a_sweep_that_is_interrupted_while_its_workers_start_ends_with_a_sentence(project, faulty, tmp_path):
    path = write_file(tmp_path, faulty[0].parent / "data", SMALL)
    process, started, until = start(project, path), "", time.monotonic() + DEADLINE_SEC
    while "spawn_main" not in started:  # the first worker begins to load its libraries
        assert process.poll() is None and time.monotonic() < until, "workers did not start"
        with suppress(psutil.Error):  # those that `nvidia-smi` and the like have left
            started = " ".join(word for child in psutil.Process(process.pid).children() for word in child.cmdline())
    interrupt(process)
    assert not folder_of(path).exists()


@pytest.mark.skipif("AFKIT_TIMES" not in os.environ, reason="takes a minute or two; make reliability does it")
def test_a_sweep_that_is_ended_again_and_again_goes_on_to_the_same_weights(project, faulty, tmp_path):
    """By Ctrl-C, by the death of its scheduler, by its own; at last two at once make it."""
    path = write_file(tmp_path, faulty[0].parent / "data", SMALL)
    folder, held = folder_of(path), [hold(path, step) for step in (2, 4, 7)]
    process = start(project, path)
    wait_for_hold(process, held[0], folder)
    interrupt(process)

    with dask_cluster(project, tmp_path / "cluster.json") as (scheduler, address):
        process = start(project, path, scheduler=address)
        _, kernel = wait_for_hold(process, held[1], folder)
        scheduler.kill()
        code, said = finish(process)
        assert code == 1 and said.splitlines()[-1] == GONE, said
        assert status(folder)["02_train"] == "running"
    kernel.kill()  # it would end by itself
    psutil.wait_procs([kernel], timeout=60)

    process = start(project, path)
    worker, kernel = wait_for_hold(process, held[2], folder)
    process.kill()
    finish(process)
    assert psutil.wait_procs([worker, kernel], timeout=60)[1] == [], "nothing outlives the sweep"
    assert status(folder)["02_train"] == "running"

    both = [start(project, path), start(project, path)]
    ends = [finish(process) for process in both]
    assert [code for code, _ in ends] == [0, 0], ends
    waited = [said for _, said in ends if f"waits: {folder} is in use by process" in said]
    assert len(waited) == 1, ends
    assert weights(folder) == weights(folder_of(faulty[0], CALM))
