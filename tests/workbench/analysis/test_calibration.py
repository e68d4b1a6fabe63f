"""Reliability and expected calibration error: hand-made bins, and plain loops as the reference."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import crowded_tables, random_gt, random_predictions, table

from afkit.workbench.analysis.calibration import calibration
from afkit.workbench.analysis.matching import match_segments


def test_a_case_by_hand():
    gt = table([(0, 10), (20, 30), (40, 50)])
    rows = [(0, 10, 0.9), (0, 10, 0.8), (20, 30, 0.7), (60, 70, 0.1), (40, 50, 0.2), (80, 90, 1.0), (80, 90, 0.5)]
    found = calibration(gt, table(rows), 0.5, num_bins=2)
    assert found.bins.columns.tolist() == ["low", "high", "count", "mean_score", "hit_share"]
    assert found.bins.to_numpy() == pytest.approx(
        np.array([[0, 0.5, 2, 0.15, 0.5], [0.5, 1, 5, 3.9 / 5, 2 / 5]])  # the second detection of 0-10 s is no hit
    )
    assert found.error == pytest.approx((2 * 0.35 + 5 * 0.38) / 7)
    assert found.tiou == 0.5


def test_a_perfectly_calibrated_run_has_no_error():
    gt = table([(100 * i, 100 * i + 10) for i in range(10)])
    hits = table(
        [(100 * i, 100 * i + 10, 0.3) for i in range(3)] + [(100 * i + 50, 100 * i + 60, 0.3) for i in range(7)]
    )
    found = calibration(gt, hits)
    assert found.error == pytest.approx(0)
    assert found.bins["count"].tolist() == [0, 0, 0, 10, 0, 0, 0, 0, 0, 0]
    assert np.isnan(found.bins["hit_share"]).sum() == 9


def error_by_loops(scores, hits, edges):
    total = 0.0
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        mine = [(s, h) for s, h in zip(scores, hits, strict=True) if low <= s < high or (last and s == high)]
        if mine:
            total += len(mine) * abs(np.mean([h for _, h in mine]) - np.mean([s for s, _ in mine]))
    return total / len(scores)


@settings(deadline=None, max_examples=60)
@given(crowded_tables(), st.integers(1, 7))
def test_the_error_agrees_with_plain_loops(tables, num_bins):
    gt, predictions = tables
    found = calibration(gt, predictions, 0.5, num_bins)
    if predictions.empty:
        assert found.error is None
        return
    hits = (match_segments(gt, predictions, 0.5)[1]["outcome"] == "hit").to_numpy()
    edges = [*found.bins["low"], found.bins["high"].iloc[-1]]
    assert found.bins["count"].sum() == len(predictions)
    assert found.error == pytest.approx(error_by_loops(predictions["score"], hits, edges))


def test_nothing_predicted_and_facts():
    empty = calibration(random_gt(0), random_predictions(0, 0))
    assert empty.error is None
    assert json.loads(json.dumps(empty.facts(), allow_nan=False)) == {"tiou": 0.5, "error": None, "bins": []}
    found = calibration(random_gt(0), random_predictions(0), 0.3, num_bins=200)
    content = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert content["error"] == found.error
    assert sum(row["count"] for row in content["bins"]) == 120
    assert all(row["count"] for row in content["bins"])


def test_a_score_that_is_no_share_is_named():
    gt, predictions = random_gt(0), random_predictions(0)
    for score in (-0.01, 1.5):
        wrong = predictions.set_axis([f"p{i}" for i in range(120)])
        wrong.loc["p7", "score"] = score
        with pytest.raises(ValueError, match=f"row p7 of predictions has score {score}; scores between 0 and 1"):
            calibration(gt, wrong)


def test_no_bins_are_refused():
    with pytest.raises(ValueError, match="num_bins is 0; give 1 or more"):
        calibration(random_gt(0), random_predictions(0), num_bins=0)
