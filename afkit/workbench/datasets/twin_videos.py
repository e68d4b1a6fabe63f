"""The videos of a generated twin: their lengths, frame rates, subsets and actions."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from afkit.config import DataConfig, Recipe
from afkit.segments import grid_to_sec

EXTERNAL_CLASSES = 200  # of ActivityNet's annotation and score files; its recipes see one class
LENGTHS = (0.4, 1.3)  # shortest and longest video, relative to max_seq_len
MIN_STEPS = 16
SHORTEST_STEPS = 4  # of an action
LONGEST_SHARE = 0.2  # of a video: longest action
GAP_SHARE = 0.1  # longest time between two actions


class Style(NamedTuple):
    """How the published files of a data set look, as far as its recipes do not say."""

    rates_fps: tuple[float, ...] = (30.0,)  # where recipes take the rate from the file
    capitals: bool = False  # subsets "Validation" and "Test"
    kinds: tuple[str, ...] = ("action",)  # of labels, each with its own annotation file
    label_step: int = 1  # 2: every other class is empty
    uneven: bool = False  # feature folders differ in length by one step now and then
    window_frames: float | None = None  # that sets the lengths where a folder's recipes differ in num_frames


_THUMOS = Style(rates_fps=(30.0, 30.0, 29.97, 30.0, 25.0), capitals=True)
STYLES = {
    "thumos": _THUMOS,
    "multithumos": _THUMOS,  # other actions in the same videos
    "epic_kitchens": Style(kinds=("verb", "noun"), label_step=2),
    "ego4d": Style(uneven=True, window_frames=32),
}


def style_of(config: DataConfig) -> Style:
    """How the twin of a data set looks, by the first folder of its annotation file."""
    return STYLES.get(Path(config.annotations).parts[0], Style())


class Timeline(NamedTuple):
    """A video without its features."""

    name: str  # id of the video
    subset: str  # in lower case
    duration_sec: float | None  # of the video; None where the source has none
    fps: float | None  # frames per second; None where the data set has one for all
    segments_sec: list[Annotated[list[float], Field(min_length=2, max_length=2)]]  # onset and end of each action
    labels: Annotated[dict[str, list[int]], Field(min_length=1)]  # by kind; a label id per segment


def inside(path: str) -> Path:
    """A recipe's path within the data set's folder."""
    return Path(*Path(path).parts[1:])


def kind_of(config: DataConfig, timeline: Timeline) -> str:
    """The kind of labels that the recipe's annotation file is named after, otherwise the first."""
    kinds = list(timeline.labels)
    return next((kind for kind in kinds if kind in inside(config.annotations).stem), kinds[0])


def generate_timelines(recipe: Recipe, seed: int, count: int, classes: int) -> Iterator[Timeline]:
    """Yield the timelines of a small data set: `count` videos per subset, some longer than max_seq_len."""
    config, style = recipe.data, style_of(recipe.data)
    window_frames = style.window_frames or config.num_frames
    rng = np.random.default_rng(seed)
    num_labels = config.num_classes if config.num_classes > 1 else EXTERNAL_CLASSES
    classes = min(classes, math.ceil(num_labels / style.label_step))
    for subset in dict.fromkeys(map(str.lower, [*config.train_subsets, *config.test_subsets])):
        lengths = np.linspace(*LENGTHS, count) * config.max_seq_len * config.downsample
        deck = _deal(rng, classes)
        for number, length in enumerate(rng.permutation(lengths)):
            steps = max(round(length), MIN_STEPS)
            fps = config.fps or style.rates_fps[number % len(style.rates_fps)]
            frames = (steps - 1 + rng.uniform(-0.4, 0.4)) * config.stride_frames + window_frames
            grid = _place_actions(rng, steps)
            segments = grid_to_sec(grid, fps, config.stride_frames, config.num_frames).clip(0, frames / fps)
            # a video of a recipe with one class is classified as a whole, so it holds one kind of action
            drawn = [next(deck)] * len(grid) if config.num_classes == 1 else [next(deck) for _ in grid]
            labels = {
                kind: [(label + shift) % classes * style.label_step for label in drawn]
                for shift, kind in enumerate(style.kinds)
            }
            name, rounded = f"twin_{subset}_{number:04d}", segments.round(3).tolist()
            yield Timeline(name, subset, round(frames / fps, 3), fps, rounded, labels)


def _deal(rng: np.random.Generator, classes: int) -> Iterator[int]:
    """Classes without end, each equally often."""
    while True:
        yield from rng.permutation(classes).tolist()


def _place_actions(rng: np.random.Generator, steps: int) -> np.ndarray:
    """(N, 2) segments on the grid, one after another, N >= 1."""
    longest = max(2 * SHORTEST_STEPS, LONGEST_SHARE * steps)
    placed: list[list[float]] = []
    time = 0.0
    while True:
        start = time + rng.uniform(1, 1 + max(GAP_SHARE * steps, 1))
        time = start + math.exp(rng.uniform(math.log(SHORTEST_STEPS), math.log(longest)))
        if time > steps - 1:
            return np.array(placed or [[0.25 * steps, 0.75 * steps]])
        placed.append([start, time])
