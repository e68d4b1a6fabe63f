"""Functions on segments: the way to the grid and back, IoU, and which annotations are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from afkit.segments import grid_to_sec, keep_distinct, sec_to_grid, tiou

times = st.floats(0, 1e5)
GRIDS = st.tuples(st.floats(1, 120), st.floats(0.5, 64), st.floats(0, 64))  # fps, stride, num_frames
segments = arrays.arrays(np.float64, st.tuples(st.integers(0, 8), st.just(2)), elements=st.integers(-8, 8).map(float))


@given(st.lists(times, max_size=5), GRIDS)
def test_there_and_back(seconds, grid):
    there = sec_to_grid(np.array(seconds), *grid)
    np.testing.assert_allclose(grid_to_sec(there, *grid), seconds, rtol=1e-9, atol=1e-6)


@given(segments, segments)
def test_tiou_is_symmetric_and_a_share(a, b):
    found = tiou(a[:, None], b)
    assert found.shape == (len(a), len(b))
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_array_equal(found, tiou(b[:, None], a).T)


@given(segments, segments)
def test_tiou_counts_common_cells(a, b):
    """With whole numbers an IoU is a ratio of counted unit cells."""
    found = tiou(a[:, None], b)
    for i, (a_onset, a_end) in enumerate(a):
        for j, (b_onset, b_end) in enumerate(b):
            cells = [set(np.arange(onset, end)) for onset, end in ((a_onset, a_end), (b_onset, b_end))]
            if all(cells):
                assert found[i, j] == pytest.approx(len(cells[0] & cells[1]) / len(cells[0] | cells[1]))
            else:
                assert found[i, j] == 0  # empty and reversed ones


@given(segments, st.data())
def test_kept_annotations(rows, data):
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows))), np.int64)
    keep = keep_distinct(rows, labels)
    seen = []
    for (onset, end), label, kept in zip(rows.tolist(), labels.tolist(), keep.tolist(), strict=True):
        assert kept == (end > onset and (onset, end, label) not in seen)
        seen += [(onset, end, label)] * kept
    again = keep_distinct(rows[keep], labels[keep])
    assert again.all()


def test_limits_of_a_repetition():
    rows = [(1, 2), (1.0009, 2.0009), (1.0012, 2), (5, 5.0012), (7, 7.0009)]
    assert keep_distinct(np.array(rows), np.zeros(5, int)).tolist() == [True, False, True, True, False]
    chain = [(0, 1), (0.0008, 1), (0.0016, 1)]  # the third is near the second, which is gone
    assert keep_distinct(np.array(chain), np.zeros(3, int)).tolist() == [True, False, True]
