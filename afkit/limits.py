"""Settings that contradict each other, or that ask for more than a machine has: refused before memory is taken.

The bounds are far above any use. They are for files of others, and for slips of the keyboard.
"""

import math
import os
from collections.abc import Iterator
from typing import Any

MOST_WIDTH = 2**17  # channels, classes
MOST_LAYERS = 256  # of one kind
MOST_LEVELS = 20  # below the first; each halves a sequence
MOST_STEPS = 2**20  # of a sequence
MOST_EPOCHS = 100_000
MOST_VALUES = 2**34  # that a layer makes of a sequence; 69 GB
BLOCK = 32  # queries that share their keys, see `afkit.model.blocks`


def misfits(data: Any, model: Any, loss: Any, optim: Any) -> Iterator[str]:
    """A sentence for each pair of settings (of sections of a recipe) that contradict each other, or are too large."""
    if model.neck_start_level > model.branch_layers:
        yield f"model.neck_start_level {model.neck_start_level} is above the last level {model.branch_layers}"
        return
    if len(model.regression_ranges) != model.num_levels:
        yield (
            f"model.regression_ranges has {len(model.regression_ranges)} ranges for {model.num_levels} pyramid levels "
            "(model.branch_layers + 1 - model.neck_start_level); give one range per level"
        )
    if any(low >= high for low, high in model.regression_ranges):
        yield "model.regression_ranges: each range is [low, high] with low < high"
    if len(model.level_windows) != model.branch_layers + 1:
        yield f"model.windows has {len(model.level_windows)} numbers; give one, or {model.branch_layers + 1}"
        return
    top_stride = model.scale_factor**model.branch_layers
    if data.max_seq_len % top_stride:
        above = -(-data.max_seq_len // top_stride) * top_stride
        yield (
            f"data.max_seq_len {data.max_seq_len} is not a multiple of {top_stride}, the stride of the last pyramid "
            f"level; the nearest above is {above}"
        )
    if model.backbone == "transformer" and model.embed_dim % model.heads:
        yield f"model.embed_dim {model.embed_dim} does not divide into model.heads {model.heads}"
    if model.neck == "identity" and model.neck_dim not in (None, model.embed_dim):
        yield f"model.neck_dim {model.neck_dim} must equal model.embed_dim {model.embed_dim} with model.neck 'identity'"
    for name in ("embed_kernel", "head_kernel", "boundary_kernel"):
        if getattr(model, name) % 2 == 0:
            yield f"model.{name} must be odd, not {getattr(model, name)}"
    if model.backbone == "sgp" and any(window < 1 or window % 2 == 0 for window in model.level_windows):
        yield f"model.windows {model.windows} must be odd and 1 or more with model.backbone 'sgp'"
    if model.backbone == "sgp" and model.embed_dim % 16:
        yield f"model.embed_dim {model.embed_dim} must be a multiple of 16 with model.backbone 'sgp'"
    if model.neck_norm == "group" and (model.neck_dim or model.embed_dim) % model.neck_groups:
        yield (
            f"model.neck_groups {model.neck_groups} does not divide {model.neck_dim or model.embed_dim} channels of "
            "the neck"
        )
    if model.head == "trident" and loss.offset_target == "cheapest":
        yield "loss.offset_target 'cheapest' needs offsets that classes share; take model.head 'offsets'"
    fitting = len(model.stream_dims) == len(data.input_dims) and sum(model.stream_dims) == model.embed_dim
    if model.stream_dims and not fitting:
        yield (
            f"model.stream_dims {model.stream_dims} must hold one width per entry of data.input_dims "
            f"{data.input_dims} and add up to model.embed_dim {model.embed_dim}"
        )
    if any(not 0 <= label < data.num_classes for label in model.empty_classes):
        yield f"model.empty_classes must be label ids from 0 to {data.num_classes - 1}"
    if not model.embed_layers and not model.stream_dims and sum(data.input_dims) != model.embed_dim:
        yield f"model.embed_layers 0 leaves the features as they are, so model.embed_dim must be {sum(data.input_dims)}"
    if optim.total_epochs < 1:
        yield f"optim.extra_epochs {optim.extra_epochs} leaves no epoch of optim.epochs and optim.warmup_epochs"
    if data.resize and data.downsample > 1:
        yield "data.resize and data.downsample cannot be combined"
    yield from _oversized(data, model)


def _oversized(data: Any, model: Any) -> Iterator[str]:
    if model.length_divisor > MOST_STEPS:
        yield (
            f"model.windows {model.windows} let long recordings be padded to a multiple of {model.length_divisor} "
            f"steps, more than {MOST_STEPS}; take smaller ones"
        )
    strides = [model.scale_factor**level for level in range(model.branch_layers + 1)]
    reach = max(window / stride for window, stride in zip(model.level_windows, strides, strict=True))
    widths = {
        "data.input_dims": sum(data.input_dims),
        "data.num_classes": data.num_classes,
        "model.head_dim": model.head_dim or 0,
        "model.embed_dim": model.embed_dim,
        "model.windows": int(model.embed_dim * max(reach, 0) / BLOCK) if model.backbone == "transformer" else 0,
    }
    name = max(widths, key=lambda name: widths[name])
    if data.max_seq_len * widths[name] > MOST_VALUES:
        value = getattr(data if name.startswith("data") else model, name.partition(".")[2])
        yield (
            f"{name} {value} with data.max_seq_len {data.max_seq_len} makes {data.max_seq_len * widths[name]:.1e} "
            "numbers of a sequence, more than memory holds; lower one of them"
        )


def numbers_learnt(data: Any, model: Any) -> dict[str, int]:
    """About how many numbers a network has, by the setting that they follow from; within a tenth in all."""
    wide, neck = model.embed_dim, model.neck_dim or model.embed_dim
    head, kernel = model.head_dim or wide, model.head_kernel
    block = 12 * wide**2  # of attention and two layers, or of two convolutions
    if model.relative_position:
        block += model.heads * max(*model.level_windows, 1)
    streams = sum(a * b for a, b in zip(data.input_dims, model.stream_dims, strict=bool(model.stream_dims)))
    entering = wide if model.stream_dims else sum(data.input_dims)
    return {
        "data.input_dims": streams + entering * wide * model.embed_kernel,
        "model.embed_layers": max(model.embed_layers - 1, 0) * wide**2 * model.embed_kernel,
        "model.stem_layers": model.stem_layers * block,
        "model.branch_layers": model.branch_layers * block,
        "model.neck_dim": model.num_levels * (wide * neck + 3 * neck) if model.neck == "fpn" else 0,
        "model.head_layers": 2 * (neck + (model.head_layers - 2) * head) * head * kernel
        if model.head_layers > 1
        else 0,
        "data.num_classes": (head if model.head_layers > 1 else neck) * data.num_classes * kernel,
        "data.max_seq_len": data.max_seq_len * wide if model.absolute_position else 0,
    }


def check_memory(recipe: Any) -> None:
    """Refuse a network that does not fit into the memory of this machine, with the name of the setting to lower."""
    numbers = numbers_learnt(recipe.data, recipe.model)
    needed, there = 4 * sum(numbers.values()), memory_bytes()
    if needed > there:
        dotted = max(numbers, key=lambda name: numbers[name])
        section, _, name = dotted.partition(".")
        raise ValueError(
            f"the network of recipe '{recipe.name}' needs about {needed / 1e9:.3g} GB, and this machine has "
            f"{there / 1e9:.3g} GB; lower model.embed_dim, now {recipe.model.embed_dim}, or {dotted}, now "
            f"{getattr(getattr(recipe, section), name)}"
        )


def memory_bytes() -> float:
    """Of this machine; infinite where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf
