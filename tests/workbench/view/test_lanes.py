"""Where bars go: rows without overlap, lanes in order, heights by score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matched import predicted, small_case, truth

from afkit.workbench.view.lanes import MAX_LANES, arrange_lanes, pack_rows


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=20))
def test_rows_hold_no_overlaps_and_none_could_move_up(segments):
    spans = [(start, start + length) for start, length in segments]
    rows = pack_rows(*zip(*spans, strict=True)) if spans else []
    for i, (start, end) in enumerate(spans):
        earlier = [(rows[j], min(end, spans[j][1]) - max(start, spans[j][0])) for j in range(i)]
        assert not any(row == rows[i] and overlap > 0 for row, overlap in earlier)
        assert {row for row, overlap in earlier if overlap > 0} >= set(range(rows[i]))


def test_every_segment_has_one_bar_in_its_lane():
    bars, lanes, left_out = arrange_lanes(*small_case(), min_width_sec=0.5)
    assert bars["kind"].value_counts().to_dict() == {"ground truth": 2, "miss": 1, "hit": 2, "false alarm": 3}
    assert list(lanes) == [0, 1, 2, 3]
    assert left_out == 0
    edges = np.array(list(lanes.values()))
    assert (edges[1:, 0] > edges[:-1, 1]).all()
    for bar in bars.itertuples():
        assert any(top <= bar.top and bar.top + bar.height <= bottom + 1e-9 for top, bottom in lanes.values())


def test_lanes_follow_time_and_classes_that_never_happen_come_last():
    gt = truth((50, 60, 2, True), (10, 20, 5, True))
    predictions = predicted((0, 5, 9, 0.2, "false alarm", 0), (0, 5, 8, 0.7, "false alarm", 0))
    assert list(arrange_lanes(gt, predictions, 0.1)[1]) == [5, 2, 8, 9]


def test_higher_scores_are_taller_and_scores_beyond_one_stay_in_their_row():
    scores = [0.0, 0.5, 1.0, 7.0]
    predictions = predicted(*[(10 * i, 10 * i + 5, 0, score, "hit", 1) for i, score in enumerate(scores)])
    heights = arrange_lanes(truth(), predictions, 0.1)[0].sort_values("left_sec")["height"].tolist()
    assert 0 < heights[0] < heights[1] < heights[2] == heights[3]


def test_many_rows_share_the_height_of_a_few():
    few, many = (predicted(*[(0, 10, 0, 0.5, "hit", 1)] * n) for n in (4, 60))
    assert arrange_lanes(truth(), many, 0.1)[1][0] == pytest.approx(arrange_lanes(truth(), few, 0.1)[1][0])


def test_short_and_reversed_segments_get_the_least_width_about_their_middle():
    bars, _, _ = arrange_lanes(truth((5, 5, 0, True), (30, 20, 0, False)), predicted(), min_width_sec=2)
    assert bars["left_sec"].tolist() == [4, 24]
    assert bars["width_sec"].tolist() == [2, 2]


def test_at_most_forty_lanes():
    gt = truth(*[(i, i + 1, i, True) for i in range(MAX_LANES + 5)])
    bars, lanes, left_out = arrange_lanes(gt, predicted(), 0.1)
    assert (len(bars), len(lanes), left_out) == (MAX_LANES, MAX_LANES, 5)
