"""Pictures of the diagnosis: kinds of false positives, gains from removing them, and which actions suffer."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from afkit.workbench.analysis.diagnosis import Diagnosis
from afkit.workbench.view import style
from afkit.workbench.view.style import BARS, COLORS, INK, LINES, Look, make_chart, make_figure, plain, say

ROW_IN = 0.27  # height of a bin or a kind
UNITS = {"length": ("length [s]", 1), "coverage": ("coverage [%]", 100), "instances": ("instances", 1)}

# Neighbours in the stack differ in grey and in hatch.
LOOKS: dict[str, Look] = {
    "true positive": {"facecolor": COLORS[0], "hatch": ""},
    "double detection": {"facecolor": "#bfe0f5", "hatch": "...."},
    "wrong label": {"facecolor": "#e8905a", "hatch": "////"},
    "localisation": {"facecolor": "#fbe3ae", "hatch": "xxxx"},
    "confusion": {"facecolor": "#5fb598", "hatch": "----"},
    "background": {"facecolor": "#f2f2f2", "hatch": ""},
}


def draw_diagnosis(diagnosis: Diagnosis) -> dict[str, Figure]:
    """All four pictures of a diagnosis: false_positives, removal_gains, sensitivity, false_negatives."""
    return {
        "false_positives": draw_false_positive_profile(diagnosis.profile),
        "removal_gains": draw_removal_gains(diagnosis.gains),
        "sensitivity": draw_sensitivity(diagnosis.sensitivity),
        "false_negatives": draw_false_negatives(diagnosis.false_negatives),
    }


def draw_false_positive_profile(profile: pd.DataFrame, title: str = "") -> Figure:
    """What the predictions of each band are, the best ones on the left: stacked shares.

    `profile` has numbers of predictions, bands by kinds (`workbench.analysis.false_positives.false_positive_profile`).
    """
    labels = {"xlabel": "predictions of a class with G actions, by falling score", "ylabel": "share of predictions [%]"}
    figure, axes = make_chart(4.6, title, **labels)
    counts = profile.sum(axis=1)
    if not counts.sum():
        return say(figure, "no predictions")
    shares = 100 * profile.div(counts.where(counts > 0), axis=0).fillna(0)
    low = shares.cumsum(axis=1) - shares
    for kind in profile:
        look = {"label": kind, "edgecolor": INK, "linewidth": 0.6, **LOOKS[kind]}
        axes.bar(range(len(profile)), shares[kind], 0.82, low[kind], **look)
    axes.set_xticks(range(len(profile)), [f"{band}G" for band in profile.index])
    axes.set_ylim(0, 100)
    axes.grid(visible=False, axis="x")
    style.legend_above(axes, ncols=3, handlelength=2.4, handleheight=1.1)
    return figure


def draw_removal_gains(gains: pd.DataFrame, title: str = "") -> Figure:
    """How much the average normalised mAP would rise without the false positives of each kind: mean, range over tIoU.

    `gains` are fractions, kinds by tIoU (`workbench.analysis.false_positives.gain_of_removal`).
    """
    figure, axes = make_chart(1.3 + 1.4 * ROW_IN * len(gains), title)
    percent = 100 * gains
    if percent.max(axis=None) < style.SEEN:
        return say(figure, "without the errors of any one kind, normalised mAP would be what it is")
    for y, (kind, mean) in enumerate(percent.mean(axis=1).items()):
        axes.barh(y, mean, 0.72, edgecolor=INK, linewidth=0.6, **LOOKS[kind])
        end = percent.loc[kind].max()
        axes.annotate(f"{mean:.1f}", (end, y), (5, 0), textcoords="offset points", va="center")
    tious = [float(tiou) for tiou in gains.columns]
    how = f"at tIoU {tious[0]:g}"
    if len(tious) > 1:
        axes.hlines(np.arange(len(gains)), percent.min(axis=1), percent.max(axis=1), color=INK, linewidth=1.4)
        how = f"bar = mean over tIoU {min(tious):g} to {max(tious):g}, line = range"
    axes.set_xlabel(f"gain in normalised mAP [percentage points]\n{how}")
    axes.set_xlim(0, max(1.15 * percent.max(axis=None), 1))
    _name_rows(axes, list(gains.index))
    return figure


def draw_sensitivity(table: pd.DataFrame, title: str = "") -> Figure:
    """Normalised mAP on the actions of each bin, and on all as a line.

    `table` is that of `afkit.workbench.analysis.sensitivity.sensitivity`.
    """
    if 100 * table["normalised_map"].max() < style.SEEN:
        return say(make_chart(1.0, title)[0], "normalised mAP is 0.0 % for every kind of action")
    figure, values = _draw_bins(table, "normalised_map", "normalised mAP [%], mean over classes and tIoU", title)
    for axes, percent in values.items():
        y = np.arange(len(percent))
        axes.hlines(y, 0, percent, color=COLORS[0], linewidth=1.2)
        axes.plot(percent, y, linestyle="", marker="o", markersize=9, color=COLORS[0])
    return figure


def draw_false_negatives(table: pd.DataFrame, title: str = "") -> Figure:
    """The share of missed actions in each bin, and of all as a line.

    `table` is that of `afkit.workbench.analysis.sensitivity.false_negatives`.
    """
    if (overall := table.loc[("all", "all"), "share"]) in (0, 1):
        missed = "every action is missed, at every" if overall else "no action is missed, at any"
        return say(make_chart(1.0, title)[0], f"{missed} tIoU threshold")
    figure, values = _draw_bins(table, "share", "missed actions [%], mean over tIoU", title)
    look: Look = {"facecolor": "#efd3e2", "edgecolor": BARS["miss"]["edgecolor"], "hatch": BARS["miss"]["hatch"]}
    for axes, percent in values.items():
        axes.barh(np.arange(len(percent)), percent, 0.7, linewidth=0.8, **look)
    return figure


def _draw_bins(table: pd.DataFrame, column: str, xlabel: str, title: str) -> tuple[Figure, dict[Axes, np.ndarray]]:
    """A row per bin for each characteristic, and the line of all actions; the axes with the percent of their bins.

    A characteristic of which all actions are in one bin tells nothing, and is left out while others tell something.
    """
    all_names = list(table.index.get_level_values("characteristic").unique().drop("all"))
    names = [name for name in all_names if (table.loc[name, "ground_truths"] > 0).sum() > 1] or all_names
    heights = [len(table.loc[name]) for name in names]
    height_in = 1.5 + ROW_IN * sum(heights) + 0.5 * len(names)
    figure, parts = make_figure(height_in, len(names), title, sharex=True, height_ratios=heights)
    overall = 100 * table.loc[("all", "all"), column]
    values = {}
    for axes, name in zip(parts, names, strict=True):
        line = axes.axvline(overall, color=INK, linestyle=LINES[1], linewidth=1.4)
        values[axes] = 100 * table.loc[name, column].to_numpy(float)
        for y, value in enumerate(values[axes]):
            text, x = ("none", 0) if np.isnan(value) else (f"{value:.1f}", value)
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # the line stays off the number
            axes.annotate(text, (x, y), (9, 0), textcoords="offset points", va="center", bbox=behind)
        unit, factor = UNITS[name]
        axes.set_title(unit)  # beside the axis it would be longer than a panel of two rows
        _name_rows(axes, [_bin_name(row, factor) for row in table.loc[name].itertuples()])
    parts[0].set_xlim(0, max(1.15 * np.nanmax(100 * table[column].to_numpy(float)), 1))
    parts[0].legend([line], [f"all actions: {overall:.1f} %"], loc="lower right", bbox_to_anchor=(1, 1))
    parts[-1].set_xlabel(f"{xlabel}\n(in brackets: number of actions)")
    return figure, values


def _name_rows(axes: Axes, names: list[str]) -> None:
    style.name_rows(axes, [plain(name, 40) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)


def _bin_name(row: Any, factor: float) -> str:
    """Name, range and number of actions of a bin."""
    if np.isnan(row.low):
        return f"{row.Index} ({row.ground_truths})"
    low, high = (style.three_digits(factor * value) for value in (row.low, row.high))
    return f"{row.Index}: {low}{'' if low == high else f' to {high}'} ({row.ground_truths})"
