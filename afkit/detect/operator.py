"""The compiled operator `torch.ops.afkit.nms`: found in the cache or built on first use, and loaded.

The sources lie in extensions/nms. A library is kept per torch, CUDA and compiler version and content of the sources, in
`cache_folder()`; of processes that need it at once, one builds it.
"""

import functools
import hashlib
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from afkit.detect.reference import Settings
from afkit.files import LOCK, locked
from afkit.opening import home_folder, private_folder, why_not

PACKAGE = Path(__file__).parents[1]
SHIPPED = PACKAGE / "_shipped"  # put there by the wheel, see pyproject.toml
SOURCES = (SHIPPED if SHIPPED.is_dir() else PACKAGE.parent) / "extensions" / "nms"
FILES = {"cpp": "nms.cpp", "cuda": "nms.cu"}  # backend: what is compiled
INCLUDED = {"cpp": (".h", ".cpp"), "cuda": (".h", ".cuh", ".cu")}  # and the endings of all that goes into it
# A fused multiply-add would round differently from other devices. Floating-point exceptions are not looked at, which
# lets the compiler choose between two values without a branch.
EXACT = ["-O3", "-ffp-contract=off", "-fno-trapping-math"]
EXACT_CUDA = ["-O3", "-fmad=false"]


class BuildError(RuntimeError):
    """The operator cannot be built or loaded here; the message says why, in a few words."""


def cache_folder() -> Path:
    """Where built libraries are kept: `AFKIT_CACHE`, or afkit/ in the user's cache folder.

    Loading a library runs its code. So where others could write to that folder, or there is none, it is a private one
    among the temporary files, and a line says why; a BuildError where there is no such folder either.
    """
    named, xdg, home = os.environ.get("AFKIT_CACHE"), os.environ.get("XDG_CACHE_HOME"), home_folder()
    caches = Path(xdg) if xdg else home and home / ".cache"
    usual = Path(named).resolve() if named else caches and (caches / "afkit").resolve()
    reason = why_not(usual) if usual else "this user has no home folder"
    if usual and not named:
        reason = reason or _why_not_made(usual)
    if usual and not reason:
        return usual
    try:
        private = private_folder()
    except (ValueError, OSError) as error:
        raise BuildError(f"{reason}, and {error}; set AFKIT_CACHE to a folder of your own") from None
    say_once(f"{reason}, so built libraries are kept in {private}; AFKIT_CACHE names another folder")
    return private


def _why_not_made(folder: Path) -> str:
    above = next(place for place in (folder, *folder.parents) if place.exists())
    return "" if above == folder or os.access(above, os.W_OK) else f"{above} cannot be written to"


@functools.cache
def unavailable(backend: str) -> str:
    """`load` the operator of a backend, "cpp" or "cuda": "" when that worked, else the reason."""
    try:
        load(backend)
    except BuildError as error:
        return str(error)
    return ""


def load(backend: str, verbose: bool = False) -> Path | None:
    """Make `torch.ops.afkit.nms` work for tensors on the CPU ("cpp") or CUDA ("cuda", which needs "cpp" too).

    The library that was loaded; None where the operator was there already: a second definition would end the process.
    A BuildError says what is lacking (compiler, build tool, folder to write to) or went wrong.
    """
    if backend == "cuda":
        if not torch.cuda.is_available():
            raise BuildError("torch sees no CUDA device")
        load("cpp", verbose)
    key = {"cpp": "CPU", "cuda": "CUDA"}[backend]
    if hasattr(torch.ops.afkit, "nms") and torch._C._dispatch_has_kernel_for_dispatch_key("afkit::nms", key):
        return None
    path = _cached(backend) or _build(backend, verbose)
    try:
        torch.ops.load_library(str(path))
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise BuildError(f"{path} cannot be loaded ({reason}); delete it, and it is built anew") from None
    if backend == "cpp":
        torch.library.register_fake("afkit::nms", _shapes)
    return path


def _shapes(
    segments: Tensor, scores: Tensor, labels: Tensor, offsets: Tensor, *settings: int | float | bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Empty results of the right shapes, for tracing: segments (B, M, 2), scores (B, M), labels (B, M), counts (B,)."""
    shape = (offsets.shape[0] - 1, Settings._make(settings).max_segments)  # (B, M)
    of_scores, of_labels = scores.new_empty(shape), labels.new_empty(shape)
    return segments.new_empty(*shape, 2), of_scores, of_labels, labels.new_empty(shape[:1])


def _cached(backend: str) -> Path | None:
    """A library built earlier from these sources for this torch: by the present compiler, or by any without one.

    Its name ends in a digest of its content: loading a damaged one would end the process.
    """
    try:
        compiler = _compiler_key(backend)
    except BuildError:
        compiler = "*"
    for path in sorted(cache_folder().glob(f"{_stem(backend)}-{compiler}-*.so")):
        if reason := why_not(path):
            say_once(f"{path.name} is not loaded, since {reason}")
        elif path.stem.endswith(_digest(path.read_bytes())):
            return path
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _stem(backend: str) -> str:
    """nms_<backend>-<torch>-<CUDA>-<processor>-<content of the sources>."""
    if not (SOURCES / FILES[backend]).is_file():
        raise BuildError(f"its sources are not at {SOURCES}")
    sources = [path for path in sorted(SOURCES.iterdir()) if path.suffix in INCLUDED[backend]]
    digest = _digest(b"".join(path.read_bytes() for path in sources))
    cuda = f"cuda{torch.version.cuda}" if backend == "cuda" else "cpu"
    return f"nms_{backend}-torch{torch.__version__}-{cuda}-{platform.machine()}-{digest}"


def _compiler_key(backend: str) -> str:
    """A digest of what the compilers say about their version."""
    from torch.utils.cpp_extension import CUDA_HOME

    commands = [os.environ.get("CXX") or "c++"]
    if backend == "cuda":
        if CUDA_HOME is None:
            raise BuildError("the CUDA compiler nvcc was not found; install the CUDA toolkit, or set CUDA_HOME")
        commands.append(str(Path(CUDA_HOME) / "bin" / "nvcc"))
    said = ""
    for command in commands:
        try:
            said += subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            raise BuildError(f"no compiler: '{command} --version' does not run; install one, or set CXX") from None
    return _digest(said.encode())


def _build(backend: str, verbose: bool) -> Path:
    """Compile in a scratch folder, then move the library to its name in the cache; one process at a time."""
    folder, stem = cache_folder(), f"{_stem(backend)}-{_compiler_key(backend)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / f".{stem}{LOCK}", math.inf, lambda who: _say(f"waiting for {who}, which builds {stem}")):
            for left in folder.glob(f".{stem}.*.part"):  # of killed processes
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(".part", f".{stem}.", folder) as scratch:  # nobody else can look into it
                return _cached(backend) or _compile(backend, verbose, Path(scratch), stem)
    except OSError as error:
        raise BuildError(f"{folder} cannot be written to ({error.strerror}); set AFKIT_CACHE") from None
    except ValueError as error:  # what has the lock's name is none
        raise BuildError(str(error)) from None


def _compile(backend: str, verbose: bool, scratch: Path, stem: str) -> Path:
    from torch.utils import cpp_extension

    _say(f"building the {backend} NMS operator, once for this torch and compiler (about a quarter of a minute)")
    began, environment = time.perf_counter(), os.environ.copy()
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # its ninja
    try:
        name = f"nms_{backend}"
        cpp_extension.load(
            name, [str(SOURCES / FILES[backend])], [*EXACT, "-fopenmp"], EXACT_CUDA,
            build_directory=str(scratch), is_python_module=False, verbose=verbose,
        )  # fmt: skip
        library = scratch / f"{name}.so"
        library.chmod(0o755)  # by the user's mask, a group might write to it
        path = library.replace(scratch.parent / f"{stem}-{_digest(library.read_bytes())}.so")
    except Exception as error:  # the compiler, ninja and the disk fail in many ways
        raise BuildError(_reason(error)) from None
    finally:
        os.environ.clear()
        os.environ.update(environment)
    _say(f"built {path} in {time.perf_counter() - began:.0f} s")
    return path


def _reason(error: Exception) -> str:
    """The line of a failed build that tells most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = (line for line in lines if re.search("error[: ]|No space|Permission", line) and "Error building" not in line)
    return next(told, lines[0] if lines else type(error).__name__)[:300]


@functools.cache
def say_once(text: str) -> None:
    """A line for the user, once in a process."""
    _say(text)


def _say(text: str) -> None:
    print(f"afkit: {text}", file=sys.stderr, flush=True)
