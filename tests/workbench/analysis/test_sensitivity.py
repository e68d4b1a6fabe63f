"""Sensitivity and false negatives by bins: counts known by hand, and a reference in plain loops."""

from unittest import mock

import numpy as np
import pandas as pd
import pytest
from diagnosis_by_loops import mean_ap_by_loops, meeting_tables, missed_by_loops
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import random_gt, random_predictions, table

from afkit.workbench.analysis import sensitivity as module
from afkit.workbench.analysis.normalised import match_all, normalised_map
from afkit.workbench.analysis.sensitivity import characteristics, false_negatives, sensitivity

BINS = ("length", "coverage", "instances")
DURATIONS = dict.fromkeys("abcd", 80.0)


def known_case():
    """Four short actions in video a and a long one in b; two short ones and the long one are found."""
    gt = pd.concat([table([(20 * i, 20 * i + 10) for i in range(4)], "a"), table([(0, 100)], "b")], ignore_index=True)
    hits = [table([(0, 10, 0.9)], "a"), table([(0, 100, 0.7)], "b"), table([(20, 30, 0.5)], "a")]
    misses = [table([(15, 18, 0.8), (35, 38, 0.6)], "a")]
    return gt, pd.concat(hits + misses, ignore_index=True)


def test_sensitivity_of_the_known_case():
    gt, predictions = known_case()
    traits = characteristics(gt, {"a": 100, "b": 200}, "activitynet")
    found = sensitivity(match_all(gt, predictions, [0.5]), traits)
    assert found.index.names == ["characteristic", "bin"]
    assert found.loc[("length", "XS")].tolist()[:4] == [10, 10, 4, 1]
    # 5 ground truths in the only class. Short ones: hits with recall 1/4 and 2/4, after 0 and 2 false positives
    short = (1 + 2.5 / (2.5 + 2)) / 4
    assert found.loc[("length", "XS"), "normalised_map"] == pytest.approx(short)
    assert found.loc[("coverage", "XS"), "normalised_map"] == pytest.approx(short)
    assert found.loc[("instances", "S"), "normalised_map"] == pytest.approx(short)
    assert found.loc[("length", "M"), "normalised_map"] == pytest.approx(5 / (5 + 1))  # recall 1 after one
    assert found.loc[("coverage", "M"), "low"] == 0.5
    assert found.loc[("length", "XL")].isna().tolist() == [True, True, False, False, True]
    assert found.loc[("length", "XL"), ["ground_truths", "classes"]].tolist() == [0, 0]
    assert found.loc[("all", "all"), "normalised_map"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 5)
    assert found["ground_truths"].groupby("characteristic").sum().tolist() == [5, 5, 5, 5]


def test_a_prediction_on_another_bin_is_ignored_only_where_it_finds_it():
    gt = pd.concat([table([(0, 100)], "a"), table([(0, 10)], "b")], ignore_index=True)
    predictions = pd.concat([table([(0, 70, 0.9)], "a"), table([(0, 10, 0.8)], "b")], ignore_index=True)
    traits = characteristics(gt, {"a": 200, "b": 200}, "activitynet")
    short = [sensitivity(match_all(gt, predictions, [tiou]), traits).loc[("length", "XS")] for tiou in (0.5, 0.8)]
    assert [row["normalised_map"] for row in short] == pytest.approx([1, 2 / 3])  # at 0.8 it finds nothing
    both = sensitivity(match_all(gt, predictions, [0.5, 0.8]), traits).loc[("length", "XS")]
    assert both["normalised_map"] == pytest.approx((1 + 2 / 3) / 2)


def test_false_negatives_of_the_known_case():
    gt, predictions = known_case()
    traits = characteristics(gt, {"a": 100}, "activitynet")
    found = false_negatives(match_all(gt, predictions, [0.5]), traits)
    assert found.loc[("all", "all"), ["ground_truths", "missed", "share"]].tolist() == [5, 2, 0.4]
    assert found.loc[("length", "XS"), ["ground_truths", "missed", "share"]].tolist() == [4, 2, 0.5]
    assert found.loc[("coverage", "unknown"), ["ground_truths", "missed", "share"]].tolist() == [1, 0, 0]
    assert np.isnan(found.loc[("length", "XL"), "share"])


def test_what_lies_too_deep_in_the_ranking_is_missed():
    gt = table([(0, 10)])
    deep = table([(500 + i, 501 + i, 1 - i / 100) for i in range(19)] + [(0, 10, 0.1)])
    for predictions, missed in ((deep, 1), (deep.iloc[1:], 0)):  # precision 1/20 is not above 0.05, 1/19 is
        found = false_negatives(match_all(gt, predictions.reset_index(drop=True), [0.5]), characteristics(gt, {}))
        assert found.loc[("all", "all"), "missed"] == missed


@settings(max_examples=30)
@given(meeting_tables(), st.sampled_from([0.1, 0.5, 1.0]))
def test_sensitivity_agrees_with_plain_loops(tables, tiou):
    gt, predictions = tables
    traits = characteristics(gt, {"a": 5.0})
    found = sensitivity(match_all(gt, predictions, [tiou]), traits)["normalised_map"]
    for characteristic in BINS:
        for name in traits[f"{characteristic}_bin"].cat.categories:
            inside = traits[f"{characteristic}_bin"] == name
            kept = set(gt.index[inside])

            def flag(p, g, kept=kept):
                return False if g is None else True if g in kept else None

            expected = mean_ap_by_loops(gt, predictions, tiou, flag, inside)
            assert found[characteristic, name] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=30)
@given(meeting_tables(), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0, 0.05, 0.4]))
def test_false_negatives_agree_with_plain_loops(tables, tiou, min_precision):
    gt, predictions = tables
    traits = characteristics(gt, {"a": 5.0})
    with mock.patch.object(module, "MIN_PRECISION", min_precision):
        found = false_negatives(match_all(gt, predictions, [tiou]), traits)
    missed = missed_by_loops(gt, predictions, tiou, min_precision)
    assert found.loc[("all", "all"), "missed"] == len(missed)
    for characteristic in BINS:
        expected = traits.loc[sorted(missed), f"{characteristic}_bin"].value_counts(sort=False)
        assert found.loc[characteristic, "missed"].tolist() == expected.tolist()


def test_one_bin_for_everything_is_the_whole():
    gt, predictions = random_gt(4), random_predictions(4)
    matches = match_all(gt, predictions, [0.3, 0.6])
    found = sensitivity(matches, characteristics(gt, {}))
    assert found.loc[("coverage", "unknown"), "normalised_map"] == found.loc[("all", "all"), "normalised_map"]
    assert found.loc[("all", "all"), "normalised_map"] == pytest.approx(normalised_map(matches).mean())
