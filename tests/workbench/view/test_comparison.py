"""What the pictures of several runs show, for few and for many runs, and where numbers are missing."""

import math

import numpy as np
import pandas as pd
import pytest
from matched import legend_texts, only_says, row_names, texts

from afkit.workbench.view.comparison import (
    MAX_POINTS,
    draw_against_published,
    draw_class_differences,
    draw_costs,
    draw_seeds,
    draw_training_losses,
)

RUNS = pd.DataFrame(
    {
        "name": ["watch/seed1", "costs $5", "a name that is far too long to stand beside a picture"],
        "average_map_percent": [70.0, 60.0, 50.0],
        "low_percent": [65.0, 52.0, math.nan],
        "high_percent": [74.0, 66.0, math.nan],
        "published_percent": [math.nan, 66.8, 40.0],
    }
)


def points(axes, marker: str) -> list[tuple[float, float]]:
    """(x, y) of all drawn markers of a kind."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return [(x, y) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_runs_against_published_numbers():
    figure = draw_against_published(RUNS, title="all")
    (axes,) = figure.axes
    assert row_names(axes)[:2] == ["watch/seed1", r"costs \$5"] and row_names(axes)[2].endswith("…")
    assert points(axes, "o") == [(70, 0), (60, 1), (50, 2)] and points(axes, "D") == [(66.8, 1), (40, 2)]
    whiskers = [part[:, 0].tolist() for line in axes.collections for part in line.get_segments() if len(part)]
    assert whiskers == [[65, 74], [52, 66]]
    assert legend_texts(axes) == ["published"] and texts(axes) == ["70.0", "60.0", "50.0"]
    assert axes.yaxis_inverted() and axes.get_xlabel() == "average mAP [%], 95 % interval"
    figure.canvas.draw()
    (without,) = draw_against_published(RUNS.assign(published_percent=math.nan)).axes
    assert without.get_legend() is None and points(without, "D") == []


@pytest.mark.parametrize("draw", [draw_against_published, draw_costs])
def test_of_many_runs_the_first_are_drawn_and_the_others_counted(draw):
    many = pd.concat([RUNS.assign(**{"training [s]": 5.0, "peak memory [MB]": 10.0})] * 15, ignore_index=True)
    names = [f"run {i}" for i in range(45)]
    axes = draw(many.assign(name=names, setting=names)).axes[-1]
    assert row_names(axes) == [f"run {i}" for i in range(40)]
    assert axes.get_xlabel().endswith("\n(5 more are not drawn)")


def test_seeds_are_rings_and_their_mean_a_stroke():
    table = pd.DataFrame({"name": ["a", "b"], "values_percent": [[60.0, 70.0], [30.0]]})
    (axes,) = draw_seeds(table.assign(published_percent=[66.0, None])).axes
    assert points(axes, "o") == [(60, 0), (70, 0), (30, 1)]
    assert points(axes, "|") == [(65, 0), (30, 1)] and points(axes, "D") == [(66, 0)]
    assert texts(axes) == ["65.0", "30.0"] and legend_texts(axes) == ["run", "mean", "published"]
    assert legend_texts(draw_seeds(table.assign(published_percent=math.nan)).axes[0]) == ["run", "mean"]


def test_class_differences_stand_on_both_sides_of_zero():
    differences = pd.Series({"jump": 5.0, "$throw$": -3.0, "run": 0.0, "unknown": math.nan})
    (axes,) = draw_class_differences(differences, "ours", "theirs", title="classes").axes
    assert row_names(axes) == ["jump", "run", r"\$throw\$"] and axes.get_ylim() == (2.6, -0.6)
    assert [bar.get_width() for bar in axes.patches] == [5, -3]
    assert [bar.get_y() + 0.35 for bar in axes.patches] == pytest.approx([0, 2])
    assert legend_texts(axes) == ["ours is better (1 of 3)", "theirs is better (1 of 3)"]
    left, right = axes.get_legend().legend_handles
    assert left.get_facecolor() != right.get_facecolor() and left.get_hatch() != right.get_hatch()
    assert axes.get_xlabel() == "difference of AP [percentage points]"


def test_of_many_classes_the_largest_gains_and_losses_are_drawn():
    differences = pd.Series(np.arange(200.0) - 99.5, index=[f"class {i}" for i in range(200)])
    (axes,) = draw_class_differences(differences.sample(frac=1, random_state=0), "a", "b").axes
    assert row_names(axes) == [f"class {i}" for i in (*range(199, 189, -1), *range(9, -1, -1))]
    assert sorted(bar.get_width() for bar in axes.patches) == [*np.arange(10) - 99.5, *np.arange(10) + 90.5]
    assert legend_texts(axes) == ["a is better (100 of 200)", "b is better (100 of 200)"]
    assert texts(axes) == ["180 classes between these"]
    assert axes.get_yticks()[9:11].tolist() == [9, 11], "with a row between them for the remark"


def metrics(steps: int, per_epoch: int, loss: float = 1.0) -> pd.DataFrame:
    count = np.arange(steps)
    return pd.DataFrame({"epoch": count // per_epoch, "loss_total": loss * (1 + count % per_epoch)})


def test_losses_are_means_over_an_epoch_against_the_epoch():
    figure = draw_training_losses({"a": metrics(6, 3), "b": metrics(8, 2, 0.5)}, title="watch")
    (axes,) = figure.axes
    assert axes.lines[0].get_xdata() == pytest.approx(np.arange(1, 7) / 3) and axes.lines[1].get_xdata()[-1] == 4
    assert axes.lines[0].get_ydata() == pytest.approx([1.5, 2, 2, 2, 2, 2.5])
    assert legend_texts(axes) == ["a", "b"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("epoch", "training loss, running mean", "log")
    figure.canvas.draw()
    assert not any("10^" in name for name in row_names(axes))
    cut_short = draw_training_losses({"a": metrics(4, 3)}).axes[0].lines[0]
    assert cut_short.get_xdata() == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3]), "no shorter than other epochs"


def test_of_many_or_long_trainings_some_are_drawn():
    (axes,) = draw_training_losses({f"run {i}": metrics(4, 2) for i in range(10)}).axes
    assert legend_texts(axes) == [f"run {i}" for i in range(7)]
    assert len({(line.get_linestyle(), line.get_color()) for line in axes.lines}) == 7
    assert axes.get_xlabel() == "epoch (3 more runs are not drawn)"
    line = draw_training_losses({"a": metrics(50_000, 100)}).axes[0].lines[0]
    assert len(line.get_xdata()) == MAX_POINTS and line.get_xdata()[[0, -1]].tolist() == [0.01, 500]


def test_trainings_that_hardly_began_or_diverged_are_drawn():
    broken = metrics(6, 3).assign(loss_total=[1, math.nan, math.inf, 0, -1, 2])
    figure = draw_training_losses({"empty": metrics(0, 1), "one": metrics(1, 1), "broken": broken})
    assert legend_texts(figure.axes[0]) == ["one", "broken"]
    figure.canvas.draw()


def test_costs_are_bars_in_the_units_of_their_headings():
    table = pd.DataFrame({"setting": ["a", "b"], "runs": 1, "training [h]": [2.0, 1.0]})
    axes = draw_costs(table.assign(**{"peak memory [MB]": [2048.0, math.nan]})).axes
    assert [one.get_xlabel() for one in axes] == ["training [h]", "peak memory [MB]"]
    assert [bar.get_width() for bar in axes[0].patches[:2]] == [2, 1]
    assert texts(axes[1]) == ["2048", "not on record"]


def test_nothing_to_show_is_said():
    assert only_says(draw_against_published(RUNS.head(0)), "no results")
    assert only_says(draw_seeds(pd.DataFrame(columns=["name", "values_percent", "published_percent"])), "no results")
    assert only_says(draw_class_differences(pd.Series(dtype=float), "a", "b"), "no classes that both have")
    assert only_says(draw_training_losses({}), "no training on record")
    assert only_says(draw_costs(pd.DataFrame(columns=["setting", "runs"])), "no cost on record")
