"""The small parts of the network. All tensors are (B, T, C) with a mask (B, T, 1) that marks true features.

Channels lie last in memory: norms and products over channels, most of the work, then read contiguous rows. Weights keep
the original's shapes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolve(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """(B, T, C) -> (B, T / stride, C'): the convolution, in the form that is fastest for its kind."""
    if conv.kernel_size == conv.stride == (1,):
        return F.linear(x, conv.weight[:, :, 0], conv.bias)
    if conv.groups > 1:  # in two dimensions, because only there the library has a kernel for channels that lie last
        image = x.transpose(1, 2).unsqueeze(2)  # (B, C, 1, T)
        stride, padding = (1, *conv.stride), (0, *conv.padding)
        image = F.conv2d(image, conv.weight.unsqueeze(2), conv.bias, stride, padding, groups=conv.groups)
        return image.squeeze(2).transpose(1, 2)
    if conv.stride == (1,):
        return _products(x, conv.weight, conv.bias)
    return conv(x.transpose(1, 2)).transpose(1, 2)


def _products(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A dense convolution of stride 1; (B, T, C), (C', C, width), (C',) -> (B, T, C')."""
    device = x.device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return _ShiftedProducts.apply(x, weight, bias)
    kind = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):  # which does not know what is inside
        return _ShiftedProducts.apply(x.to(kind), weight.to(kind), None if bias is None else bias.to(kind))


class _ShiftedProducts(torch.autograd.Function):
    """A dense convolution as one matrix product per tap, on shifted rows of channels that lie last.

    The library's own convolution first copies such a tensor into another order, forward and backward: with 512
    channels, 2304 steps and width 3 that took 1.6 times as long on a CPU.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous()
        taps = weight.permute(2, 1, 0).contiguous()  # (width, C, C')
        ctx.save_for_backward(x, taps)
        ctx.has_bias = bias is not None
        middle = len(taps) // 2
        y = x @ taps[middle] if bias is None else F.linear(x, taps[middle].T, bias)
        for shift in _shifts(middle, x.shape[1]):
            rows, sources = _shifted(y, x, shift)
            rows.baddbmm_(sources, taps[middle + shift].expand(len(x), -1, -1))
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, taps = ctx.saved_tensors
        grad, middle = grad.contiguous(), len(taps) // 2
        need_x, need_weight, need_bias = ctx.needs_input_grad
        grad_x = grad_weight = None
        if need_x:
            grad_x = grad @ taps[middle].T
            for shift in _shifts(middle, x.shape[1]):
                sources, rows = _shifted(grad, grad_x, shift)
                rows.baddbmm_(sources, taps[middle + shift].T.expand(len(x), -1, -1))
        if need_weight:
            grad_taps = torch.zeros_like(taps)  # (width, C, C')
            grad_taps[middle] = x.flatten(0, 1).T @ grad.flatten(0, 1)
            for shift in _shifts(middle, x.shape[1]):
                rows, sources = _shifted(grad, x, shift)
                grad_taps[middle + shift] = (sources.mT @ rows).sum(dim=0)
            grad_weight = grad_taps.permute(2, 1, 0)
        grad_bias = grad.sum(dim=(0, 1)) if ctx.has_bias and need_bias else None
        return grad_x, grad_weight, grad_bias


def _shifts(middle: int, length: int) -> list[int]:
    """Distances of the taps beside the middle one that reach a row of a sequence at all."""
    return [shift for shift in range(-middle, middle + 1) if shift and abs(shift) < length]


def _shifted(rows: Tensor, sources: Tensor, shift: int) -> tuple[Tensor, Tensor]:
    """The rows that have a source at this distance, and those sources."""
    if shift < 0:
        return rows[:, -shift:], sources[:, :shift]
    return rows[:, :-shift], sources[:, shift:]


class MaskedConv1d(nn.Module):
    """A convolution whose output is zero where the mask is false; a stride thins the mask to its nearest neighbour.

    The mask is applied before any norm, as in the original: the norm's bias then fills a padded slot again, and the
    next kernel of width 3 reads it.

    Args:
        channels_in, channels_out, kernel, stride, groups, bias: as of `nn.Conv1d`; the kernel is odd and centred.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1, bias=True):
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=bias)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) bool -> (B, T / stride, C'), (B, T / stride, 1) bool."""
        mask = mask[:, :: self.conv.stride[0]]
        x = convolve(self.conv, x)
        return x * mask.to(x.dtype), mask


class LayerNorm(nn.Module):
    """Layer norm over the channels of (B, T, C); weight and bias have the original's shape (1, C, 1)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return F.layer_norm(x, x.shape[2:], self.weight.flatten(), self.bias.flatten(), eps=1e-5)


def norm_or_nothing(channels: int, wanted: bool) -> nn.Module:
    """A LayerNorm, or the identity where the recipe switches norms off."""
    return LayerNorm(channels) if wanted else nn.Identity()


class Scale(nn.Module):
    """One learned factor, a 0-d parameter that starts at 1."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        return x * self.scale


class AffineDropPath(nn.Module):
    """A learned scale per channel, and in training the whole branch of a sample dropped with probability `rate`.

    The scale starts at 1e-4, so that a block begins near the identity.
    """

    def __init__(self, channels: int, rate: float):
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1), 1e-4))
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x * self.scale.flatten()
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(x.shape[0], 1, 1, device=x.device, dtype=x.dtype) >= self.rate  # (B, 1, 1)
        return x * kept.to(x.dtype) / (1 - self.rate)


def drop_path(channels: int, rate: float) -> nn.Module:
    """An AffineDropPath; with rate 0 the identity, without the scale (the original has no such parameter then)."""
    return AffineDropPath(channels, rate) if rate > 0 else nn.Identity()


def sinusoid_positions(length: int, channels: int) -> Tensor:
    """Absolute positions: sine on even and cosine on odd channels, divided by sqrt(C).

    Returns:
        (1, length, C) float32.
    """
    position = torch.arange(length, dtype=torch.float64)  # (T,)
    pair = torch.arange(channels) // 2  # (C,)
    angle = position[:, None] / torch.pow(10000.0, 2 * pair.double() / channels)  # (T, C)
    angle[:, 0::2], angle[:, 1::2] = angle[:, 0::2].sin(), angle[:, 1::2].cos()
    return (angle.float() / channels**0.5)[None]
