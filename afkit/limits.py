"""How large a network is, and whether this machine can hold it: asked before memory is taken."""

import math
import os

from afkit.config import DataConfig, ModelConfig, Recipe


def numbers_learnt(data: DataConfig, model: ModelConfig) -> dict[str, int]:
    """About how many numbers a network has, by the setting that they follow from; within a tenth in all."""
    wide, neck = model.embed_dim, model.neck_dim or model.embed_dim
    head, kernel = model.head_dim or wide, model.head_kernel
    layers = 2 * wide * (model.mlp_dim or 4 * wide)
    # of attention and two layers, of two convolutions, of two layers alone, of nothing
    block = {"transformer": 4 * wide**2 + layers, "conv": 12 * wide**2, "sgp": layers, "maxpool": 0}[model.backbone]
    if model.relative_position:
        block += model.heads * max(*model.level_windows, 1)
    streams = sum(a * b for a, b in zip(data.input_dims, model.stream_dims, strict=bool(model.stream_dims)))
    kernels = 2 * kernel + (2 * model.boundary_kernel if model.head == "trident" else 0)  # of all heads
    class_kernels = kernel + (2 * model.boundary_kernel if model.head == "trident" else 0)
    entering = wide if model.stream_dims else sum(data.input_dims)
    return {
        "data.input_dims": streams + entering * wide * model.embed_kernel,
        "model.embed_layers": max(model.embed_layers - 1, 0) * wide**2 * model.embed_kernel,
        "model.stem_layers": model.stem_layers * block,
        "model.branch_layers": model.branch_layers * block,
        "model.neck_dim": model.num_levels * (wide * neck + 3 * neck) if model.neck == "fpn" else 0,
        "model.head_layers": (neck + (model.head_layers - 2) * head) * head * kernels if model.head_layers > 1 else 0,
        "data.num_classes": (head if model.head_layers > 1 else neck) * data.num_classes * class_kernels,
        "data.max_seq_len": data.max_seq_len * wide if model.absolute_position else 0,
    }


def check_memory(recipe: Recipe) -> None:
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
