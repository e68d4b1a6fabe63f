"""Where a result comes from: code version, library versions, device."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import afkit

LIBRARIES = ("torch", "numpy", "pandas", "pydantic", "safetensors", "papermill")


def provenance(computes: bool = True) -> dict[str, Any]:
    """Facts for run.json: git commit and dirty flag, versions, and, where the network computes, its device."""
    facts = {"git": git_state(), "versions": versions()}
    return facts | {"device": device()} if computes else facts


def git_state() -> dict[str, Any]:
    """{"commit": hash or None, "dirty": bool or None}; None where the package does not lie in a git checkout."""
    folder = Path(afkit.__file__).parent
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain") if commit else None
    return {"commit": commit or None, "dirty": None if status is None else bool(status)}


def commit_in_words(before: Any) -> str:
    """How the commit differs from that of `git_state`: " (commit 0123456, now 89abcde with changes)"; "" if unknown."""
    then, now = (
        f"{str(state['commit'])[:7]}{' with changes' if state.get('dirty') else ''}"
        if isinstance(state, dict) and state.get("commit")
        else ""
        for state in (before, git_state())
    )
    return f" (commit {then}, now {now})" if then and now and then != now else ""


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


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
    """What computes: the GPU's name if there is one, processor type and threads."""
    import torch  # a stage that computes has it anyway; the others start without its seconds

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": gpu, "machine": platform.machine(), "system": platform.system(), "threads": torch.get_num_threads()}
