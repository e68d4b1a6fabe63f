"""The SGP block (TriDet, Shi et al., CVPR 2023, section 3.2): depthwise convolutions instead of attention.

Its norms and means go over padded steps too, as in the original, so that a sequence must be padded as far as there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.model.blocks import AffineDropPath, LayerNorm, group_norm, masked, max_pool
from afkit.model.products import convolve

GROUPS = 16  # of channels, for the norm before the two layers
DEPTHWISE = ("psi", "fc", "convw", "convkw", "global_fc")


class SGPBlock(nn.Module):
    """A block of a level; with a stride the sequence is pooled first. Sub-modules bear the original's names.

    `window` is the odd kernel of its first convolutions, in steps of its output.
    """

    def __init__(self, recipe: Recipe, window: int, stride: int, drop_path: float):
        super().__init__()
        model = recipe.model
        channels, hidden = model.embed_dim, model.mlp_dim or 4 * model.embed_dim
        self.stride = stride
        self.ln, self.gn = LayerNorm(channels), nn.GroupNorm(GROUPS, channels)
        kernels = {"psi": window, "fc": 1, "convw": window, "convkw": second_window(window, model.window_ratio)}
        for name in DEPTHWISE:
            kernel = kernels.get(name, 1)
            conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
            nn.init.normal_(conv.weight, 0, model.sgp_deviation)
            nn.init.zeros_(conv.get_parameter("bias"))
            self.add_module(name, conv)
        self.mlp = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.GELU(), nn.Conv1d(hidden, channels, 1))
        self.drop_path_out, self.drop_path_mlp = (AffineDropPath(channels, drop_path) for _ in range(2))
        self.downsample = None
        if stride > 1 and model.pooling == "avg":
            self.downsample = nn.Sequential(nn.AvgPool1d(stride, stride), nn.Conv1d(channels, channels, 1))
        self.idle = model.sgp_deviation == 0  # from which nothing can move them
        self.register_load_state_dict_post_hook(lambda block, _: block.note_idle())

    def note_idle(self) -> None:
        """See whether all depthwise convolutions are 0: they then give 0, and so are their gradients, for ever."""
        self.idle = not any(parameter.any() for parameter in self._depthwise())

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C), (B, T, 1) -> (B, T / stride, C), (B, T / stride, 1)."""
        mask = mask[:, :: self.stride]
        x = self._pool(x)
        if self.idle:
            branch = self._untouched(x)
        else:
            branch = self.ln(x)
            branch = branch + self._instant(branch) + self._window(branch)
        x = self.drop_path_out(masked(x, mask), branch)
        return self.drop_path_mlp(x, self._mlp(x)), mask

    def _depthwise(self) -> list[nn.Parameter]:
        return [parameter for name in DEPTHWISE for parameter in self.get_submodule(name).parameters()]

    def _pool(self, x: Tensor) -> Tensor:
        if self.downsample is None:
            return max_pool(x, self.stride + 1, self.stride) if self.stride > 1 else x
        conv = self.downsample[1]
        assert isinstance(conv, nn.Conv1d)
        return convolve(conv, x.unflatten(1, (-1, self.stride)).mean(dim=2))

    def _untouched(self, x: Tensor) -> Tensor:
        """The norm alone, in which the idle convolutions have a part of 0, so that their gradients are zeros."""
        bias: Tensor = self.ln.bias
        if torch.is_grad_enabled():
            bias = bias + 0 * sum(parameter.sum() for parameter in self._depthwise() if parameter.requires_grad)
        return F.layer_norm(x.to(bias.dtype), x.shape[2:], self.ln.weight.flatten(), bias.flatten(), eps=1e-5)

    def _instant(self, x: Tensor) -> Tensor:
        """Each channel by a factor that the mean of the sequence decides."""
        weight, bias, global_weight, global_bias = (  # (C,) each
            self.get_parameter(f"{name}.{part}").flatten()
            for name in ("fc", "global_fc")
            for part in ("weight", "bias")
        )
        factor = (x.mean(dim=1, keepdim=True) * global_weight + global_bias).relu()  # (B, 1, C)
        return torch.addcmul(factor * bias, x, factor * weight)

    def _window(self, x: Tensor) -> Tensor:
        """What stands around a step, near and farther, by a factor that is read near it."""
        near, far, factor = (convolve(getattr(self, name), x) for name in ("convw", "convkw", "psi"))
        return (near + far) * factor

    def _mlp(self, x: Tensor) -> Tensor:
        expand, _, contract = self.mlp
        assert isinstance(expand, nn.Conv1d) and isinstance(contract, nn.Conv1d)
        hidden = convolve(expand, x, _normalise_groups, (self.gn.weight, self.gn.bias))
        return convolve(contract, hidden, F.gelu)


def idle_tensors(model: nn.Module) -> int:
    """How many tensors of a network are 0 and cannot learn: those of depthwise convolutions that began so."""
    return sum(2 * len(DEPTHWISE) for block in model.modules() if isinstance(block, SGPBlock) and block.idle)


def second_window(window: int, ratio: float) -> int:
    """The odd kernel of a block's longer convolution, in steps.

    Examples:
        >>> [second_window(window, ratio) for window, ratio in ((1, 5), (5, 2), (15, 1.3))]
        [11, 13, 21]
    """
    longer = round((window + 1) * ratio)
    return longer + 1 - longer % 2


def _normalise_groups(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addcmul(bias, group_norm(x, GROUPS), weight)
