"""What the pictures of confidence show, for ordinary results and for empty or single ones."""

import numpy as np
import pandas as pd
import pytest
from matched import legend_texts, row_names, texts

from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis.bootstrap import Interval
from afkit.workbench.analysis.calibration import calibration
from afkit.workbench.analysis.operating_point import operating_points
from afkit.workbench.view.confidence import (
    MAX_POINTS,
    MOST_PANELS,
    draw_differences,
    draw_intervals,
    draw_operating_curve,
    draw_precision_recall,
    draw_reliability,
)

ROWS = [(0, 0.95), (50, 0.9), (100, 0.8), (200, 0.55), (250, 0.15), (350, 0.15), (450, 0.05)]


def tables(rows: list[tuple]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ground truth every 100 s, and predictions (start_sec, score) of 10 s."""
    gt = pd.DataFrame({"video": "v", "start_sec": np.arange(10) * 100.0, "label": 0})
    predictions = pd.DataFrame(rows, columns=["start_sec", "score"]).astype(float).assign(video="v", label=0)
    return gt.assign(end_sec=gt["start_sec"] + 10), predictions.assign(end_sec=predictions["start_sec"] + 10)


def step_value(line, x: float) -> float:
    """Height of a drawn line at x, between its steps."""
    xs, ys = line.get_xdata(), line.get_ydata()
    assert (np.diff(xs) > 0).all()
    assert line.get_drawstyle() == "steps-pre"  # the value at xs[i] holds from xs[i - 1] on
    return ys[np.searchsorted(xs, x)]


def test_reliability():
    calibrated = calibration(*tables(ROWS), 0.5)
    figure = draw_reliability(calibrated, title="watch")
    shares, counts = figure.axes
    assert shares.lines[1].get_ydata().tolist() == pytest.approx([0, 0, 100, 100, 50])
    assert shares.lines[1].get_xdata().tolist() == pytest.approx([0.05, 0.15, 0.55, 0.8, 0.925])
    assert [bar.get_height() for bar in counts.patches] == [1, 2, 1, 1, 2]
    assert [bar.get_x() for bar in counts.patches] == pytest.approx([0, 0.1, 0.5, 0.8, 0.9])
    assert legend_texts(shares)[1] == f"hits at tIoU 0.5; calibration error {100 * calibrated.error:.1f} %"
    assert (shares.get_ylabel(), counts.get_xlabel(), counts.get_ylabel()) == ("hits [%]", "score", "predictions")
    figure.canvas.draw()
    assert not any("10^" in name for name in row_names(counts))


def test_the_operating_curve():
    points = operating_points(*tables(ROWS), 0.5, {"v": 1800})
    rates, alarms = draw_operating_curve(points.overall, points.best, title="all classes").axes
    precision, recall, f1, mark = rates.lines
    for threshold, kept, hits in ((0.95, 1, 1), (0.94, 1, 1), (0.9, 2, 1), (0.7, 3, 2), (0.15, 6, 3), (0.05, 7, 3)):
        assert step_value(precision, threshold) == pytest.approx(100 * hits / kept)
        assert step_value(recall, threshold) == pytest.approx(100 * hits / 10)
        assert step_value(f1, threshold) == pytest.approx(200 * hits / (kept + 10))
        assert step_value(alarms.lines[0], threshold) == pytest.approx((kept - hits) / 0.5)
    assert mark.get_xdata() == [0.55, 0.55]
    assert legend_texts(rates) == ["precision", "recall", "F1", "best F1 43 % at 0.55"]
    assert len({line.get_linestyle() for line in rates.lines}) == 4
    assert (rates.get_ylabel(), alarms.get_xlabel()) == ("[%]", "score threshold")
    assert alarms.get_ylabel() == "false alarms\nper hour"


def test_without_durations_and_without_a_threshold():
    points = operating_points(*tables([(0, 0.9)]))
    (axes,) = draw_operating_curve(points.overall).axes
    assert axes.get_xlabel() == "score threshold" and legend_texts(axes) == ["precision", "recall", "F1"]
    of_class = points.by_class[points.by_class["label"] == 0]
    assert draw_operating_curve(of_class).axes[0].lines[0].get_xdata().tolist() == [0.9]


def test_long_curves_are_thinned_to_their_ends():
    count = 50_000
    curve = pd.DataFrame({"threshold": np.linspace(1, 0, count), "hits": 1, "false_alarms_per_hour": np.nan})
    curve = curve.assign(**dict.fromkeys(("precision", "recall", "f1"), np.linspace(0, 1, count)))
    line = draw_operating_curve(curve).axes[0].lines[0]
    assert len(line.get_xdata()) == MAX_POINTS
    assert (line.get_xdata()[[0, -1]].tolist(), line.get_ydata()[[0, -1]].tolist()) == ([0, 1], [100, 0])


def test_intervals():
    equal = Interval(0.4, 0.4, 0.4, 0.0)
    results = {"ours $5": Interval(0.5, 0.45, 0.56, 0.03), "published": 0.668, "a name that is far too long" * 2: equal}
    (axes,) = draw_intervals(results, title="runs").axes
    assert row_names(axes)[:2] == [r"ours \$5", "published"] and row_names(axes)[2].endswith("…")
    assert texts(axes) == ["50.0", "66.8", "40.0"] and axes.get_xlabel() == "average mAP [%], 95 % interval"
    assert draw_intervals({"published": 0.668}).axes[0].get_xlabel() == "average mAP [%]"
    whiskers = [end for line in axes.collections for end in line.get_segments()[0][:, 0]]
    assert whiskers == pytest.approx([45, 56, 40, 40])
    dots = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    found = [(line.get_marker(), line.get_xdata()[0], line.get_ydata()[0]) for line in dots]
    assert found == [("o", 50, 0), ("D", pytest.approx(66.8), 1), ("o", 40, 2)]
    assert axes.yaxis_inverted() and len(axes.lines) == 5  # whiskers' ends, dots and diamond; no line at 0


@pytest.mark.parametrize("ends", [(-0.004, 0.002), (-0.002, -0.001), (-0.0013, -0.0011)])
def test_differences_show_zero_and_have_digits_enough(ends):
    (axes,) = draw_differences({"a - b": Interval(-0.0012, *ends, 0.001)}).axes
    assert texts(axes) == ["\N{MINUS SIGN}0.12"] and axes.lines[-1].get_xdata() == [0, 0]
    assert axes.get_xlabel() == "difference of average mAP [percentage points], 95 % interval"
    low, high = axes.get_xlim()
    assert low < 100 * ends[0] and high >= 0


def test_precision_and_recall_of_each_class_enclose_its_ap():
    gt, predictions = tables(ROWS)
    other = gt.assign(label=1), predictions.assign(label=1)[:1]
    both = pd.concat([gt, other[0]], ignore_index=True), pd.concat([predictions, other[1]], ignore_index=True)
    points = operating_points(*both)
    figure = draw_precision_recall(points, {0: "jump"}, "at tIoU 0.5")
    first, second, empty = figure.axes
    expected = 100 * evaluate(*both, [0.5]).ap[0.5]
    assert (
        first.get_title("left") == f"jump\nAP {expected[0]:.1f} %"
        and second.get_title("left") == f"class 1\nAP {expected[1]:.1f} %"
    )
    curve, best = first.lines
    assert curve.get_xdata().tolist() == pytest.approx(
        [10, 10, 20, 30, 30, 30]
    )  # of scores 0.95, 0.9, 0.8, 0.55, 0.15, 0.05
    assert curve.get_ydata().tolist() == pytest.approx([100, 50, 200 / 3, 75, 50, 300 / 7])
    assert best.get_xdata() == [pytest.approx(30)] and best.get_ydata() == [pytest.approx(75)], "of the best F1"
    assert not empty.axison and figure.get_supxlabel() == "recall [%]"


def test_of_many_classes_some_from_the_best_to_the_worst_have_a_curve():
    gt, predictions = tables([(0, 0.9)])
    classes = range(10)
    gt = pd.concat([gt[: 1 + label].assign(label=label + 10 * more) for label in classes for more in (0, 1, 2)])
    found = pd.concat([predictions.assign(label=label) for label in range(25)])
    figure = draw_precision_recall(operating_points(gt, found), {})
    assert len(figure.axes) == MOST_PANELS and figure.axes[0].get_title("left") == "class 0\nAP 100.0 %"
    assert figure.axes[-1].get_title("left").endswith("\nAP 10.0 %")
    assert figure.get_supxlabel() == "recall [%]\n12 of 25 classes; 5 classes without a hit are left out"


def test_nothing_to_show_is_said():
    gt, nothing = tables([])
    points = operating_points(gt, nothing)
    assert texts(draw_reliability(calibration(gt, nothing)).axes[0]) == ["no predictions"]
    assert texts(draw_operating_curve(points.overall, points.best).axes[0]) == ["no predictions"]
    assert texts(draw_precision_recall(points, {}).axes[0])[0].startswith("no prediction is right")
    wrong = operating_points(*tables([(50, 0.9)])).overall
    assert texts(draw_operating_curve(wrong).axes[0]) == ["no prediction is right, at any score"]
    assert texts(draw_intervals({}).axes[0]) == ["no results"]
