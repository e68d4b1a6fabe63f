"""mAP and recall: the original's numbers, cases with a known answer, and what must hold for any table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import crowded_tables, random_gt, random_predictions, table, tiou_by_definition

from afkit.evaluation.pairs import pair_up
from afkit.evaluation.scores import evaluate, recall_at_kx, threshold_bits
from afkit.segments import keep_distinct

GOLDEN = Path(__file__).parents[1] / "golden" / "evaluation"
TIOUS = [0.3, 0.4, 0.5, 0.6, 0.7]


def load_golden(number):
    """(gt, predictions, expected) of one set, the ground truth cleaned as `load_annotations` does it."""
    expected = json.loads((GOLDEN / f"set{number}_expected.json").read_text())
    rows = []
    for video, entry in json.loads((GOLDEN / f"set{number}_gt.json").read_text())["database"].items():
        if entry["subset"].lower() == expected["split"]:
            segments = np.array([a["segment"] for a in entry["annotations"]], float).reshape(-1, 2)
            labels = np.array([a["label_id"] for a in entry["annotations"]], int)
            keep = keep_distinct(segments, labels)
            rows += [(video, *s, k) for s, k in zip(segments[keep].tolist(), labels[keep].tolist(), strict=True)]
    gt = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label"])
    with np.load(GOLDEN / f"set{number}_pred.npz") as arrays:
        names = {"video_id": "video", "t_start": "start_sec", "t_end": "end_sec", "label": "label", "score": "score"}
        predictions = pd.DataFrame({names[key]: arrays[key] for key in names})
    return gt, predictions, expected


@pytest.mark.parametrize("number", range(1, 7))
def test_official_equals_the_original(number):
    gt, predictions, expected = load_golden(number)
    result = evaluate(gt, predictions, expected["tious"], label_remap="official")
    assert result.counts["ground_truths"] == expected["n_gt_after_dedup"]
    assert result.ap.index.tolist() == [int(label) for label in expected["activity_index"]]
    assert result.average_map == pytest.approx(expected["average_mAP"], abs=1e-9)
    np.testing.assert_allclose(result.map, expected["mAP"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.ap.T, expected["ap"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.recall, expected["mRecall"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("number", range(1, 7))
def test_recall_per_class_equals_the_original(number):
    gt, predictions, expected = load_golden(number)
    pairing = pair_up(gt, predictions, "official")
    bits = threshold_bits(pairing.pair_tiou, np.array(expected["tious"]))
    recall = recall_at_kx(pairing, bits, len(expected["tious"]), expected["top_k"])
    np.testing.assert_allclose(recall.transpose(1, 2, 0), expected["recall"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("number", range(1, 7))
def test_fixed_differs_from_official_only_where_labels_collide(number):
    gt, predictions, expected = load_golden(number)
    fixed = evaluate(gt, predictions, expected["tious"])
    collide = "collide" in expected["quirks"]
    assert (fixed.counts["predictions_colliding_label"] > 0) == collide
    assert np.allclose(fixed.ap.T, expected["ap"], rtol=0, atol=1e-9) == (not collide)
    clean = predictions[predictions["label"].isin(gt["label"])]
    pd.testing.assert_frame_equal(fixed.ap, evaluate(gt, clean, expected["tious"], "official").ap)


def test_a_ground_truth_is_found_once_and_the_second_best_is_taken_next():
    gt = table([(0, 10), (0, 8)])
    twice = table([(0, 10, 0.9), (0, 10, 0.8)])
    result = evaluate(gt, twice, [0.9, 0.8])  # the second reaches only 0.8, with the ground truth that is left
    assert result.map.tolist() == [0.5, 1.0]
    assert result.map.index.tolist() == [0.9, 0.8]
    assert evaluate(table([(0, 10)]), twice, [0.5]).counts["predictions"] == 2
    assert evaluate(gt.iloc[:1], twice.iloc[::-1], [0.5]).average_map == 1.0


def test_tiou_equal_to_the_threshold_is_a_hit():
    result = evaluate(table([(0, 10)]), table([(0, 5, 0.5)]), [0.5, np.nextafter(0.5, 1)])
    assert result.map.tolist() == [1.0, 0.0]
    assert result.recall[1].tolist() == [1.0, 0.0]


def test_classes_are_averaged_and_one_without_predictions_has_zero():
    gt = pd.concat([table([(0, 10)], label=9), table([(0, 10)], label=4)])
    result = evaluate(gt, table([(0, 10, 0.5)], label=9), [0.5])
    assert result.ap[0.5].to_dict() == {4: 0.0, 9: 1.0}
    assert result.ap.index.tolist() == [4, 9]
    assert result.average_map == 0.5
    assert result.recall.loc[0.5].tolist() == [0.5, 0.5]
    assert result.counts["classes_without_predictions"] == 1


def test_unknown_videos_are_false_positives_and_counted():
    predictions = pd.concat([table([(0, 10, 0.9)], "other"), table([(0, 10, 0.5)])])
    result = evaluate(table([(0, 10)]), predictions, [0.5])
    assert result.average_map == 0.5
    assert result.counts == {
        "ground_truths": 1,
        "predictions": 2,
        "videos": 1,
        "classes": 1,
        "predictions_unknown_label": 0,
        "predictions_colliding_label": 0,
        "predictions_unknown_video": 1,
        "videos_without_predictions": 0,
        "classes_without_predictions": 0,
        "gt_reversed": 0,
        "gt_zero_length": 0,
        "gt_duplicated": 0,
        "predictions_reversed": 0,
        "predictions_zero_length": 0,
        "predictions_duplicated": 0,
    }


def test_odd_rows_are_counted():
    gt = table([(0, 10), (0, 10), (0, 10), (5, 5), (7, 3), (9, 3), (2, 2), (2, 2)])
    rows = [(0, 10, 0.5), (0, 10, 0.25), (0, 9, 0.5), (0, 10, 0.5), (3, 3, 0.125), (9, 1, 0.75), (0, 10, 0.5)]
    predictions = pd.concat([table(rows), table(rows[:1], "w"), table(rows[:1], label=5), table(rows[:1], label=5)])
    for label_remap in ("fixed", "official"):
        counts = evaluate(gt, predictions.sample(frac=1, random_state=3), [0.5], label_remap).counts
        assert {name: counts[name] for name in counts if name.startswith("gt_")} == {
            "gt_reversed": 2,
            "gt_zero_length": 3,
            "gt_duplicated": 3,
        }
        assert (counts["predictions_reversed"], counts["predictions_zero_length"]) == (1, 1)
        assert counts["predictions_duplicated"] == 3  # two of the first row, one of a class that gt lacks


def test_duplicated_predictions_are_counted_in_any_order():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        predictions = random_predictions(seed).iloc[rng.integers(120, size=150)].sample(frac=1, random_state=seed)
        for label_remap in ("fixed", "official"):
            counts = evaluate(random_gt(seed), predictions, [0.5], label_remap).counts
            assert counts["predictions_duplicated"] == predictions.duplicated().sum() > 0


def test_nothing_in_common_is_an_error_with_both_sets_of_names():
    predictions = random_predictions(0)
    others = predictions.assign(video=[f"x{i}" for i in range(len(predictions))])
    message = (
        r"^gt and predictions have no video in common; gt: .*'a'.* \(4\); predictions: 'x0', .*, 'x4', \.\.\. \(120\); "
    )
    with pytest.raises(ValueError, match=message):
        evaluate(random_gt(0), others, TIOUS)
    with pytest.raises(ValueError, match=r"gt has no rows, .*; gt: none; predictions: .*e.* \(5\); "):
        evaluate(random_gt(0, 0), predictions, TIOUS)
    with pytest.raises(ValueError, match="; gt: none; predictions: none; "):
        evaluate(random_gt(0, 0), random_predictions(0, 0), TIOUS)
    numbers = table([(0, 1)]).assign(video=7)
    with pytest.raises(ValueError, match=r"gt: 7 .1.; predictions: '7' .1.; "):
        evaluate(numbers, table([(0, 1, 0.5)]).assign(video="7"), TIOUS)
    one_more = pd.concat([others, predictions.iloc[:1].assign(video="a")])
    assert evaluate(random_gt(0), one_more, TIOUS).counts["predictions_unknown_video"] == 120


@pytest.mark.parametrize(
    "predictions",
    [random_predictions(0, 0), pd.DataFrame(columns=random_predictions(0).columns)],
    ids=["no row", "no row, no types"],
)
@pytest.mark.parametrize("label_remap", ["fixed", "official"])
def test_nothing_found_gives_zeros(predictions, label_remap):
    result = evaluate(random_gt(0), predictions, TIOUS, label_remap)
    assert result.average_map == 0
    assert (result.ap == 0).all(axis=None)
    assert (result.recall == 0).all(axis=None)
    assert result.counts["videos_without_predictions"] == 4


@pytest.mark.parametrize("segment", [(5, 5), (7, 3)])
def test_empty_and_reversed_segments_find_nothing(segment):
    assert evaluate(table([segment]), table([(*segment, 0.5)]), [1e-9]).average_map == 0
    assert evaluate(table([(0, 10)]), table([(*segment, 0.5)]), [1e-9]).average_map == 0


def ap_of_hits(hits, num_gt):
    """Area under the envelope by definition: at each recall, the best precision at that recall or above."""
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return sum(precision[i:].max() for i in np.flatnonzero(hits)) / num_gt


def test_equal_scores_keep_the_order_of_the_rows_or_that_of_argsort():
    rng = np.random.default_rng(0)
    hits = rng.random(100) < 0.3
    scores = rng.integers(0, 3, 100) / 4
    gt = table([(100 * i, 100 * i + 10) for i in range(100)])
    predictions = table([(100 * i, 100 * i + (10 if hit else 1), scores[i]) for i, hit in enumerate(hits)])
    stable, official = np.argsort(-scores, kind="stable"), np.argsort(scores)[::-1]
    assert evaluate(gt, predictions, [0.5]).average_map == pytest.approx(ap_of_hits(hits[stable], 100))
    result = evaluate(gt, predictions, [0.5], "official")
    assert result.average_map == pytest.approx(ap_of_hits(hits[official], 100))
    assert ap_of_hits(hits[stable], 100) != pytest.approx(ap_of_hits(hits[official], 100))


def test_63_thresholds_are_independent_of_each_other():
    gt, predictions = random_gt(5), random_predictions(5)
    tious = np.linspace(0.01, 0.99, 63)
    together = evaluate(gt, predictions, tious)
    alone = [evaluate(gt, predictions, [tiou]) for tiou in tious]
    assert together.map.tolist() == pytest.approx([one.average_map for one in alone])
    assert together.recall[1].tolist() == [one.recall[1].item() for one in alone]
    assert together.map.nunique() > 5


def test_inputs_are_not_modified():
    gt, predictions = random_gt(1), random_predictions(1)
    gt_before, predictions_before = gt.copy(), predictions.copy()
    for label_remap in ("fixed", "official"):
        evaluate(gt, predictions, TIOUS, label_remap)
    pd.testing.assert_frame_equal(gt, gt_before)
    pd.testing.assert_frame_equal(predictions, predictions_before)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "float32", "object", "int8"])
def test_the_type_of_the_label_column_does_not_matter(dtype):
    gt, predictions = random_gt(2), random_predictions(2)
    expected = evaluate(gt, predictions, TIOUS).average_map
    assert evaluate(gt.astype({"label": dtype}), predictions.astype({"label": dtype}), TIOUS).average_map == expected


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_does_not_matter_without_ties(seed):
    gt, predictions = random_gt(seed), random_predictions(seed)
    shuffled = evaluate(gt.sample(frac=1, random_state=seed), predictions.sample(frac=1, random_state=seed), TIOUS)
    expected = evaluate(gt, predictions, TIOUS)
    pd.testing.assert_frame_equal(shuffled.ap, expected.ap)
    pd.testing.assert_frame_equal(shuffled.recall, expected.recall)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_false_positive_never_raises_ap(seed, score):
    gt, predictions = random_gt(seed), random_predictions(seed)
    before = evaluate(gt, predictions, TIOUS).ap
    for label in before.index:
        lowest = pd.concat([predictions, table([(500, 501, -1)], "a", label)])
        pd.testing.assert_frame_equal(evaluate(gt, lowest, TIOUS).ap, before)
        anywhere = pd.concat([predictions, table([(500, 501, score)], "a", label)])
        assert (evaluate(gt, anywhere, TIOUS).ap <= before).all(axis=None)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_the_ground_truth_itself_scores_1(seed):
    gt = random_gt(seed)
    result = evaluate(gt, gt.assign(score=0.5), [0.5, 1.0])
    assert (result.ap == 1).all(axis=None)
    assert (result.recall == 1).all(axis=None)


# ---- what a user can get wrong


def with_value(predictions, row, column, value):
    return predictions.assign(**{column: predictions[column].astype(object).where(predictions.index != row, value)})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("score", np.nan, "row 7 of predictions has score nan"),
        ("score", None, "row 7 of predictions has score None"),
        ("start_sec", np.inf, "row 7 of predictions has start_sec inf"),
        ("label", 1.5, "row 7 of predictions has label 1.5"),
        ("video", None, "row 7 of predictions has video"),
        ("end_sec", "soon", "column end_sec of predictions holds object, not numbers; convert it, times to seconds"),
    ],
)
def test_a_bad_value_is_named(column, value, message):
    with pytest.raises(ValueError, match=message):
        evaluate(random_gt(0), with_value(random_predictions(0), 7, column, value), TIOUS)


@pytest.mark.parametrize("column", ["start_sec", "label", "score"])
@pytest.mark.parametrize(
    "kind", ["timedelta64[s]", "timedelta64[ns]", "datetime64[ns]", "datetime64[ns, UTC]", "complex"]
)
def test_durations_dates_and_complex_numbers_are_refused_and_not_taken_for_nanoseconds(column, kind):
    predictions = random_predictions(0)
    wrong = predictions.assign(**{column: pd.Series(np.arange(len(predictions))).astype(kind)})
    with pytest.raises(ValueError, match=rf"^column {column} of predictions holds .*, not numbers; convert it, "):
        evaluate(random_gt(0), wrong, TIOUS)


def test_a_column_that_is_there_twice_is_refused():
    gt, predictions = random_gt(0), random_predictions(0)
    with pytest.raises(ValueError, match=r"^predictions has several columns of the name start_sec; leave one$"):
        evaluate(gt, pd.concat([predictions, predictions[["start_sec"]]], axis=1), TIOUS)
    twice = pd.concat([predictions.assign(a=1), predictions.assign(a=1)[["a"]]], axis=1)
    assert evaluate(gt, twice, TIOUS).average_map == evaluate(gt, predictions, TIOUS).average_map, "none of ours"


def test_labels_beyond_the_whole_numbers_of_floats_stay_apart():
    gt = table([(0, 1), (0, 1)]).assign(label=[2**60, 2**60 + 1])
    found = table([(0, 1, 0.5)]).assign(label=2**60 + 1)
    assert evaluate(gt, found, [0.5]).ap[0.5].to_dict() == {2**60: 0, 2**60 + 1: 1}


def test_bad_arguments_are_named():
    gt, predictions = random_gt(0), random_predictions(0)
    for truths, found, tious, label_remap, message in [
        (
            gt,
            predictions.drop(columns=["score", "label"]),
            TIOUS,
            "fixed",
            "predictions lacks the columns label, score",
        ),
        (gt.drop(columns="video"), predictions, TIOUS, "fixed", "gt lacks the columns video"),
        (gt, predictions, TIOUS, "oficial", "choose from: fixed, official"),
        (gt, predictions, np.linspace(0.1, 0.9, 64), "fixed", "64 tIoU thresholds"),
        (gt, predictions, [], "fixed", "0 tIoU thresholds"),
        *((gt, predictions, bad, "fixed", "above 0 and at most 1") for bad in ([0.0, 0.5], [50], [np.nan])),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate(truths, found, tious, label_remap)


def falling(scores):
    return np.argsort(-scores, kind="stable")


def falling_as_the_original(scores):
    return np.argsort(scores)[::-1]


def recall_by_loops(gt, predictions, tiou, k, order=falling):
    per_class = []
    for label, gt_of_class in gt.groupby("label"):
        found = 0
        for video, truths in gt_of_class.groupby("video"):
            mine = predictions[(predictions["video"] == video) & (predictions["label"] == label)]
            top = list(mine.iloc[order(mine["score"].to_numpy())].itertuples())[: k * len(truths)]
            found += sum(any(tiou_by_definition(t, p) >= tiou for p in top) for t in truths.itertuples())
        per_class.append(found / len(gt_of_class))
    return np.mean(per_class)


@settings(deadline=None, max_examples=100)
@given(crowded_tables())
def test_recall_agrees_with_plain_loops(tables):
    result = evaluate(*tables, [0.5, 0.75])
    for tiou in (0.5, 0.75):
        for k in (1, 5):
            assert result.recall.loc[tiou, k] == pytest.approx(recall_by_loops(*tables, tiou, k))


def test_official_recall_takes_equal_scores_in_the_order_of_the_original_within_each_video():
    rng = np.random.default_rng(0)
    number = 600  # long enough that the order of equal scores differs between a class and its part in a video
    gt = pd.DataFrame({"video": rng.choice(["a", "b", "c"], 60), "start_sec": np.arange(60.0) * 10, "label": 4})
    gt = gt.assign(end_sec=gt["start_sec"] + 10, label=rng.choice([4, 7], 60))
    start = rng.choice(gt["start_sec"], number)
    columns = {"video": rng.choice(["a", "b", "c", "d"], number), "start_sec": start, "end_sec": start + 8}
    predictions = pd.DataFrame(
        columns | {"label": rng.choice([4, 7, 9], number), "score": (rng.integers(0, 3, number) / 4).astype(np.float32)}
    )
    expected = {
        label_remap: [recall_by_loops(gt, predictions, 0.5, k, order) for k in (1, 5)]
        for label_remap, order in (("fixed", falling), ("official", falling_as_the_original))
    }
    for label_remap, recall in expected.items():
        assert evaluate(gt, predictions, [0.5], label_remap).recall.loc[0.5].tolist() == pytest.approx(
            recall, abs=1e-12
        )
    assert expected["fixed"] != expected["official"]
