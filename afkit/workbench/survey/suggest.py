"""Settings for a data set of one's own, each by a plain rule from its facts, and with the reason in one sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from afkit.config import Recipe
from afkit.data.annotations import read_annotations
from afkit.workbench.survey.facts import Grid, check_axes, choose_subsets, find_grid, measure, read_shapes
from afkit.workbench.survey.rules import Choice, choose


def suggest(
    annotations: str | Path,
    features: Sequence[str | Path] = (),
    *,
    data_root: str | Path = "data",
    lengths: Mapping[str, int] | None = None,
    input_dims: Sequence[int] = (),
    stride_frames: float | None = None,
    num_frames: float | None = None,
    fps: float | None = None,
    prefix: str = "",
    train_subsets: Sequence[str] = (),
    test_subsets: Sequence[str] = (),
) -> pd.DataFrame:
    """Settings for a data set, from its training videos alone; a beginning, not an optimum.

    Args:
        annotations: annotation file.
        features: feature folders (or HDF5 files); () for settings that do not say where the data lies.
        data_root: folder of all data sets; annotations and features lie below it, where features are given.
        lengths: without features: steps of each video; None to tell them from the durations.
        input_dims: without features: channels of each folder.
        stride_frames: frames between two feature vectors; None for what fits lengths and durations.
        num_frames: frames that a vector covers; None for the stride.
        fps: frames per second; None for the annotation file's.
        prefix: of a feature file's name, before the video id.
        train_subsets, test_subsets: names of subsets; () where the file has two, one of them for training by its name.

    Returns:
        DataFrame with the index parameter and the columns value and why: `suggest(...)["value"].to_dict()` are
        overrides, or with features a whole recipe.

    Raises:
        ValueError: a file is missing or malformed, or something cannot be told from the data and must be given.
    """
    file = read_annotations(annotations)
    train, test = choose_subsets(file, train_subsets, test_subsets)
    choices: list[Choice] = []
    videos = file.of_subsets([*train, *test])
    found = None
    if features:
        paths = [below(data_root, path) for path in [annotations, *features]]
        found = read_shapes(data_root, paths[1:], prefix, videos)
        lengths, input_dims = found.lengths, found.widths
    grid = find_grid(videos, fps, stride_frames, num_frames, lengths)
    if found:
        check_axes(found, videos, grid, fps)
    facts = measure(file, train, grid, fps, lengths)
    if found:
        choices = _where(paths, prefix, found.suffix, train, test, found.widths) + _when(grid, fps, num_frames)
    choices += choose(facts, input_dims)
    return pd.DataFrame(choices).astype({"value": object}).set_index("parameter")


def beside(recipe: Recipe, suggestion: pd.DataFrame) -> pd.DataFrame:
    """A suggestion next to the settings of a recipe.

    Args:
        recipe: any.
        suggestion: of `suggest`.

    Returns:
        DataFrame with the index parameter and the columns recipe, suggested, why.
    """
    own = [getattr(getattr(recipe, name.split(".")[0]), name.split(".")[1]) for name in suggestion.index]
    columns = {"recipe": pd.Series(own, suggestion.index, object), "suggested": suggestion["value"]}
    return pd.DataFrame(columns).assign(why=suggestion["why"])


def below(data_root: str | Path, path: str | Path) -> str:
    """A path relative to the data root.

    Raises:
        ValueError: it lies elsewhere.
    """
    root, absolute = Path(data_root).resolve(), Path(path).resolve()
    if not absolute.is_relative_to(root):
        raise ValueError(f"{path} does not lie below the data root {data_root}; move or link it there, or name another")
    return absolute.relative_to(root).as_posix()


def _where(
    paths: list[str], prefix: str, suffix: str, train: list[str], test: list[str], widths: list[int]
) -> list[Choice]:
    """Files and subsets: nothing to choose, but a recipe names them."""
    return [
        Choice("data.annotations", paths[0], "As given."),
        Choice("data.features", paths[1:], "As given."),
        *([Choice("data.prefix", prefix, "As given.")] if prefix else []),
        Choice("data.suffix", suffix, "The files of most videos end so."),
        Choice("data.train_subsets", train, "As given, or by its name."),
        Choice("data.test_subsets", test, "As given, or the other one."),
        Choice("data.input_dims", widths, "So many channels do the feature files have."),
    ]


def _when(grid: Grid, fps: float | None, num_frames: float | None) -> list[Choice]:
    """The time grid."""
    stride = "It fits lengths and durations of the videos best (median)." if grid.estimated else "As given."
    covers = "As given."
    if num_frames is None:
        covers = "Nobody said how many frames a vector covers, so it is one stride: if it is more, times are late."
    return [
        Choice("data.stride_frames", grid.stride_frames, stride),
        Choice("data.num_frames", grid.num_frames, covers),
        *([Choice("data.fps", fps, "As given, instead of the annotation file's.")] if fps is not None else []),
    ]
