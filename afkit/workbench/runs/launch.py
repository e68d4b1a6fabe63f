"""Training, detection and evaluation on several devices, as child processes of a notebook, which share the videos."""

import copy
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

import afkit
from afkit.config import Recipe
from afkit.data.batches import check_batch_divides
from afkit.data.items import Dataset
from afkit.detect.prediction import COLUMNS, predict_dataset
from afkit.files import read_json, write_json
from afkit.opening import make_way
from afkit.train.distributed import gather_bytes, world
from afkit.train.execution import DEFAULT_EXECUTION, Execution
from afkit.workbench.progress import teller
from afkit.workbench.runs.provenance import usable_cores

POLL_SEC = 0.2
PROGRESS_SEC = 1.0  # between two calls of on_progress
TO_USER = "afkit: "  # begins lines of a process that are shown
PORT = "29400"
INTERFACE = "lo0" if sys.platform == "darwin" else "lo"
LOOPBACK = {  # what one machine's processes listen at, as variables of gloo and of NCCL
    "GLOO_SOCKET_IFNAME": INTERFACE,
    "NCCL_SOCKET_IFNAME": f"={INTERFACE}",  # this one, not all whose names begin so
    "NCCL_RAS_ENABLE": "0",  # else it tells everybody on the machine about the job
}
ERRORS = {kind.__name__: kind for kind in (ValueError, OSError, RuntimeError)}


def train_on_devices(
    recipe: Recipe,
    data_root: str | Path,
    folder: str | Path,
    seed: int,
    execution: Execution = DEFAULT_EXECUTION,
    resume: bool = True,
    start_from: str | Path = "",
    on_progress: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train on `execution.devices` GPUs (or processes, where there is no GPU) of `execution.num_nodes` machines.

    The recipe's batch is shared by all devices, so that batch size and learning rate stay and the result is that of
    one process (see `afkit.train.loop.train`). The processes of one machine meet in a folder of their owner's, and
    listen on its loopback interface alone. Several machines must share the run folder and the data; a command to be
    started on each of the others is printed, and they meet at this one's address in MASTER_ADDR and MASTER_PORT.

    train_job.log in the run folder has the output of the processes, and stays when they fail. With `evaluate_every` it
    is evaluated as by `workbench.runs.training.validation`; on_progress is called with the metrics so far, at most
    every second, and at the end. The metrics returned are those of metrics.csv.

    Raises:
        ValueError, OSError, RuntimeError: as of `train`, from the process that met it first; all others are ended.
        ValueError: several machines without MASTER_ADDR, or one that is not of this machine.
        RuntimeError: a process was ended from outside.
    """
    folder = Path(folder)
    check_batch_divides(recipe.optim.batch_size, execution.devices * execution.num_nodes)
    job = _job("train", recipe, data_root=data_root, folder=folder)
    job |= {"seed": seed, "execution": asdict(execution), "resume": resume}
    job["start_from"] = str(Path(start_from).resolve()) if start_from else ""
    follow = on_progress and _followed(folder / "metrics.csv", on_progress)
    _run(job, folder / "train_job.json", execution.devices, execution.num_nodes, follow)
    return pd.read_csv(folder / "metrics.csv")


def predict_on_devices(
    recipe: Recipe,
    data_root: str | Path,
    folder: str | Path,
    weights: str | Path,
    which: str = "ema",
    devices: int = 1,
    **arguments: Any,
) -> pd.DataFrame:
    """Detections of the recipe's test subsets, shared by several GPUs (or processes) of this machine, as by
    `predict_shared`, with its arguments; the files that this writes into the run folder go when it is done.

    Raises:
        ValueError, OSError, RuntimeError: as of `predict_dataset`, from the process that met it first.
    """
    folder = Path(folder)
    result = folder / "predict_job.npy"
    job = _job("predict", recipe, data_root=data_root, weights=weights, result=result)
    job |= {"which": which, "arguments": arguments}
    try:
        _run(job, folder / "predict_job.json", devices)
        return from_numbers(np.load(result), Dataset(recipe.data, data_root, recipe.data.test_subsets))
    finally:
        result.unlink(missing_ok=True)


def predict_shared(model: nn.Module, recipe: Recipe, dataset: Dataset, **arguments: Any) -> pd.DataFrame:
    """What `predict_dataset` gives, with its arguments; of R processes each takes every R-th video.

    All must call it, and all receive the detections of all videos, in the data set's order. With one process, and for
    batches of one video, they are exactly those of one process.
    """
    rank, ranks = world()
    if ranks == 1:
        return predict_dataset(model, recipe, dataset, teller("prediction of videos", len(dataset)), **arguments)
    dataset.check_missing()
    part = copy.copy(dataset)
    part.videos, part.missing, part._cached = dataset.videos[rank::ranks], [], {}
    tell = teller(f"prediction of videos, in each of {ranks}", len(part), _to_user if rank == 0 else lambda _: None)
    own = predict_dataset(model, recipe, part, tell, **arguments) if part.videos else pd.DataFrame(columns=COLUMNS)
    np.save(packed := BytesIO(), to_numbers(own, dataset))  # gather_bytes wants one byte at least
    rows = np.concatenate([np.load(BytesIO(part)) for part in gather_bytes(packed.getvalue())])
    return from_numbers(rows[rows[:, 0].argsort(kind="stable")], dataset)


def _to_user(line: str) -> None:
    print(f"{TO_USER}{line}", flush=True)


def to_numbers(table: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """(N, 5) float64 of detections in a data set's videos, for another process: a video is its place there."""
    place = {video.name: number for number, video in enumerate(dataset.videos)}
    return table.assign(video=table["video"].map(place)).to_numpy(np.float64)


def from_numbers(rows: np.ndarray, dataset: Dataset) -> pd.DataFrame:
    """The table of which `to_numbers` made these."""
    table, names = pd.DataFrame(rows, columns=COLUMNS), np.array([video.name for video in dataset.videos], object)
    return table.assign(video=names[rows[:, 0].astype(int)]).astype({"video": "str", "label": np.int64})


def error_file(job: Path) -> Path:
    """Where the first process that meets an error writes it down."""
    return job.with_suffix(".error.json")


def _job(task: str, recipe: Recipe, **paths: str | Path) -> dict[str, Any]:
    """What every job says, in plain types; where the processes work does not change what a path means."""
    resolved = {name: str(Path(path).resolve()) for name, path in paths.items()}
    return {"task": task, "recipe": recipe.model_dump(mode="json"), **resolved}


def _run(
    job: Mapping[str, Any], path: Path, devices: int, num_nodes: int = 1, watch: Callable[[bool], None] | None = None
) -> None:
    """Carry out a job, written to `path`, in `devices` processes of this machine; `watch(whether ended)` meanwhile."""
    gpus = torch.cuda.device_count()
    if gpus and devices > gpus:
        raise ValueError(f"devices is {devices}, but this machine has {gpus} GPUs")
    address = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT") or PORT
    if num_nodes > 1 and not address[0]:
        raise ValueError(
            f"num_nodes is {num_nodes}, and MASTER_ADDR is not set; set it to this machine's address in a network that "
            f"you trust, because whoever reaches the ports of such a training can change its numbers"
        )
    path = path.resolve()
    log = path.with_suffix(".log")
    error_file(path).unlink(missing_ok=True)
    make_way(log)
    try:
        with TemporaryDirectory(prefix="afkit-") as own:  # nobody else may enter it
            write_json(path, {**job, "meet": address if num_nodes > 1 else f"{own}/store"})
            for machine in range(1, num_nodes):
                command = shlex.join([sys.executable, "-m", "afkit.workbench.runs.launch", str(path), str(machine)])
                others = f"one of the other machines ({machine} of {num_nodes - 1})"
                print(f"afkit: start this on {others}: {command}", flush=True)
            with (
                log.open("wb") as output,
                log.open(encoding="utf-8", errors="replace") as said,
                _processes(path, devices, num_nodes, 0, output) as processes,
            ):
                for codes in _exit_codes(processes):
                    for line in said.readlines():
                        if line.startswith(TO_USER):  # the rest stays in the log
                            print(line, end="", flush=True)
                    if any(codes):
                        raise _error(path, codes)
                    if watch is not None:
                        watch(None not in codes)
        log.unlink()
    finally:
        path.unlink(missing_ok=True)
        error_file(path).unlink(missing_ok=True)


@contextmanager
def _processes(
    job: Path, devices: int, num_nodes: int, machine: int, output: IO[bytes] | None = None
) -> Iterator[list[subprocess.Popen]]:
    """The processes that carry out one machine's part of a job; ended with the block."""
    common = _environment(devices) | (LOOPBACK if num_nodes == 1 else {})
    common |= {"WORLD_SIZE": str(devices * num_nodes), "LOCAL_WORLD_SIZE": str(devices)}
    with ExitStack() as stack:
        processes = []
        for local in range(devices):
            process = subprocess.Popen(
                [sys.executable, "-m", "afkit.workbench.runs.worker", str(job)],
                stdin=subprocess.PIPE,  # it closes with this process, however that ends, and they end with it
                stdout=output,
                stderr=output and subprocess.STDOUT,
                env=common | {"RANK": str(machine * devices + local), "LOCAL_RANK": str(local)},
                start_new_session=True,  # an interrupt of the notebook ends the block
            )
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield processes


def _environment(devices: int) -> dict[str, str]:
    """That of the children: the same afkit, and the processors shared between them."""
    paths = [str(Path(afkit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {
        "OMP_NUM_THREADS": str(max(usable_cores() // devices, 1)),
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONSAFEPATH": "1",  # no modules that happen to lie in the working directory
    }


def _exit_codes(processes: list[subprocess.Popen]) -> Iterator[list[int | None]]:
    """Those of all processes, None while one works, again and again until all have ended."""
    while None in (codes := [process.poll() for process in processes]):
        yield codes
        time.sleep(POLL_SEC)
    yield codes


def _followed(path: Path, on_progress: Callable[[pd.DataFrame], None]) -> Callable[[bool], None]:
    """A function that calls on_progress when another process has added rows to metrics.csv."""
    old = path.stat().st_ino if path.exists() else None  # the new training replaces the file
    rows, looked_at = 0, time.monotonic()

    def look(ended: bool) -> None:
        nonlocal rows, looked_at
        if not ended and time.monotonic() - looked_at < PROGRESS_SEC:
            return
        looked_at = time.monotonic()
        if path.exists() and path.stat().st_ino != old and len(metrics := pd.read_csv(path)) > rows:
            rows = len(metrics)
            on_progress(metrics)

    return look


def _error(job: Path, codes: list[int | None]) -> Exception:
    """What ended the processes, as an exception."""
    with suppress(ValueError, KeyError, TypeError):
        error = read_json(error_file(job))
        return ERRORS[error["kind"]](error["message"])
    code, number = min((code, number) for number, code in enumerate(codes) if code)  # a signal before what followed
    how = f"ended with code {code}"
    if code < 0:
        with suppress(ValueError):
            how = f"was ended by {signal.Signals(-code).name}"
        how += " (the system does so where memory runs out)" if -code == signal.SIGKILL else ""
    return RuntimeError(
        f"process {number} of the devices {how}, and the others with it; what they said is in "
        f"{job.with_suffix('.log')}. A training that is started again goes on from its last checkpoint"
    )


def main(arguments: list[str]) -> int:
    """Carry out the part that another machine, of this number from 1, has in a job of this file; the exit code."""
    job, machine = Path(arguments[0]), int(arguments[1])
    execution = Execution(**read_json(job)["execution"])
    with _processes(job, execution.devices, execution.num_nodes, machine) as processes:
        return int(any(any(codes) for codes in _exit_codes(processes)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
