"""Charts that count: durations, classes, AP by class, recall by duration, tIoU against score."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from afkit.workbench.view.style import (
    BARS,
    COLORS,
    HATCHES,
    INK,
    LINES,
    QUIET,
    class_name,
    make_figure,
    plain,
    say,
    set_title,
)

MAX_CLASSES = 40
NUM_BINS = 30  # of the durations
BAR_IN = 0.24  # height of a class in a chart of horizontal bars


def draw_durations(gt_by_subset: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """How long the actions of each subset last: shares, on a logarithmic time axis.

    Args:
        gt_by_subset: name of the subset -> ground truth with start_sec, end_sec. The legend gives number and median.
    """
    figure, (axes,) = make_figure(3.6)
    set_title(figure, title)
    axes.set(xlabel="duration [s]", ylabel="share of actions [%]")
    durations_sec = {name: (gt["end_sec"] - gt["start_sec"]).to_numpy() for name, gt in gt_by_subset.items()}
    positive = np.concatenate([values[values > 0] for values in durations_sec.values()] or [np.empty(0)])
    if not positive.size:
        say(axes, "no actions")
        return figure
    low_sec, high_sec = positive.min(), positive.max()
    widen = max(1.0, np.sqrt(3 * low_sec / high_sec))  # a third of a decade at least, or no tick falls into the axis
    decades = np.log10([low_sec / widen, high_sec * widen])
    for i, (name, values) in enumerate(durations_sec.items()):
        middle = f", median {_short(np.median(values))} s" if len(values) else ""
        hidden = f", {(values <= 0).sum()} of no length" if (values <= 0).any() else ""
        label = f"{plain(name, 30)}: {len(values)} actions{middle}{hidden}"
        look = {"color": COLORS[i % 7], "linestyle": LINES[i % 7], "linewidth": 1.8, "label": label}
        bins = {"bins": NUM_BINS, "binrange": tuple(decades), "log_scale": True, "stat": "percent"}
        _draw_histogram(x=values[values > 0], element="step", fill=False, ax=axes, **bins, **look)
    axes.set(xlabel="duration [s]", ylabel="share of actions [%]")
    _plain_log_ticks(axes.xaxis)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def _draw_histogram(**arguments: Any) -> None:
    import seaborn as sns  # with what it needs it takes a second, and other charts go without

    sns.histplot(**arguments)


def draw_coverage(covered: pd.Series, limits: tuple[float, float], title: str = "") -> Figure:
    """How much of each video its features cover: 1 when stride, frame rate and duration belong together.

    Args:
        covered: share of the duration, one per video; NaN where unknown.
    """
    figure, (axes,) = make_figure(2.8)
    set_title(figure, title)
    known = covered.dropna()
    if known.empty:
        say(axes, "no durations to compare with")
    else:
        low, high = min(known.min(), limits[0] - 0.05), max(known.max(), limits[1] + 0.05)
        _draw_histogram(x=known, bins=40, binrange=(low, high), color=COLORS[0], ax=axes)
        for limit in limits:
            axes.axvline(limit, color=INK, linestyle="--", linewidth=1)
    axes.set(xlabel="share of the duration that the features cover", ylabel="number of videos")
    return figure


def draw_class_counts(
    gt_by_subset: Mapping[str, pd.DataFrame], label_names: Mapping[int, str], title: str = ""
) -> Figure:
    """Actions per class in each subset, as horizontal bars; the 40 most frequent classes at most.

    Args:
        gt_by_subset: name of the subset -> ground truth with label.
        label_names: label id -> name.
    """
    counts = pd.DataFrame({name: gt["label"].value_counts() for name, gt in gt_by_subset.items()}).fillna(0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    shown = counts.head(MAX_CLASSES)
    bar_in = BAR_IN * max(1, 0.5 * counts.shape[1])
    figure, (axes,) = make_figure(1.5 + bar_in * max(len(shown), 3))
    set_title(figure, title)
    left_out = len(counts) - len(shown)
    remark = f"; {left_out} rarer classes are left out" if left_out else ""
    axes.set(xlabel=f"number of actions{remark}")
    if shown.empty:
        say(axes, "no actions")
        return figure
    height = 0.8 / shown.shape[1]
    for i, subset in enumerate(shown):
        y = np.arange(len(shown)) - 0.4 + (i + 0.5) * height
        look = {"facecolor": COLORS[i % 7], "hatch": HATCHES[i % 7], "edgecolor": "white", "linewidth": 0}
        axes.barh(y, shown[subset], height, label=plain(subset, 30), **look)
    _name_bars(axes, [class_name(label, label_names, 30) for label in shown.index])
    if shown.shape[1] > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def draw_class_ap(ap: pd.DataFrame, label_names: Mapping[int, str], num_each: int = 10, title: str = "") -> Figure:
    """The classes that are found best and worst: AP as bars, its range over the tIoU thresholds as lines.

    Args:
        ap: fractions, class id x tIoU. Classes with NaN only are left out.
        label_names: label id -> name.
        num_each: how many of the best and of the worst; all classes, if they are no more than both together.

    Raises:
        ValueError: num_each is below 1.
    """
    if num_each < 1:
        raise ValueError(f"num_each is at least 1, not {num_each}")
    percent = 100 * ap.dropna(how="all")
    percent = percent.loc[percent.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    left_out = max(len(percent) - 2 * num_each, 0)
    shown = pd.concat([percent.head(num_each), percent.tail(num_each)]) if left_out else percent
    figure, (axes,) = make_figure(1.5 + BAR_IN * max(len(shown) + bool(left_out), 3))
    set_title(figure, title)
    if shown.empty:
        say(axes, "no classes")
        return figure
    means = shown.mean(axis=1)
    y = np.arange(len(shown)) + np.where(np.arange(len(shown)) >= num_each, bool(left_out), 0)
    axes.barh(y, means, 0.7, color=COLORS[3])
    axes.hlines(y, shown.min(axis=1), shown.max(axis=1), color=INK, linewidth=1.4)
    tious = [float(tiou) for tiou in shown.columns]
    axes.set(xlabel=f"AP [%]: bar = mean over tIoU {min(tious):g} to {max(tious):g}, line = range", xlim=(0, 100))
    _name_bars(axes, [class_name(label, label_names, 30) for label in shown.index], y)
    if left_out:
        axes.text(1, num_each, f"{left_out} classes between these", va="center", color=QUIET)
    return figure


def draw_tiou_against_score(predictions: pd.DataFrame, tiou: float | None = None, title: str = "") -> Figure:
    """Where matched predictions lie: do the sure ones lie well?

    Args:
        predictions: score, tiou, `outcome` ("hit" | "false alarm"), of any number of videos.
        tiou: the threshold of the matching, drawn as a line; false alarms above it repeat a hit.
    """
    figure, (axes,) = make_figure(4.2)
    set_title(figure, title)
    axes.set(xlabel="score", ylabel="tIoU with the ground truth", ylim=(-0.03, 1.03))
    if predictions.empty:
        say(axes, "no predictions")
        return figure
    alpha = float(np.clip(1000 / len(predictions), 0.25, 0.8))
    looks = {"false alarm": ("x", BARS["false alarm"]["edgecolor"]), "hit": ("o", BARS["hit"]["facecolor"])}
    for kind, (marker, color) in looks.items():
        some = predictions[predictions["outcome"] == kind]
        label = f"{kind} ({len(some)})"
        look = {"s": 22, "color": color, "marker": marker, "alpha": alpha}
        axes.scatter(some["score"], some["tiou"], label=label, rasterized=True, **look)
    if tiou is not None:
        axes.axhline(tiou, color=INK, linestyle="--", linewidth=1, label=f"threshold {tiou:g}")
    for handle in axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3).legend_handles:
        handle.set_alpha(1)
    return figure


def draw_recall_by_duration(gt: pd.DataFrame, num_bins: int = 5, title: str = "") -> Figure:
    """The share of actions that were found, for short to long ones; each bar stands for about as many actions.

    Args:
        gt: start_sec, end_sec and `found` (bool), of any number of videos.
        num_bins: number of bars; fewer where many actions last equally long.

    Raises:
        ValueError: num_bins is below 1.
    """
    if num_bins < 1:
        raise ValueError(f"num_bins is at least 1, not {num_bins}")
    figure, (axes,) = make_figure(3.4)
    set_title(figure, title)
    axes.set(xlabel="duration [s] (number of actions)", ylabel="recall [%]", ylim=(0, 105))
    if gt.empty:
        say(axes, "no ground truth")
        return figure
    durations_sec = (gt["end_sec"] - gt["start_sec"]).to_numpy()
    edges = np.unique(np.quantile(durations_sec, np.arange(1, num_bins) / num_bins))
    found = gt["found"].astype(float)
    bins = gt.assign(duration_sec=durations_sec, found=found).groupby(
        np.searchsorted(edges, durations_sec, side="left")
    )
    table = bins.agg(
        low=("duration_sec", "min"), high=("duration_sec", "max"), found=("found", "mean"), n=("found", "size")
    )
    to = " to " if len(table) <= 6 else " to\n"
    names = [f"{_short(row.low)}{to}{_short(row.high)}\n({row.n})" for row in table.itertuples()]
    axes.bar(range(len(table)), 100 * table["found"], 0.7, color=BARS["hit"]["facecolor"])
    for x, share in enumerate(100 * table["found"]):
        axes.annotate(f"{share:.0f}", (x, share), (0, 3), textcoords="offset points", ha="center")
    axes.set_xticks(range(len(table)), names)
    axes.grid(visible=False, axis="x")
    return figure


def _name_bars(axes: Axes, names: list[str], y: np.ndarray | None = None) -> None:
    """Class names beside horizontal bars, the first on top."""
    axes.set_yticks(range(len(names)) if y is None else y, names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    axes.margins(y=0.01)


def _plain_log_ticks(axis: Axis) -> None:
    """1, 2, 5, 10 instead of powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _short(seconds: float) -> str:
    """Three digits, but never a power of ten."""
    return f"{seconds:.3g}" if seconds < 1000 else f"{seconds:.0f}"
