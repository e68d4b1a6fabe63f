"""What no implementation of the same mathematics goes below: the time of its matrix products, or of its memory.

A missed target is judged by it: what lies between the limit and ours is all that is left to gain.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.launches import wait

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "baddbmm_")
SHAPES = ((4608, 512, 512), (4608, 2048, 512), (2048, 1024, 1024), (512, 4608, 2048))  # such as the networks have
GPU_SHAPES = ((8192, 8192, 8192), *SHAPES)  # the first fills a large card
TINY_SHAPES = ((256, 256, 256),)
ROUNDS = 8
COPIED_BYTES = {"cpu": 2**28, "cuda": 2**31}


def product_gflop(call: Callable[[], Any]) -> float:
    """Arithmetic of the matrix products in a call, in GFLOP (depthwise convolutions, under 1 % of it, left out)."""
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: _batched_flop}) as counter:
        call()
    counts = counter.get_flop_counts()["Global"]
    return sum(flop for operation, flop in counts.items() if str(operation).rpartition(".")[2] in PRODUCTS) / 1e9


def _batched_flop(_: Sequence[int], a: Sequence[int], b: Sequence[int], **__: Any) -> int:
    """Of a product of (B, T, C) and (B, C, C') that is added to the first argument."""
    return 2 * a[0] * a[1] * a[2] * b[2]


def best_gflop_per_sec(device: str, precision: str = "fp32", size: str = "full") -> float:
    """The highest rate of matrix products seen on this machine, over some shapes and rounds.

    Args:
        device: "cpu" or "cuda".
        precision: "bf16" for products of bfloat16; else of float32, with torch's present setting of TensorFloat-32.
        size: "tiny" for a trial, with one small shape.
    """
    best, dtype = 0.0, torch.bfloat16 if precision == "bf16" else torch.float32
    shapes = GPU_SHAPES if device == "cuda" else SHAPES
    for rows, inner, columns in TINY_SHAPES if size == "tiny" else shapes:
        a = torch.randn(rows, inner, device=device, dtype=dtype)
        b = torch.randn(inner, columns, device=device, dtype=dtype)
        for _ in range(ROUNDS):
            wait(device)
            began = time.perf_counter()
            a @ b
            wait(device)
            best = max(best, 2e-9 * rows * inner * columns / (time.perf_counter() - began))
    return best


def copy_gb_per_sec(device: str) -> float:
    """The highest rate, read and written together, at which memory was copied within the device over some rounds."""
    source = torch.ones(COPIED_BYTES[device], dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(ROUNDS):
        wait(device)
        began = time.perf_counter()
        target.copy_(source)
        wait(device)
        best = max(best, 2e-9 * source.numel() / (time.perf_counter() - began))
    return best
