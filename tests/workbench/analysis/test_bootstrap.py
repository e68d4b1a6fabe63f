"""Bootstrap over videos and groups: repeated tables as reference, known distributions, how often equal runs differ."""

import json
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import crowded_tables, random_gt, random_predictions, table

from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis import bootstrap
from afkit.workbench.analysis.bootstrap import (
    bootstrap_map,
    compare_runs,
    drawn_units,
    interval_facts,
    map_by_video,
    resample,
    sign_test,
    too_few,
)

TIOUS = [0.3, 0.5, 0.7]


def repeat_videos(rows, times):
    """Every row in place as often as its video was drawn, each time under another name of the video."""
    count = rows["video"].map(times).to_numpy(int)
    copies = rows.iloc[np.repeat(np.arange(len(rows)), count)]
    number = np.concatenate([np.arange(n) for n in count]) if len(count) else np.zeros(0, int)
    return copies.assign(video=[f"{video}#{n}" for video, n in zip(copies["video"], number, strict=True)])


def scored_by_repetition(gt, predictions, tious, resamples, seed):
    """(R, S) mAP of the resamples that have ground truth, each by an evaluation of its own."""
    videos = list(dict.fromkeys([*gt["video"], *predictions["video"]]))
    rows = []
    for weights in np.hstack(list(bootstrap._draw(len(videos), resamples, seed, resamples))).T:
        times = dict(zip(videos, weights, strict=True))
        drawn_gt, drawn = repeat_videos(gt, times), repeat_videos(predictions, times)
        if len(drawn_gt):
            apart = not set(drawn_gt["video"]) & set(drawn["video"])
            rows.append(evaluate(drawn_gt, drawn.iloc[:0] if apart else drawn, tious).map.tolist())
    return np.array(rows)


@settings(deadline=None, max_examples=40)
@given(crowded_tables(), st.integers(0, 1000))
def test_a_resample_scores_as_the_repeated_videos_do(tables, seed):
    tious = [0.5, 0.25, 0.75]
    drawn = resample(tables[0], [tables[1]], tious, 8, seed)
    expected = scored_by_repetition(*tables, tious, 8, seed)
    np.testing.assert_allclose(drawn.sampled[0], expected, rtol=0, atol=1e-12)
    assert drawn.counts["resamples_without_gt"] == 8 - len(expected)


def test_resamples_of_larger_tables():
    gt, predictions = random_gt(2), random_predictions(2)
    result = bootstrap_map(gt, predictions, TIOUS, resamples=30, seed=2)
    expected = scored_by_repetition(gt, predictions, TIOUS, 30, 2)
    np.testing.assert_allclose(result.samples, expected, rtol=0, atol=1e-12)
    scores = evaluate(gt, predictions, TIOUS)
    assert result.average_map.value == pytest.approx(scores.average_map, abs=1e-12)
    assert result.map["value"].tolist() == pytest.approx(scores.map.tolist(), abs=1e-12)
    assert result.map.index.tolist() == TIOUS
    assert result.counts["videos"] == 5  # one has predictions only


def test_the_number_of_videos_drawn_is_that_of_all_videos():
    weights = np.hstack(list(bootstrap._draw(7, 5000, 0, 100)))
    assert weights.shape == (7, 5000)
    assert (weights.sum(axis=0) == 7).all()
    assert weights.mean(axis=1) == pytest.approx(np.ones(7), abs=0.07)
    assert weights.var() == pytest.approx(6 / 7, abs=0.05)  # with replacement


def test_two_videos_have_a_known_distribution():
    gt = pd.concat([table([(0, 10)], "found"), table([(0, 10)], "missed")])
    result = bootstrap_map(gt, table([(0, 10, 0.9)], "found"), [0.5], resamples=4000)
    shares = pd.Series(result.samples[:, 0]).value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({0.0: 0.25, 0.5: 0.5, 1.0: 0.25}, abs=0.03)
    assert result.average_map == pytest.approx((0.5, 0.0, 1.0, math.sqrt(1 / 8)), abs=0.02)
    narrow = bootstrap_map(gt, table([(0, 10, 0.9)], "found"), [0.5], resamples=4000, level=0.4).average_map
    assert (narrow.low, narrow.high) == pytest.approx((0.5, 0.5), abs=0.02)


def test_the_interval_lies_around_the_measured_value():
    gt, predictions = random_gt(3), random_predictions(3)
    result = bootstrap_map(gt, predictions, TIOUS, resamples=400)
    average = result.samples.mean(axis=1)
    low, high = np.quantile(average, [0.025, 0.975]) - average.mean()
    assert average.mean() != pytest.approx(result.average_map.value, abs=1e-3)  # repeated videos raise mAP
    assert result.average_map.low == pytest.approx(result.average_map.value + low)
    assert result.average_map.high == pytest.approx(result.average_map.value + high)
    assert result.average_map.standard_error == pytest.approx(average.std(ddof=1))
    second = result.map.loc[0.5]
    assert second["high"] - second["low"] == pytest.approx(np.ptp(np.quantile(result.samples[:, 1], [0.025, 0.975])))


def test_a_class_that_no_drawn_video_has_is_left_out():
    gt = pd.concat([table([(0, 10)], "a", 0), table([(0, 10)], "b", 1)])
    result = bootstrap_map(gt, table([(0, 10, 0.9)], "a", 0), [0.5], resamples=2000)
    assert set(result.samples[:, 0]) == {0.0, 0.5, 1.0}  # only b, both, only a
    assert result.counts["mean_classes_left_out"] == pytest.approx(0.5, abs=0.05)


def test_resamples_without_ground_truth_are_left_out_and_counted():
    gt = table([(0, 10)], "a")
    predictions = pd.concat([table([(0, 10, 0.5)], "a"), table([(0, 10, 0.5)], "b")])
    result = bootstrap_map(gt, predictions, [0.5], resamples=1000)
    assert result.counts["resamples_without_gt"] == pytest.approx(250, abs=60)
    assert len(result.samples) == 1000 - result.counts["resamples_without_gt"]
    assert not np.isnan(result.samples).any()
    assert result.counts["mean_classes_left_out"] == 0  # of the usable ones
    predictions = pd.concat([predictions, *(predictions.assign(video=f"v{i}") for i in range(200))])
    for seed in range(12):
        usable = int(sum((weights[0] > 0).sum() for weights in bootstrap._draw(202, 2, seed, 2)))
        if usable == 2:
            assert len(bootstrap_map(gt, predictions, [0.5], 2, seed).samples) == 2
        else:
            with pytest.raises(ValueError, match=f"{usable} of 2 resamples have ground truth; raise resamples"):
                bootstrap_map(gt, predictions, [0.5], 2, seed)


def test_neither_chunks_nor_order_of_thresholds_change_a_number(monkeypatch):
    gt, predictions = random_gt(1), random_predictions(1)
    whole = bootstrap_map(gt, predictions, TIOUS, resamples=50, seed=4)
    monkeypatch.setattr(bootstrap, "CELLS", 300)
    pieces = bootstrap_map(gt, predictions, TIOUS[::-1], resamples=50, seed=4)
    np.testing.assert_array_equal(whole.samples, pieces.samples[:, ::-1])
    assert whole.counts == pieces.counts


def test_memory_does_not_grow_with_the_resamples():
    rng = np.random.default_rng(0)
    gt = table([(10 * i, 10 * i + 8) for i in range(500)]).assign(video=rng.integers(20, size=500).astype(str))
    start = rng.uniform(0, 5000, 20_000)
    rows = np.column_stack([start, start + 8, rng.random(20_000)]).tolist()
    predictions = table(rows).assign(video=rng.integers(20, size=20_000).astype(str))
    tracemalloc.start()
    bootstrap_map(gt, predictions, [0.5], resamples=1500)  # 240 MB, if all were held at once
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def test_the_seed_decides():
    gt, predictions = random_gt(2), random_predictions(2)
    first, again, other = (bootstrap_map(gt, predictions, TIOUS, 20, seed).samples for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_official_mapping_of_labels_is_offered():
    gt = pd.concat([table([(0, 10)], label=2), table([(0, 10)], label=5)])
    predictions = table([(0, 10, 0.5)], label=1)
    assert bootstrap_map(gt, predictions, [0.5], 5, label_remap="official").average_map.value == 0.5
    assert (
        compare_runs(gt, predictions, predictions.iloc[:0], [0.5], 5, label_remap="official").average_map.value == 0.5
    )
    assert bootstrap_map(gt, predictions, [0.5], 5).average_map.value == 0.0


def test_a_run_does_not_differ_from_itself():
    gt, predictions = random_gt(0), random_predictions(0)
    same = compare_runs(gt, predictions, predictions.sample(frac=1, random_state=0), TIOUS, resamples=200)
    assert same.average_map == (0.0, 0.0, 0.0, 0.0)
    assert (same.p_value, same.significant) == (1.0, False)
    assert (same.samples == 0).all()
    assert same.sign_test == (0, 0, 4, 1.0)


def test_rounding_is_no_difference():
    gt = pd.concat([table([(20 * i, 20 * i + 10) for i in range(10)], f"v{n}", k) for n in range(6) for k in range(3)])
    place = gt["start_sec"] / 20
    a, b = (gt[place < gt["label"].map(dict(enumerate(found)))].assign(score=0.5) for found in ((1, 2, 3), (2, 3, 1)))
    apart = evaluate(gt, a, [0.5]).average_map - evaluate(gt, b, [0.5]).average_map
    assert 0 < abs(apart) < 1e-15  # 0.1 + 0.2 + 0.3 against 0.2 + 0.3 + 0.1
    result = compare_runs(gt, a, b, [0.5], resamples=99)
    assert (result.average_map, result.p_value, result.significant) == ((0.0, 0.0, 0.0, 0.0), 1.0, False)
    assert result.sign_test == (0, 0, 6, 1.0)


def test_both_runs_are_scored_on_the_same_draws():
    gt, a, b = random_gt(7), random_predictions(7), random_predictions(8)
    apart = [bootstrap_map(gt, run, TIOUS, resamples=100, seed=3) for run in (a, b)]
    together = compare_runs(gt, a, b, TIOUS, resamples=100, seed=3)
    np.testing.assert_allclose(together.samples, apart[0].samples - apart[1].samples, rtol=0, atol=1e-12)
    assert together.average_map.value == pytest.approx(apart[0].average_map.value - apart[1].average_map.value)
    turned = compare_runs(gt, b, a, TIOUS, resamples=100, seed=3)
    assert turned.average_map.value == pytest.approx(-together.average_map.value)
    assert turned.average_map.low == pytest.approx(-together.average_map.high)
    assert turned.p_value == together.p_value
    assert (turned.sign_test.a_better, turned.sign_test.b_better) == together.sign_test[1::-1]


def test_p_values_count_the_resamples_that_lie_as_far_from_their_mean():
    gt, a, b = random_gt(9), random_predictions(9), random_predictions(10)
    result = compare_runs(gt, a, b, TIOUS, resamples=150)
    average = result.samples.mean(axis=1)
    as_far = sum(abs(sample - average.mean()) >= abs(result.average_map.value) for sample in average)
    assert result.p_value == pytest.approx((1 + as_far) / 151)


def test_a_clear_difference_is_significant():
    gt = pd.concat([table([(0, 10), (20, 30)], f"v{i}") for i in range(12)])
    good, bad = gt.assign(score=0.9), gt[gt["start_sec"] == 0].assign(score=0.9)
    result = compare_runs(gt, good, bad, [0.5], resamples=99)
    assert result.average_map == (0.5, 0.5, 0.5, 0.0)
    assert result.p_value == 1 / 100
    assert result.significant
    assert not compare_runs(gt, good, bad, [0.5], resamples=99, level=0.99).significant  # 0.01 is not below 0.01
    assert result.sign_test == (12, 0, 0, 2 / 2**12)


GROUPS = {"a": "ann", "b": "ann", "d": "ann", "e": "bob"}  # c is a group of its own


@pytest.mark.parametrize("seed", range(3))
def test_a_group_is_drawn_like_one_video_that_holds_all_of_its_own(seed):
    gt, predictions = random_gt(seed), random_predictions(seed)
    drawn = resample(gt, [predictions], TIOUS, 20, seed, groups=GROUPS)
    joined = []
    for rows in (gt, predictions):
        later = rows["video"].map({name: 1000.0 * number for number, name in enumerate("abcde")})  # none overlap
        moved = rows.assign(start_sec=rows["start_sec"] + later, end_sec=rows["end_sec"] + later)
        joined.append(moved.assign(video=moved["video"].map(lambda video: GROUPS.get(video, video))))
    alone = resample(joined[0], [joined[1]], TIOUS, 20, seed)
    np.testing.assert_allclose(drawn.sampled, alone.sampled, rtol=0, atol=1e-12)
    np.testing.assert_allclose(drawn.measured, alone.measured, rtol=0, atol=1e-12)
    assert (drawn.counts["videos"], drawn.counts["groups"]) == (5, 3)


def twins_of_five(found):
    """Five groups with two videos of one action each, of which those of some groups are found."""
    gt = pd.concat([table([(0, 10)], f"{who}{number}") for who in "vwxyz" for number in (1, 2)])
    return gt, gt[gt["video"].str[0].isin(list(found))].assign(score=0.9), {video: video[0] for video in gt["video"]}


def test_groups_vary_as_five_draws_do_and_videos_would_as_ten():
    gt, predictions, groups = twins_of_five("vw")
    grouped = bootstrap_map(gt, predictions, [0.5], resamples=4000, groups=groups)
    apart = bootstrap_map(gt, predictions, [0.5], resamples=4000)
    assert set(grouped.samples[:, 0].round(9)) <= {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}
    assert grouped.average_map.standard_error == pytest.approx(math.sqrt(0.4 * 0.6 / 5), abs=0.01)
    assert apart.average_map.standard_error == pytest.approx(math.sqrt(0.4 * 0.6 / 10), abs=0.01)
    assert (grouped.facts()["resampled"], apart.facts()["resampled"]) == ("5 groups", "10 recordings")
    assert (drawn_units({"videos": 1, "groups": 7}), grouped.facts()["counts"]["videos"]) == ("7 groups", 10)


def test_missing_groups_are_none_and_a_series_names_groups_too():
    gt, predictions, groups = twins_of_five("vw")
    some = {video: group for i, (video, group) in enumerate(groups.items()) if i < 4}
    expected = bootstrap_map(gt, predictions, [0.5], 20, groups=some)
    gaps = {video: some.get(video, (None, np.nan)[i % 2]) for i, video in enumerate(groups)}
    for named in (gaps, pd.Series(gaps), pd.Series(some)):
        found = bootstrap_map(gt, predictions, [0.5], 20, groups=named)
        assert found.facts() == expected.facts() and found.counts["groups"] > 4
    assert "groups" not in bootstrap_map(gt, predictions, [0.5], 20, groups=dict.fromkeys(groups)).counts
    for named in ({7: "ann"}, pd.Series({7: "ann"})):
        with pytest.raises(
            ValueError, match=r"^no key of groups is a video: 7 is none, '.*' is one; give \{video: group\}"
        ):
            compare_runs(gt, predictions, predictions, [0.5], 20, groups=named)
    assert "refused" not in interval_facts(gt, predictions, [0.5], {"of another subset": "ann"})


def test_the_paired_test_draws_groups_and_its_sign_test_counts_them():
    gt, good, groups = twins_of_five("vwxyz")
    _, bad, _ = twins_of_five("v")
    result = compare_runs(gt, good, bad, [0.5], resamples=200, groups=groups)
    assert result.sign_test == (4, 0, 1, 1 / 8) and result.counts["groups"] == 5
    assert compare_runs(gt, good, bad, [0.5], resamples=200).sign_test[:3] == (8, 0, 2)


def test_fewer_than_five_groups_or_recordings_are_too_few():
    gt, predictions, groups = twins_of_five("v")
    assert too_few(gt, [predictions], groups) == too_few(gt, [predictions]) == ""
    people = {video: "ann" if who in "vw" else who for video, who in groups.items()}
    assert too_few(gt, [predictions], people) == "an interval needs at least 5 test groups, there are 4"
    assert too_few(gt.iloc[:1], [predictions.iloc[:1]]) == "an interval needs at least 5 test recordings, there is 1"
    more = predictions.iloc[:1].assign(video="found elsewhere")
    assert too_few(gt.iloc[:4], [predictions, more]) == "", "recordings with predictions alone are drawn, too"


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1] * 2100 + [-1] * 1900, (2100, 1900, 0, pytest.approx(0.00165, abs=1e-5))),  # as the normal distribution's
        ([], (0, 0, 0, 1.0)),
        ([0, 0.0], (0, 0, 2, 1.0)),
        ([1], (1, 0, 0, 1.0)),
        ([1, 2, 3, 4, 5], (5, 0, 0, 1 / 16)),
        ([1] * 8 + [-1] * 2 + [0] * 5, (8, 2, 5, 2 * (1 + 10 + 45) / 1024)),
        ([1, -1], (1, 1, 0, 1.0)),
    ],
)
def test_the_sign_test_is_the_exact_binomial(differences, expected):
    assert sign_test(differences) == expected


@settings(deadline=None, max_examples=25)
@given(crowded_tables(), st.integers(0, 100))
def test_map_by_video_is_that_of_each_video_alone(tables, seed):
    for gt, predictions in (tables, (random_gt(seed), random_predictions(seed))):
        found = map_by_video(gt, predictions, TIOUS)
        alone = {
            video: evaluate(truth, predictions[predictions["video"] == video], TIOUS).average_map
            for video, truth in gt.groupby("video", sort=False)
        }
        assert found.to_dict() == pytest.approx(alone) and found.is_monotonic_decreasing
        ties = [list(rows.index) for _, rows in found.groupby(found)]
        assert all(tied == [video for video in alone if video in tied] for tied in ties)


def test_facts_are_plain_json():
    one = bootstrap_map(random_gt(3), random_predictions(3), TIOUS, 20)
    content = json.loads(json.dumps(one.facts(), allow_nan=False))
    assert content["average_map"] == one.average_map._asdict()
    assert content["map"]["0.50"] == one.map.loc[0.5].to_dict()
    assert (content["level"], content["counts"]) == (0.95, one.counts)


def test_bad_arguments_are_named():
    gt, predictions = random_gt(0), random_predictions(0)
    with pytest.raises(ValueError, match="resamples is 1; draw at least 2"):
        bootstrap_map(gt, predictions, TIOUS, resamples=1)
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=f"level is {level}; give a fraction"):
            bootstrap_map(gt, predictions, TIOUS, level=level)
        with pytest.raises(ValueError, match=f"level is {level}; give a fraction"):
            compare_runs(gt, predictions, predictions, TIOUS, level=level)


def draw_test_set(rng, num_videos, num_classes=4, per_video=4):
    """Ground truth of independent videos."""
    count = num_videos * per_video
    start = rng.uniform(0, 100, count)
    columns = {"start_sec": start, "end_sec": start + rng.lognormal(2, 0.5, count)}
    video = np.repeat([f"v{i}" for i in range(num_videos)], per_video)
    return pd.DataFrame({"video": video, **columns, "label": rng.integers(num_classes, size=count)})


def draw_run(rng, gt, num_classes=4):
    """Predictions of a network of fixed quality: about two near each ground truth, and as many anywhere."""
    near = gt.iloc[np.repeat(np.arange(len(gt)), rng.poisson(2, len(gt)))]
    length = (near["end_sec"] - near["start_sec"]) * rng.lognormal(0, 0.3, len(near))
    start = near["start_sec"] + rng.normal(0, 0.25, len(near)) * length
    right = rng.random(len(near)) < 0.8
    near = near.assign(start_sec=start, end_sec=start + length, score=rng.beta(2, 3, len(near)))
    near["label"] = np.where(right, near["label"], rng.integers(num_classes, size=len(near)))
    start = rng.uniform(0, 100, len(gt))
    far = gt.assign(start_sec=start, end_sec=start + rng.lognormal(2, 0.5, len(gt)), score=rng.beta(1, 6, len(gt)))
    return pd.concat([near, far.assign(label=rng.integers(num_classes, size=len(gt)))], ignore_index=True)


@pytest.mark.slow
def test_equal_runs_are_called_different_in_5_percent_of_cases():
    repetitions, called, signed = 400, 0, 0
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        gt = draw_test_set(rng, num_videos=25)
        result = compare_runs(gt, draw_run(rng, gt), draw_run(rng, gt), [0.3, 0.6], resamples=200, seed=seed)
        called += result.significant
        signed += result.sign_test.p_value < 0.05
    # 99.9 % of binomial draws of 400 at 5 % lie between 8 and 36; the sign test's p takes few values and stays below
    assert 8 <= called <= 36
    assert 1 <= signed <= 36


@pytest.mark.slow
def test_the_standard_error_is_the_spread_between_test_sets():
    results = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        gt = draw_test_set(rng, num_videos=30)
        results.append(bootstrap_map(gt, draw_run(rng, gt), [0.3, 0.6], resamples=150, seed=seed).average_map)
    values = np.array([result.value for result in results])
    assert np.mean([result.standard_error for result in results]) == pytest.approx(values.std(ddof=1), rel=0.2)
    covered = np.mean([result.low <= values.mean() <= result.high for result in results])
    assert 0.88 <= covered <= 0.99
