"""Settings for a data set of one's own, each by a plain rule from its facts, and with the reason in one sentence."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.config import Recipe
from afkit.data.annotations import read_annotations
from afkit.workbench.survey.facts import Facts, Grid, check_axes, choose_subsets, find_grid, measure, read_shapes

MOST_STEPS = 4608  # of a training sequence: twice that of the published experiments; memory grows with it
STEPS_PER_BATCH = 4608  # feature vectors in a batch of the published experiments
TRAINING_STEPS = 3500  # of the published experiment with the fewest
# Where recordings are longer than SPARSE times their long actions, crops of CONTEXT times these are learned from.
SPARSE, CONTEXT, LEAST_CROP = 128, 32, 256
FIRST_RANGE = 4  # farthest end of an action that the first level has to find, on the grid
WARMUP_EPOCHS = 5


NETWORK = (
    "ActionFormer: with equal settings the best of three networks on two sets of sensor recordings, on the larger by "
    "less than a point (docs/concepts/networks.md); TemporalMaxer (maxpool) takes a third of its time."
)


class Choice(NamedTuple):
    """A suggested setting."""

    parameter: str  # dotted
    value: Any  # of the parameter
    why: str  # one sentence with the numbers it rests on


def choose(facts: Facts, input_dims: Sequence[int] = ()) -> list[Choice]:
    """The settings for a data set; without `input_dims`, channels of each feature folder, no width of the network."""
    levels = num_levels(facts)
    ranges = regression_ranges(facts, levels)
    length, why = _length(facts, 2 ** (levels - 1))
    return [
        Choice("data.num_classes", facts.num_classes, f"Label ids go from 0 to {facts.num_classes - 1}."),
        Choice("data.max_seq_len", length, why),
        Choice("model.backbone", "transformer", NETWORK),
        *_pyramid(facts, levels, ranges),
        *_width(input_dims),
        *_training(facts, length, ranges),
        *_decoding(facts),
    ]


def num_levels(facts: Facts) -> int:
    """The fewest levels of which all but the last find 99 % of the actions.

    From an action's middle the last but one level reaches 2 ** levels steps to the farther end. The last level has
    at least eight points in the longest training sequence.
    """
    wanted = math.ceil(math.log2(max(_long(facts), 2) / 2))
    most = int(math.log2(max(min(facts.lengths.max(), MOST_STEPS) / 8, 1))) + 1
    return min(max(wanted, 1), most)


def regression_ranges(facts: Facts, levels: int) -> list[list[int]]:
    """[low, high] of each level, on the grid."""
    ranges = [[2**level, FIRST_RANGE * 2**level] for level in range(levels)]
    ranges[0][0] = 0
    ranges[-1][1] = max(10000, math.ceil(facts.durations_grid.max()))
    return ranges


def _long(facts: Facts) -> float:
    """What 99 % of the actions last at most, on the grid."""
    return float(np.quantile(facts.durations_grid, 0.99))


def _pyramid(facts: Facts, levels: int, ranges: list[list[int]]) -> list[Choice]:
    """Levels, what each has to find, and how far attention sees."""
    share = 100 * float((facts.durations_grid / 2 <= 2**levels).mean())
    return [
        Choice(
            "model.branch_layers",
            levels - 1,
            f"{levels} levels: 99 % of the actions last up to {_long(facts):.0f} steps, and {share:.1f} % end within "
            f"{2**levels} steps from their middle, which is how far the levels before the last reach.",
        ),
        Choice(
            "model.regression_ranges",
            ranges,
            "Each level reaches twice as far as the one before and overlaps with it, so that an action at a border is "
            f"learned by both; the last has no end (the longest action: {facts.durations_grid.max():.0f} steps).",
        ),
        Choice(
            "model.windows",
            2 * FIRST_RANGE + 1,
            f"An action that ends {FIRST_RANGE} strides of its level from its middle is seen whole: {FIRST_RANGE} on "
            "both sides, and the middle.",
        ),
    ]


def _length(facts: Facts, stride: int) -> tuple[int, str]:
    """M, a multiple of the last level's stride, and why."""
    longest, most = int(facts.lengths.max()), float(np.quantile(facts.lengths, 0.9))
    if longest <= 1.5 * most:
        wanted, why = longest, f"The longest of {len(facts.lengths)} training videos has {longest} steps, so all fit"
    else:
        wanted = math.ceil(most)
        why = f"90 % of {len(facts.lengths)} training videos have at most {most:.0f} steps; longer ones are cropped"
    if (whole := min(wanted, MOST_STEPS)) > SPARSE * _long(facts):
        crop = max(math.ceil(CONTEXT * _long(facts)), LEAST_CROP)
        many = f"{whole} steps are {whole / _long(facts):.0f} times what 99 % of the actions last at most"
        cost = f"crops of {crop} steps show these with what is around, and cost {whole / crop:.1f} times less"
        wanted, why = crop, f"{why}, but {many}: {cost}"
    if wanted > MOST_STEPS:
        wanted, why = MOST_STEPS, f"{why}, but more than {MOST_STEPS} steps cost too much memory"
    length = -(-wanted // stride) * stride
    return length, f"{why}; a multiple of {stride}, the last level's stride."


def _width(input_dims: Sequence[int]) -> list[Choice]:
    if not input_dims:
        return []
    channels = sum(input_dims)
    width = min(max(2 ** math.ceil(math.log2(channels)), 128), 512)
    why = f"As wide as the input of {channels} channels: the next power of two, 128 at least and 512 at most."
    return [Choice("model.embed_dim", width, why)]


def _training(facts: Facts, length: int, ranges: list[list[int]]) -> list[Choice]:
    """Batch, epochs, learning rate, the average of the weights, and where the loss's normaliser starts."""
    videos = len(facts.lengths)
    batch = min(max(min(round(STEPS_PER_BATCH / length), videos // 8, 16), 2), videos)
    per_epoch = videos // batch
    total = min(max(round(TRAINING_STEPS / per_epoch), 15), 40)
    steps = total * per_epoch
    rate = float(f"{min(max(1e-4 * (TRAINING_STEPS / steps) ** (2 / 3), 1e-4), 1e-3):.0e}")
    left = 0.999**steps
    positives = max(10 * round(batch * _positives(facts, ranges) / 10), 10)
    return [
        Choice(
            "optim.batch_size",
            batch,
            f"{STEPS_PER_BATCH} feature vectors make about {STEPS_PER_BATCH / length:.1f} sequences of {length}, and "
            f"{videos} videos should give 8 batches or more; 2 at least, 16 at most.",
        ),
        Choice(
            "optim.epochs",
            total - WARMUP_EPOCHS,
            f"{total} epochs of {per_epoch} batches with the warm-up are {steps} steps: {TRAINING_STEPS} are aimed at, "
            "between 15 and 40 epochs.",
        ),
        Choice(
            "optim.warmup_epochs",
            WARMUP_EPOCHS,
            f"The rate rises over {WARMUP_EPOCHS * per_epoch} of {steps} steps, {WARMUP_EPOCHS} epochs as published.",
        ),
        Choice(
            "optim.learning_rate",
            rate,
            f"{steps} steps instead of {TRAINING_STEPS}: the published 1e-4, more where steps are few (by the ratio "
            "to the power of 2/3), 1e-3 at most.",
        ),
        Choice(
            "optim.ema_warmup",
            left > 0.05,
            f"After {steps} steps at decay 0.999 the average still holds {100 * left:.0f} % of the random start; more "
            "than 5 % needs a decay that begins low.",
        ),
        Choice(
            "loss.init_loss_norm",
            positives,
            f"About so many points of a batch learn an action: {facts.actions.mean():.1f} actions in a video, up to 3 "
            "points each in every level whose range they are in.",
        ),
    ]


def _positives(facts: Facts, ranges: list[list[int]]) -> float:
    """Points that learn an action, of a mean video: centre sampling leaves up to 3 in each level that takes it."""
    durations, points = facts.durations_grid, np.zeros(len(facts.durations_grid))
    for level, (low, high) in enumerate(ranges):
        takes = (durations / 2 >= low) & (durations / 2 <= high)
        points += takes * np.minimum(3, durations / 2**level)
    return points.sum() / len(facts.lengths)


def _decoding(facts: Facts) -> list[Choice]:
    """How many detections a video keeps, and how hard suppression is."""
    crowded, overlap = float(np.quantile(facts.actions, 0.99)), float(np.quantile(facts.neighbours, 0.98))
    segments = max(-(-round(2 * crowded) // 100) * 100, 200)
    candidates = min(max(10 * segments, 2000), 5000)
    sigma = round(min(max(overlap**2 / math.log(2), 0.4), 0.9), 2)
    agnostic = facts.num_classes == 1
    return [
        Choice(
            "decode.max_segments",
            segments,
            f"Twice the {crowded:.0f} actions that 99 % of the training videos have at most; 200 at least, which lose "
            "nothing.",
        ),
        Choice("decode.pre_nms_topk", candidates, f"Ten candidates of a level for each of {segments}, 2000 to 5000."),
        Choice(
            "decode.sigma",
            sigma,
            f"98 % of the actions overlap with another of their class by a tIoU of {overlap:.2f} at most; such a "
            "neighbour should keep half its score, and 0.4 is the least.",
        ),
        Choice("decode.min_score", 0.001, "As published: it cuts off what suppression has all but removed."),
        Choice(
            "decode.multiclass",
            not agnostic,
            "There is one class, and voting can refine its segments."
            if agnostic
            else f"Each of {facts.num_classes} classes is suppressed on its own, so that actions of two may overlap.",
        ),
        Choice(
            "decode.voting_threshold",
            0.7,
            "Detections that overlap by a tIoU of 0.7 are averaged."
            if agnostic
            else "As published; without effect as long as each class is suppressed on its own.",
        ),
    ]


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

    DataFrame with the index parameter and the columns value and why: `suggest(...)["value"].to_dict()` are overrides,
    or with features a whole recipe. ValueError where something cannot be told from the data and must be given.

    Args:
        features: feature folders (or HDF5 files); () for settings that do not say where the data lies.
        data_root: folder of all data sets; annotations and features lie below it, where features are given.
        lengths: without features: steps of each video; None to tell them from the durations.
        input_dims: without features: channels of each folder.
        stride_frames: frames between two feature vectors; None for what fits lengths and durations.
        num_frames: frames that a vector covers; None for the stride.
        fps: frames per second; None for the annotation file's.
        prefix: of a feature file's name, before the video id.
        train_subsets, test_subsets: names of subsets; () where the file has two, one of them for training by its name.
    """
    file = read_annotations(annotations)
    apart = lengths is None  # 01_data, which gives them, tells of subsets that are for both
    train, test = choose_subsets(file, train_subsets, test_subsets, apart)
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
        choices = _where(paths, prefix, found.suffix, train, test, *found[1:]) + _when(grid, fps, num_frames)
    choices += choose(facts, input_dims)
    return pd.DataFrame(choices).astype({"value": object}).set_index("parameter")


def beside(recipe: Recipe, suggestion: pd.DataFrame) -> pd.DataFrame:
    """What `suggest` gave next to the settings of a recipe: index parameter, columns recipe, suggested, why."""
    own = [getattr(getattr(recipe, name.split(".")[0]), name.split(".")[1]) for name in suggestion.index]
    columns = {"recipe": pd.Series(own, suggestion.index, object), "suggested": suggestion["value"]}
    return pd.DataFrame(columns).assign(why=suggestion["why"])


def below(data_root: str | Path, path: str | Path) -> str:
    """A path relative to the data root; a ValueError where it lies elsewhere."""
    root, absolute = Path(data_root).resolve(), Path(path).resolve()
    if not absolute.is_relative_to(root):
        raise ValueError(f"{path} does not lie below the data root {data_root}; move or link it there, or name another")
    return absolute.relative_to(root).as_posix()


def _where(
    paths: list[str],
    prefix: str,
    suffix: str,
    train: list[str],
    test: list[str],
    widths: list[int],
    lengths: dict[str, int],
) -> list[Choice]:
    """Files and subsets: nothing to choose, but a recipe names them."""
    channels, steps = "So many channels do the feature files have.", set(lengths.values())
    if len(steps) == 1 < len(lengths):
        seen = f"All {len(lengths)} recordings have {min(steps)} steps of so many channels"
        channels = f"{seen}: if that is the number of steps, the files are (C, T); transpose them."
    return [
        Choice("data.annotations", paths[0], "As given."),
        Choice("data.features", paths[1:], "As given."),
        *([Choice("data.prefix", prefix, "As given.")] if prefix else []),
        Choice("data.suffix", suffix, "The files of most videos end so."),
        Choice("data.train_subsets", train, "As given, or by its name."),
        Choice("data.test_subsets", test, "As given, or the other one."),
        Choice("data.input_dims", widths, channels),
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
