"""How far to trust a result: reliability of the scores, the threshold to deploy, intervals of several runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from afkit.workbench.analysis.bootstrap import Interval
from afkit.workbench.analysis.calibration import Calibration
from afkit.workbench.view import style
from afkit.workbench.view.style import COLORS, INK, QUIET, Look, make_chart, make_figure, plain, say

ROW_IN = 0.4  # height of a run in a chart of intervals
MAX_POINTS = 2000  # of a curve; more are not seen and make large files


def draw_reliability(calibrated: Calibration, title: str = "") -> Figure:
    """Share of hits against score, bin by bin, and how many predictions each bin has."""
    figure, (shares, counts) = make_figure(5.2, 2, title, sharex=True, height_ratios=[2.6, 1])
    shares.set(ylabel="hits [%]", xlim=(0, 1), ylim=(0, 100))
    counts.set(xlabel="score", ylabel="predictions")
    bins = calibrated.bins[calibrated.bins["count"] > 0]
    if bins.empty or calibrated.error is None:
        return say(figure, "no predictions")
    shares.plot([0, 1], [0, 100], color=QUIET, linestyle="--", linewidth=1.2, label="score = share of hits")
    label = f"hits at tIoU {calibrated.tiou:g}; calibration error {100 * calibrated.error:.1f} %"
    look: Look = {"color": COLORS[0], "marker": "o", "markersize": 7, "linewidth": 1.8, "clip_on": False}
    shares.plot(bins["mean_score"], 100 * bins["hit_share"], label=label, **look)
    width = (bins["high"] - bins["low"]).clip(lower=0.004)  # bins of one score, too, are seen
    counts.bar(bins["low"], bins["count"], width, align="edge", color=COLORS[3], edgecolor=INK, linewidth=0.6)
    counts.set_yscale("log")
    style.plain_numbers(counts.yaxis)
    counts.set_ylim(bottom=0.8)
    counts.margins(y=0.15)
    style.legend_above(shares)
    return figure


def draw_operating_curve(curve: pd.DataFrame, best: pd.Series | None = None, title: str = "") -> Figure:
    """Precision, recall and F1 against the score threshold; below, where it is known, false alarms per hour.

    Args:
        curve: `overall` of `afkit.workbench.analysis.operating_point.operating_points`, or the rows of one class of
            `by_class`.
        best: the row to mark, such as `best`; one without a threshold is not marked.
    """
    rows = np.linspace(len(curve) - 1, 0, min(len(curve), MAX_POINTS)).round().astype(int)
    shown = curve.iloc[rows]  # thresholds rising
    known = shown["false_alarms_per_hour"].notna().any()
    rows_in = [2.2, 1] if known else [1]
    figure, axes = make_figure(5.4 if known else 3.7, len(rows_in), title, sharex=True, height_ratios=rows_in)
    axes[0].set(ylabel="[%]", ylim=(0, 102))
    axes[-1].set(xlabel="score threshold")
    if shown.empty:
        return say(figure, "no predictions")
    step = {"drawstyle": "steps-pre"}  # a threshold between two scores keeps what the higher one keeps
    for i, (column, name) in enumerate({"precision": "precision", "recall": "recall", "f1": "F1"}.items()):
        axes[0].plot(shown["threshold"], 100 * shown[column], label=name, **style.line_look(i), **step)
    if known:
        axes[1].plot(shown["threshold"], shown["false_alarms_per_hour"], color=INK, **step)
        axes[1].set(ylabel="false alarms\nper hour")
        axes[1].set_ylim(bottom=0)
    if best is not None and np.isfinite(best["threshold"]):
        text = f"best F1 {100 * best['f1']:.0f} % at {best['threshold']:.2f}"
        for each in axes:
            each.axvline(best["threshold"], color=QUIET, linestyle=":", linewidth=2, label=text)
    style.legend_above(axes[0], ncols=4, columnspacing=1.2, handlelength=1.8)
    return figure


def draw_intervals(
    results: Mapping[str, Interval | float], label: str = "average mAP [%] and 95 % interval", title: str = ""
) -> Figure:
    """Several results one below the other: dots with whiskers; a number without an interval is a hollow diamond.

    Args:
        results: name -> interval of `bootstrap_map` or `compare_runs`, or a number, such as a published one;
            fractions. Where some lie below 0 and some above, a line marks 0.
    """
    figure, axes = make_chart(1.1 + ROW_IN * max(len(results), 3), title, xlabel=label)
    if not results:
        return say(figure, "no results")
    ends, values = [], []
    for y, result in enumerate(results.values()):
        if isinstance(result, Interval):
            value, low, high = (100 * number for number in result[:3])
            style.draw_interval(axes, value, low, high, y)
            ends += [low, high]
        else:
            value = 100 * result
            axes.plot(value, y, **style.DIAMOND)
            ends.append(value)
        values.append(value)
    digits = 1 if max(ends) - min(ends) >= 2 else 2
    for y, value in enumerate(values):
        text = f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
        axes.annotate(text, (value, y), (0, 8), textcoords="offset points", ha="center", color=INK)
    if min(ends) < 0 < max(ends):
        axes.axvline(0, color=QUIET, linestyle="--", linewidth=1.2)
    style.name_rows(axes, [plain(name, 34) for name in results])
    axes.set_ylim(len(results) - 0.5, -0.8)
    axes.margins(x=0.06)
    return figure
