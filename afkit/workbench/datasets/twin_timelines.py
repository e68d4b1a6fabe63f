"""The videos of a twin without their features: invented, or taken from a real annotation file."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.config import DataConfig, Recipe
from afkit.data.annotations import read_annotations
from afkit.files import read_json
from afkit.segments import grid_to_sec

EXTERNAL_CLASSES = 200  # of ActivityNet's annotation and score files; its recipes see one class
LENGTHS = (0.4, 1.3)  # shortest and longest video, relative to max_seq_len
MIN_STEPS = 16
SHORTEST_STEPS = 4  # of an action
LONGEST_SHARE = 0.2  # of a video: longest action
GAP_SHARE = 0.1  # longest time between two actions


_BROKEN_TABLE = (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError)


class Style(NamedTuple):
    """How the published files of a data set look, as far as its recipes do not say."""

    rates_fps: tuple[float, ...] = (30.0,)  # where recipes take the rate from the file
    capitals: bool = False  # subsets "Validation" and "Test"
    kinds: tuple[str, ...] = ("action",)  # of labels, each with its own annotation file
    label_step: int = 1  # 2: every other class is empty
    uneven: bool = False  # feature folders differ in length by one step now and then
    window_frames: float | None = None  # that sets the lengths where a folder's recipes differ in num_frames


STYLES = {
    "thumos": Style(rates_fps=(30.0, 30.0, 29.97, 30.0, 25.0), capitals=True),
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
    segments_sec: list[list[float]]  # onset and end of each action
    labels: dict[str, list[int]]  # by kind; a label id per segment


def inside(path: str) -> Path:
    """A recipe's path within the data set's folder."""
    return Path(*Path(path).parts[1:])


def kind_of(config: DataConfig, timeline: Timeline) -> str:
    """The kind of labels that the recipe's annotation file is named after, otherwise the first."""
    kinds = list(timeline.labels)
    return next((kind for kind in kinds if kind in inside(config.annotations).stem), kinds[0])


def generate_timelines(recipe: Recipe, seed: int, count: int, classes: int) -> Iterator[Timeline]:
    """Yield the timelines of a small data set: `count` videos per subset, some longer than max_seq_len.

    Args:
        classes: how many different actions there are, at most those of the recipe.
    """
    config, style = recipe.data, style_of(recipe.data)
    window_frames = style.window_frames or config.num_frames
    rng = np.random.default_rng(seed)
    num_labels = config.num_classes if config.num_classes > 1 else EXTERNAL_CLASSES
    classes = min(classes, math.ceil(num_labels / style.label_step))
    for subset in dict.fromkeys(subset.lower() for subset in [*config.train_subsets, *config.test_subsets]):
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
            yield Timeline(
                f"twin_{subset}_{number:04d}", subset, round(frames / fps, 3), fps, segments.round(3).tolist(), labels
            )


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


def read_source(path: Path) -> tuple[dict[str, dict[str, str]], list[Timeline]]:
    """Names of the labels by kind, and the timelines, of a real annotation file.

    Raises:
        ValueError: it is no annotation file of a kind that is known.
    """
    try:
        if path.suffix == ".csv":
            return _read_epic(path.parent)
        content = read_json(path)
        if "database" not in content:
            return _read_activitynet(content, path.with_name("video_info_new.csv"))
    except (OSError, LookupError, TypeError, AttributeError, OverflowError, *_BROKEN_TABLE) as error:
        raise ValueError(
            f"{path}, or a table beside it, is no annotation file from which a twin can be made "
            f"({type(error).__name__}: {error}); see afkit.workbench.datasets.twin.write_twin"
        ) from None
    file = read_annotations(path)
    names = {str(label): name for label, name in file.label_names.items()}
    videos = file.videos.values()
    return {"action": names}, [
        Timeline(v.name, v.subset, v.duration_sec, v.fps, v.segments_sec.tolist(), {"action": v.labels.tolist()})
        for v in videos
    ]


def _read_activitynet(content: dict[str, Any], info_path: Path) -> tuple[dict[str, dict[str, str]], list[Timeline]]:
    """ActivityNet's segments with names of labels, which are numbered in alphabetical order."""
    info = pd.read_csv(info_path).set_index("video")
    subsets, rates = info["subset"].to_dict(), info["fps"].to_dict()
    names = sorted({action["label"] for entry in content.values() for action in entry["annotations"]})
    ids = {name: label for label, name in enumerate(names)}
    return {"action": {str(label): name for name, label in ids.items()}}, [
        Timeline(
            name.removeprefix("v_"),  # the recipes' prefix of file names
            subsets[name],
            entry["duration_second"],
            rates[name],
            [action["segment"] for action in entry["annotations"]],
            {"action": [ids[action["label"]] for action in entry["annotations"]]},
        )
        for name, entry in content.items()
    ]


def _read_epic(folder: Path) -> tuple[dict[str, dict[str, str]], list[Timeline]]:
    """EPIC-Kitchens-100: starts and stops in frames at 30 fps, a verb and a noun per segment."""
    tables = {"verb": "EPIC_100_verb_classes.csv", "noun": "EPIC_100_noun_classes_v2.csv"}
    names = {}
    for kind, file in tables.items():
        table = pd.read_csv(folder / file)
        names[kind] = dict(zip(table["id"].astype(str), table["key"], strict=True))
    durations = pd.read_csv(folder / "EPIC_100_video_info.csv").set_index("video_id")["duration"].to_dict()
    timelines = []
    for subset in ("training", "validation"):
        for video, rows in pd.read_csv(folder / f"C2_BMN_{subset}.csv").groupby("video", sort=False):
            segments = (rows[["start", "stop"]] / 30.0).to_numpy().tolist()
            labels = {kind: rows[kind].tolist() for kind in tables}
            timelines.append(Timeline(str(video), subset, durations[video], 30.0, segments, labels))
    return names, timelines


def first_videos(timelines: list[Timeline], count: int | None) -> list[Timeline]:
    """The first `count` videos of each subset, in the file's order."""
    subsets = dict.fromkeys(timeline.subset for timeline in timelines)
    first = [[timeline for timeline in timelines if timeline.subset == subset][:count] for subset in subsets]
    return [timeline for part in first for timeline in part]
