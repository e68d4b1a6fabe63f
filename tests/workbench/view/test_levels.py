"""Pictures of the pyramid: which points learn what, and from the scores to detections."""

import numpy as np
import pandas as pd
import pytest
from matched import row_names, texts

from afkit.workbench.view.levels import MOST_CANDIDATES, draw_detection_steps, draw_targets, name_levels
from afkit.workbench.view.style import MARKERS

NAMES = {0: "jump", 5: "$walk$"}
LEVELS = [(np.arange(6.0), np.array([-1, 0, 0, -1, -1, -1])), (np.arange(0, 6, 2.0), np.array([-1, -1, 5]))]


def segments(*rows):
    return pd.DataFrame(rows, columns=["start_sec", "end_sec", "label", "score"])


def steps(count=5):
    times = [np.arange(count, dtype=float), np.arange(0, count, 2.0)]
    return times, [np.linspace(0, 1, len(own) * 2).reshape(-1, 2) for own in times]


def test_levels_are_named_by_stride_and_range():
    names = ["level 0: stride 1, 0 to 4", "level 1: stride 2, 4 to 8.5", "level 2: stride 4, from 8"]
    assert name_levels([1, 2, 4], [(0, 4), (4, 8.5), (8, 10000)]) == names


def test_filled_points_learn_an_action_and_hollow_ones_nothing():
    drawn = np.array([[0.0, 4.0], [3.0, 6.0]]), np.array([0, 5])
    figure = draw_targets(LEVELS, ["fine", "coarse"], *drawn, NAMES, "a video")
    above, axes = figure.axes
    assert [(bar.get_x(), bar.get_width()) for bar in above.patches] == [(0, 4), (3, 3)]
    assert row_names(above) == ["jump", r"\$walk\$"]
    filled = [line for line in axes.lines if line.get_markersize() == 7 and len(line.get_xdata())]
    points = [(line.get_marker(), set(line.get_ydata()), list(line.get_xdata())) for line in filled]
    assert points == [(MARKERS[0], {0}, [1, 2]), (MARKERS[1], {1}, [4])]
    hollow = [list(line.get_xdata()) for line in axes.lines if line.get_markersize() == 3]
    assert hollow == [[0, 3, 4, 5], [0, 2]]
    assert axes.get_xlabel() == "position on the grid [steps]"
    assert row_names(axes) == ["fine", "coarse"]
    figure.canvas.draw()


def test_the_most_frequent_classes_are_drawn_where_there_are_many():
    labels = np.array([*range(20), 11, 19])
    level = np.arange(3.0), np.array([11, 19, -1])
    figure = draw_targets([level], ["fine"], np.tile([0.0, 1.0], (22, 1)), labels, {})
    rows = row_names(figure.axes[0])
    assert len(rows) == len(MARKERS) and {"class 11", "class 19"} <= set(rows)


def test_a_video_without_actions_has_a_picture():
    figure = draw_targets([(np.arange(3.0), np.full(3, -1))], ["fine"], np.zeros((0, 2)), np.zeros(0, int), {})
    assert figure.axes[0].get_ylabel() == "no actions"
    figure.canvas.draw()


def test_scores_candidates_and_what_is_kept_stand_below_each_other():
    candidates = segments((0, 2, 1, 0.9), (0, 3, 1, 0.8), (1, 2, 0, 0.7))
    gt = segments((0, 2.5, 1, np.nan), (3, 4, 0, np.nan))
    figure = draw_detection_steps(*steps(), candidates, candidates.iloc[:1], gt, 1, "video: walk")
    above, middle, below, bar = figure.axes
    assert bar.get_ylabel() == "probability"
    assert [image.get_array().shape for image in above.collections] == [(1, 5), (1, 3)]
    assert above.collections[0].get_array().data.ravel() == pytest.approx(np.linspace(0, 1, 10)[1::2])
    lines = [axes.collections[0].get_segments() for axes in (middle, below)]
    assert [line.tolist() for line in lines[0]] == [[[0, 0.9], [2, 0.9]], [[0, 0.8], [3, 0.8]]]
    assert len(lines[1]) == 1
    assert len(middle.patches) == 1, "an action of another class is left out"
    assert below.get_xlabel() == "time [s]"
    assert (middle.get_ylabel(), below.get_ylabel()) == ("candidates:\nscore", "kept:\nscore")


def test_the_best_candidates_are_drawn_and_the_others_counted():
    many = segments(*[(i, i + 1, 0, i / 100) for i in range(90)])
    figure = draw_detection_steps(*steps(), many, many.iloc[:0], many.iloc[:0], 0)
    middle, below = figure.axes[1:3]
    assert len(middle.collections[0].get_segments()) == MOST_CANDIDATES
    assert min(line[0][1] for line in middle.collections[0].get_segments()) == pytest.approx(0.3)
    assert texts(middle) == ["and 30 with lower scores"] and not below.texts
    figure.canvas.draw()


def test_a_level_of_one_point_is_drawn():
    figure = draw_detection_steps([np.array([2.0])], [np.array([[0.5]])], segments(), segments(), segments(), 0)
    figure.canvas.draw()
    assert figure.axes[0].collections[0].get_array().data.ravel() == pytest.approx([0.5])
