"""Detections that exclude each other: the better ones stay whole, the others keep what is free."""

import itertools

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from afkit.workbench.analysis.exclusive import without_overlaps

COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]


def times(*rows):
    """[start, end, score] of what is left of (start, end, score), by time."""
    table = pd.DataFrame([("v", start, end, 0, score) for start, end, score in rows], columns=COLUMNS)
    return without_overlaps(table)[["start_sec", "end_sec", "score"]].to_numpy().tolist()


def test_the_longest_free_part_of_a_worse_one_stays_if_it_is_half():
    assert times((0, 4, 0.9), (3, 7, 0.5)) == [[0, 4, 0.9], [4, 7, 0.5]]
    assert times((0, 4, 0.9), (2, 6, 0.5)) == [[0, 4, 0.9], [4, 6, 0.5]]
    assert times((0, 4, 0.9), (1.9, 6, 0.5)) == [[0, 4, 0.9]]
    assert times((4, 5, 0.9), (0, 10, 0.5)) == [[4, 5, 0.9], [5, 10, 0.5]]  # the longer side
    assert times((0, 4, 0.9), (0, 4, 0.9), (5, 5, 0.8)) == [[0, 4, 0.9]]
    assert times() == []


def test_tables_put_together_keep_their_rows():
    parts = [[("v", 0.0, 4.0, 0, 0.9)], [("v", 10.0, 14.0, 1, 0.8)], [("w", 0.0, 4.0, 2, 0.7)]]
    table = pd.concat([pd.DataFrame(rows, columns=COLUMNS) for rows in parts])  # the index is 0, 0, 0
    assert without_overlaps(table).to_numpy().tolist() == [list(row) for rows in parts for row in rows]


def test_other_videos_do_not_matter_and_columns_stay():
    rows = [("b", 0.0, 4.0, 1, 0.2), ("a", 0.0, 4.0, 0, 0.9), ("a", 1.0, 2.0, 2, 0.95)]
    found = without_overlaps(pd.DataFrame(rows, columns=COLUMNS))
    assert found.to_numpy().tolist() == [["a", 1, 2, 2, 0.95], ["a", 2, 4, 0, 0.9], ["b", 0, 4, 1, 0.2]]
    assert list(found.columns) == COLUMNS


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(1, 99)), max_size=12))
def test_no_two_overlap_and_each_lies_in_one_that_was_found(drawn):
    rows = [(start, start + length, score / 100) for start, length, score in drawn]
    left = times(*rows)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(left))
    for start, end, score in left:
        assert any(a <= start and end <= b and score == c and 2 * (end - start) >= b - a for a, b, c in rows)
    if rows:
        best = max(score for *_, score in rows)
        assert any(score == best for *_, score in left)
