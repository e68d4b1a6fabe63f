"""The table of classes as a picture."""

import numpy as np
import pandas as pd
from matched import only_says

from afkit.workbench.analysis.confusion import MISSED, NOTHING
from afkit.workbench.view.confusion import MOST_CLASSES, draw_confusion


def counts(table, labels):
    return pd.DataFrame(np.array(table), index=[*labels, NOTHING], columns=[*labels, MISSED])


def test_cells_bear_their_numbers_and_colours_their_share_of_the_row():
    figure = draw_confusion(counts([[6, 2, 0], [0, 5, 5], [1, 0, 0]], [0, 7]), {0: "$walk$"}, "all")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["6", "2", "5", "5", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [r"\$walk\$", "class 7", "nothing"]
    assert [label.get_text() for label in axes.get_xticklabels()][-1] == "missed"
    np.testing.assert_allclose(axes.images[0].get_array()[0], [0.75, 0.25, 0])
    figure.canvas.draw()


def test_of_many_classes_those_with_the_most_errors_are_drawn_in_their_order():
    size = MOST_CLASSES + 10
    table = np.diag(np.arange(size + 1))
    table[10:size, size] = 3  # the first ten are right
    (axes,) = draw_confusion(counts(table, range(size)), {}).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [*(f"class {label}" for label in range(10, size)), "nothing"] and not axes.texts
    assert "10 classes with fewer errors" in axes.get_xlabel()


def test_nothing_is_said():
    nothing_kept = "no detection is kept: all 4 actions are missed"
    assert only_says(draw_confusion(counts([[0, 4], [0, 0]], [0]), {}), nothing_kept)
