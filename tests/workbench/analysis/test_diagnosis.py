"""Kinds of false positives and normalised mAP: counts known by hand, a reference in plain loops, real detections."""

import json

import numpy as np
import pandas as pd
import pytest
from diagnosis_by_loops import gain_by_loops, kinds_by_loops, mean_ap_by_loops, meeting_tables
from golden_files import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import random_gt, random_predictions, table

from afkit.data.annotations import read_annotations, to_frame
from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis import false_positives as module
from afkit.workbench.analysis.diagnosis import diagnose, summarise
from afkit.workbench.analysis.false_positives import (
    KINDS,
    OUTSIDE,
    false_positive_profile,
    false_positives,
    find_kinds,
    gain_of_removal,
)
from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.analysis.normalised import match_all, normalised_ap, normalised_map
from afkit.workbench.analysis.result_files import read_predictions

TIOUS = [0.3, 0.5, 0.75]
DURATIONS = dict.fromkeys("abcd", 80.0)


def known_case():
    """Two classes with two ground truths each in videos a and b; every kind of false positive, 25 predictions."""
    gt = pd.concat(
        [table([(0, 10), (20, 30)], "a", 0), table([(40, 50)], "a", 1), table([(0, 10)], "b", 1)], ignore_index=True
    )
    parts = [
        table([(0, 10, 0.99), (0, 9, 0.98)], "a", 0),  # a hit, and a second one on the same ground truth
        table([(40, 50, 0.97), (20, 24, 0.96)], "a", 0),  # on the other class; tIoU 0.4 with its own
        table([(40, 44, 0.95), (60, 70, 0.94)], "a", 0),  # tIoU 0.4 with the other class; on nothing
        table([(0, 10, 0.93)], "c", 0),  # a video without ground truth
        table([(20, 30, 0.92), (5, 5, 0.91)], "a", 0),  # a hit; no length
        table([(70 + i, 71 + i, 0.5 - i / 100) for i in range(12)], "a", 0),  # ranks 10 to 21, the last beyond 10 G
        table([(0, 10, 0.9), (0, 0.99, 0.8), (0, 1, 0.7)], "b", 1),  # a hit, tIoU below 0.1, tIoU of 0.1
        table([(0, 10, 0.9)], "b", 7),  # a label that no ground truth has
    ]
    return gt, pd.concat(parts, ignore_index=True)


def test_every_kind_of_the_known_case():
    gt, predictions = known_case()
    named = false_positives(gt, predictions, 0.5)
    kinds = [*KINDS, "background", KINDS[0], "background", *["background"] * 11, OUTSIDE]  # in the order of the rows
    kinds += ["true positive", "background", "localisation", OUTSIDE]
    assert named["kind"].tolist() == kinds
    assert named["band"].tolist() == [i // 2 + 1 for i in range(20)] + [0] + [1, 1, 2, 0]
    pd.testing.assert_frame_equal(named[predictions.columns], predictions)


def test_profile_of_the_known_case():
    matches = match_all(*known_case(), [0.5, 0.95])
    profile = false_positive_profile(find_kinds(matches))
    assert profile.columns.tolist() == list(KINDS)
    assert profile.index.tolist() == list(range(1, 11))
    # at 0.5, and at 0.95, where (0, 9) no longer repeats the first hit but is badly placed
    assert profile.loc[1].tolist() == [2, 0.5, 0, 0.5, 0, 1]
    assert profile.loc[2].tolist() == [0, 0, 1, 2, 0, 0]
    assert profile.loc[3].tolist() == [0, 0, 0, 0, 1, 1]
    assert profile.loc[4].tolist() == [1, 0, 0, 0, 0, 1]
    assert (profile.loc[5:, "background"] == 2).all()
    assert profile.to_numpy().sum() == 23


def test_gains_of_the_known_case():
    matches = match_all(*known_case(), [0.5])
    # class 0: hits at ranks 1 and 8 of 2 ground truths; class 1: at rank 1 of 2. Both have the average number.
    assert normalised_map(matches).tolist() == [pytest.approx((0.5 * (1 + 2 / 8) + 0.5) / 2)]
    gains = gain_of_removal(matches, find_kinds(matches))
    assert gains.columns.tolist() == [0.5]
    one, two = (2 / 7 - 2 / 8) / 4, (2 / 6 - 2 / 8) / 4
    expected = dict(zip(KINDS[1:], [one, one, one, one, two], strict=True))
    assert gains[0.5].to_dict() == pytest.approx(expected)


def test_precision_is_normalised_by_the_average_number_of_ground_truths():
    gt = pd.concat([table([(20 * i, 20 * i + 10) for i in range(3)], label=0), table([(0, 10)], label=1)])
    predictions = pd.concat([table([(90, 99, 0.9), (0, 10, 0.8)], label=label) for label in (0, 1)])
    matches = match_all(gt.reset_index(drop=True), predictions.reset_index(drop=True), [0.5])
    # 2 ground truths per class on average: recall 1/3 counts as 2/3 of a hit, recall 1 as two
    assert normalised_ap(matches)[:, 0].tolist() == pytest.approx([2 / 3 / (2 / 3 + 1) / 3, 2 / (2 + 1)])


def test_a_class_without_ground_truths_that_count_has_no_ap():
    matches = match_all(*known_case(), [0.5])
    of_class_1 = matches.label == 1
    ap = normalised_ap(matches, of_class_1, num_gt=np.array([0, 2]))[:, 0]
    assert ap.tolist() == pytest.approx([np.nan, 0.5], nan_ok=True)


def test_the_ground_truth_of_highest_tiou_decides_and_of_equal_ones_the_own_class():
    gt = pd.concat([table([(0, 10)], label=1), table([(0, 20)], label=0)], ignore_index=True)
    repeated = table([(0, 20, 0.9), (0, 14, 0.8), (0, 16, 0.7)])
    assert false_positives(gt, repeated, 0.6)["kind"].tolist() == ["true positive", "wrong label", "double detection"]
    for order in ([0, 1], [1, 0]):
        alike = pd.concat([table([(0, 10)], label=1), table([(0, 10)], label=0)]).iloc[order].reset_index(drop=True)
        named = false_positives(alike, table([(0, 10, 0.9), (0, 10, 0.8), (0, 4, 0.7)]), 0.6)
        assert named["kind"].tolist() == ["true positive", "double detection", "localisation"]


@st.composite
def some_tables(draw):
    """Crowded ones, or 6 ground truths and 150 predictions: bands that are full, and some predictions beyond them."""
    seed = draw(st.integers(0, 10_000))
    return draw(st.just((random_gt(seed, 6), random_predictions(seed, 150))) | meeting_tables())


@settings(max_examples=80)
@given(some_tables(), st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.75, 1.0]))
def test_kinds_agree_with_plain_loops(tables, tiou):
    named = false_positives(*tables, tiou)
    expected = kinds_by_loops(*tables, tiou)
    found = {i: (row.band, row.kind) for i, row in named.iterrows() if row.kind != OUTSIDE}
    assert found == expected
    assert (named["band"] > 0).tolist() == (named["kind"] != OUTSIDE).tolist()
    assert len(expected) < len(named) or len(named) < 150


@settings(max_examples=50)
@given(some_tables(), st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_gains_agree_with_plain_loops(tables, tiou):
    matches = match_all(*tables, [0.9, tiou])
    gains = gain_of_removal(matches, find_kinds(matches))[tiou]  # whatever the other threshold
    assert gains.to_dict() == pytest.approx({kind: gain_by_loops(*tables, tiou, kind) for kind in KINDS[1:]})
    assert (gains >= -1e-12).all()


@settings(max_examples=50)
@given(meeting_tables(), st.sampled_from([0.1, 0.5, 1.0]))
def test_normalised_map_agrees_with_plain_loops(tables, tiou):
    expected = mean_ap_by_loops(*tables, tiou, lambda p, g: g is not None)
    series = normalised_map(match_all(*tables, [0.7, tiou]))
    assert series[tiou] == pytest.approx(expected)
    assert series.index.tolist() == [0.7, tiou]


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_a_class_alone_has_the_ap_of_evaluate(seed):
    gt, predictions = random_gt(seed), random_predictions(seed)
    ap = evaluate(gt, predictions, TIOUS).ap
    for label in ap.index:
        alone = match_all(gt[gt["label"] == label], predictions[predictions["label"] == label], TIOUS)
        assert normalised_ap(alone)[0] == pytest.approx(ap.loc[label].to_numpy())


def test_pairs_in_parts_give_the_same_kinds(monkeypatch):
    gt, predictions = random_gt(6), random_predictions(6)
    expected = false_positives(gt, predictions, 0.4)
    for pairs_at_once in (1, 20):
        monkeypatch.setattr(module, "PAIRS_AT_ONCE", pairs_at_once)
        pd.testing.assert_frame_equal(false_positives(gt, predictions, 0.4), expected)


def same(first, second):
    """All tables of two diagnoses are equal."""
    assert first.counts == second.counts
    pd.testing.assert_series_equal(first.normalised_map, second.normalised_map)
    for name in ("profile", "gains", "sensitivity", "false_negatives"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))


@settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_order_of_rows_and_names_of_videos_do_not_matter(seed):
    gt, predictions = random_gt(seed), random_predictions(seed)
    expected = diagnose(gt, predictions, TIOUS, DURATIONS)
    shuffled = [part.sample(frac=1, random_state=seed) for part in (gt, predictions)]
    same(diagnose(*shuffled, TIOUS, DURATIONS), expected)
    names = dict(zip("abcde", ["z", "b b", "a", "0", "$"], strict=True))
    renamed = [part.assign(video=part["video"].map(names)) for part in (gt, predictions)]
    same(diagnose(*renamed, TIOUS, {names[video]: 80.0 for video in DURATIONS}), expected)


def test_counts_name_everything_that_is_odd():
    gt = pd.concat(
        [table([(0, 10), (5, 5), (9, 4), (0, 90), (0, 60)], "a"), table([(0, 10)], "b"), table([(3, 3)], "d")]
    )
    predictions = pd.concat(
        [table([(0, 10, 0.9), (7, 7, 0.8), (8, 2, 0.7)], "a"), table([(0, 1, 0.6)], "c"), table([(0, 1, 0.5)], "a", 4)]
    )
    found = diagnose(gt.reset_index(drop=True), predictions.reset_index(drop=True), [0.5], {"a": 60})
    assert found.counts == {
        "ground_truths": 7,
        "ground_truths_no_length": 3,
        "ground_truths_no_coverage": 4,
        "ground_truths_beyond_video": 1,
        "videos_no_duration": 2,
        "predictions": 5,
        "predictions_in_bands": 4,
        "predictions_unknown_label": 1,
        "predictions_unknown_video": 1,
        "predictions_no_length": 2,
    }
    assert found.bins == "quantiles"
    assert found.profile.to_numpy().sum() == 4
    assert found.false_negatives.loc[("all", "all"), "missed"] == 6  # those without length are never found


@pytest.mark.parametrize("predictions", [random_predictions(0, 0), random_predictions(0).assign(label=77)])
def test_nothing_found_gives_zeros(predictions):
    found = diagnose(random_gt(0), predictions, TIOUS, DURATIONS)
    assert found.normalised_map.tolist() == [0, 0, 0]
    assert found.profile.to_numpy().sum() == 0
    assert (found.gains == 0).all(axis=None)
    assert (found.false_negatives["share"] == 1).all()
    assert (found.sensitivity["normalised_map"] == 0).all()


def test_summary_is_plain_json():
    gt = random_gt(2)
    found = diagnose(gt, random_predictions(2), TIOUS, {}, "thumos")
    content = json.loads(json.dumps(summarise(found), allow_nan=False))
    assert content["bins"] == "thumos"
    assert list(content["normalised_map"]) == ["0.30", "0.50", "0.75"]
    assert content["average_normalised_map"] == pytest.approx(np.mean(list(content["normalised_map"].values())))
    assert content["profile"]["1"] == found.profile.loc[1].to_dict()
    assert content["gain_of_removal"]["background"] == pytest.approx(found.gains.loc["background"].mean())
    assert content["sensitivity"]["coverage"]["XS"]["normalised_map"] is None  # no duration is known
    assert content["false_negatives"]["coverage"]["unknown"]["ground_truths"] == len(gt)
    assert content["false_negatives"]["all"]["all"]["low"] is None
    assert content["counts"]["videos_no_duration"] == gt["video"].nunique()


AUTOLOC = SHARED.parent / "data" / "autoloc"


@pytest.mark.skipif(not AUTOLOC.is_dir(), reason=f"{AUTOLOC} is not there (AFKIT_SHARED names its parent)")
@pytest.mark.parametrize(("name", "data", "tiou"), [("th14", "thumos", 0.5), ("anet12", "activitynet", 0.75)])
def test_published_detections_are_counted_as_elsewhere(name, data, tiou):
    annotations = read_annotations(AUTOLOC / f"{name}_gt.json")
    predictions = read_predictions(AUTOLOC / f"{name}_pred.json", annotations.label_names)
    gt = to_frame(annotations.videos.values())
    named = false_positives(gt, predictions, tiou)
    matched_gt, matched = match_segments(gt, predictions, tiou)
    inside = named["kind"] != OUTSIDE
    assert ((named["kind"] == "true positive") == (matched["outcome"] == "hit"))[inside].all()
    assert named["kind"].isin([*KINDS, OUTSIDE]).all()
    assert (named.loc[named["kind"] == "localisation", "score"].count()) > 0
    own = matched["tiou"]  # with its own class, of a false alarm
    assert (own[named["kind"] == "double detection"] >= tiou).all()
    assert own[named["kind"] == "localisation"].between(0.1, tiou, inclusive="left").all()
    assert (own[named["kind"] == "background"] < 0.1).all()

    found = diagnose(gt, predictions, [tiou], {v.name: v.duration_sec for v in annotations.videos.values()}, data)
    assert found.profile.to_numpy().sum() == inside.sum()
    for characteristic in ("length", "coverage", "instances"):
        for table_ in (found.sensitivity, found.false_negatives):
            assert table_.loc[characteristic, "ground_truths"].sum() == len(gt)
        assert found.false_negatives.loc[characteristic, "missed"].sum() == pytest.approx(
            found.false_negatives.loc[("all", "all"), "missed"]
        )
    assert found.false_negatives.loc[("all", "all"), "missed"] >= (~matched_gt["found"]).sum()
    label = gt["label"].mode()[0]
    alone = match_all(gt[gt["label"] == label], predictions[predictions["label"] == label], [tiou])
    assert normalised_ap(alone)[0, 0] == pytest.approx(evaluate(gt, predictions, [tiou]).ap.loc[label, tiou])
