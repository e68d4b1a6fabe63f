"""What no implementation of the same mathematics goes below: the time of its matrix products.

A missed target is judged by it: what lies between the limit and ours is all that is left to gain.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "baddbmm_")
SHAPES = ((4608, 512, 512), (4608, 2048, 512), (2048, 1024, 1024), (512, 4608, 2048))  # such as the networks have
ROUNDS = 8


def product_gflop(call: Callable[[], Any]) -> float:
    """Arithmetic of the matrix products in a call, in GFLOP (depthwise convolutions, under 1 % of it, left out)."""
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: _batched_flop}) as counter:
        call()
    counts = counter.get_flop_counts()["Global"]
    return sum(flop for operation, flop in counts.items() if str(operation).rpartition(".")[2] in PRODUCTS) / 1e9


def _batched_flop(_: Sequence[int], a: Sequence[int], b: Sequence[int], **__: Any) -> int:
    """Of a product of (B, T, C) and (B, C, C') that is added to the first argument."""
    return 2 * a[0] * a[1] * a[2] * b[2]


def best_gflop_per_sec(device: str) -> float:
    """The highest rate of matrix products in float32 seen on this machine, over some shapes and rounds."""
    best = 0.0
    for rows, inner, columns in SHAPES:
        a, b = torch.randn(rows, inner, device=device), torch.randn(inner, columns, device=device)
        for _ in range(ROUNDS):
            _wait(device)
            began = time.perf_counter()
            a @ b
            _wait(device)
            best = max(best, 2e-9 * rows * inner * columns / (time.perf_counter() - began))
    return best


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
