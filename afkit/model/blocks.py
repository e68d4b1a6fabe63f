"""The small parts of the network. All tensors are (B, T, C) with a mask (B, T, 1) that marks true features.

Channels lie last in memory: norms and products over channels, most of the work, then read contiguous rows. Weights keep
the original's shapes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.model.products import Preparation, convolve


class MaskedConv1d(nn.Module):
    """A convolution whose output is zero where the mask is false; a stride thins the mask to its nearest neighbour.

    The mask is applied before any norm, as in the original: the norm's bias then fills a padded slot again, and the
    next kernel of width 3 reads it.

    Args:
        channels_in, channels_out, kernel, stride, groups, bias: as of `nn.Conv1d`; the kernel is odd and centred.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = True
    ):
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=bias)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        prepare: Preparation | None = None,
        parameters: tuple[Tensor, ...] = (),
        taps: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The convolution and its mask: (B, T / stride, C'), (B, T / stride, 1) bool.

        Args:
            x: (B, T, C).
            mask: (B, T, 1) bool.
            prepare, parameters, taps: as of `convolve`.
        """
        mask = mask[:, :: self.conv.stride[0]]
        return masked(convolve(self.conv, x, prepare, parameters, taps), mask), mask


def masked(x: Tensor, mask: Tensor) -> Tensor:
    """(B, T, C), (B, T, 1) bool -> (B, T, C), 0 where the mask is false."""
    if not torch.is_grad_enabled() and x.device.type == "cpu" and mask.all():  # asking a GPU means waiting for it
        return x
    return x * mask.to(x.dtype)


def normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer norm over the channels.

    Args:
        x: (B, T, C) float.
        weight, bias: (1, C, 1) float; their dtype is that of the mean and the variance.

    Returns:
        (B, T, C) of the dtype of x.
    """
    return F.layer_norm(x.to(weight.dtype), x.shape[2:], weight.flatten(), bias.flatten(), eps=1e-5)


class LayerNorm(nn.Module):
    """Layer norm over the channels of (B, T, C); weight and bias have the original's shape (1, C, 1)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return normalise(x, self.weight, self.bias)


def activation(norm: nn.Module, gaps: Tensor | None = None) -> tuple[Preparation, tuple[Tensor, ...]]:
    """A norm and ReLU as `convolve` takes them: the function, and the parameters that it gets.

    Args:
        norm: of `norm_or_nothing`.
        gaps: (B, T, 1) bool, steps that become 0; they belong to no sequence.
    """

    def activate(x: Tensor, *parameters: Tensor) -> Tensor:
        x = normalise(x, *parameters) if parameters else x.clone()
        return (x if gaps is None else x.masked_fill_(gaps, 0)).relu_()

    return activate, tuple(norm.parameters())


def norm_or_nothing(channels: int, wanted: bool) -> nn.Module:
    """A LayerNorm, or the identity where the recipe switches norms off."""
    return LayerNorm(channels) if wanted else nn.Identity()


class Scale(nn.Module):
    """One learned factor, a 0-d parameter that starts at 1."""

    def __init__(self) -> None:
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

    def forward(self, skip: Tensor, branch: Tensor) -> Tensor:
        """The sum of a skip connection and its branch: (B, T, C), (B, T, C) -> (B, T, C)."""
        factor = self.scale.mT  # (1, 1, C)
        if self.training and self.rate > 0:
            kept = torch.rand(len(branch), 1, 1, device=branch.device, dtype=branch.dtype) >= self.rate  # (B, 1, 1)
            factor = factor * (kept.to(branch.dtype) / (1 - self.rate))
        return torch.addcmul(skip, branch, factor)


class Sum(nn.Module):
    """Stands for an AffineDropPath where nothing is dropped; it has no scale, as in the original."""

    def forward(self, skip: Tensor, branch: Tensor) -> Tensor:
        """(B, T, C), (B, T, C) -> (B, T, C)."""
        return skip + branch


def drop_path(channels: int, rate: float) -> nn.Module:
    """An AffineDropPath; with rate 0 a plain sum."""
    return AffineDropPath(channels, rate) if rate > 0 else Sum()


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
