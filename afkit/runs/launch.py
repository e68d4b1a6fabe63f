"""Training and detection on several devices, as child processes of a notebook."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import afkit
from afkit.config import Recipe
from afkit.files import atomic_open, read_json, write_json
from afkit.opening import make_way
from afkit.train.distributed import check_batch_divides
from afkit.train.execution import DEFAULT_EXECUTION, Execution

POLL_SEC = 0.2
PROGRESS_SEC = 1.0  # between two calls of on_progress
END_SEC = 10.0  # for the processes to end when they are told to
WORKER = "afkit.runs.worker"
FOLLOW = "--end-with-parent"
PORT = "29400"
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
    one process (see `afkit.train.loop.train`). On one machine this is all. On several, which must share the run
    folder and the data, it starts the processes of this one, prints the command to be started on each of the others,
    and waits for them; they meet at this machine, or where the environment variables MASTER_ADDR and MASTER_PORT of a
    scheduler say.

    Args:
        recipe: all settings.
        data_root: folder of all data sets; its training subsets are read.
        folder: the run folder; while the training runs, also train_job.json, for the processes, and train_job.log,
            their output, which stays when they fail.
        seed, resume, start_from: as of `afkit.train.loop.train`.
        execution: how to carry it out; with `evaluate_every`, evaluated as by `afkit.runs.validation.validation`.
        on_progress: called with the metrics so far, at most every second, and at the end.

    Returns:
        the metrics, as in metrics.csv.

    Raises:
        ValueError, OSError, RuntimeError: as of `train`, from the process that met it first; all others are ended.
        RuntimeError: a process was ended from outside.
    """
    folder = Path(folder)
    check_batch_divides(recipe.optim.batch_size, execution.devices * execution.num_nodes)
    job = {
        "task": "train",
        "recipe": recipe.model_dump(mode="json"),
        "data_root": str(Path(data_root).resolve()),
        "folder": str(folder.resolve()),
        "seed": seed,
        "execution": asdict(execution),
        "resume": resume,
        "start_from": str(Path(start_from).resolve()) if start_from else "",
    }
    follow = _followed(folder / "metrics.csv", on_progress)
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
    """Detections of the recipe's test subsets, shared by several devices of this machine.

    Args:
        recipe: all settings.
        data_root: folder of all data sets.
        folder: the run folder, for files that go when it is done.
        weights, which: as of `afkit.load_weights`.
        devices: GPUs, or processes where there is no GPU; each takes every so many-th video.
        arguments: `backend`, `batch_size` and `window_steps` as of `afkit.detect.prediction.predict_dataset`.

    Returns:
        what `predict_dataset` gives in one process; for batches of one video exactly.

    Raises:
        ValueError, OSError, RuntimeError: as of `predict_dataset`, from the process that met it first.
    """
    folder = Path(folder)
    result = folder / "predict_job.npz"
    job = {
        "task": "predict",
        "recipe": recipe.model_dump(mode="json"),
        "data_root": str(Path(data_root).resolve()),
        "weights": str(Path(weights).resolve()),
        "which": which,
        "result": str(result.resolve()),
        "arguments": arguments,
    }
    try:
        _run(job, folder / "predict_job.json", devices)
        return read_table(result)
    finally:
        result.unlink(missing_ok=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table of numbers and texts for another process; its index is not kept."""
    with atomic_open(path, sync=False) as file:
        np.savez(file, allow_pickle=False, **{name: _packed(column) for name, column in table.items()})


def read_table(path: Path) -> pd.DataFrame:
    """What `write_table` wrote, with the same columns, values and data types; nothing in it is executed.

    Raises:
        ValueError: another file; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as columns:
            return pd.DataFrame({name: _unpacked(columns[name]) for name in columns.files})
    except Exception as error:  # damaged files raise almost anything
        raise ValueError(f"{path} is no table of detections ({error}); start the prediction again") from None


def _packed(column: pd.Series) -> np.ndarray:
    """A column as numbers; texts, which NumPy keeps with a fixed width only, as bytes of JSON with the data type."""
    if column.dtype.kind in "iuf":
        return column.to_numpy()
    return np.frombuffer(json.dumps([str(column.dtype), column.tolist()]).encode(), np.uint8)


def _unpacked(array: np.ndarray) -> pd.Series:
    if array.dtype != np.uint8:
        return pd.Series(array)
    dtype, values = json.loads(array.tobytes())
    return pd.Series(values, dtype=dtype)


def error_file(job: Path) -> Path:
    """Where the first process that meets an error writes it down."""
    return job.with_suffix(".error.json")


def _run(
    job: Mapping[str, Any], path: Path, devices: int, num_nodes: int = 1, watch: Callable[[bool], None] | None = None
) -> None:
    """Carry out a job, written to `path`, in `devices` processes of this machine; `watch(whether ended)` meanwhile."""
    _check_devices(devices)
    log, failed = path.with_suffix(".log"), True
    error_file(path).unlink(missing_ok=True)
    write_json(path, job)
    command = _torchrun(path.resolve(), devices, num_nodes)
    if num_nodes > 1:
        print(f"afkit: start this on each of the other machines ({num_nodes - 1}): {shlex.join(command)}", flush=True)
    make_way(log)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, FOLLOW],
            stdin=subprocess.PIPE,  # it closes with this process, however that ends, and they end with it
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(devices),
            start_new_session=True,  # an interrupt of the notebook is passed on below
        )
    try:
        with log.open(encoding="utf-8", errors="replace") as said:
            while (code := process.poll()) is None:
                time.sleep(POLL_SEC)
                _pass_on(said.readlines())
                if watch is not None:
                    watch(False)
            _pass_on(said.readlines())
        if code:
            raise _error(path, code)
        failed = False
        if watch is not None:
            watch(True)
    finally:
        _end(process)
        path.unlink(missing_ok=True)
        error_file(path).unlink(missing_ok=True)
        if not failed:
            log.unlink()


def _check_devices(devices: int) -> None:
    gpus = torch.cuda.device_count()
    if gpus and devices > gpus:
        raise ValueError(f"devices is {devices}, but this machine has {gpus} GPUs")


def _torchrun(job: Path, devices: int, num_nodes: int) -> list[str]:
    place = ["--standalone"]
    if num_nodes > 1:
        host = os.environ.get("MASTER_ADDR") or socket.gethostname()
        endpoint = f"{host}:{os.environ.get('MASTER_PORT') or PORT}"
        place = ["--nnodes", str(num_nodes), "--rdzv-id", "afkit", "--rdzv-backend", "c10d"]
        place += ["--rdzv-endpoint", endpoint]
    run = [sys.executable, "-m", "torch.distributed.run", *place, "--nproc-per-node", str(devices)]
    return [*run, "-m", WORKER, str(job)]


def _environment(devices: int) -> dict[str, str]:
    """That of the children: the same afkit, and the processors shared between them."""
    environment = dict(os.environ)
    paths = [str(Path(afkit.__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environment.setdefault("OMP_NUM_THREADS", str(max(cores // devices, 1)))
    return environment


def _followed(path: Path, on_progress: Callable[[pd.DataFrame], None] | None) -> Callable[[bool], None] | None:
    """A function that calls on_progress when another process has added rows to metrics.csv."""
    if on_progress is None:
        return None
    old = path.stat().st_ino if path.exists() else None  # the new training replaces the file
    rows, looked_at = 0, time.monotonic()

    def look(ended: bool) -> None:
        nonlocal rows, looked_at
        if not ended and time.monotonic() - looked_at < PROGRESS_SEC:
            return
        looked_at = time.monotonic()
        if not path.exists() or path.stat().st_ino == old:
            return
        metrics = pd.read_csv(path)
        if len(metrics) > rows:
            rows = len(metrics)
            on_progress(metrics)

    return look


def _pass_on(lines: list[str]) -> None:
    """Print what the processes have to say to the user; the rest stays in the log."""
    for line in lines:
        if line.startswith("afkit: "):
            print(line, end="", flush=True)


def _error(job: Path, code: int) -> Exception:
    """What ended the processes, as an exception."""
    with suppress(ValueError, KeyError, TypeError):
        error = read_json(error_file(job))
        return ERRORS[error["kind"]](error["message"])
    log = job.with_suffix(".log")
    found = re.search(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", log.read_text(errors="replace"), re.S)
    who, code = (f"process {found[1]}", int(found[2])) if found else ("a process", code)
    how = f"ended with code {code}"
    if code < 0:
        with suppress(ValueError):
            how = f"was ended by {signal.Signals(-code).name}"
        how += " (the system does so where memory runs out)" if -code == signal.SIGKILL else ""
    return RuntimeError(
        f"{who} of the devices {how}, and the others with it; what they said is in {log}. A training that is started "
        f"again goes on from its last checkpoint"
    )


def _end(process: subprocess.Popen) -> None:
    """End torchrun and its processes: by a signal, and where that does not help by the end of their input."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SEC)
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.kill()
        process.wait()
