"""Charts that count: durations, classes, AP by class, recall by duration, tIoU against score."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from afkit.workbench.view import style
from afkit.workbench.view.style import BARS, COLORS, HATCHES, INK, QUIET, Look, class_name, make_chart, plain, say

MAX_CLASSES = 40
NUM_BINS = 30  # of the durations, at most
BAR_IN = 0.24  # height of a class in a chart of horizontal bars


def draw_durations(gt_by_subset: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """How long the actions (start_sec, end_sec) of each subset last: shares, on a logarithmic time axis."""
    labels = {"xlabel": "duration [s], logarithmic", "ylabel": "share of actions [%]"}
    figure, axes = make_chart(3.6, title, **labels)
    durations_sec = {name: (gt["end_sec"] - gt["start_sec"]).to_numpy() for name, gt in gt_by_subset.items()}
    positive = np.concatenate([values[values > 0] for values in durations_sec.values()] or [np.empty(0)])
    if not positive.size:
        return say(figure, "no actions")
    low_sec, high_sec = positive.min(), positive.max()
    widen = max(1.0, np.sqrt(3 * low_sec / high_sec))  # a third of a decade at least, or no tick falls into the axis
    decades = np.log10([low_sec / widen, high_sec * widen])
    fewest = min(len(values) for values in durations_sec.values() if len(values))
    number = int(np.clip(np.sqrt(2 * fewest), 4, NUM_BINS))
    bins = {"bins": number, "binrange": tuple(decades), "log_scale": True, "stat": "percent"}
    for i, (name, values) in enumerate(durations_sec.items()):
        middle = f", median {style.three_digits(np.median(values))} s" if len(values) else ""
        hidden = f", {(values <= 0).sum()} of no length" if (values <= 0).any() else ""
        look = style.line_look(i) | {"label": f"{plain(name, 30)}: {len(values)} actions{middle}{hidden}"}
        _draw_histogram(x=values[values > 0], element="step", fill=False, ax=axes, **bins, **look)
    axes.set(**labels)
    narrow = decades[1] - decades[0] < 1.2
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7) if narrow else (1, 2, 5), numticks=20))
    axes.xaxis.set_minor_locator(LogLocator(subs=range(1, 10), numticks=20))
    axes.xaxis.set_minor_formatter(NullFormatter())
    style.plain_numbers(axes.xaxis)
    style.legend_above(axes)
    return figure


def _draw_histogram(**arguments: Any) -> None:
    import seaborn as sns  # with what it needs it takes a second, and other charts go without

    sns.histplot(**arguments)


def draw_coverage(covered: pd.Series, limits: tuple[float, float], title: str = "") -> Figure:
    """How much of each video its features cover (NaN: unknown): 1 when stride, frame rate and duration fit together."""
    figure, axes = make_chart(2.8, title)
    known = covered.dropna()
    if known.empty:
        say(figure, "no durations to compare with")
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
    """Actions per class (label) in each subset, as horizontal bars; the 40 most frequent classes at most."""
    counts = pd.DataFrame({name: gt["label"].value_counts() for name, gt in gt_by_subset.items()}).fillna(0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    shown = counts.head(MAX_CLASSES)
    bar_in = BAR_IN * max(1, 0.5 * counts.shape[1])
    left_out = len(counts) - len(shown)
    remark = f"; {left_out} rarer classes are left out" if left_out else ""
    figure, axes = make_chart(1.5 + bar_in * max(len(shown), 3), title, xlabel=f"number of actions{remark}")
    if shown.empty:
        return say(figure, "no actions")
    height = 0.8 / shown.shape[1]
    for i, subset in enumerate(shown):
        y = np.arange(len(shown)) - 0.4 + (i + 0.5) * height
        look: Look = {"facecolor": COLORS[i % 7], "hatch": HATCHES[i % 7], "edgecolor": "white", "linewidth": 0}
        axes.barh(y, shown[subset], height, label=plain(subset, 30), **look)
    _name_classes(axes, shown.index, label_names)
    if shown.shape[1] > 1:
        style.legend_above(axes, ncols=3)
    return figure


def draw_class_ap(ap: pd.DataFrame, label_names: Mapping[int, str], num_each: int = 10, title: str = "") -> Figure:
    """The classes that are found best and worst: AP as bars, its range over the tIoU thresholds as lines.

    Args:
        ap: fractions, class id x tIoU. Classes with NaN only are left out.
        num_each: how many of the best and of the worst, at least 1; all, if they are no more than both together.
    """
    if num_each < 1:
        raise ValueError(f"num_each is at least 1, not {num_each}")
    percent = 100 * ap.dropna(how="all")
    percent = percent.loc[percent.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    rows, y = style.both_ends(len(percent), num_each)
    shown, left_out = percent.iloc[rows], len(percent) - len(rows)
    figure, axes = make_chart(1.5 + BAR_IN * max(len(shown) + bool(left_out), 3), title)
    if percent.empty or percent.max(axis=None) < style.SEEN:
        return say(figure, f"all {len(percent)} classes have an AP of 0.0 %" if len(percent) else "no classes")
    axes.barh(y, shown.mean(axis=1), 0.7, color=COLORS[3])
    axes.hlines(y, shown.min(axis=1), shown.max(axis=1), color=INK, linewidth=1.4)
    tious = [float(tiou) for tiou in shown.columns]
    axes.set(xlabel=f"AP [%]\nbar = mean over tIoU {min(tious):g} to {max(tious):g}, line = range", xlim=(0, 100))
    _name_classes(axes, shown.index, label_names, y)
    if left_out:
        axes.text(1, num_each, f"{left_out} classes between these", va="center", color=QUIET)
    return figure


def _name_classes(axes: Axes, labels: pd.Index, names: Mapping[int, str], y: np.ndarray | None = None) -> None:
    """Class names beside horizontal bars, the first on top."""
    style.name_rows(axes, [class_name(label, names, 30) for label in labels], y)
    axes.invert_yaxis()
    axes.margins(y=0.01)


def draw_tiou_against_score(predictions: pd.DataFrame, tiou: float | None = None, title: str = "") -> Figure:
    """Where matched predictions lie: do the sure ones lie well?

    Args:
        predictions: score, tiou, `outcome` ("hit" | "false alarm"), of any number of videos.
        tiou: the threshold of the matching, drawn as a line; false alarms above it repeat a hit.
    """
    labels = {"xlabel": "score", "ylabel": "tIoU with the ground truth"}
    figure, axes = make_chart(4.2, title, ylim=(-0.03, 1.03), **labels)
    if predictions.empty:
        return say(figure, "no predictions")
    alpha = float(np.clip(1000 / len(predictions), 0.25, 0.8))
    looks = {"false alarm": ("x", BARS["false alarm"]["edgecolor"]), "hit": ("o", BARS["hit"]["facecolor"])}
    for kind, (marker, color) in looks.items():
        some = predictions[predictions["outcome"] == kind]
        look = {"s": 22, "color": color, "marker": marker, "alpha": alpha, "label": f"{kind} ({len(some)})"}
        axes.scatter(some["score"], some["tiou"], rasterized=True, **look)
    if tiou is not None:
        axes.axhline(tiou, color=INK, linestyle="--", linewidth=1, label=f"threshold {tiou:g}")
    for handle in style.legend_above(axes, ncols=3).legend_handles:
        handle.set_alpha(1)
    return figure


def draw_recall_by_duration(gt: pd.DataFrame, num_bins: int = 5, title: str = "") -> Figure:
    """The share of actions that were found, for short to long ones; each bar stands for about as many actions.

    Args:
        gt: start_sec, end_sec and `found` (bool), of any number of videos.
        num_bins: number of bars, at least 1; fewer are drawn where many actions last equally long.
    """
    if num_bins < 1:
        raise ValueError(f"num_bins is at least 1, not {num_bins}")
    labels = {"xlabel": "duration [s] (number of actions)", "ylabel": "recall [%]"}
    figure, axes = make_chart(3.4, title, ylim=(0, 112), yticks=range(0, 101, 20), **labels)
    if gt["found"].nunique() < 2:  # all bars would have one height
        found = "all" if gt["found"].any() else "none"
        return say(figure, f"{found} of the {len(gt)} actions are found" if len(gt) else "no ground truth")
    durations_sec = gt["end_sec"] - gt["start_sec"]
    edges = np.unique(np.quantile(durations_sec, np.arange(1, num_bins) / num_bins))
    bins = np.searchsorted(edges, durations_sec, side="left")
    spans, recall = durations_sec.groupby(bins).agg(["min", "max", "size"]), 100 * gt["found"].groupby(bins).mean()
    to = " to " if len(spans) <= 6 else " to\n"
    ends = [map(style.three_digits, row[:2]) for row in spans.itertuples(index=False)]
    names = [f"{to.join(pair)}\n({n})" for pair, n in zip(ends, spans["size"], strict=True)]
    axes.bar(range(len(spans)), recall, 0.7, color=BARS["hit"]["facecolor"])
    for x, share in enumerate(recall):
        axes.annotate(f"{share:.0f}", (x, share), (0, 3), textcoords="offset points", ha="center")
    axes.set_xticks(range(len(spans)), names)
    axes.grid(visible=False, axis="x")
    return figure
