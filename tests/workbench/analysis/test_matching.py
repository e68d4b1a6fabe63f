"""Matching at one threshold: a plain loop as the reference, and the columns that are added."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import crowded_tables, random_gt, random_predictions, table, tiou_by_definition

from afkit.workbench.analysis.matching import match_segments, outcomes_by_score, outcomes_by_video


def match_by_loops(gt, predictions, threshold):
    """{index of the prediction: (index of the ground truth or -1, tIoU)}, as a textbook writes it."""
    answer, free = {}, set(gt.index)
    for p in predictions.sort_values("score", ascending=False, kind="stable").itertuples():
        mine = gt[(gt["video"] == p.video) & (gt["label"] == p.label)]
        tious = {g.Index: tiou_by_definition(p, g) for g in mine.itertuples()}
        best, best_tiou = -1, threshold
        for index, tiou in tious.items():
            if index in free and tiou >= best_tiou:  # of equal ones the later
                best, best_tiou = index, tiou
        free.discard(best)
        answer[p.Index] = (best, best_tiou if best >= 0 else max(tious.values(), default=0.0))
    return answer


@settings(deadline=None, max_examples=80)
@given(crowded_tables(), st.sampled_from([0.1, 0.5, 0.75, 1.0]))
def test_matching_agrees_with_plain_loops(tables, threshold):
    gt, predictions = match_segments(*tables, threshold)
    expected = match_by_loops(*tables, threshold)
    assert predictions["gt_index"].to_dict() == {index: answer[0] for index, answer in expected.items()}
    assert predictions["tiou"].to_dict() == pytest.approx({index: answer[1] for index, answer in expected.items()})
    assert (predictions["outcome"] == "hit").tolist() == (predictions["gt_index"] >= 0).tolist()
    assert gt.index[gt["found"]].tolist() == sorted(g for g, _ in expected.values() if g >= 0)


def test_columns_of_a_small_case():
    gt = table([(0, 10), (20, 30), (40, 50)]).set_axis([11, 22, 33])
    predictions = table([(0, 10, 0.1), (0, 9, 0.9), (20, 24, 0.8), (70, 80, 0.7)]).set_axis([5, 6, 7, 8])
    matched_gt, matched = match_segments(gt, predictions, 0.5)
    assert matched_gt["found"].to_dict() == {11: True, 22: False, 33: False}
    assert matched["outcome"].to_dict() == {5: "false alarm", 6: "hit", 7: "false alarm", 8: "false alarm"}
    assert matched["tiou"].tolist() == [1.0, 0.9, 0.4, 0.0]
    assert matched["gt_index"].to_dict() == {5: -1, 6: 11, 7: -1, 8: -1}
    assert matched_gt["found"].dtype == bool
    assert matched["gt_index"].dtype == np.int64
    by_score = outcomes_by_score(matched)
    assert by_score.loc["0.6 to 1"].tolist() == [1, 2] and by_score.loc["0.05 to 0.1", "false alarm"] == 1
    far = outcomes_by_score(matched.assign(score=[-0.1, 0.0, 1.0, 1.649]))
    assert far.loc[["below 0", "0 to 0.05", "0.6 to 1", "above 1"]].to_numpy().tolist() == [
        [0, 1],
        [1, 0],
        [0, 1],
        [0, 1],
    ]
    assert by_score.index[0] == "0 to 0.05" and by_score.index[-1] == "0.6 to 1"
    assert by_score.to_numpy().sum() == 4 and by_score.columns.tolist() == ["hit", "false alarm"]


def test_videos_are_counted_the_best_by_f1_first():
    gt = pd.DataFrame({"video": ["b", "b", "a"], "found": [True, False, True]})
    predictions = pd.DataFrame({"video": ["b", "a", "b", "c"], "outcome": ["hit", "hit", "false alarm", "false alarm"]})
    counts = outcomes_by_video(gt, predictions)
    assert counts.index.tolist() == ["a", "b"] and counts["F1 [%]"].tolist() == [100, 50]
    assert counts.loc["b", ["actions", "found", "false alarms"]].tolist() == [2, 1, 1], "2 * 1 / (2 * 1 + 1 + 1)"


def test_a_hit_has_the_tiou_of_what_it_found_although_a_taken_one_lies_nearer():
    _, matched = match_segments(table([(0, 10), (1, 11)]), table([(0, 10, 0.9), (0, 10, 0.8)]), 0.5)
    assert matched["gt_index"].tolist() == [0, 1] and matched["tiou"].tolist() == pytest.approx([1, 9 / 11])


def test_names_as_index_and_empty_tables():
    gt = random_gt(0).set_axis([f"gt{i}" for i in range(30)])
    _, matched = match_segments(gt, random_predictions(0), 0.1)
    assert set(matched.loc[matched["outcome"] == "hit", "gt_index"]) <= set(gt.index)
    _, matched = match_segments(gt.iloc[:0], random_predictions(0), 0.5)
    assert set(matched["outcome"]) == {"false alarm"}
    matched_gt, matched = match_segments(gt, random_predictions(0, 0), 0.5)
    assert len(matched) == 0
    assert not matched_gt["found"].any()
