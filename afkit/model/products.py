"""Convolutions over (B, T, C) tensors: each kind in its fastest form, keeping little for the backward pass.

Dense convolutions of stride 1 are matrix products on shifted rows. What comes before them (a norm, an activation) is
cheap to compute and as large as its input, so that the backward pass computes it again instead of keeping it.

In bfloat16 they run where the machine multiplies it faster than float32; all else stays in float32.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Where a wide dense convolution is a product for each tap; elsewhere it is the library's. `benchmarks.train` compares.
AS_PRODUCTS = {"cpu", "cuda"}
PRECISIONS = ("fp32", "bf16", "auto")  # auto: bf16 where the machine has units for it
Preparation = Callable[..., Tensor]  # (x, *parameters) -> the input of a product, as large as x


def bf16_units(device_type: str = "cpu") -> str:
    """What multiplies bfloat16 on this machine, e.g. "AMX"; "" where nothing does: it would be slower than float32."""
    if device_type == "cuda":
        return "tensor cores" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX512-BF16" if torch.cpu._is_avx512_bf16_supported() else ""


def usable_precision(wanted: str, device_type: str, say: Callable[[str], None] = print) -> str:
    """ "bf16" or "fp32": what `wanted`, one of `PRECISIONS`, comes to; `say` is told where bf16 cannot be.

    Raises:
        ValueError: none of `PRECISIONS`.
    """
    if wanted not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {wanted!r}")
    if wanted == "fp32" or bf16_units(device_type):
        return "fp32" if wanted == "fp32" else "bf16"
    if wanted == "bf16":
        where = "processor has no units" if device_type == "cpu" else "GPU has none"
        say(f"afkit: bf16 was asked for, but this {where} for it (python -m afkit doctor), so it goes on in fp32")
    return "fp32"


def arithmetic(precision: str, device_type: str) -> AbstractContextManager:
    """Inside the block products and attention compute in bfloat16 for "bf16", norms and softmax in float32 always."""
    return torch.autocast(device_type, torch.bfloat16, enabled=precision == "bf16")


def _is_reduced(device_type: str) -> bool:
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def in_float32(device_type: str) -> AbstractContextManager:
    """Inside the block nothing computes in bfloat16."""
    return torch.autocast(device_type, enabled=False) if _is_reduced(device_type) else nullcontext()


def convolve(
    conv: nn.Conv1d,
    x: Tensor,
    prepare: Preparation | None = None,
    parameters: tuple[Tensor, ...] = (),
    taps: Tensor | None = None,
) -> Tensor:
    """A convolution of `x`, or of `prepare(x, *parameters)`: (B, T, C) -> (B, T / stride, C').

    `prepare` is cheap to compute a second time and draws no random numbers; `taps` is `lay_out(conv)` where at hand.
    """
    dense, wide = conv.groups == 1 and conv.stride == (1,), conv.kernel_size != (1,)
    if dense and (x.device.type in AS_PRODUCTS if wide else prepare is not None and torch.is_grad_enabled()):
        return _products(x, lay_out(conv) if taps is None else taps, conv.bias, prepare, parameters)
    if prepare is not None:
        x = prepare(x, *parameters)
    if dense and not wide:
        return F.linear(x, conv.weight[:, :, 0], conv.bias)
    if conv.groups == 1:
        return conv(x.transpose(1, 2).to(conv.weight.dtype)).transpose(1, 2)
    return convolve_in_groups(conv, x, conv.weight)


def convolve_in_groups(conv: nn.Conv1d, x: Tensor, weight: Tensor) -> Tensor:
    """The same for a convolution in groups, with a weight that stands for its own."""
    # in two dimensions, because only there the library has a kernel for channels that lie last
    image = x.transpose(1, 2).unsqueeze(2)  # (B, C, 1, T)
    stride, padding = (1, *conv.stride), (0, *conv.padding)
    image = F.conv2d(image, weight.unsqueeze(2), conv.bias, stride, padding, groups=conv.groups)
    return image.squeeze(2).transpose(1, 2)


def lay_out(conv: nn.Conv1d) -> Tensor:
    """The weights of a dense convolution as one matrix per tap: (C', C, width) -> (width, C', C)."""
    return conv.weight.permute(2, 0, 1).contiguous()


def _products(
    x: Tensor, taps: Tensor, bias: Tensor | None, prepare: Preparation | None, parameters: tuple[Tensor, ...]
) -> Tensor:
    """A dense convolution of stride 1; (B, T, C), (width, C', C), (C',) -> (B, T, C')."""
    device = x.device.type
    if not _is_reduced(device):
        return _ShiftedProducts.apply(prepare, x if prepare else x.to(taps.dtype), taps, bias, *parameters)
    kind = torch.get_autocast_dtype(device)
    x = x if prepare else x.to(kind)
    with in_float32(device):  # autocast does not know what is inside
        return _ShiftedProducts.apply(prepare, x, taps.to(kind), None if bias is None else bias.to(kind), *parameters)


class _ShiftedProducts(torch.autograd.Function):
    """A dense convolution as one matrix product per tap, on shifted rows of channels that lie last.

    The library's own convolution first copies such a tensor into another order, forward and backward: with 512
    channels, 2304 steps and width 3 that took 1.6 times as long on a CPU.
    """

    @staticmethod
    def forward(
        ctx: Any, prepare: Preparation | None, x: Tensor, taps: Tensor, bias: Tensor | None, *parameters: Tensor
    ) -> Tensor:
        rows = (prepare(x, *parameters).to(taps.dtype) if prepare else x).contiguous()
        ctx.save_for_backward(x if prepare else rows, taps, *parameters)
        ctx.prepare = prepare
        y = F.linear(rows, taps[len(taps) // 2], bias)
        for tap, targets, sources in _shifted(len(taps), y, rows):
            targets.baddbmm_(sources, taps[tap].T.expand(len(rows), -1, -1))
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, taps, *parameters = ctx.saved_tensors
        need_x, need_taps, need_bias = ctx.needs_input_grad[1:4]
        grad = grad.contiguous()
        grad_bias = grad.sum(dim=(0, 1)) if need_bias else None
        rows = x
        if ctx.prepare:
            inputs = [each.detach().requires_grad_() for each in (x, *parameters)]
            with torch.enable_grad():
                rows = ctx.prepare(*inputs).to(taps.dtype)
        rows_read, need_rows = rows.detach().contiguous(), bool(need_x or parameters)
        grad_taps: Tensor | None = None
        grad_rows: Tensor | None = None
        learning = _few_learning(grad)
        if learning is not None:
            grad_taps, grad_rows = _grads_of_few(grad, learning, rows_read, taps, need_rows)
        else:
            grad_taps = _grad_of_taps(grad, rows_read, len(taps)) if need_taps else None
            grad_rows = _grad_of_rows(grad, taps) if need_rows else None
        if grad_rows is None:
            return None, None, grad_taps, grad_bias
        if not ctx.prepare:
            return None, grad_rows, grad_taps, grad_bias
        grad_x, *grads = torch.autograd.grad(rows, inputs, grad_rows)
        return None, grad_x, grad_taps, grad_bias, *grads


FEW = 0.5  # share of rows with a gradient up to which the others are left out


def _few_learning(grad: Tensor) -> Tensor | None:
    """Which rows of (B, T, C) are not all 0, (n,) of B * T, if they are few: those that learn offsets always are.

    None where they are many, or where it would mean waiting for a GPU.
    """
    if grad.device.type != "cpu":
        return None
    learning = grad.flatten(0, 1).any(dim=1).nonzero()[:, 0]
    return learning if len(learning) <= FEW * grad.shape[0] * grad.shape[1] else None


def _grads_of_few(
    grad: Tensor, learning: Tensor, rows: Tensor, taps: Tensor, need_rows: bool
) -> tuple[Tensor, Tensor | None]:
    """`_grad_of_taps` and `_grad_of_rows` where only the rows `learning` of (B, T, C') have a gradient."""
    length = grad.shape[1]
    grad_taps = torch.zeros_like(taps)
    grad_rows = torch.zeros_like(rows) if need_rows else None
    few, step = grad.flatten(0, 1)[learning], learning % length  # (n, C'), (n,)
    for tap in range(len(taps)):
        shift = tap - len(taps) // 2
        inside = (step + shift >= 0) & (step + shift < length)
        part, source = few[inside], learning[inside] + shift
        grad_taps[tap] = part.T @ rows.flatten(0, 1)[source]
        if grad_rows is not None:
            grad_rows.flatten(0, 1)[source] += part @ taps[tap]  # no row twice
    return grad_taps, grad_rows


def _grad_of_taps(grad: Tensor, rows: Tensor, width: int) -> Tensor:
    """(B, T, C'), (B, T, C) -> (width, C', C)."""
    taps = grad.new_zeros(width, grad.shape[2], rows.shape[2])
    torch.mm(grad.flatten(0, 1).T, rows.flatten(0, 1), out=taps[width // 2])
    for tap, targets, sources in _shifted(width, grad, rows):
        taps[tap] = (targets.mT @ sources).sum(dim=0)
    return taps


def _grad_of_rows(grad: Tensor, taps: Tensor) -> Tensor:
    """(B, T, C'), (width, C', C) -> (B, T, C)."""
    grad_rows = grad @ taps[len(taps) // 2]
    for tap, sources, targets in _shifted(len(taps), grad, grad_rows):
        targets.baddbmm_(sources, taps[tap].expand(len(grad), -1, -1))
    return grad_rows


def _shifted(width: int, rows: Tensor, sources: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each tap beside the middle one: its number, the rows with a source at its distance, and these sources."""
    length = rows.shape[1]
    for tap in range(width):
        shift = tap - width // 2
        if shift and abs(shift) < length:
            before, after = max(-shift, 0), max(shift, 0)
            yield tap, rows[:, before : length - after], sources[:, after : length - before]


# Rows at once (steps x videos). On a CPU, 1024 to 4096 took the same time, all at once a tenth more.
PART_ROWS = {"cpu": 4096, "cuda": 65536}


def in_parts(function: Callable[..., Tensor], *inputs: Tensor, reach: int, stride: int = 1) -> Tensor:
    """A function of sequences, evaluated part by part where no gradient is wanted, which bounds its memory.

    (B, T, ...) -> (B, T / stride, C), with nothing beyond the ends, as a padded convolution; each step of the output
    depends on `reach` steps to either side.
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
