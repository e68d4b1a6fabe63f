"""Curves: training as it went, the learning-rate schedule, mAP against tIoU."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from afkit.workbench.view.style import (
    COLORS,
    MARKERS,
    Look,
    legend_above,
    line_look,
    make_chart,
    make_figure,
    plain,
    say,
)

SMOOTHED_FROM = 100  # rows of metrics; fewer are drawn as they are
NAMES = {"loss_cls": "class loss", "loss_reg": "offset loss", "loss_total": "total loss", "grad_norm": "gradient norm"}
LOSSES = {"loss_total": "total", "loss_cls": "class", "loss_reg": "offset"}  # columns of metrics, and their names


def draw_learning_curves(metrics: pd.DataFrame, title: str = "") -> Figure:
    """The losses and the learning rate of a training; of a long one the running mean, with the raw values behind it.

    Args:
        metrics: one row per logged step: step, epoch, learning_rate, loss_cls, loss_reg, loss_total. May be empty
            or hold NaN.

    Raises:
        ValueError: a column is missing.
    """
    missing = [name for name in ("step", "epoch", "learning_rate", *LOSSES) if name not in metrics]
    if missing:
        raise ValueError(f"metrics lacks the column '{missing[0]}'")
    figure, (losses, rates) = make_figure(5.2, 2, title, sharex=True, height_ratios=[2.4, 1])
    losses.set(ylabel="loss")
    rates.set(xlabel="training step", ylabel="learning rate")
    if metrics.empty:
        return say(figure, "nothing logged yet")
    mark = "." if len(metrics) == 1 else ""
    for i, (column, name) in enumerate(LOSSES.items()):
        values = metrics[column]
        if len(values) >= SMOOTHED_FROM:
            losses.plot(metrics["step"], values, color=COLORS[i], linewidth=0.6, alpha=0.3)
            values = values.rolling(len(values) // 25, min_periods=1, center=True).mean()
        losses.plot(metrics["step"], values, marker=mark, label=name, **line_look(i))
    losses.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    rates.plot(metrics["step"], metrics["learning_rate"], color=COLORS[0], marker=mark)
    rates.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)
    rates.set_xlabel(f"training step (epoch {metrics['epoch'].min() + 1:g} to {metrics['epoch'].max() + 1:g})")
    return figure


def draw_schedule(learning_rates: Sequence[float], steps_per_epoch: int, title: str = "") -> Figure:
    """The learning rate of every step of a training that is planned; a ValueError where an epoch has no step."""
    if steps_per_epoch < 1:
        raise ValueError(f"steps_per_epoch is at least 1, not {steps_per_epoch}")
    figure, axes = make_chart(2.6, title, xlabel="epoch", ylabel="learning rate")
    axes.plot(np.arange(len(learning_rates)) / steps_per_epoch, learning_rates)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)
    return figure


def draw_map_against_tiou(maps: Mapping[str, pd.Series], title: str = "") -> Figure:
    """Mean average precision against the tIoU threshold, a line for each of several results.

    Args:
        maps: name, such as "ours" or "published" -> Series of fractions, indexed by tIoU. The legend gives each one's
            mean where all have the same thresholds.
    """
    figure, axes = make_chart(3.9, title, xlabel="tIoU threshold", ylabel="mAP [%]")
    curves = {name: 100 * series.rename(index=float).sort_index() for name, series in maps.items() if len(series)}
    if not curves:
        return say(figure, "no results")
    tious = sorted({tiou for curve in curves.values() for tiou in curve.index})
    comparable = all(list(curve.index) == tious for curve in curves.values())
    hollow: Look = {"markersize": 8, "markerfacecolor": "none", "markeredgewidth": 1.8}  # all stay visible
    for i, (name, curve) in enumerate(curves.items()):
        label = plain(name, 40) + (f", mean {curve.mean():.1f} %" if comparable else "")
        look = line_look(i) | {"marker": MARKERS[i % 7], "clip_on": False}
        axes.plot(curve.index, curve, label=label, **look, **hollow)
    if len(tious) <= 10:
        axes.set_xticks(tious, [f"{tiou:g}" for tiou in tious])
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return figure
