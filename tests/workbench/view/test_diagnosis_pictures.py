"""What the pictures of the diagnosis show, for known tables, for real ones and for empty ones."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matched import legend_texts, only_says, row_names, texts

from afkit.workbench.analysis.diagnosis import diagnose
from afkit.workbench.analysis.false_positives import KINDS
from afkit.workbench.view.diagnosis import (
    LOOKS,
    draw_diagnosis,
    draw_false_negatives,
    draw_false_positive_profile,
    draw_removal_gains,
    draw_sensitivity,
)


def profile_of(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="band"), columns=list(KINDS), dtype=float)


def gains_of(*tious) -> pd.DataFrame:
    values = [[0.01 * (kind + 1) + 0.1 * s for s in range(len(tious))] for kind in range(5)]
    return pd.DataFrame(values, index=list(KINDS[1:]), columns=list(tious))


def table_of(column: str) -> pd.DataFrame:
    """Three bins of length, one of which is empty, three of coverage, and one of instances, which tells nothing."""
    rows = {
        ("all", "all"): (np.nan, np.nan, 5, 0.25),
        ("length", "XS"): (999.7, 2999.9, 3, 0.25),
        ("length", "S"): (np.nan, np.nan, 0, np.nan),
        ("length", "M"): (4000, 4000, 2, 0.2),
        ("coverage", "XS"): (0.01, 0.125, 2, 0.1),
        ("coverage", "S"): (0.5, 0.5, 2, 0.5),
        ("coverage", "unknown"): (np.nan, np.nan, 1, 0.0),
        ("instances", "XS"): (1, 1, 5, 0.25),
    }
    index = pd.MultiIndex.from_tuples(rows, names=["characteristic", "bin"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["low", "high", "ground_truths", column])


def test_the_profile_stacks_the_kinds_to_a_whole():
    table = profile_of([4, 1, 1, 1, 1, 2], [0, 0, 0, 0, 0, 4], [0] * 6)
    figure = draw_false_positive_profile(table, "what they are")
    (axes,) = figure.axes
    heights = np.array([[bar.get_height() for bar in bars] for bars in axes.containers])  # (6, 3)
    assert heights[:, 0].tolist() == pytest.approx([40, 10, 10, 10, 10, 20])
    assert heights[:, 1].tolist() == [0, 0, 0, 0, 0, 100] and not heights[:, 2].any(), "an empty band is left blank"
    bottoms = [[bar.get_y() for bar in bars] for bars in axes.containers]
    np.testing.assert_allclose(bottoms, np.cumsum(heights, axis=0) - heights)
    assert legend_texts(axes) == list(KINDS)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1G", "2G", "3G"]
    assert axes.get_ylabel() == "share of predictions [%]" and figure.get_suptitle() == "what they are"
    assert axes.get_xlabel() == "predictions of a class with G actions, by falling score"
    assert only_says(draw_false_positive_profile(profile_of([0] * 6)), "no predictions")


def test_kinds_differ_without_colour():
    greys = {kind: np.dot(plt.matplotlib.colors.to_rgb(LOOKS[kind]["facecolor"]), (0.3, 0.59, 0.11)) for kind in KINDS}
    assert len({(LOOKS[kind]["hatch"], grey > 0.5) for kind, grey in greys.items()}) == len(LOOKS) == len(KINDS)


def test_gains_in_points_with_their_range():
    (axes,) = draw_removal_gains(gains_of(0.3, 0.5)).axes
    assert [bars[0].get_width() for bars in axes.containers] == pytest.approx([6, 7, 8, 9, 10])
    assert row_names(axes) == list(KINDS[1:]) and texts(axes) == ["6.0", "7.0", "8.0", "9.0", "10.0"]
    ends = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert ends == [pytest.approx([kind, kind + 10]) for kind in range(1, 6)] and axes.get_xlim()[1] > 15
    quantity = "gain in normalised mAP [percentage points]"
    assert axes.get_xlabel() == f"{quantity}\nbar = mean over tIoU 0.3 to 0.5, line = range"
    (single,) = draw_removal_gains(gains_of(0.5)).axes
    assert not single.collections and single.get_xlabel() == f"{quantity}\nat tIoU 0.5"


@pytest.mark.parametrize(
    ("draw", "column", "label"),
    [
        (draw_sensitivity, "normalised_map", "normalised mAP [%], mean over classes and tIoU"),
        (draw_false_negatives, "share", "missed actions [%], mean over tIoU"),
    ],
)
def test_bins_are_named_with_range_and_number(draw, column, label):
    figure = draw(table_of(column), "by $x$")
    lengths, coverages = figure.axes
    assert row_names(lengths) == ["XS: 1000 to 3000 (3)", "S (0)", "M: 4000 (2)"]
    assert row_names(coverages) == ["XS: 1 to 12.5 (2)", "S: 50 (2)", "unknown (1)"]
    assert [axes.get_title("left") for axes in figure.axes] == ["length [s]", "coverage [%]"]
    assert coverages.get_xlabel() == f"{label}\n(in brackets: number of actions)"
    assert texts(lengths) == ["25.0", "none", "20.0"] and texts(coverages) == ["10.0", "50.0", "0.0"]
    assert figure.get_suptitle() == r"by \$x\$" and legend_texts(lengths) == ["all actions: 25.0 %"]
    lines = [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata() for line in lines] == [[25, 25], [25, 25]]
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert low > len(row_names(axes)) - 1 > 0 > high, "the first row is on top, and all fit"


def test_sensitivity_is_drawn_as_dots_and_misses_as_hatched_bars():
    dots = [line for line in draw_sensitivity(table_of("normalised_map")).axes[1].lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in dots] == [pytest.approx([10, 50, 0])]
    bars = draw_false_negatives(table_of("share")).axes[1].containers[0]
    assert [bar.get_width() for bar in bars] == pytest.approx([10, 50, 0]) and all(bar.get_hatch() for bar in bars)


@pytest.mark.parametrize("count", [2, 0])
def test_tables_of_diagnose_are_drawn_and_left_as_they_were(count):
    gt = pd.DataFrame({"video": "v", "start_sec": [0.0, 20.0], "end_sec": [10.0, 90.0], "label": [0, 1]})
    diagnosis = diagnose(gt, gt.assign(score=0.5).head(count), [0.5, 0.7], {"v": 100})
    tables = [diagnosis.profile, diagnosis.gains, diagnosis.sensitivity, diagnosis.false_negatives]
    before = [table.copy() for table in tables]
    pictures = draw_diagnosis(diagnosis)
    for figure in pictures.values():
        figure.canvas.draw()
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)
    assert len(pictures) == 4 and plt.get_fignums() == []
