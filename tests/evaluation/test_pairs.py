"""The pairs under AP and recall: tIoU row by row, order, ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_tables import random_gt, random_predictions, table

from afkit.evaluation import pairs
from afkit.evaluation.pairs import overlapping_pairs, pair_up, position_in_group
from afkit.segments import tiou


@given(st.lists(st.integers(-1, 4)))
def test_position_in_group_counts_the_earlier_ones(groups):
    expected = [groups[:i].count(group) for i, group in enumerate(groups)]
    assert position_in_group(np.array(groups, np.int64)).tolist() == expected


def test_every_overlap_of_one_class_and_video_is_a_pair():
    gt, predictions = random_gt(3), random_predictions(3)
    pairing = pair_up(gt, predictions, "fixed")
    times = ["start_sec", "end_sec"]
    overlap = tiou(predictions[times].to_numpy()[:, None], gt[times].to_numpy())  # (P, N)
    same = predictions["video"].to_numpy()[:, None] == gt["video"].to_numpy()
    same &= predictions["label"].to_numpy()[:, None] == gt["label"].to_numpy()
    found = np.zeros_like(overlap)
    found[pairing.row[pairing.pair_prediction], pairing.pair_gt] = pairing.pair_tiou
    np.testing.assert_array_equal(found, np.where(same, overlap, 0))


times = st.integers(-2, 30)
groups_and_times = st.lists(st.tuples(st.integers(-1, 3), times, times), max_size=12)


@pytest.mark.parametrize("pruned_from", [0, 4])
@given(groups_and_times, groups_and_times)
def test_pruning_by_time_loses_no_pair_and_keeps_their_order(pruned_from, truth, found):
    expected = []
    for p, (group, start, end) in enumerate(found):
        for g, (gt_group, gt_start, gt_end) in enumerate(truth):
            overlap = float(tiou(np.array([start, end]), np.array([gt_start, gt_end])))
            if group == gt_group and overlap > 0:
                expected.append((p, -overlap, -g))
    tables = [np.array(rows, np.int64).reshape(-1, 3) for rows in (truth, found)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "PRUNED_FROM", pruned_from)
        pair = overlapping_pairs(tables[0][:, 0], tables[0][:, 1:] * 1.0, tables[1][:, 0], tables[1][:, 1:] * 1.0)
    prediction, gt, overlap = pair
    assert list(zip(prediction.tolist(), (-overlap).tolist(), (-gt).tolist(), strict=True)) == sorted(expected)


def test_far_ground_truths_are_not_compared(monkeypatch):
    compared = []
    monkeypatch.setattr(pairs, "tiou", lambda a, b: compared.append(len(a)) or tiou(a, b))
    onsets = np.arange(1000.0)
    segments = np.stack([onsets, onsets + 1.5], axis=1)
    assert len(overlapping_pairs(np.zeros(1000, int), segments, np.zeros(1000, int), segments)[0]) == 2998
    assert sum(compared) < 5000


def test_pairs_fall_in_score_then_tiou_then_row():
    gt = table([(0, 8), (0, 10), (2, 10)])
    pairing = pair_up(gt, table([(0, 10, 0.1), (50, 60, 0.5), (0, 5, 0.9)]), "fixed")
    assert pairing.row.tolist() == [2, 1, 0]
    assert pairing.pair_prediction.tolist() == [0, 0, 0, 2, 2, 2]
    assert pairing.pair_gt.tolist() == [0, 1, 2, 1, 2, 0]  # (0, 8) and (2, 10) are equally good: the later row first
