"""Where a result comes from: the code of its stage, the commit, the versions of libraries, and the device."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import afkit
from afkit.files import read_json
from afkit.workbench.runs.notebooks import notebook_path

LIBRARIES = ("torch", "numpy", "pandas", "pydantic", "safetensors", "papermill")
BASE = ("config", "segments")
ROOMS = {  # of each stage; how runs are carried out, and pictures of numbers, change no number
    "01_data": (*BASE, "data", "workbench/survey"),
    "02_train": (*BASE, "data", "model", "train"),
    "03_eval": (*BASE, "data", "model", "detect", "evaluation", "workbench/analysis"),
    "04_visualize": (*BASE, "data", "evaluation", "workbench/analysis", "workbench/view"),
}
DIGITS = 12  # of a digest
# GNU OpenMP lets idle threads spin for milliseconds. Where another process wants the core, a step of the `watch`
# recipe took 25 times as long on 2 cores; with this limit 4 times, and 15 % longer on an idle machine.
SPIN_COUNT = "10000"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def provenance(computes: bool = True) -> dict[str, Any]:
    """Facts for run.json: git commit and dirty flag, versions, and, where the network computes, its device."""
    facts = {"git": git_state(), "versions": versions()}
    return facts | {"device": device()} if computes else facts


def stage_code(stage: str) -> dict[str, str]:
    """Digests of what a stage is made of: {"notebook": ..., "config": ..., "data": ..., ...}, by room or module.

    Of the notebook the code cells count, not its texts and outputs. The package's modules are read once in a process,
    since what it has loaded stays, too.
    """
    path = notebook_path(stage)
    state = path.stat()
    digest = _notebook_digest(path, (state.st_mtime_ns, state.st_ino, state.st_size))
    return {"notebook": digest} | {room: _room_digest(room) for room in ROOMS[stage]}


def changed_code(before: Mapping[str, str], stage: str) -> list[str]:
    """What has changed since `stage_code` gave `before`, e.g. ["the notebook", "afkit/train"]; [] if that is empty."""
    changed = [part for part, digest in stage_code(stage).items() if before.get(part) != digest] if before else []
    return ["the notebook" if part == "notebook" else f"afkit/{part}" for part in changed]


@cache
def _notebook_digest(path: Path, state: tuple[int, ...]) -> str:
    cells = read_json(path)["cells"]
    return _digest("".join(cell["source"]).encode() for cell in cells if cell["cell_type"] == "code")


@cache
def _room_digest(room: str) -> str:
    package = Path(afkit.__file__).parent
    files = [package / f"{room}.py"] if room in BASE else sorted((package / room).rglob("*.py"))
    return _digest(part for file in files for part in (file.name.encode(), file.read_bytes()))


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:DIGITS]


def git_state() -> dict[str, Any]:
    """{"commit": hash or None, "dirty": bool or None}; None where the package does not lie in a git checkout."""
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain") if commit else None
    return {"commit": commit or None, "dirty": None if status is None else bool(status)}


def commit_in_words(before: Any) -> str:
    """How the commit differs from that of `git_state`: " (commit 0123456, now 89abcde with changes)"; "" if unknown."""
    states = [state if isinstance(state, dict) else {} for state in (before, git_state())]
    then, now = (f"{str(state.get('commit'))[:7]}{' with changes' if state.get('dirty') else ''}" for state in states)
    return f" (commit {then}, now {now})" if all(state.get("commit") for state in states) and then != now else ""


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(afkit.__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def versions() -> dict[str, str | None]:
    """Versions of Python, afkit and the libraries that results depend on; None where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "afkit": afkit.__version__}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = None
    return found


def device() -> dict[str, Any]:
    """What computes: the GPU's name if there is one, processor type and threads, units for bfloat16 ("" for none)."""
    import torch  # a stage that computes has it anyway; the others start without its seconds

    from afkit.model.products import bf16_units

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    facts = {"machine": platform.machine(), "system": platform.system(), "threads": torch.get_num_threads()}
    return {"gpu": gpu, **facts, "bf16": bf16_units("cuda" if gpu else "cpu")}


def usable_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limits(threads: int) -> dict[str, str]:
    """Environment of a worker and its kernels, so that runs do not fight for cores; what the user has set stays."""
    given = {name: os.environ[name] for name in THREADS if name in os.environ}
    number = given.get("OMP_NUM_THREADS", str(threads))
    return {"GOMP_SPINCOUNT": SPIN_COUNT, **dict.fromkeys(THREADS, number), **given}
