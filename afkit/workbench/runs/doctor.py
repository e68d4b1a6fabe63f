"""What works on this machine and what does not, and what to do about it: `python -m afkit doctor`.

Each check looks for itself and needs nothing of the others, so that the table is whole where half of it is broken.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from afkit.workbench.trust import project_root

OLDEST_TORCH = (2, 11)
EXTRAS = {  # what it is for: the packages, and the extra that brings them
    "notebooks": (("papermill", "jupyterlab", "matplotlib", "seaborn"), "notebooks"),
    "sweeps": (("distributed", "cryptography", "yaml"), "sweep"),
    "the inspector": (("anywidget", "voila"), "inspect"),
}
LEAST_GB = 5.0  # free, for checkpoints and features
OK, NOTE, BAD = "ok", "note", "BAD"


class Found(NamedTuple):
    """What a check has found about one thing."""

    state: str  # "ok"; "note": something does not work that not everybody needs; "BAD": nothing works without it
    text: str  # e.g. a version, or what is wrong
    remedy: str = ""  # what to do, unless it is ok


def examine(data_root: str | Path = "data", results: str | Path = "results") -> dict[str, Found]:
    """Look at Python, packages, GPU, compiler, operator, kernel, folders and data, in that order.

    What each is -> what was found; a check that itself fails is found, too.
    """
    root = project_root()
    checks: dict[str, Callable[[], Found]] = {
        "Python": _python,
        "torch": _torch,
        "GPU": _gpu,
        "bfloat16": _bf16,
        "C++ compiler": _compiler,
        "compiled NMS": _operator,
        **{name: lambda name=name: _packages(*EXTRAS[name]) for name in EXTRAS},  # type: ignore[misc]
        "kernel python3": _kernel,
        "results": lambda: _folder(root / results),
        "data": lambda: _folder(root / data_root),
        "cache": _cache,
        "data sets": lambda: _data_sets(root / data_root),
    }
    found = {}
    for what, look in checks.items():
        try:
            found[what] = look()
        except Exception as error:  # whatever is broken, the other rows are wanted
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            found[what] = Found(BAD, text, "install afkit anew")
    return found


def table(found: dict[str, Found]) -> str:
    """The checks as text: a line each, and below those that are not ok what to do."""
    width = max(map(len, found))
    lines = []
    for what, (state, text, remedy) in found.items():
        lines.append(f"{state:<4}  {what:<{width}}  {text}")
        if remedy and state != OK:
            lines.append(f"{'':<4}  {'':<{width}}  -> {remedy}")
    return "\n".join(lines)


def _python() -> Found:
    return Found(OK, platform.python_version())  # an older one than 3.11 cannot read afkit


def _torch() -> Found:
    try:
        import torch
    except Exception as error:  # a broken installation raises all kinds
        return Found(BAD, f"cannot be imported: {error}", "make install, or pip install torch")
    version = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))
    oldest, threads = ".".join(map(str, OLDEST_TORCH)), torch.get_num_threads()
    state = OK if version >= OLDEST_TORCH else BAD
    return Found(state, f"{torch.__version__}, {threads} threads", f"install torch {oldest} or newer")


def _gpu() -> Found:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Found(OK, f"{', '.join(names)}; CUDA {torch.version.cuda}")
    if shutil.which("nvidia-smi"):
        remedy = "install a torch that is built for the driver's CUDA (see pytorch.org)"
        return Found(NOTE, f"the driver is there, but this torch ({torch.__version__}) cannot use it", remedy)
    return Found(NOTE, "none: everything computes on the processor", "nothing, unless there should be one")


def _bf16() -> Found:
    import torch

    from afkit.model.products import bf16_units

    if units := bf16_units("cuda" if torch.cuda.is_available() else "cpu"):
        return Found(OK, f"{units}: precision 'bf16' or 'auto' multiplies faster")
    return Found(NOTE, "no units for it: 'bf16' and 'auto' compute in float32", "nothing, unless there should be some")


def _compiler() -> Found:
    found = shutil.which(os.environ.get("CXX", "c++"))
    if found is None:
        return Found(NOTE, "none: NMS computes with torch, slower", "install g++ (or set CXX)")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20).stdout.partition("\n")[0]
    return Found(OK, version or Path(found).name)


def _operator() -> Found:
    import torch

    from afkit.detect.operator import unavailable

    backends = ["cpp", "cuda"] if torch.cuda.is_available() else ["cpp"]
    missing = [f"{backend}: {reason}" for backend in backends if (reason := unavailable(backend))]
    if missing:
        return Found(NOTE, "; ".join(missing), "python -m afkit build-ext shows what the compiler says")
    return Found(OK, " and ".join(backends))


def _packages(packages: tuple[str, ...], extra: str) -> Found:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        return Found(NOTE, f"without {', '.join(missing)}", f"pip install 'afkit[{extra}]'")
    versions = [f"{package} {metadata.version({'yaml': 'pyyaml'}.get(package, package))}" for package in packages]
    return Found(OK, ", ".join(versions))


def _kernel() -> Found:
    remedy = "python -m ipykernel install --sys-prefix --name python3"
    try:
        from jupyter_client import kernelspec
    except ImportError:
        return Found(NOTE, "no Jupyter: notebooks cannot be run", "pip install 'afkit[notebooks]'")
    try:
        command = shutil.which(kernelspec.KernelSpecManager().get_kernel_spec("python3").argv[0])
    except kernelspec.NoSuchKernel:
        return Found(BAD, "not there", remedy)
    if command is None or not Path(command).samefile(sys.executable):
        return Found(BAD, "starts another Python than this one, perhaps without afkit", remedy)
    return Found(OK, "starts this Python")


def _folder(folder: Path) -> Found:
    """Whether files can be written there, or where the folder would be made."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        return Found(BAD, f"{folder} cannot be written to ({error.strerror})", "change its rights, or name another")
    free_gb = shutil.disk_usage(there).free / 1e9
    state = OK if free_gb >= LEAST_GB else NOTE
    return Found(state, f"{folder}, {free_gb:.0f} GB free", "make room: checkpoints and features need gigabytes")


def _cache() -> Found:
    from afkit.detect.operator import BuildError, cache_folder

    try:
        return _folder(cache_folder())
    except BuildError as error:
        return Found(BAD, str(error), "set AFKIT_CACHE to a folder of your own")


def _data_sets(root: Path) -> Found:
    from afkit.recipes import recipe, recipe_names

    there = [name for name in recipe_names() if (root / recipe(name).data.annotations).is_file()]
    remedy = "python -m afkit prepare watch makes a small one; others: python -m afkit prepare RECIPE SRC"
    return Found(OK, ", ".join(there)) if there else Found(NOTE, f"none in {root}", remedy)
