"""Runs side by side: against published numbers, over seeds, class by class, as they trained, and what they cost."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from afkit.workbench.view.style import COLORS, HATCHES, INK, LINES, QUIET, Look, make_figure, plain, say, set_title

MAX_ROWS = 40
MAX_LINES = 7  # as many as there are looks
MAX_POINTS = 1000  # of a curve; more are not seen and make large files
ROW_IN, BAR_IN = 0.42, 0.26  # heights of a row of dots and of a bar
LETTERS = 42  # of a run's name
DIAMOND: Look = {"linestyle": "", "marker": "D", "markersize": 8, "markerfacecolor": "white", "markeredgecolor": INK}
DIAMOND |= {"markeredgewidth": 1.5, "label": "published"}
RING: Look = {"linestyle": "", "marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgecolor": COLORS[0]}
RING |= {"label": "run"}
STROKE: Look = {"linestyle": "", "marker": "|", "markersize": 16, "markeredgewidth": 2.5, "color": COLORS[0]}
STROKE |= {"label": "mean"}


def draw_against_published(table: pd.DataFrame, title: str = "") -> Figure:
    """A row per run: average mAP as a dot with its interval as whiskers, and what was published as a hollow diamond.

    Args:
        table: name, average_map_percent, low_percent, high_percent, published_percent; blank where unknown. The first
            40 rows are drawn.
    """
    figure, axes, shown = _rows_of(table, "average mAP [%], 95 % interval", title)
    for y, row in enumerate(shown.itertuples()):
        axes.hlines(y, row.low_percent, row.high_percent, color=COLORS[0], linewidth=2)
        ends: Look = {"marker": "|", "markersize": 9, "markeredgewidth": 2, "color": COLORS[0], "linestyle": ""}
        axes.plot([row.low_percent, row.high_percent], [y, y], **ends)
        axes.plot(row.average_map_percent, y, "o", markersize=8, color=COLORS[0])
        _write_value(axes, row.average_map_percent, y)
    _add_published(axes, shown["published_percent"], [])
    return figure


def draw_seeds(table: pd.DataFrame, title: str = "") -> Figure:
    """A row per setting: a ring for each of its runs, their mean as an upright stroke, the published number.

    Args:
        table: name, values_percent (a list, one for each run), published_percent; blank where unknown. The first 40
            rows are drawn.
    """
    figure, axes, shown = _rows_of(table, "average mAP [%]", title)
    for y, row in enumerate(shown.itertuples()):
        values = row.values_percent
        axes.hlines(y, min(values), max(values), color=COLORS[3], linewidth=2)
        axes.plot(values, [y] * len(values), **RING)
        axes.plot(np.mean(values), y, **STROKE)
        _write_value(axes, float(np.mean(values)), y)
    _add_published(axes, shown["published_percent"], [RING, STROKE] if len(shown) else [])
    return figure


def draw_class_differences(differences: pd.Series, a: str, b: str, num_each: int = 10, title: str = "") -> Figure:
    """In which classes one run is better, and in which the other: the largest differences of AP as bars.

    Args:
        differences: AP of a less that of b in percentage points, by name of the class.
        num_each: how many of the largest gains and of the largest losses; all, if they are no more than both.
    """
    falling = differences.dropna().sort_values(ascending=False, kind="stable")
    left_out = max(len(falling) - 2 * num_each, 0)
    shown = pd.concat([falling.head(num_each), falling.tail(num_each)]) if left_out else falling
    figure, (axes,) = make_figure(1.8 + BAR_IN * max(len(shown) + bool(left_out), 3))
    set_title(figure, title)
    axes.set(xlabel="difference of AP [percentage points]")
    if shown.empty:
        say(axes, "no classes that both have")
        return figure
    y = np.arange(len(shown)) + np.where(np.arange(len(shown)) >= num_each, bool(left_out), 0)
    looks = []
    for sign, name, color, hatch in ((1, a, COLORS[0], ""), (-1, b, COLORS[1], HATCHES[1])):
        some = (sign * shown > 0).to_numpy()
        look: Look = {"facecolor": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        axes.barh(y[some], shown[some], 0.7, **look)
        label = f"{plain(name, LETTERS)} is better ({int((sign * falling > 0).sum())} of {len(falling)})"
        looks.append(Patch(label=label, **look))
    axes.axvline(0, color=INK, linewidth=1)
    _name_rows(axes, [plain(name, 30) for name in shown.index], y)
    axes.legend(handles=looks, loc="lower left", bbox_to_anchor=(0, 1))
    if left_out:
        remark = f"{left_out} classes between these"
        axes.text(0.5, num_each, remark, transform=axes.get_yaxis_transform(), ha="center", va="center", color=QUIET)
    return figure


def draw_training_losses(trainings: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """The training loss of several runs against the epoch, as running means over an epoch, on a logarithmic axis.

    Args:
        trainings: name -> metrics with epoch and loss_total, a row per step. The first 7 are drawn, the others named
            as left out.
    """
    figure, (axes,) = make_figure(4.2)
    set_title(figure, title)
    left_out = max(len(trainings) - MAX_LINES, 0)
    remark = f" ({left_out} more runs are not drawn)" if left_out else ""
    axes.set(xlabel=f"epoch{remark}", ylabel="training loss, running mean")
    drawn = {name: metrics for name, metrics in list(trainings.items())[:MAX_LINES] if len(metrics)}
    if not drawn:
        say(axes, "no training on record")
        return figure
    for i, (name, metrics) in enumerate(drawn.items()):
        steps_per_epoch = int(metrics["epoch"].value_counts().max())
        place = metrics.groupby("epoch").cumcount() + 1
        epoch = (metrics["epoch"] + place / steps_per_epoch).to_numpy()
        loss = metrics["loss_total"].rolling(steps_per_epoch, min_periods=1, center=True).mean().to_numpy()
        some = np.linspace(0, len(loss) - 1, min(len(loss), MAX_POINTS)).round().astype(int)
        look = {"color": COLORS[i], "linestyle": LINES[i], "linewidth": 1.8, "marker": "." if len(loss) == 1 else ""}
        axes.plot(epoch[some], loss[some], label=plain(name, 60), **look)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # no powers of ten
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), handlelength=3.2)
    return figure


def draw_costs(table: pd.DataFrame, title: str = "") -> Figure:
    """Time of the training, time of the predictions and peak memory, as bars one below the other.

    Args:
        table: name, training_sec, prediction_sec, peak_memory_mb; blank where unknown. The first 40 rows are drawn,
            and of the three those that any row has.
    """
    costs = {
        "training": _in_readable_unit(table["training_sec"]),
        "prediction": _in_readable_unit(table["prediction_sec"]),
        "peak memory": ("GB", table["peak_memory_mb"] / 1024),
    }
    known = {name: cost for name, cost in costs.items() if cost[1].notna().any()}
    shown = table.head(MAX_ROWS)
    height_in = len(known) * (0.75 + BAR_IN * max(len(shown), 2)) + 0.3
    figure, panels = make_figure(max(height_in, 1.5), max(len(known), 1))
    set_title(figure, title)
    if not known:
        say(panels[0], "no cost on record")
    for axes, (name, (unit, values)) in zip(panels, known.items(), strict=False):
        values = values.head(MAX_ROWS)
        axes.barh(np.arange(len(shown)), values, 0.7, color=COLORS[3])
        for y, value in enumerate(values):
            text = "not on record" if np.isnan(value) else f"{value:.3g}"
            axes.annotate(text, (0 if np.isnan(value) else value, y), (4, 0), textcoords="offset points", va="center")
        axes.set(xlabel=f"{name} [{unit}]")
        axes.margins(x=0.12)
        _name_rows(axes, [plain(each, LETTERS) for each in shown["name"]], np.arange(len(shown)))
    _say_left_out(panels[-1], len(table))
    return figure


def _rows_of(table: pd.DataFrame, label: str, title: str) -> tuple[Figure, Axes, pd.DataFrame]:
    """A figure with a row for each of the first entries, their names beside it."""
    shown = table.head(MAX_ROWS)
    figure, (axes,) = make_figure(1.3 + ROW_IN * max(len(shown), 3))
    set_title(figure, title)
    axes.set(xlabel=label)
    if shown.empty:
        say(axes, "no results")
        return figure, axes, shown
    _name_rows(axes, [plain(name, LETTERS) for name in shown["name"]], np.arange(len(shown)))
    axes.set_ylim(len(shown) - 0.5, -0.8)
    axes.margins(x=0.06)
    _say_left_out(axes, len(table))
    return figure, axes, shown


def _add_published(axes: Axes, values: pd.Series, looks: Sequence[Look]) -> None:
    """Hollow diamonds in the rows that have a number; above the picture, what they and the other marks stand for."""
    known = np.flatnonzero(values.notna())
    if len(known):
        axes.plot(values.iloc[known], known, **DIAMOND)
    shown = [*looks, DIAMOND] if len(known) else looks
    if shown:
        handles = [Line2D([], [], **look) for look in shown]
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


def _write_value(axes: Axes, value: float, y: int) -> None:
    axes.annotate(f"{value:.1f}", (value, y), (0, 10), textcoords="offset points", ha="center", color=INK)


def _name_rows(axes: Axes, names: Sequence[str], y: np.ndarray) -> None:
    """Names beside the rows, the first on top."""
    axes.set_yticks(y, names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(y[-1] + 0.6, y[0] - 0.6)  # also where bars are 0


def _say_left_out(axes: Axes, number: int) -> None:
    if number > MAX_ROWS:
        axes.set_xlabel(f"{axes.get_xlabel()}\n({number - MAX_ROWS} more are not drawn)")


def _in_readable_unit(seconds: pd.Series) -> tuple[str, pd.Series]:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds.max() >= 2 * size:
            return unit, seconds / size
    return "s", seconds
