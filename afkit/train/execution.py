"""How a training is carried out, beside the recipe, which says what is trained; the same bits each time."""

import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from afkit.files import write_json
from afkit.model.products import PRECISIONS
from afkit.train.distributed import world


@dataclass(frozen=True)
class Execution:
    """How a training is carried out; a setting out of its range is a ValueError that names it.

    Only `precision`, (below 1e-6) `pad_to_batch` and (by rounding, and other random masks) `cuda_graphs` and the number
    of devices change its numbers. With the same seed, two trainings on one machine give the same bits on a CPU with the
    same number of threads (OMP_NUM_THREADS; other numbers group sums otherwise), and on a GPU with `deterministic`.
    Workers, cache, checkpoints, evaluations and interruptions change no bit. Another machine, or another torch, may
    round otherwise.
    """

    workers: int = 0  # processes that load features; 0 loads in the training's own
    pad_to_batch: bool = True  # pad to the longest video of a batch; False pads to max_seq_len, as the original does
    # bf16 computes the network's products in bfloat16 where the machine has units for it; auto does so without a word
    precision: str = "fp32"
    cuda_graphs: bool = False  # launch the network's kernels all at once, on one GPU; not yet tried on any
    cache_mb: int = 0  # memory for features that have been read once, in MB
    checkpoint_minutes: float = 1.0  # between two checkpoints; 0: none by time
    checkpoint_steps: int = 0  # between two checkpoints; 0: none by steps
    evaluate_every: int = 0  # epochs between two evaluations; 0: none
    devices: int = 1  # of each machine: GPUs, or processes where there is none; they share each batch
    num_nodes: int = 1  # machines
    deterministic: bool = False  # the same bits each time on a GPU, too; slower there, without effect on a CPU

    def __post_init__(self) -> None:
        for setting in fields(self):
            name, value, kind = setting.name, getattr(self, setting.name), type(setting.default)
            if kind is int:
                least = int(name in ("devices", "num_nodes"))
                fits, wanted = type(value) is int and value >= least, f"a whole number, {least} or more"
            elif kind is float:
                fits, wanted = type(value) in (int, float) and 0 <= value < math.inf, "a number, 0 or more"
            elif kind is bool:
                fits, wanted = type(value) is bool, "True or False"
            else:
                fits, wanted = value in PRECISIONS, f"one of {', '.join(PRECISIONS)}"
            if not fits:
                raise ValueError(f"{name} must be {wanted}, not {value!r}")


DEFAULT_EXECUTION = Execution()

FILE = "deterministic.json"  # in the run folder
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # read by CUDA's matrix products; without it their sums may be grouped anew
CUBLAS_VALUE = ":4096:8"
# how torch warns of an operation that it has no deterministic implementation of
_LACKS = re.compile(r"(.+?) (does not have a deterministic implementation|defaults to a non-deterministic algorithm)")


@contextmanager
def deterministic(wanted: bool) -> Iterator[set[str]]:
    """Let torch choose deterministic operations until the block ends; a CPU's give the same bits anyway.

    Yields the names of the operations without a deterministic implementation, as they are met; they run all the same.
    """
    names: set[str] = set()
    if not wanted:
        yield names
        return
    cublas = os.environ.get(CUBLAS)
    before = {
        "level": torch.get_deterministic_debug_mode(),
        "cudnn": torch.backends.cudnn.deterministic,
        "benchmark": torch.backends.cudnn.benchmark,
        "fused": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "always": torch.is_warn_always_enabled(),
    }
    os.environ.setdefault(CUBLAS, CUBLAS_VALUE)
    # fused attention is not deterministic where torch only warns, so that its plain form is taken; and without the
    # last True torch would tell of some operations in the first training of a process only
    _switch(level=1, cudnn=True, benchmark=False, fused=False, always=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", message=f".*({_LACKS.pattern}|CuBLAS)")
            _collect(names)
            yield names
    finally:
        _switch(**before)
        if cublas is None:
            del os.environ[CUBLAS]


def _collect(names: set[str]) -> None:
    """Have torch's warnings add to the names instead of being shown; all other warnings are shown as before."""
    show = warnings.showwarning

    def collect(message: Warning | str, *where: Any) -> None:
        if found := _LACKS.match(str(message)):
            names.add(found[1])
        elif "uses CuBLAS" in str(message):
            names.add(f"matrix products ({CUBLAS} is {os.environ.get(CUBLAS)})")
        else:
            show(message, *where)

    warnings.showwarning = collect  # type: ignore[assignment]  # its further arguments are passed on as they come


def _switch(level: int, cudnn: bool, benchmark: bool, fused: bool, always: bool) -> None:
    torch.set_deterministic_debug_mode(level)  # 0: off, 1: warn, 2: raise
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn, benchmark
    torch.backends.cuda.enable_mem_efficient_sdp(fused)
    torch.set_warn_always(always)


def note_operations(folder: Path, wanted: bool, names: Iterable[str]) -> None:
    """Say, and write into the run folder, with how many threads a deterministic training was done and what lacked.

    deterministic.json holds {"threads": of each process, "not_deterministic": [name, ...]}; where determinism was not
    wanted, that of an earlier training is removed.
    """
    if world()[0] != 0:
        return
    if not wanted:
        (folder / FILE).unlink(missing_ok=True)
        return
    threads, names = torch.get_num_threads(), sorted(names)
    write_json(folder / FILE, {"threads": threads, "not_deterministic": names})
    said = f"the same training gives the same bits on this machine with as many threads ({threads})"
    if names:
        said = f"torch has no deterministic implementation of {', '.join(names)}, so that bits may differ"
    print(f"afkit: deterministic=True: {said}", flush=True)
