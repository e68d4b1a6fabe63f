"""The pairs under AP and recall: tIoU row by row, order, ranks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_tables import random_gt, random_predictions, table

from afkit.evaluation.pairs import number_classes, pair_up, position_in_group
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


def test_pairs_fall_in_score_then_tiou_then_row():
    gt = table([(0, 8), (0, 10), (2, 10)])
    pairing = pair_up(gt, table([(0, 10, 0.1), (50, 60, 0.5), (0, 5, 0.9)]), "fixed")
    assert pairing.row.tolist() == [2, 1, 0]
    assert pairing.pair_prediction.tolist() == [0, 0, 0, 2, 2, 2]
    assert pairing.pair_gt.tolist() == [0, 1, 2, 1, 2, 0]  # (0, 8) and (2, 10) are equally good: the later row first


def test_labels_become_positions_in_the_classes():
    labels, classes = np.array([2, 5, 9, 0, 2, 3, -1, 77]), np.array([2, 5, 9])
    assert number_classes(labels, classes, "fixed").tolist() == [0, 1, 2, -1, 0, -1, -1, -1]
    assert number_classes(labels, classes, "official").tolist() == [0, 1, 2, 0, 0, -1, -1, -1]
