"""One step of a training, and its numbers on their way from the device."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.batches import Batch
from afkit.model.actionformer import Output
from afkit.train.distributed import world
from afkit.train.state import TrainingState, update_average

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")  # in torch's messages


class Note(NamedTuple):
    """What is known of a step before it is done."""

    step: int  # of the whole training, from 0
    epoch: int  # from 0
    learning_rate: float  # of this step
    videos: list[str]  # of the batch


def train_step(state: TrainingState, batch: Batch, recipe: Recipe, precision: str = "fp32") -> Tensor:
    """One update of the weights and of their average. On a GPU nothing here waits for it.

    Args:
        state: changed in place.
        batch: on any device; pinned memory is copied without waiting.
        precision: "bf16" runs the network's forward pass under autocast: products in bfloat16, norms and softmax
            computed in float32. Losses, gradients of the weights, and the weights stay in float32.

    Returns:
        (4,) on the device: class loss, offset loss, total loss, norm of the gradient before clipping. Of several
        processes each has its own part of the losses; their sum is that of the batch.

    Raises:
        ValueError: loss or gradient is not finite; the weights are then as before. Where the numbers are read late
            (`state.late`), the caller checks them with `check_finite`.
        RuntimeError: out of memory; the message says what to lower.
    """
    device, videos = state.device, [item.video for item in batch.items]
    with _out_of_memory_explained(state.step, batch.features, recipe, precision):
        features, mask = (tensor.to(device, non_blocking=True) for tensor in (batch.features, batch.mask))
        state.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            out = state.network(features, mask)
        if precision != "fp32":
            logits, offsets = ([x.float() for x in levels] for levels in (out.logits, out.offsets))
            out = Output(logits, offsets, out.masks, out.points)
        losses = state.criterion(out, batch.segments, batch.labels)
        (losses["total"] * world()[1]).backward()  # of several processes, the mean of the gradients is taken
        limit = recipe.optim.clip_norm if recipe.optim.clip_norm > 0 else math.inf
        norm = nn.utils.clip_grad_norm_(state.parameters, limit)
        if not state.late:
            check_finite([losses["total"].item(), norm.item()], state.step, videos, recipe)
        state.optimizer.step()
        state.schedule.step()
        update_average(state.averaged, state.current, state.step, recipe.optim)
    state.step += 1
    return torch.stack([losses["cls"], losses["reg"], losses["total"], norm]).detach()


def check_finite(numbers: Sequence[float], step: int, videos: Sequence[str], recipe: Recipe) -> None:
    """Stop where a loss or the gradient's norm is not finite.

    Args:
        numbers: losses and the gradient's norm.

    Raises:
        ValueError: one of them is infinite or not a number.
    """
    wrong = [number for number in numbers if not math.isfinite(number)]
    if wrong:
        raise ValueError(
            f"the loss of recipe '{recipe.name}', or its gradient, is {wrong[0]} at step {step} on the videos "
            f"{', '.join(videos)}; check their features, or lower optim.learning_rate (the last checkpoint is kept)"
        )


class Arrivals:
    """The numbers of steps on their way to the host.

    Those of a GPU are copied to pinned memory without waiting, and read when the next step has been queued behind
    them: the GPU then always has work, and the host is at most one step ahead.

    Args:
        late: whether to leave the numbers of the newest step on their way.
    """

    def __init__(self, late: bool):
        self._late = late
        self._waiting: deque[tuple[Note, Tensor, torch.cuda.Event | None]] = deque()

    def put(self, note: Note, numbers: Tensor) -> None:
        """Send the (4,) numbers of a step on their way."""
        arrived = None
        if numbers.is_cuda:
            host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            numbers = host.copy_(numbers, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        self._waiting.append((note, numbers, arrived))

    def take(self, everything: bool = False) -> Iterator[tuple[Note, list[float]]]:
        """The steps that have arrived, oldest first; `everything` waits for the newest, too."""
        while len(self._waiting) > int(self._late and not everything):
            note, numbers, arrived = self._waiting.popleft()
            if arrived is not None:
                arrived.synchronize()
            yield note, numbers.tolist()


@contextmanager
def _out_of_memory_explained(step: int, features: Tensor, recipe: Recipe, precision: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError) and not any(text in str(error).lower() for text in NO_MEMORY):
            raise
        shape = " x ".join(map(str, features.shape))
        instead = " or set precision to 'bf16'" if precision == "fp32" else ""
        raise RuntimeError(
            f"out of memory at step {step} of recipe '{recipe.name}', a batch of {shape} features (videos x channels x "
            f"steps) in {precision}; lower optim.batch_size or data.max_seq_len{',' if instead else ''}{instead} "
            f"(the last checkpoint is kept)"
        ) from error
