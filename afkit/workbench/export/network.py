"""A network with its decoding as a graph, traced by torch.export, and compared with the network."""

import copy
import importlib
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from afkit.config import Recipe
from afkit.detect.prediction import padded_steps
from afkit.model.actionformer import LevelOutput
from afkit.model.heads import offsets_of
from afkit.workbench.progress import progress

OUTPUTS = ("scores", "segments", "logits", "offsets")
LOGITS, OFFSETS, OTHER_OFFSETS, TRIDENT = 1e-5, 3e-6, 5e-6, 6e-5  # |difference| / (1 + |value|), as the originals meet
MOST_ROUNDINGS = 4  # times what a network itself loses in float32: onnxruntime's order of sums came to 2.7 times that
MOST_BLOCKS = 2**20


class Decoded(nn.Module):
    """The network and what every point says: P points, those of the first level first, K classes.

    Features (T, C) float32, T a multiple of the last level's stride, and how many of the T steps are true, a 0-d int64,
    give scores (P, K), 0 where masked, segments on the grid (P, 1, 2), or (P, K, 2) where each class of a point has its
    own, and logits (P, K) and offsets in strides (like segments), unspecified where masked. `traced`: by operations
    that other programs carry out as exactly.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, traced: bool = False):
        super().__init__()
        self.network, self.stride, self.traced = network, recipe.model.level_strides[-1], traced

    def forward(self, features: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        # a product of the stride by itself, so that all lengths below are whole numbers of something
        features = features.unflatten(0, (-1, self.stride)).flatten(0, 1)
        mask = torch.arange(features.shape[0]) < steps  # (T,)
        with _Elsewhere() if self.traced else nullcontext():
            out = self.network(features.T[None], mask[None])
        return tuple(torch.cat(parts) for parts in zip(*map(_of_level, out.levels()), strict=True))


def _of_level(level: LevelOutput) -> tuple[Tensor, ...]:
    """`OUTPUTS` of the points of one level."""
    logits, steps, classes = level.logits[0], *level.logits.shape[1:]  # (T, K)
    if isinstance(level.offsets, Tensor):
        offsets = level.offsets[0, :, None]  # (T, 1, 2)
    else:
        point, label = torch.arange(steps)[:, None], torch.arange(classes)[None]
        offsets = offsets_of(level.offsets, torch.zeros(1, 1, dtype=torch.int64), point, label)  # (T, K, 2)
    position, stride = level.points[:, 0, None], level.points[:, 3, None]
    segments = torch.stack([position - offsets[..., 0] * stride, position + offsets[..., 1] * stride], dim=-1)
    return logits.sigmoid().where(level.mask[0, :, None], 0), segments, logits, offsets


class _Elsewhere(TorchFunctionMode):
    """Overlapping windows by index: as views, a graph would hold for a number of windows only. Means in float64.

    onnxruntime adds up thousands of numbers one after the other, where torch adds halves.
    """

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Mapping | None = None) -> Any:
        if func is torch.Tensor.mean:
            x, *rest = args
            return func(x.double(), *rest, **(kwargs or {})).to(x.dtype)
        if func is not torch.Tensor.unfold:
            return func(*args, **(kwargs or {}))
        x, _, size, step = args  # (B, T, C)
        first = torch.arange((x.shape[1] - size) // step + 1)[:, None] * step
        return x[:, first + torch.arange(size)].transpose(2, 3)  # (B, windows, C, size)


def trace(network: nn.Module, recipe: Recipe, length: int) -> torch.export.ExportedProgram:
    """The graph of `Decoded`, for `length` steps, or for any number that `predict` pads a recording to (0)."""
    settings: Any = importlib.import_module("torch.fx.experimental._config")
    stride = recipe.model.level_strides[-1]
    example = length or max(recipe.data.max_seq_len, 4 * stride)
    least = -(-padded_steps(1, recipe) // stride)
    blocks = torch.export.Dim("blocks", min=least, max=MOST_BLOCKS)
    module = Decoded(network, recipe, traced=True).eval().requires_grad_(False)
    arguments = torch.zeros(example, sum(recipe.data.input_dims)), torch.tensor(example)
    shapes: Any = None if length else ({0: stride * blocks}, {})
    # with gradients nothing depends on values, nor goes through in parts; a length of 1 is a length as any other
    with torch.enable_grad(), settings.patch(backed_size_oblivious=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.export.export(module, arguments, dynamic_shapes=shapes, strict=False)
    for node in traced.graph.nodes:
        node.meta.pop("stack_trace", None)  # where afkit lies here is nobody's business
    return traced


def lengths_to_compare(recipe: Recipe, length: int) -> list[int]:
    """Steps of recordings: shorter and longer than in training, also those that are no multiple of anything."""
    longest = recipe.data.max_seq_len
    if length:
        shares = (1, 3, 5, 7, 8) if not recipe.model.reads_padding or length == longest else (8,)
        return sorted({max(length * eighths // 8 - (eighths < 8), 1) for eighths in shares})
    return sorted({1, longest // 3 + 1, longest - 1, longest, longest + 1, 2 * longest + 7})


def differences(
    run: Callable[[Tensor, Tensor], Sequence[Any]], network: nn.Module, recipe: Recipe, length: int
) -> dict[str, tuple[float, float]]:
    """{output: its largest difference from the network's, and as a multiple of what is tolerated}.

    Of recordings of random features, `lengths_to_compare`. Tolerated is by what the originals' small networks differ
    from themselves in another precision, or `MOST_ROUNDINGS` times what this one does; masked points do not count.
    """
    module, generator = Decoded(network, recipe).eval(), torch.Generator().manual_seed(0)
    precise = copy.deepcopy(module).double()
    largest = dict.fromkeys(OUTPUTS, (0.0, 0.0))
    for steps in progress(lengths_to_compare(recipe, length), "comparison with the network"):
        size = length or padded_steps(steps, recipe)
        features, count = torch.zeros(size, sum(recipe.data.input_dims)), torch.tensor(steps)
        features[:steps] = torch.randn(steps, features.shape[1], generator=generator)
        with torch.no_grad():
            expected, exact = module(features, count), precise(features.double(), count)
        levels = [stride * torch.arange(size // stride) < steps for stride in recipe.model.level_strides]
        true = torch.cat(levels)
        for name, ours, theirs, best, most in zip(
            OUTPUTS, run(features, count), expected, exact, _tolerated(expected, recipe, size), strict=True
        ):
            rounding = (theirs - best).abs()[true].max()
            difference = (torch.as_tensor(np.asarray(ours)).double() - theirs.double()).abs()[true]
            difference = difference.nan_to_num(math.inf)
            found = float(difference.max()), float((difference / most[true].clamp(min=MOST_ROUNDINGS * rounding)).max())
            largest[name] = tuple(map(max, largest[name], found))  # type: ignore[assignment]  # a pair it is
    return largest


def _tolerated(expected: Sequence[Tensor], recipe: Recipe, size: int) -> list[Tensor]:
    """The largest difference of each of `OUTPUTS`, of `size` steps."""
    scores, segments, logits, offsets = (output.double() for output in expected)
    relative = OFFSETS if recipe.model.backbone in ("transformer", "conv") else OTHER_OFFSETS
    of_offsets = (TRIDENT if recipe.model.head == "trident" else relative) * (1 + offsets.abs())
    strides = torch.cat([torch.full((size // stride,), stride) for stride in recipe.model.level_strides])  # (P,)
    places = torch.from_numpy(np.spacing(segments.abs().float().numpy()))  # how finely float32 tells them apart
    of_segments = of_offsets * strides[:, None, None] + 2 * places
    return [torch.full_like(scores, LOGITS), of_segments, LOGITS * (1 + logits.abs()), of_offsets]
