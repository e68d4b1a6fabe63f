"""What works on this machine and what does not, and what to do about it: `python -m afkit doctor`.

Each check looks for itself and needs nothing of the others, so that the table is whole where half of it is broken.
"""

import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from afkit.workbench.trust import project_root

OLDEST_PYTHON, OLDEST_TORCH = (3, 11), (2, 11)
EXTRAS = {  # what it is for: the packages, and the extra that brings them
    "notebooks": (("papermill", "jupyterlab", "matplotlib", "seaborn"), "notebooks"),
    "sweeps": (("distributed", "cryptography", "yaml"), "sweep"),
    "the inspector": (("anywidget", "voila"), "inspect"),
}
LEAST_GB = 5.0  # free, for checkpoints and features
OK, NOTE, BAD = "ok", "note", "BAD"


class Check(NamedTuple):
    """What was found about one thing."""

    what: str  # was looked at
    state: str  # "ok"; "note": something does not work that not everybody needs; "BAD": nothing works without it
    found: str  # e.g. a version, or what is wrong
    remedy: str = ""  # what to do, unless it is ok


def examine(data_root: str | Path = "data", results: str | Path = "results") -> list[Check]:
    """Look at Python, packages, GPU, compiler, operator, kernel, folders and data.

    Returns:
        a row for each thing, in the order in which they depend on each other; a check that itself fails is a row, too.
    """
    root = project_root()
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("Python", _python),
        ("torch", _torch),
        ("GPU", _gpu),
        ("C++ compiler", _compiler),
        ("compiled NMS", _operator),
        *((name, lambda name=name: _packages(name)) for name in EXTRAS),
        ("kernel python3", _kernel),
        ("results", lambda: _folder("results", root / results)),
        ("data", lambda: _folder("data", root / data_root)),
        ("cache", _cache),
        ("data sets", lambda: _data_sets(root / data_root)),
    ]
    return [_guarded(what, look) for what, look in checks]


def _guarded(what: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except Exception as error:  # whatever is broken, the other rows are wanted
        return Check(what, BAD, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", "install afkit anew")


def table(checks: list[Check]) -> str:
    """The checks as text: a line each, and below those that are not ok what to do."""
    width = max(len(check.what) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state:<4}  {check.what:<{width}}  {check.found}")
        if check.remedy and check.state != OK:
            lines.append(f"{'':<4}  {'':<{width}}  -> {check.remedy}")
    return "\n".join(lines)


def _python() -> Check:
    good = sys.version_info[:2] >= OLDEST_PYTHON
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Check("Python", OK if good else BAD, platform.python_version(), f"install Python {oldest} or newer")


def _torch() -> Check:
    try:
        import torch
    except Exception as error:  # a broken installation raises all kinds
        return Check("torch", BAD, f"cannot be imported: {error}", "make install, or pip install torch")
    version = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in torch.__version__.split(".")[:2])
    oldest = ".".join(map(str, OLDEST_TORCH))
    state = OK if version >= OLDEST_TORCH else BAD
    return Check(
        "torch", state, f"{torch.__version__}, {torch.get_num_threads()} threads", f"install torch {oldest} or newer"
    )


def _gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Check("GPU", OK, f"{', '.join(names)}; CUDA {torch.version.cuda}")
    if shutil.which("nvidia-smi"):
        remedy = "install a torch that is built for the driver's CUDA (see pytorch.org)"
        return Check("GPU", NOTE, f"the driver is there, but this torch ({torch.__version__}) cannot use it", remedy)
    return Check("GPU", NOTE, "none: everything computes on the processor", "nothing, unless there should be one")


def _compiler() -> Check:
    found = shutil.which(os.environ.get("CXX", "c++"))
    if found is None:
        return Check("C++ compiler", NOTE, "none: NMS computes with torch, slower", "install g++ (or set CXX)")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20).stdout.partition("\n")[0]
    return Check("C++ compiler", OK, version or Path(found).name)


def _operator() -> Check:
    import torch

    from afkit.detect.operator import unavailable

    backends = ["cpp", "cuda"] if torch.cuda.is_available() else ["cpp"]
    missing = {backend: reason for backend in backends if (reason := unavailable(backend))}
    if missing:
        said = "; ".join(f"{backend}: {reason}" for backend, reason in missing.items())
        return Check("compiled NMS", NOTE, said, "python -m afkit build-ext shows what the compiler says")
    return Check("compiled NMS", OK, " and ".join(backends))


def _packages(name: str) -> Check:
    packages, extra = EXTRAS[name]
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        return Check(name, NOTE, f"without {', '.join(missing)}", f"pip install 'afkit[{extra}]'")
    names = {"yaml": "pyyaml"}
    return Check(
        name, OK, ", ".join(f"{package} {metadata.version(names.get(package, package))}" for package in packages)
    )


def _kernel() -> Check:
    remedy = "python -m ipykernel install --sys-prefix --name python3"
    if importlib.util.find_spec("jupyter_client") is None:
        return Check("kernel python3", NOTE, "no Jupyter: notebooks cannot be run", "pip install 'afkit[notebooks]'")
    kernelspec = importlib.import_module("jupyter_client.kernelspec")
    try:
        command = kernelspec.KernelSpecManager().get_kernel_spec("python3").argv[0]
    except kernelspec.NoSuchKernel:
        return Check("kernel python3", BAD, "not there", remedy)
    if shutil.which(command) is None or not Path(shutil.which(command)).samefile(sys.executable):
        return Check("kernel python3", BAD, "starts another Python than this one, perhaps without afkit", remedy)
    return Check("kernel python3", OK, "starts this Python")


def _folder(what: str, folder: Path) -> Check:
    """Whether files can be written there, or where the folder would be made."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check(
            what, BAD, f"{folder} cannot be written to ({error.strerror})", "change its rights, or name another"
        )
    free_gb = shutil.disk_usage(there).free / 1e9
    state = OK if free_gb >= LEAST_GB else NOTE
    return Check(what, state, f"{folder}, {free_gb:.0f} GB free", "make room: checkpoints and features need gigabytes")


def _cache() -> Check:
    from afkit.detect.operator import BuildError, cache_folder

    try:
        return _folder("cache", cache_folder())
    except BuildError as error:
        return Check("cache", BAD, str(error), "set AFKIT_CACHE to a folder of your own")


def _data_sets(root: Path) -> Check:
    from afkit.recipes import recipe, recipe_names

    there = [name for name in recipe_names() if (root / recipe(name).data.annotations).is_file()]
    if there:
        return Check("data sets", OK, ", ".join(there))
    return Check(
        "data sets", NOTE, f"none in {root}", "make demo prepares one; others: python -m afkit prepare RECIPE SRC"
    )
