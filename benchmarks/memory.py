"""How much memory a process (CPU) or its tensors (CUDA) take, now and at most, and how much of it the weights are."""

import resource
import sys
from pathlib import Path

import torch
from torch import nn


def peak_mb(device: str) -> float:
    """The most so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    try:  # a child's getrusage begins with its parent's peak; this does not
        return _status_mb("VmHWM")
    except OSError:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak(device: str) -> None:
    """Let the peak of a GPU begin anew; that of a process (CPU) cannot."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def used_mb(device: str) -> float:
    """What is held now; 0 on a system that does not tell."""
    if device == "cuda":
        return torch.cuda.memory_allocated() / 2**20
    try:
        return _status_mb("VmRSS")
    except OSError:
        return 0.0


def parameters_mb(model: nn.Module) -> float:
    """Size of a network's parameters."""
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters()) / 2**20


def _status_mb(entry: str) -> float:
    """An entry of Linux' own account of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{entry}:")[2].split()[0]) / 2**10
