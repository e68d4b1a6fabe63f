"""What the curves show, for ordinary tables and for empty, short and broken ones."""

import numpy as np
import pandas as pd
import pytest
from matched import legend_texts, texts

from afkit.workbench.view.curves import draw_learning_curves, draw_map_against_tiou, draw_schedule


def metrics(num_rows: int) -> pd.DataFrame:
    steps = np.arange(num_rows)
    losses = {"loss_cls": 1 / (1 + steps), "loss_reg": 0.5 / (1 + steps), "loss_total": 1.5 / (1 + steps)}
    return pd.DataFrame({"step": steps, "epoch": steps // 10, "learning_rate": 1e-4, **losses, "grad_norm": 1.0})


def test_losses_and_learning_rate():
    losses, rates = draw_learning_curves(metrics(50), title="watch").axes
    assert legend_texts(losses) == ["total", "class", "offset"]
    assert len({line.get_linestyle() for line in losses.lines}) == 3
    assert (losses.get_ylabel(), rates.get_ylabel()) == ("loss", "learning rate")
    assert rates.get_xlabel() == "training step (epoch 1 to 5)"
    np.testing.assert_allclose(losses.lines[0].get_ydata(), metrics(50)["loss_total"])
    with pytest.raises(ValueError, match="lacks the column 'loss_cls'"):
        draw_learning_curves(metrics(5).drop(columns="loss_cls"))


def test_long_trainings_are_smoothed_over_the_raw_values():
    axes = draw_learning_curves(metrics(500)).axes[0]
    assert (len(axes.lines), len(legend_texts(axes))) == (6, 3)
    raw, smooth = (line.get_ydata() for line in axes.lines[:2])
    assert np.abs(np.diff(smooth)).max() < np.abs(np.diff(raw)).max()


@pytest.mark.parametrize("table", [metrics(0), metrics(1), metrics(5).assign(loss_reg=np.nan, loss_total=np.inf)])
def test_trainings_that_hardly_began_or_diverged(table):
    draw_learning_curves(table).canvas.draw()


def test_the_schedule_counts_epochs():
    (axes,) = draw_schedule(np.linspace(0, 1e-3, 41), steps_per_epoch=10).axes
    assert axes.lines[0].get_xdata()[-1] == 4
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "learning rate")
    draw_schedule([], steps_per_epoch=10).canvas.draw()
    with pytest.raises(ValueError, match="at least 1, not 0"):
        draw_schedule([1e-4], steps_per_epoch=0)


def test_map_curves_are_told_apart_and_averaged():
    ours = pd.Series([0.8, 0.6], index=[0.3, 0.5])
    (axes,) = draw_map_against_tiou({"ours": ours, "_costs $5 or $6": ours / 2, "published": ours.iloc[::-1]}).axes
    assert legend_texts(axes) == ["ours, mean 70.0 %", r" _costs \$5 or \$6, mean 35.0 %", "published, mean 70.0 %"]
    assert len({line.get_marker() for line in axes.lines}) == 3
    assert axes.lines[2].get_ydata().tolist() == pytest.approx([80, 60])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tIoU threshold", "mAP [%]")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.3", "0.5"]
    maps = {"ours": pd.Series({"0.30": 0.8, "0.50": 0.6}), "published": pd.Series({0.5: 0.7})}
    assert legend_texts(draw_map_against_tiou(maps).axes[0]) == ["ours", "published"], "thresholds differ"
    for nothing in ({}, {"ours": pd.Series(dtype=float)}):
        assert texts(draw_map_against_tiou(nothing).axes[0]) == ["no results"]
