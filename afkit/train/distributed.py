"""Several processes that train one network together: who they are, and how they share numbers.

Each process has one device and its own rows of every batch. Without a process group all of this is that of one
process, at no cost.
"""

import json
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world() -> tuple[int, int]:
    """The number of this process, from 0, and that of all."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def data_parallel(model: nn.Module) -> nn.Module:
    """The network as it is called in training: gradients become their mean over all processes.

    With `find_unused_parameters` gradients are summed in the same groups at every step. Else torch groups them anew
    after the first step of a process, and a training that goes on might be rounded differently.
    """
    devices = [torch.cuda.current_device()] if next(model.parameters()).is_cuda else None
    return nn.parallel.DistributedDataParallel(model, device_ids=devices, find_unused_parameters=True)


def sum_over_ranks(numbers: Tensor) -> Tensor:
    """The sum over all processes, on the device of `numbers` and without waiting for it; all must call it."""
    if world()[1] > 1:
        numbers = numbers.clone()
        dist.all_reduce(numbers)
    return numbers


def gather_numbers(numbers: list[float]) -> list[list[float]]:
    """The numbers of each process, by rank; all must call it with equally many. Runs on the host."""
    rank, ranks = world()
    if ranks == 1:
        return [numbers]
    table = torch.zeros(ranks, len(numbers), dtype=torch.float64)
    table[rank] = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(table)
    return table.tolist()


def gather_objects(value: Any) -> list[Any]:
    """What each process has, by rank; all must call it. It is JSON, which executes nothing: tensors become lists."""
    if world()[1] == 1:
        return [value]
    return [json.loads(part) for part in gather_bytes(json.dumps(value, default=Tensor.tolist).encode())]


def gather_bytes(own: bytes) -> list[bytes]:
    """The bytes of each process, at least one, by rank; all must call it. Runs on the host."""
    lengths = [int(length) for (length,) in gather_numbers([len(own)])]
    padded = torch.zeros(max(lengths), dtype=torch.uint8)
    padded[: len(own)] = torch.frombuffer(bytearray(own), dtype=torch.uint8)
    parts = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(parts, padded)
    return [part[:length].numpy().tobytes() for part, length in zip(parts, lengths, strict=True)]


def check_same_everywhere(step: int, tensors: list[Tensor]) -> None:
    """Raise a RuntimeError where step or weights of a process differ from those of the others; all must call it."""
    if world()[1] == 1:
        return
    sums = torch.stack([tensor.detach().double().abs().sum() for tensor in tensors]).tolist()
    states = gather_numbers([float(step), *sums])
    if any(state != states[0] for state in states):
        raise RuntimeError(
            f"the weights of the {len(states)} devices are no longer the same at step {step}; use devices of one kind, "
            f"and start again from the last checkpoint"
        )
