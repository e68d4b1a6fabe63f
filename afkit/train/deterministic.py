"""The same bits from each training, as far as torch has the operations for it, and the names of those it lacks."""

import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from afkit.files import write_json
from afkit.train.distributed import world

FILE = "deterministic.json"  # in the run folder
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # read by CUDA's matrix products; without it their sums may be grouped anew
CUBLAS_VALUE = ":4096:8"
# how torch warns of an operation that it has no deterministic implementation of
_LACKS = re.compile(r"(.+?) (does not have a deterministic implementation|defaults to a non-deterministic algorithm)")


@contextmanager
def deterministic(wanted: bool) -> Iterator[set[str]]:
    """Let torch choose deterministic operations until the block ends, however it ends.

    An operation that has no such implementation runs all the same, and is named. On a CPU torch's operations give
    the same bits for the same number of threads anyway; on a GPU, this is what makes them do so.

    Args:
        wanted: False changes nothing.

    Yields:
        the names of the operations without a deterministic implementation, as they are met.
    """
    names: set[str] = set()
    if not wanted:
        yield names
        return
    before = _state(), os.environ.get(CUBLAS)
    os.environ.setdefault(CUBLAS, CUBLAS_VALUE)
    # fused attention is not deterministic where torch only warns, so that its plain form is taken; and without the
    # last True torch would tell of some operations in the first training of a process only
    _set_state(True, True, True, False, False, True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", message=f".*({_LACKS.pattern}|CuBLAS)")
            _collect(names)
            yield names
    finally:
        _set_state(*before[0])
        if before[1] is None:
            del os.environ[CUBLAS]


def note_operations(folder: Path, names: Iterable[str]) -> None:
    """Say, and write into the run folder, with how many threads a deterministic training was done and what lacked.

    Writes deterministic.json: {"threads": of each process, "not_deterministic": [name, ...]}. Of several processes
    the first does.

    Args:
        folder: of the run.
        names: of the operations that lack a deterministic implementation.
    """
    if world()[0] != 0:
        return
    threads, names = torch.get_num_threads(), sorted(names)
    write_json(folder / FILE, {"threads": threads, "not_deterministic": names})
    if names:
        said = f"torch has no deterministic implementation of {', '.join(names)}, so that bits may differ"
    else:
        said = f"the same training gives the same bits on this machine with as many threads ({threads})"
    print(f"afkit: deterministic=True: {said}", flush=True)


def _collect(names: set[str]) -> None:
    """Have torch's warnings add to the names instead of being shown; all other warnings are shown as before."""
    show = warnings.showwarning

    def collect(message: Warning | str, *where: Any) -> None:
        found = _LACKS.match(str(message))
        if found:
            names.add(found[1])
        elif "uses CuBLAS" in str(message):
            names.add(f"matrix products ({CUBLAS} is {os.environ.get(CUBLAS)})")
        else:
            show(message, *where)

    warnings.showwarning = collect  # type: ignore[assignment]  # its further arguments are passed on as they come


def _state() -> tuple[bool, ...]:
    """Arguments for `_set_state` that change nothing."""
    cudnn = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
        torch.backends.cuda.mem_efficient_sdp_enabled(),
        torch.is_warn_always_enabled(),
    )


def _set_state(on: bool, warn: bool, cudnn: bool, benchmark: bool, fused: bool, always: bool) -> None:
    torch.use_deterministic_algorithms(on, warn_only=warn)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn, benchmark
    torch.backends.cuda.enable_mem_efficient_sdp(fused)
    torch.set_warn_always(always)
