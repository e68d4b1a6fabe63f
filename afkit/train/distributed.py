"""Several processes that train one network together: who they are, and how they share numbers.

Each process has one device and its own rows of every batch. Without a process group all of this is that of one
process, at no cost.
"""

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

PEER_ERRORS = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")  # in torch's messages


def world() -> tuple[int, int]:
    """The number of this process, from 0, and that of all."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def start() -> None:
    """Join the processes that torchrun has started; on a GPU, this process takes the one of its local rank.

    Tensors of a GPU go through NCCL, those of the host through gloo.

    Raises:
        ValueError: not started by torchrun, or more processes than GPUs on this machine.
    """
    if "LOCAL_RANK" not in os.environ:
        raise ValueError("the process was not started by torchrun (python -m torch.distributed.run)")
    if torch.cuda.is_available():
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise ValueError(f"devices is {os.environ['LOCAL_WORLD_SIZE']}, but this machine has {gpus} GPUs")
        torch.cuda.set_device(local)
        dist.init_process_group("cpu:gloo,cuda:nccl")
    else:
        dist.init_process_group("gloo")


def stop() -> None:
    """Leave the other processes, at the end of all work."""
    dist.destroy_process_group()


def data_parallel(model: nn.Module) -> nn.Module:
    """The network as it is called in training: gradients become their mean over all processes.

    With `find_unused_parameters` gradients are summed in the same groups at every step. Else torch groups them anew
    after the first step of a process, and a training that goes on might be rounded differently from one that never
    stopped.
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
    """What each process has, by rank; all must call it."""
    ranks = world()[1]
    if ranks == 1:
        return [value]
    values = [None] * ranks
    dist.all_gather_object(values, value)
    return values


def first_says(flag: bool) -> bool:
    """The flag of the first process; all must call it."""
    return bool(gather_numbers([float(flag)])[0][0])


def check_batch_divides(batch_size: int, devices: int) -> None:
    """Raise a ValueError where the rows of a batch cannot be shared equally."""
    if batch_size % devices:
        wanted = -(-batch_size // devices) * devices
        raise ValueError(
            f"optim.batch_size {batch_size} does not divide by {devices} devices; use fewer devices, or raise "
            f"optim.batch_size to {wanted} and, by the linear rule, optim.learning_rate by the same factor "
            f"({wanted / batch_size:.4g})"
        )


def check_same_everywhere(step: int, tensors: list[Tensor]) -> None:
    """Compare step and weights of all processes; all must call it.

    Args:
        step: of the training.
        tensors: the weights, on this process.

    Raises:
        RuntimeError: a process differs.
    """
    if world()[1] == 1:
        return
    sums = torch.stack([tensor.detach().double().abs().sum() for tensor in tensors]).tolist()
    states = gather_numbers([float(step), *sums])
    if any(state != states[0] for state in states):
        raise RuntimeError(
            f"the weights of the {len(states)} devices are no longer the same at step {step}; use devices of one kind, "
            f"and start again from the last checkpoint"
        )


def lost_a_peer(error: BaseException) -> bool:
    """Whether an error says only that another process has gone."""
    if isinstance(error, dist.DistError):
        return True
    return type(error) is RuntimeError and any(text in str(error).lower() for text in PEER_ERRORS)
