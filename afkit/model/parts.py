"""Long sequences at inference: what reads only its neighbourhood is computed part by part."""

from collections.abc import Callable

import torch
from torch import Tensor

# Rows at once (steps x videos). On a CPU, 1024 to 4096 took the same time, all at once a tenth more.
PART_ROWS = {"cpu": 4096, "cuda": 65536}


def in_parts(function: Callable[..., Tensor], *inputs: Tensor, reach: int, stride: int = 1) -> Tensor:
    """A function of sequences, evaluated part by part where no gradient is wanted, which bounds its memory.

    Args:
        function: from inputs (B, T, ...) to (B, T / stride, C); what lies beyond the ends of its input counts as
            nothing, as for a padded convolution.
        inputs: (B, T, ...) tensors.
        reach: steps to either side that a step of the output depends on.
        stride: of the function.

    Returns:
        what the function gives on the whole of the inputs, but for rounding.
    """
    batch, length = inputs[0].shape[:2]
    steps = max(PART_ROWS.get(inputs[0].device.type, 65536) // batch // stride, 1) * stride
    if torch.is_grad_enabled() or length <= steps + reach:
        return function(*inputs)
    reach = -(-reach // stride) * stride
    whole = inputs[0].new_empty(0)  # made when the first part says how wide
    for start in range(0, length, steps):
        first, last = max(start - reach, 0), min(start + steps + reach, length)
        part = function(*(x[:, first:last] for x in inputs))
        if start == 0:
            whole = part.new_empty(batch, length // stride, part.shape[2])
        target = whole[:, start // stride : (start + steps) // stride]
        target.copy_(part[:, (start - first) // stride :][:, : target.shape[1]])
    return whole
