"""What the charts show, for ordinary tables and for empty, single or crowded ones."""

import numpy as np
import pandas as pd
import pytest
from matched import NAMES, legend_texts, only_says, predicted, row_names, small_case, texts, truth

from afkit.workbench.view.charts import (
    draw_class_ap,
    draw_class_counts,
    draw_durations,
    draw_recall_by_duration,
    draw_tiou_against_score,
)

TIOUS = [0.3, 0.5, 0.7]


def lasting(*durations_sec: float) -> pd.DataFrame:
    return truth(*[(100 * i, 100 * i + duration, 0, True) for i, duration in enumerate(durations_sec)])


def test_durations_of_two_subsets():
    figure = draw_durations({"training": lasting(1, 2, 4, 1500), "test $x$": lasting(3, 3, 0)}, title="durations")
    (axes,) = figure.axes
    sizes = ["training: 4 actions, median 3 s", r"test \$x\$: 3 actions, median 3 s, 1 of no length"]
    assert legend_texts(axes) == sizes and axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("duration [s], logarithmic", "share of actions [%]")
    # of the actions that have a length; the last value of a line of steps only repeats the one before
    assert [sum(line.get_ydata()[:-1]) for line in axes.lines] == pytest.approx([100, 100])
    assert [max(line.get_ydata()) for line in axes.lines] == pytest.approx([75, 100])


@pytest.mark.parametrize("durations_sec", [[3.1], [3.1, 3.2], [25, 48], [0.001, 9000]])
def test_the_axis_of_durations_has_plain_numbers_at_several_ticks(durations_sec):
    figure = draw_durations({"training": lasting(*durations_sec)})
    figure.canvas.draw()
    (axes,) = figure.axes
    low_sec, high_sec = axes.get_xlim()
    ticks = [text.get_text() for text in axes.get_xticklabels() if low_sec <= text.get_position()[0] <= high_sec]
    assert len(ticks) > 1 and all(float(tick) > 0 and "10^" not in tick for tick in ticks)


def test_class_counts_are_sorted_and_name_all_subsets():
    training = pd.DataFrame({"label": [2, 2, 2, 1]})
    (axes,) = draw_class_counts({"training": training, "test": pd.DataFrame({"label": [1, 3]})}, NAMES).axes
    assert row_names(axes) == [r"Pay \$5 or \$6", 'Say "hi"', "<b>Jump</b> & more"]
    assert [[bar.get_width() for bar in bars] for bars in axes.containers] == [[3, 1, 0], [0, 1, 1]]
    assert legend_texts(axes) == ["training", "test"] and axes.get_xlabel() == "number of actions"
    assert axes.containers[0][0].get_hatch() != axes.containers[1][0].get_hatch()


def test_of_300_classes_forty_are_counted():
    labels = pd.DataFrame({"label": np.repeat(np.arange(300), np.arange(1, 301))})
    (axes,) = draw_class_counts({"training": labels}, {}).axes
    assert row_names(axes) == [f"class {i}" for i in range(299, 259, -1)]
    assert axes.get_xlabel() == "number of actions; 260 rarer classes are left out"


def test_best_and_worst_classes():
    means = np.linspace(0, 1, 45)
    ap = pd.DataFrame({tiou: means for tiou in TIOUS})
    ap.loc[45] = np.nan
    (axes,) = draw_class_ap(ap, NAMES, num_each=3).axes
    assert row_names(axes) == ["class 44", "class 43", "class 42", r"Pay \$5 or \$6", 'Say "hi"', "Run"]
    assert [bar.get_width() for bar in axes.containers[0]] == pytest.approx([*100 * means[:-4:-1], *100 * means[2::-1]])
    assert texts(axes) == ["39 classes between these"] and axes.get_yticks().tolist() == [0, 1, 2, 4, 5, 6]
    assert axes.get_xlabel() == "AP [%]\nbar = mean over tIoU 0.3 to 0.7, line = range"
    (few,) = draw_class_ap(pd.DataFrame({tiou: [0.2, 0.9] for tiou in TIOUS}), NAMES).axes
    assert row_names(few) == ['Say "hi"', "Run"] and not few.texts


def test_tiou_against_score():
    (axes,) = draw_tiou_against_score(small_case()[1], tiou=0.5).axes
    assert legend_texts(axes) == ["false alarm (3)", "hit (2)", "threshold 0.5"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("score", "tIoU with the ground truth")
    assert axes.collections[1].get_offsets().tolist() == [[0.9, 0.87], [0.8, 0.94]]
    assert len({collection.get_paths()[0].vertices.shape for collection in axes.collections}) == 2  # two symbols


def test_recall_by_duration():
    (axes,) = draw_recall_by_duration(truth(*[(0, 1 + i, 0, i >= 5) for i in range(10)]), num_bins=2).axes
    assert [bar.get_height() for bar in axes.containers[0]] == [0, 100] and texts(axes) == ["0", "100"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1 to 5\n(5)", "6 to 10\n(5)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("duration [s] (number of actions)", "recall [%]")


@pytest.mark.parametrize("durations_sec", [[5], [5, 5, 5, 5], [0, 0, 7000], [1, 1, 9, 9]])
def test_bins_of_recall_hold_every_action_once(durations_sec):
    (axes,) = draw_recall_by_duration(
        lasting(*durations_sec, 3).assign(found=[True, *[False] * len(durations_sec)])
    ).axes
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert sum(int(name.split("(")[1].rstrip(")")) for name in names) == len(durations_sec) + 1
    assert not any("e+" in name for name in names)


def test_nothing_to_show_is_said_and_wrong_numbers_are_named():
    assert only_says(draw_durations({}), "no actions")
    assert only_says(draw_durations({"training": lasting(), "test": lasting(0)}), "no actions")
    assert only_says(draw_class_counts({}, NAMES), "no actions")
    assert only_says(draw_class_counts({"training": pd.DataFrame({"label": np.array([], int)})}, NAMES), "no actions")
    assert only_says(draw_class_ap(pd.DataFrame({0.5: []}), NAMES), "no classes")
    assert only_says(draw_tiou_against_score(predicted()), "no predictions")
    assert only_says(draw_class_ap(pd.DataFrame({0.5: [0.0, 0.0004]}), NAMES), "all 2 classes have an AP of 0.0 %")
    assert only_says(draw_recall_by_duration(truth()), "no ground truth")
    assert only_says(draw_recall_by_duration(lasting(1, 2)), "all of the 2 actions are found")
    nothing = lasting(1, 2).assign(found=False)
    assert only_says(draw_recall_by_duration(nothing), "none of the 2 actions are found")
    with pytest.raises(ValueError, match="num_each is at least 1, not 0"):
        draw_class_ap(pd.DataFrame(), NAMES, num_each=0)
    with pytest.raises(ValueError, match="num_bins is at least 1, not 0"):
        draw_recall_by_duration(truth(), num_bins=0)
