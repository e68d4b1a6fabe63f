"""Every hit, false prediction and miss stands in one cell of the table of classes."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from afkit.workbench.analysis.confusion import MISSED, NOTHING, confusion_counts
from afkit.workbench.inspector.inspected import KINDS, list_segments, match_listed

COLUMNS = ["video", "start_sec", "end_sec", "label"]
GT = [("v", 0, 10, 0), ("v", 20, 30, 1), ("w", 40, 50, 0)]
PREDICTED = [
    ("v", 0, 10, 0, 0.9),  # hit
    ("v", 1, 10, 0, 0.8),  # the same again
    ("v", 20, 30, 3, 0.7),  # another class, which no action has
    ("w", 46, 56, 0, 0.6),  # poorly placed
    ("x", 40, 50, 1, 0.4),  # nothing there
]


def tables(gt, predicted):
    truth, found = pd.DataFrame(gt, columns=COLUMNS), pd.DataFrame(predicted, columns=[*COLUMNS, "score"])
    return truth.astype({"label": int}), found.astype({"label": int, "score": float})


def test_a_label_below_0_is_a_class_like_others():
    lower = [[(*row[:3], row[3] - 1, *row[4:]) for row in rows] for rows in (GT, PREDICTED)]
    counts = confusion_counts(*tables([*lower[0], ("z", 0, 9, -1)], [*lower[1], ("z", 0, 9, 2, 0.5)]), tiou=0.5)
    assert counts.loc[-1].tolist() == [1, 0, 1, 2] and counts.loc[NOTHING].tolist() == [2, 1, 0, 0]


def test_each_error_stands_in_its_cell():
    counts = confusion_counts(*tables(GT, PREDICTED), tiou=0.5)
    assert list(counts.index) == [0, 1, 3, NOTHING] and list(counts.columns) == [0, 1, 3, MISSED]
    assert counts.to_numpy().tolist() == [[1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0], [2, 1, 0, 0]]


def test_either_side_may_be_empty():
    assert confusion_counts(*tables(GT, []), tiou=0.5)[MISSED].tolist() == [2, 1, 0]
    assert confusion_counts(*tables([], PREDICTED), tiou=0.5).loc[NOTHING].tolist() == [3, 1, 1, 0]
    assert confusion_counts(*tables([], []), tiou=0.5).shape == (1, 1)


rows = st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 8), st.integers(0, 2))


@given(st.lists(rows, max_size=8), st.lists(rows, max_size=10), st.sampled_from([0.3, 0.5, 0.75]))
def test_the_cells_count_what_the_inspector_shows(gt, found, tiou):
    gt = [(video, start, start + length, label) for video, start, length, label in gt]
    found = [(video, start, start + length, label, 1 - i / 20) for i, (video, start, length, label) in enumerate(found)]
    truth, predictions = tables(gt, found)
    counts = confusion_counts(truth, predictions, tiou)
    kinds = []
    for video in "ab":
        own = [table[table["video"] == video] for table in (truth, predictions)]
        kinds += [KINDS[kind] for kind in match_listed(list_segments(*own), tiou)["kind"]]
    inner = counts.to_numpy()[:-1, :-1]
    assert inner.trace() == kinds.count("hit") and counts[MISSED].sum() == kinds.count("miss")
    assert inner.sum() - inner.trace() == kinds.count("wrong label")
    assert counts.to_numpy().sum() == len(kinds) - kinds.count("ground truth")
