"""How far a network looks ahead, level by level: for so long a stream waits until what it says of a point is final.

A point depends on as many steps after it as `afkit.detect.prediction.receptive_field` counts for a network that ends
with its level: the embedding's convolutions, the stem's windows, those of the branch up to its level, and the heads',
each times the stride of what it reads. A pyramid neck also shows it what the last level has seen; since the points of
that level lie on a coarser grid, it then depends on up to a stride more before it.
"""

import math
from typing import NamedTuple

from afkit.config import Recipe
from afkit.detect.prediction import receptive_field


class Sight(NamedTuple):
    """Steps of the sequence that the outputs of a level's points depend on, beside their own."""

    before: int
    after: int


def level_sights(recipe: Recipe) -> list[Sight]:
    """Of each level; a ValueError says why there is none: an output depends on the whole sequence, or on its length."""
    if reason := why_not(recipe):
        raise ValueError(
            f"recipe '{recipe.name}' cannot be streamed exactly: {reason}; windows of as many steps as a training "
            f"sequence come close (--window {recipe.data.max_seq_len}, or window_steps)"
        )
    model = recipe.model
    if model.neck == "fpn":
        heads = _reach(recipe, embed_layers=0, stem_layers=0, branch_layers=0, windows=model.level_windows[:1])
        strides = model.level_strides
        after = [_reach(recipe) - heads * (strides[-1] - stride) for stride in strides]
        more = [strides[-1] - stride for stride in strides]
    else:
        levels = range(model.neck_start_level, model.branch_layers + 1)
        after = [_reach(recipe, branch_layers=i, windows=model.level_windows[: i + 1]) for i in levels]
        more = [0] * len(after)
    return [Sight(int(steps) + own, int(steps)) for steps, own in zip(after, more, strict=True)]


def delays_sec(recipe: Recipe, fps: float | None = None) -> list[float]:
    """Seconds after a point of each level until its outputs are final; `fps` where the recipe takes it from the data.

    Examples:
        >>> from afkit.recipes import recipe
        >>> delays_sec(recipe("hapt"), fps=50)
        [7.5, 13.5, 25.5, 49.5, 97.5, 193.5]
    """
    return [sight.after * step_sec(recipe, fps) for sight in level_sights(recipe)]


def step_sec(recipe: Recipe, fps: float | None = None) -> float:
    """Seconds between two steps of the sequence; a ValueError where neither the recipe nor `fps` tells them."""
    check_grid(recipe)
    fps = recipe.data.fps if fps is None else fps
    if fps is None:
        raise ValueError(f"recipe '{recipe.name}' takes the frame rate from the data; give fps")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a number above 0, not {fps}")
    return recipe.data.stride_frames * recipe.data.downsample / fps


def check_grid(recipe: Recipe) -> None:
    """A ValueError where only the end of a recording tells the times of its vectors, so that none can be streamed."""
    for named, wrong in (("data.resize", recipe.data.resize), ("data.stride_frames", recipe.data.stride_frames <= 0)):
        if wrong:
            raise ValueError(
                f"recipe '{recipe.name}' cannot be streamed: with {named} {getattr(recipe.data, named[5:])} the length "
                "of a recording decides when its vectors are"
            )


def why_not(recipe: Recipe) -> str:
    """Why no part of a sequence is enough for the outputs at a point; "" where one is."""
    model = recipe.model
    if model.backbone == "sgp":
        return "model.backbone 'sgp' takes means over the whole sequence"
    if model.neck_norm == "group":
        return "model.neck_norm 'group' normalises over the whole sequence"
    if model.absolute_position:
        return "model.absolute_position counts from the beginning of the sequence"
    if not math.isfinite(receptive_field(recipe)):
        return f"with model.windows {model.windows} a block attends to the whole sequence"
    return ""


def _reach(recipe: Recipe, **changes: object) -> float:
    """Steps to either side that a point of the last level depends on, with other settings of the network."""
    model = recipe.model.model_copy(update=changes)
    return (receptive_field(recipe.model_copy(update={"model": model})) - 1) / 2
