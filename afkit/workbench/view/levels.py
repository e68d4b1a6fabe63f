"""The feature pyramid in pictures: what each level is to learn, and what it says about a recording."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from afkit.workbench.view.style import BARS, COLORS, INK, MARKERS, QUIET, class_name, make_figure

ENDLESS = 10000  # the original's upper limit of the last regression range
MOST_CLASSES = len(MARKERS)  # that can be told apart without colour
LEVEL_IN = 0.34  # height of a level in a picture
MOST_CANDIDATES = 60  # that are drawn, the best ones


def name_levels(strides: Sequence[int], ranges: Sequence[Sequence[float]]) -> list[str]:
    """The levels by stride and regression range, in grid steps.

    Examples:
        >>> name_levels([1, 2], [(0, 4), (4, 10000)])
        ['level 0: stride 1, 0 to 4', 'level 1: stride 2, from 4']
    """
    limits = (f"{low:g} to {high:g}" if high < ENDLESS else f"from {low:g}" for low, high in ranges)
    return [f"level {i}: stride {stride}, {own}" for i, (stride, own) in enumerate(zip(strides, limits, strict=True))]


def draw_targets(
    levels: Sequence[tuple[np.ndarray, np.ndarray]],
    level_names: Sequence[str],
    segments: np.ndarray,
    labels: np.ndarray,
    label_names: Mapping[int, str],
    title: str = "",
) -> Figure:
    """Which point of each level learns which action: filled where it learns one, hollow where it learns nothing.

    Args:
        levels: for each of L levels (P_l,) positions on the grid and (P_l,) class ids, -1 for none, as of
            `afkit.workbench.analysis.steps.targets_by_level`.
        segments: (N, 2) actions on the grid; `labels`: (N,) their class ids.
    """
    found, counts = np.unique(labels, return_counts=True)
    ids = sorted(found[np.argsort(-counts, kind="stable")[:MOST_CLASSES]].tolist())  # the most frequent ones
    heights = [0.5 + 0.3 * max(len(ids), 1), 0.8 + LEVEL_IN * len(levels)]
    figure, (above, axes) = make_figure(sum(heights), 2, title, sharex=True, height_ratios=heights)
    above.set(yticks=range(len(ids)), yticklabels=[class_name(label, label_names, 24) for label in ids])
    above.set(ylim=(max(len(ids), 1) - 0.4, -0.6), ylabel="" if ids else "no actions")
    for row, label in enumerate(ids):
        for start, end in segments[labels == label]:
            above.barh(row, end - start, left=start, height=0.7, **BARS["ground truth"])
            above.plot((start + end) / 2, row, MARKERS[row], color=COLORS[row], mec="white", ms=9)
    for level, (position, learned) in enumerate(levels):
        free = learned < 0
        axes.plot(position[free], np.full(free.sum(), level), "o", mfc="white", mec=QUIET, ms=3, mew=0.6)
        for row, own in enumerate(ids):
            at = position[learned == own]
            axes.plot(at, np.full(len(at), level), MARKERS[row], color=COLORS[row], ms=7)
    axes.set(yticks=range(len(levels)), yticklabels=level_names, ylim=(-0.6, len(levels) - 0.4))
    axes.set(xlabel="position on the grid [steps]")
    return figure


def draw_detection_steps(
    times_sec: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    candidates: pd.DataFrame,
    kept: pd.DataFrame,
    gt: pd.DataFrame,
    label: int,
    title: str = "",
) -> Figure:
    """From the scores of the levels to detections, for one class of one recording.

    Args:
        times_sec: for each of L levels (P_l,) seconds of its points.
        scores: for each level (P_l, K) probabilities of the classes.
        candidates: start_sec, end_sec, label, score before suppression; the best are drawn.
        gt: the annotated actions of the recording: start_sec, end_sec, label.
    """
    heights = [0.5 + LEVEL_IN * len(scores), 1.7, 1.7]
    figure, (above, middle, below) = make_figure(
        1.4 + LEVEL_IN * len(scores) + 3.4, 3, title, sharex=True, height_ratios=heights
    )
    for level, (points_sec, own) in enumerate(zip(times_sec, scores, strict=True)):
        width = points_sec[1] - points_sec[0] if len(points_sec) > 1 else 1.0
        edges = np.append(points_sec - width / 2, points_sec[-1:] + width / 2)
        rows = np.array([level - 0.5, level + 0.5])
        image = above.pcolormesh(edges, rows, own[None, :, label], cmap="Greys", vmin=0, vmax=1, rasterized=True)
    bar = figure.colorbar(image, ax=above, pad=0.01, aspect=12)
    bar.set_label("probability")
    above.set(yticks=range(len(scores)), ylabel="level", ylim=(-0.5, len(scores) - 0.5))
    above.grid(visible=False)
    own_gt = gt[gt["label"] == label]
    for axes, table, name in ((middle, candidates, "candidates"), (below, kept, "kept")):
        _draw_scored(axes, table[table["label"] == label], own_gt)
        axes.set(ylabel=f"{name}:\nscore", ylim=(0, 1.02))
    below.set(xlabel="time [s]")
    return figure


def _draw_scored(axes: Axes, segments: pd.DataFrame, gt: pd.DataFrame) -> None:
    """The best segments as lines at the height of their scores, over the annotated actions."""
    for start, end in gt[["start_sec", "end_sec"]].to_numpy():
        axes.axvspan(start, end, color=BARS["ground truth"]["facecolor"], alpha=0.6, lw=0)
    best = segments.sort_values("score", ascending=False, kind="stable").head(MOST_CANDIDATES)
    axes.hlines(best["score"], best["start_sec"], best["end_sec"], color=COLORS[0], lw=1.6)
    axes.plot(best["start_sec"], best["score"], "|", color=INK, ms=5)
    axes.plot(best["end_sec"], best["score"], "|", color=INK, ms=5)
    left_out = len(segments) - len(best)
    if left_out:
        note = f"and {left_out} with lower scores"
        axes.text(0.995, 0.97, note, transform=axes.transAxes, ha="right", va="top", color=QUIET, fontsize=10.5)
