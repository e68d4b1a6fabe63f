"""Precision, recall and F1 against the threshold: a matching anew at every threshold as the reference."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import crowded_tables, random_gt, random_predictions, table

from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.analysis.operating_point import apply_thresholds, operating_points

COUNTS = ["threshold", "kept", "hits", "false_alarms"]
RATES = ["precision", "recall", "f1", "false_alarms_per_hour"]


def counted_anew(gt, predictions, tiou, threshold):
    """(kept, hits) of the predictions that reach a threshold, matched without the others."""
    kept = predictions[predictions["score"] >= threshold]
    return len(kept), int((match_segments(gt, kept, tiou)[1]["outcome"] == "hit").sum())


def check_curve(curve, gt, predictions, tiou):
    assert curve["threshold"].tolist() == sorted(set(predictions["score"]), reverse=True)
    for row in curve.itertuples():
        kept, hits = counted_anew(gt, predictions, tiou, row.threshold)
        assert (row.kept, row.hits, row.false_alarms) == (kept, hits, kept - hits)
        assert row.precision == pytest.approx(hits / kept)
        assert row.recall == pytest.approx(hits / len(gt) if len(gt) else np.nan, nan_ok=True)
        f1 = 2 * row.precision * row.recall / (row.precision + row.recall) if hits else 0
        assert row.f1 == pytest.approx(f1)


@settings(deadline=None, max_examples=30)
@given(crowded_tables(), st.sampled_from([0.25, 0.5, 1.0]))
def test_every_threshold_is_as_if_matched_anew(tables, tiou):
    gt, predictions = tables
    points = operating_points(gt, predictions, tiou)
    assert points.overall.columns.tolist() == COUNTS + RATES
    check_curve(points.overall, gt, predictions, tiou)
    labels = sorted({*gt["label"], *predictions["label"]})
    assert points.best_by_class.index.tolist() == labels
    for label in labels:
        curve = points.by_class[points.by_class["label"] == label]
        truths, mine = gt[gt["label"] == label], predictions[predictions["label"] == label]
        check_curve(curve, truths, mine, tiou)
        best = points.best_by_class.loc[label]
        assert best["f1"] == curve["f1"].max() if len(curve) else best["f1"] == 0
        if best["f1"] > 0:
            assert best["threshold"] == curve.loc[curve["f1"] == best["f1"], "threshold"].max()
        else:
            assert np.isnan(best["threshold"])
            assert best["kept"] == 0
    kept = apply_thresholds(predictions, points.best_by_class["threshold"])
    hits = (match_segments(gt, kept, tiou)[1]["outcome"] == "hit").sum()
    assert points.best_class_thresholds[["kept", "hits"]].tolist() == [len(kept), hits]
    assert points.best_class_thresholds["f1"] == pytest.approx(2 * hits / max(len(kept) + len(gt), 1))
    assert points.best["f1"] == (points.overall["f1"].max() if len(predictions) else 0)


def test_a_case_by_hand():
    gt = pd.concat([table([(0, 10), (20, 30)], "a", 1), table([(0, 10)], "b", 2)])
    sure = [(0, 10, 0.9), (20, 30, 0.8), (50, 60, 0.8), (60, 70, 0.3)]
    predictions = pd.concat([table(sure, "a", 1), table([(50, 60, 0.95), (0, 10, 0.6)], "b", 2), table(sure, "c", 3)])
    points = operating_points(gt, predictions, 0.5, {"a": 1800, "b": 1800, "c": 900, "no detection": 2700})
    assert points.overall[COUNTS].to_numpy().tolist() == [
        [0.95, 1, 0, 1],
        [0.9, 3, 1, 2],
        [0.8, 7, 2, 5],
        [0.6, 8, 3, 5],
        [0.3, 10, 3, 7],
    ]
    assert points.overall["false_alarms_per_hour"].tolist() == [0.5, 1.0, 2.5, 2.5, 3.5]  # in two hours
    assert points.best[["threshold", "f1"]].tolist() == pytest.approx([0.6, 6 / 11])
    assert points.best_by_class["threshold"].tolist() == pytest.approx([0.8, 0.6, np.nan], nan_ok=True)
    assert points.best_by_class["precision"].tolist() == pytest.approx([2 / 3, 1 / 2, np.nan], nan_ok=True)
    assert points.best_by_class["recall"].tolist() == pytest.approx([1, 1, np.nan], nan_ok=True)
    assert points.best_class_thresholds.to_dict() == pytest.approx(
        {"kept": 5, "hits": 3, "false_alarms": 2, "precision": 0.6, "recall": 1, "f1": 0.75, "false_alarms_per_hour": 1}
    )


def test_of_equal_f1_the_highest_threshold_is_best():
    gt = table([(0, 10), (20, 30), (40, 50), (60, 70)])
    rows = [(0, 10, 0.9), (100, 110, 0.8), (100, 110, 0.7), (20, 30, 0.6), (100, 110, 0.5)]
    points = operating_points(gt, table(rows))
    assert points.overall["f1"].tolist() == pytest.approx([2 / 5, 2 / 6, 2 / 7, 4 / 8, 4 / 9])
    assert points.best["threshold"] == 0.6
    tied = operating_points(gt, table([(0, 10, 0.9), *[(100, 110, 0.8)] * 4, (20, 30, 0.7)]))
    assert tied.overall["f1"].tolist() == pytest.approx([0.4, 2 / 9, 0.4])
    assert tied.best["threshold"] == 0.9


def test_durations_are_optional_and_checked():
    gt, predictions = random_gt(0), random_predictions(0)
    assert operating_points(gt, predictions).overall["false_alarms_per_hour"].isna().all()
    durations_sec = dict.fromkeys("abcde", 60.0)
    per_hour = operating_points(gt, predictions, 0.5, durations_sec).overall["false_alarms_per_hour"].iloc[-1]
    alarms = operating_points(gt, predictions).overall["false_alarms"].iloc[-1]
    assert per_hour == pytest.approx(alarms / (5 * 60 / 3600))
    series = operating_points(gt, predictions, 0.5, pd.Series(durations_sec)).overall["false_alarms_per_hour"]
    assert series.iloc[-1] == per_hour
    unknown = operating_points(gt, predictions, 0.5, durations_sec | {"b": None}).overall
    assert unknown["false_alarms_per_hour"].isna().all()
    with pytest.raises(ValueError, match="durations_sec lacks video 'e'"):
        operating_points(gt, predictions, 0.5, dict.fromkeys("abcd", 60.0))
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"duration of video 'c' is {seconds}"):
            operating_points(gt, predictions, 0.5, {**durations_sec, "c": seconds})


def test_actions_of_videos_that_were_not_searched_are_missed_and_add_no_hours():
    gt, predictions = table([(0, 10)], "a"), table([(0, 10, 0.9), (20, 30, 0.8)], "a")
    more = pd.concat([gt, table([(0, 10), (20, 30), (40, 50)], "not searched")])
    last = operating_points(more, predictions, 0.5, {"a": 1800.0}).overall.iloc[-1]
    assert (last["recall"], last["false_alarms_per_hour"]) == (0.25, 2.0)


def test_thresholds_keep_what_reaches_them():
    predictions = random_predictions(0).set_axis([f"p{i}" for i in range(120)]).assign(more=1)
    pd.testing.assert_frame_equal(apply_thresholds(predictions, 0.5), predictions[predictions["score"] >= 0.5])
    assert 0.5 in apply_thresholds(predictions, 0.5)["score"].tolist()
    by_class = {3: 0.25, 7: 0.75, 20: np.nan, 21: 2.0}
    for thresholds in (by_class, pd.Series(by_class)):
        kept = apply_thresholds(predictions, thresholds)
        expected = [row.score >= by_class[row.label] for row in predictions.itertuples()]
        pd.testing.assert_frame_equal(kept, predictions[expected])
    assert set(kept["label"]) == {3, 7}
    assert apply_thresholds(predictions, np.nan).empty
    with pytest.raises(ValueError, match="no threshold for label 20; give one"):
        apply_thresholds(predictions, {3: 0.1, 7: 0.1, 21: 0.1})


def test_facts_are_plain_json():
    gt, predictions = random_gt(4), random_predictions(4)
    points = operating_points(gt, predictions, 0.3, dict.fromkeys("abcde", 60.0))
    content = json.loads(json.dumps(points.facts({3: "Jump", 7: "Run"}), allow_nan=False))
    assert content["tiou"] == 0.3
    assert content["one_threshold"] == points.best.to_dict()
    assert list(content["by_class"]) == ["Jump", "Run", "20", "21"]
    assert content["by_class"]["Run"]["threshold"] == points.best_by_class.loc[7, "threshold"]
    assert content["by_class"]["21"]["threshold"] is None
    assert isinstance(content["by_class"]["Run"]["hits"], int)
    assert content["class_thresholds"]["f1"] == pytest.approx(points.best_class_thresholds["f1"])
    assert "threshold" not in content["class_thresholds"]


def test_nothing_predicted():
    points = operating_points(random_gt(0), random_predictions(0, 0))
    assert points.overall.empty
    assert points.by_class.empty
    assert np.isnan(points.best["threshold"])
    assert points.best[["kept", "hits", "recall", "f1"]].tolist() == [0, 0, 0, 0]
