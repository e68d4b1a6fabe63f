"""The baseline of class frequencies and durations."""

import numpy as np
import pandas as pd
import pytest
from random_tables import random_gt, table

from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis.baseline import prior_predictions

TRAIN = pd.concat([table([(0, 4)] * 3, label=7), table([(10, 20)], label=2)], ignore_index=True)


def test_classes_and_durations_follow_the_training_annotations():
    predictions = prior_predictions(TRAIN, {"a": 100.0, "b": 50.0}, seed=0, per_video=2000)
    assert predictions["video"].tolist() == ["a"] * 2000 + ["b"] * 2000
    assert (predictions["label"] == 7).mean() == pytest.approx(0.75, abs=0.03)
    length_sec = predictions["end_sec"] - predictions["start_sec"]
    np.testing.assert_allclose(length_sec, predictions["label"].map({7: 4.0, 2: 10.0}))
    share = length_sec / predictions["video"].map({"a": 100.0, "b": 50.0})
    np.testing.assert_allclose(predictions["score"], predictions["label"].map({7: 0.75, 2: 0.25}) * share)


def test_starts_are_uniform_inside_the_video():
    predictions = prior_predictions(TRAIN, {"a": 104.0}, seed=0, per_video=4000)
    start_sec = predictions.loc[predictions["label"] == 7, "start_sec"]
    assert start_sec.min() >= 0
    assert predictions["end_sec"].max() <= 104 + 1e-9
    np.testing.assert_allclose(np.histogram(start_sec, 4, (0, 100))[0] / len(start_sec), 0.25, atol=0.03)


def test_long_segments_are_cut_to_the_video():
    predictions = prior_predictions(TRAIN, {"short": 3.0}, seed=0)
    assert len(predictions) == 200
    assert (predictions["start_sec"] == 0).all()
    assert (predictions["end_sec"] == 3).all()


def test_the_seed_decides():
    durations_sec = {"a": 60.0, "b": 61.0}
    first = prior_predictions(random_gt(0), durations_sec, seed=3)
    pd.testing.assert_frame_equal(first, prior_predictions(random_gt(0), pd.Series(durations_sec), seed=3))
    pd.testing.assert_frame_equal(first, prior_predictions(random_gt(0), durations_sec, seed=3))
    assert not first.equals(prior_predictions(random_gt(0), durations_sec, seed=4))


def test_it_can_be_evaluated():
    predictions = prior_predictions(random_gt(0), dict.fromkeys("abcd", 80.0), seed=0)
    assert 0 < evaluate(random_gt(0), predictions, [0.3]).average_map < 1
    none = prior_predictions(random_gt(0), {}, seed=0)
    assert evaluate(random_gt(0), none, [0.3]).average_map == 0


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="train_gt lacks the columns label"):
        prior_predictions(TRAIN.drop(columns="label"), {"a": 1.0}, seed=0)
    with pytest.raises(ValueError, match="no annotation longer than 0 s"):
        prior_predictions(table([(5, 5), (6, 2)]), {"a": 1.0}, seed=0)
    for seconds in (0, -1.0, np.nan, np.inf, None):
        with pytest.raises(ValueError, match="duration of video 'a'"):
            prior_predictions(TRAIN, {"b": 1.0, "a": seconds}, seed=0)
