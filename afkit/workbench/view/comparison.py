"""Runs side by side: against published numbers, over seeds, class by class, as they trained, and what they cost."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from afkit.workbench.view import style
from afkit.workbench.view.style import COLORS, HATCHES, INK, QUIET, Look, make_chart, make_figure, plain, say

MAX_ROWS = 40
MAX_LINES = 7  # as many as there are looks
MAX_POINTS = 1000  # of a curve; more are not seen and make large files
ROW_IN, BAR_IN = 0.42, 0.26  # heights of a row of dots and of a bar
LETTERS = 42  # of a run's name
RING: Look = {"linestyle": "", "marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgecolor": COLORS[0]}
STROKE: Look = {"linestyle": "", "marker": "|", "markersize": 16, "markeredgewidth": 2.5, "color": COLORS[0]}


def draw_against_published(table: pd.DataFrame, title: str = "") -> Figure:
    """A row per run: average mAP as a dot with its interval as whiskers, and what was published as a hollow diamond.

    `table` has name, average_map_percent, low_percent, high_percent, published_percent; the first 40 rows are drawn.
    """
    label = f"average mAP [%]{', 95 % interval' if table['low_percent'].notna().any() else ''}"
    figure, axes, shown = _draw_rows(table, label, title)
    for y, row in enumerate(shown.itertuples()):
        style.draw_interval(axes, row.average_map_percent, row.low_percent, row.high_percent, y)
        _write_value(axes, row.average_map_percent, y)
    _add_published(axes, shown["published_percent"], {})
    return figure


def draw_seeds(table: pd.DataFrame, title: str = "") -> Figure:
    """A row per setting: a ring for each of its runs, their mean as an upright stroke, the published number.

    `table` has name, values_percent (a list, one for each run), published_percent; the first 40 rows are drawn.
    """
    figure, axes, shown = _draw_rows(table, "average mAP [%]", title)
    for y, values in enumerate(shown["values_percent"]):
        axes.hlines(y, min(values), max(values), color=COLORS[3], linewidth=2)
        axes.plot(values, [y] * len(values), **RING)
        axes.plot(np.mean(values), y, **STROKE)
        _write_value(axes, float(np.mean(values)), y)
    _add_published(axes, shown["published_percent"], {"run": RING, "mean": STROKE} if len(shown) else {})
    return figure


def draw_class_differences(differences: pd.Series, a: str, b: str, num_each: int = 10, title: str = "") -> Figure:
    """In which classes one run is better, and in which the other: the largest differences of AP as bars.

    Args:
        differences: AP of a less that of b in percentage points, by name of the class.
        num_each: how many of the largest gains and of the largest losses; all, if they are no more than both.
    """
    falling = differences.dropna().sort_values(ascending=False, kind="stable")
    rows, y = style.both_ends(len(falling), num_each)
    shown, left_out = falling.iloc[rows], len(falling) - len(rows)
    height_in = 1.8 + BAR_IN * max(len(shown) + bool(left_out), 3)
    figure, axes = make_chart(height_in, title, xlabel="difference of AP [percentage points]")
    if shown.empty:
        return say(figure, "no classes that both have")
    looks = []
    for sign, name, color, hatch in ((1, a, COLORS[0], ""), (-1, b, COLORS[1], HATCHES[1])):
        some = (sign * shown > 0).to_numpy()
        look: Look = {"facecolor": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        axes.barh(y[some], shown[some], 0.7, **look)
        label = f"{plain(name, LETTERS)} is better ({int((sign * falling > 0).sum())} of {len(falling)})"
        looks.append(Patch(label=label, **look))
    axes.axvline(0, color=INK, linewidth=1)
    style.name_rows(axes, [plain(name, 30) for name in shown.index], y)
    axes.set_ylim(y[-1] + 0.6, -0.6)  # also where differences are 0
    style.legend_above(axes, handles=looks)
    if left_out:
        remark = f"{left_out} classes between these"
        axes.text(0.5, num_each, remark, transform=axes.get_yaxis_transform(), ha="center", va="center", color=QUIET)
    return figure


def draw_training_losses(trainings: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """The training loss of several runs against the epoch, as running means over an epoch, on a logarithmic axis.

    `trainings`: name -> metrics with epoch and loss_total, a row per step; the first 7 are drawn, the others counted.
    """
    left_out = max(len(trainings) - MAX_LINES, 0)
    remark = f" ({left_out} more runs are not drawn)" if left_out else ""
    figure, axes = make_chart(4.2, title, xlabel=f"epoch{remark}", ylabel="training loss, running mean")
    drawn = {name: metrics for name, metrics in list(trainings.items())[:MAX_LINES] if len(metrics)}
    if not drawn:
        return say(figure, "no training on record")
    for i, (name, metrics) in enumerate(drawn.items()):
        steps_per_epoch = int(metrics["epoch"].value_counts().max())
        place = metrics.groupby("epoch").cumcount() + 1
        epoch = (metrics["epoch"] + place / steps_per_epoch).to_numpy()
        loss = metrics["loss_total"].rolling(steps_per_epoch, min_periods=1, center=True).mean().to_numpy()
        some = np.linspace(0, len(loss) - 1, min(len(loss), MAX_POINTS)).round().astype(int)
        look = style.line_look(i) | {"marker": "." if len(loss) == 1 else ""}
        axes.plot(epoch[some], loss[some], label=plain(name, 60), **look)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    style.plain_numbers(axes.yaxis)
    axes.yaxis.set_minor_formatter(NullFormatter())
    style.legend_above(axes, handlelength=3.2)
    return figure


def draw_costs(table: pd.DataFrame, title: str = "") -> Figure:
    """Times and memory as bars, one cost below the other.

    `table` is that of `afkit.workbench.runs.summary.readable_costs`, where they have units: "training [min]"; the first
    40 rows are drawn.
    """
    known = [name for name in table if name.endswith("]")]
    names = [plain(name, LETTERS) for name in table["setting"].head(MAX_ROWS)]
    height_in = len(known) * (0.75 + BAR_IN * max(len(names), 2)) + 0.3
    figure, panels = make_figure(max(height_in, 1.5), max(len(known), 1), title)
    if not known:
        say(figure, "no cost on record")
    for axes, name in zip(panels, known, strict=False):
        values = table[name].head(MAX_ROWS).astype(float)
        axes.barh(range(len(names)), values, 0.7, color=COLORS[3])
        for y, value in enumerate(values):
            text = "not on record" if np.isnan(value) else style.three_digits(value)
            axes.annotate(text, (0 if np.isnan(value) else value, y), (4, 0), textcoords="offset points", va="center")
        axes.set(xlabel=name, ylim=(len(names) - 0.4, -0.6))
        axes.margins(x=0.12)
        style.name_rows(axes, names)
    _say_left_out(panels[-1], len(table))
    return figure


def _draw_rows(table: pd.DataFrame, xlabel: str, title: str) -> tuple[Figure, Axes, pd.DataFrame]:
    """A figure with a row for each of the first entries, their names beside it."""
    shown = table.head(MAX_ROWS)
    figure, axes = make_chart(1.3 + ROW_IN * max(len(shown), 3), title, xlabel=xlabel)
    if shown.empty:
        say(figure, "no results")
    else:
        style.name_rows(axes, [plain(name, LETTERS) for name in shown["name"]])
        axes.set_ylim(len(shown) - 0.5, -0.8)
        axes.margins(x=0.06)
        _say_left_out(axes, len(table))
    return figure, axes, shown


def _add_published(axes: Axes, values: pd.Series, looks: Mapping[str, Look]) -> None:
    """Hollow diamonds in the rows that have a number; above the picture, what they and the other marks stand for."""
    known = np.flatnonzero(values.notna())
    if len(known):
        axes.plot(values.iloc[known], known, **style.DIAMOND)
        looks = {**looks, "published": style.DIAMOND}
    if looks:
        style.legend_above(axes, handles=[Line2D([], [], label=name, **look) for name, look in looks.items()], ncols=3)


def _write_value(axes: Axes, value: float, y: int) -> None:
    axes.annotate(f"{value:.1f}", (value, y), (0, 10), textcoords="offset points", ha="center", color=INK)


def _say_left_out(axes: Axes, number: int) -> None:
    if number > MAX_ROWS:
        axes.set_xlabel(f"{axes.get_xlabel()}\n({number - MAX_ROWS} more are not drawn)")
