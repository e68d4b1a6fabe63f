"""Which recordings are worth labelling next: by the stated formulas, one after the other."""

import numpy as np
import pandas as pd
import pytest

from afkit.workbench.survey.queue import look_of, queue_of


def queue(rows, looks, labelled=(), counts=None, minutes=None):
    """The queue of recordings a, b, ... for detections (video, label, score), with both thresholds at 0.4."""
    table = pd.DataFrame(rows, columns=["video", "label", "score"])
    names = {name: np.array(look, float) for name, look in looks.items()}
    known = np.array(labelled, float)
    return queue_of(table, {0: 0.4, 1: 0.4}, counts or {}, minutes or dict.fromkeys(looks, 1.0), names, known)


def test_doubt_is_largest_where_scores_lie_at_the_threshold_and_counts_per_minute():
    rows = [("a", 0, 0.99), ("b", 0, 0.4), ("b", 1, 0.2), ("c", 0, 0.4), ("c", 1, 0.5)]
    found = queue(rows, {name: [0] for name in "abcd"}, [[0]], {0: 9, 1: 9}, {"a": 1, "b": 1, "c": 2, "d": 1})
    doubt = found.set_index("recording")["doubt"]
    assert doubt.to_dict() == pytest.approx({"a": 0, "b": 1 + 0.25, "c": (1 + 0.75**2) / 2, "d": 0})
    assert found["recording"].tolist() == ["b", "c", "a", "d"] and found["order"].tolist() == [1, 2, 3, 4]


def test_actions_of_a_class_that_is_labelled_seldom_count_more():
    rows = [("a", 0, 0.9), ("b", 1, 0.9), ("b", 1, 0.3)]
    found = queue(rows, {"a": [0], "b": [0]}, [[0]], {0: 8, 1: 0}).set_index("recording")
    assert found["rare"].to_dict() == pytest.approx({"a": 0.1, "b": 0.9}), "below the threshold none is expected"
    assert found.index[0] == "b"


def test_what_looks_new_comes_first_and_makes_its_like_less_new():
    looks = {"near": [1, 0], "far": [8, 0], "far_too": [8.5, 0], "between": [4, 0]}
    found = queue([], looks, [[0, 0]])
    assert found["recording"].tolist() == ["far_too", "between", "near", "far"]
    assert found["diversity"].is_monotonic_decreasing and found["worth"].iloc[0] == 1
    alone = queue([], {"a": [1.0], "b": [5.0], "c": [1.2]})
    assert alone["recording"].iloc[0] == "b", "without labelled ones, the farthest from the mean"


def test_a_look_tells_apart_what_has_the_same_mean_and_deviation():
    features = np.array([[1.0], [-1.0], [1.0], [-1.0]] * 600)
    other = np.where(np.arange(2400) % 8 == 0, np.sqrt(7), -1 / np.sqrt(7))[:, None]
    assert features.mean() == pytest.approx(other.mean()) and features.std() == pytest.approx(other.std())
    assert look_of(features).shape == (3,) and np.abs(look_of(features[:300]) - look_of(other[:300])).max() > 0.5
