"""How far to trust a result: reliability of the scores, the threshold to deploy, intervals of several runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from afkit.workbench.analysis.bootstrap import Interval
from afkit.workbench.analysis.calibration import Calibration
from afkit.workbench.analysis.operating_point import OperatingPoints
from afkit.workbench.view import style
from afkit.workbench.view.style import COLORS, INK, QUIET, Look, make_chart, make_figure, plain, say

ROW_IN = 0.4  # height of a run in a chart of intervals
PANELS, MOST_PANELS = 3, 12  # of precision and recall: in a row, and in all
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
        best: the row to mark, such as `best`.
    """
    rows = np.linspace(len(curve) - 1, 0, min(len(curve), MAX_POINTS)).round().astype(int)
    shown = curve.iloc[rows]  # thresholds rising
    known = shown["false_alarms_per_hour"].notna().any()
    rows_in = [2.2, 1] if known else [1]
    figure, axes = make_figure(5.4 if known else 3.7, len(rows_in), title, sharex=True, height_ratios=rows_in)
    axes[0].set(ylabel="[%]", ylim=(0, 102))
    axes[-1].set(xlabel="score threshold")
    if not shown["hits"].any():
        return say(figure, "no prediction is right, at any score" if len(shown) else "no predictions")
    step = {"drawstyle": "steps-pre"}  # a threshold between two scores keeps what the higher one keeps
    for i, (column, name) in enumerate({"precision": "precision", "recall": "recall", "f1": "F1"}.items()):
        axes[0].plot(shown["threshold"], 100 * shown[column], label=name, **style.line_look(i), **step)
    if known:
        axes[1].plot(shown["threshold"], shown["false_alarms_per_hour"], color=INK, **step)
        axes[1].set(ylabel="false alarms\nper hour")
        axes[1].set_yscale("symlog", linthresh=10)  # those of useful thresholds are a hundredth of the most
        style.plain_numbers(axes[1].yaxis)
        axes[1].set_ylim(bottom=0)
    if best is not None:
        text = f"best F1 {100 * best['f1']:.0f} % at {best['threshold']:.2f}"
        for each in axes:
            each.axvline(best["threshold"], color=QUIET, linestyle=":", linewidth=2, label=text)
    style.legend_above(axes[0], ncols=4, columnspacing=1.2, handlelength=1.8)
    return figure


def draw_precision_recall(points: OperatingPoints, label_names: Mapping[int, str], title: str = "") -> Figure:
    """Precision against recall as the score falls, a panel for each class that happens and has a hit.

    Of many classes 12 are drawn, from the best to the worst. The coloured area lies below the falling envelope of the
    precision: it is the AP at this tIoU, but for equal scores. A diamond marks the threshold of the best F1.
    """
    curves = {int(label): rows for label, rows in points.by_class.groupby("label") if rows["recall"].notna().all()}
    steps = {label: _envelope(rows) for label, rows in curves.items()}
    areas = {label: float((np.diff(recall) * high[1:]).sum()) for label, (recall, high) in steps.items()}
    falling = sorted(filter(areas.get, areas), key=lambda label: -areas[label])
    places = np.linspace(0, len(falling) - 1, min(len(falling), MOST_PANELS)).round().astype(int)
    drawn = [falling[place] for place in places]
    rows_of_panels = max(-(-len(drawn) // PANELS), 1)
    figure, panels = make_figure(0.9 + 1.75 * rows_of_panels, rows_of_panels, title, PANELS, sharex=True, sharey=True)
    if not drawn:
        return say(figure, "no prediction is right, so there is no curve of precision and recall")
    for axes, label in zip(panels, drawn, strict=False):
        axes.fill_between(*steps[label], step="pre", color=COLORS[3], alpha=0.4, linewidth=0)
        axes.plot(100 * curves[label]["recall"], 100 * curves[label]["precision"], color=COLORS[0], linewidth=1.4)
        best = points.best_by_class.loc[label]
        axes.plot(100 * best["recall"], 100 * best["precision"], **style.DIAMOND | {"markersize": 6, "clip_on": False})
        name = style.class_name(label, label_names, 24)
        axes.set_title(f"{name}\nAP {areas[label] / 100:.1f} %", fontsize="small")
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    for axes in panels[max(len(drawn) - PANELS, 0) : len(drawn)]:  # nothing is below
        axes.tick_params(labelbottom=True)
    for axes in panels:
        axes.tick_params(labelsize="small")
    panels[0].set(xlim=(0, 104), ylim=(0, 104), xticks=(0, 50, 100), yticks=(0, 50, 100))
    left_out = [f"{len(drawn)} of {len(falling)} classes"] * (len(drawn) < len(falling))
    without = int(points.best_by_class["recall"].count()) - len(falling)
    left_out += [f"{without} classes without a hit are left out"] * (without > 0)
    figure.supxlabel("\n".join(["recall [%]", *filter(None, ["; ".join(left_out)])]), fontsize="medium")
    figure.supylabel("precision [%]", fontsize="medium")
    return figure


def _envelope(curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Percent of recall, from 0 on, and the highest precision at that recall or more."""
    high = np.maximum.accumulate(100 * curve["precision"].to_numpy()[::-1])[::-1]
    return np.append(0, 100 * curve["recall"].to_numpy()), np.append(high[:1], high)


def draw_differences(differences: Mapping[str, Interval]) -> Figure:
    """As `draw_intervals`, of differences of average mAP: the line that marks 0 is always in the picture."""
    figure = draw_intervals(differences, "difference of average mAP [percentage points]")
    if differences:
        figure.axes[0].axvline(0, color=INK, linewidth=1.2)
    return figure


def draw_intervals(results: Mapping[str, Interval | float], label: str = "average mAP [%]", title: str = "") -> Figure:
    """Several results one below the other: dots with whiskers; a number without an interval is a hollow diamond.

    Args:
        results: name -> interval of `bootstrap_map` or `compare_runs`, or a number, such as a published one; fractions.
        label: of the axis; that whiskers are 95 % intervals is added where there are some.
    """
    if any(isinstance(result, Interval) for result in results.values()):
        label += ", 95 % interval"
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
    style.name_rows(axes, [plain(name, 34) for name in results])
    axes.set_ylim(len(results) - 0.5, -0.8)
    axes.margins(x=0.06)
    return figure
