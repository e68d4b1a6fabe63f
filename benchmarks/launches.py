"""How a call keeps its device busy: how many kernels it starts, and for how long the host is at it."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

ROUNDS = 5
KINDS = {"cpu": DeviceType.CPU, "cuda": DeviceType.CUDA}


def kernels(call: Callable[[], Any], device: str) -> int:
    """Kernels on the GPU in a call that has run before; without a GPU, calls of torch's operations."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=activities) as recorded:
        call()
        wait(device)
    events = [event for event in recorded.events() if event.device_type == KINDS[device]]
    return sum(device == "cuda" or event.name.startswith("aten::") for event in events)


def host_share(call: Callable[[], Any], device: str) -> float:
    """The part of a call's time for which the host is busy with it, a median; near 1 the GPU waits for the host."""
    shares = []
    for _ in range(ROUNDS):
        wait(device)
        began = time.perf_counter()
        call()
        queued = time.perf_counter() - began
        wait(device)
        shares.append(queued / (time.perf_counter() - began))
    return statistics.median(shares)


def wait(device: str) -> None:
    """Until a GPU has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
