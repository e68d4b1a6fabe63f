"""The frame classifier: it beats guessing, lets actions overlap, and chooses its filter on training videos alone."""

import builtins

import numpy as np
import pytest
from tiny_data import change_video, read_database, seconds_of, tiny_recipe, write_annotations

from afkit.data.annotations import to_frame
from afkit.data.items import Dataset
from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis import frame_classifier
from afkit.workbench.analysis.baseline import prior_predictions
from afkit.workbench.analysis.frame_classifier import Choice, frame_predictions

needs_sklearn = pytest.mark.usefixtures("sklearn")
TIOUS = [0.3, 0.5]


@pytest.fixture(scope="module")
def sklearn():
    pytest.importorskip("sklearn", reason="the frame classifier needs scikit-learn")


def datasets(root, **overrides):
    data = tiny_recipe(**overrides).data
    return Dataset(data, root, data.train_subsets), Dataset(data, root, data.test_subsets)


def segments_of(rows, steps=10, classes=2, threshold=0.5, width=1):
    """(start, end, label, score) of probabilities that are 0 but in some rows (first, after the last, label, value)."""
    probabilities = np.zeros((steps, classes))
    for first, stop, label, value in rows:
        probabilities[first:stop, label] = value
    found = frame_classifier._segments(probabilities, Choice(width, threshold))
    return [tuple(round(number, 9) for number in row) for row in found.tolist()]


def test_a_run_of_likely_steps_becomes_a_segment_with_their_mean_and_classes_may_overlap():
    found = segments_of([(0, 3, 0, 0.6), (1, 10, 1, 0.9), (5, 7, 0, 0.8), (7, 8, 0, 0.5)])
    assert found == [(0.5, 9.5, 1, 0.9), (4.5, 7.5, 0, 0.7), (-0.5, 2.5, 0, 0.6)], "the best come first"
    assert segments_of([(2, 4, 0, 0.4)]) == []


def test_the_median_filter_closes_gaps_and_drops_what_is_short():
    rows = [(0, 3, 0, 0.8), (4, 7, 0, 0.8), (5, 6, 1, 0.9)]
    assert len(segments_of(rows)) == 3
    assert segments_of(rows, width=3) == [(-0.5, 6.5, 0, 0.8)]


def test_targets_hold_all_classes_of_a_step_and_leave_out_what_was_not_annotated(root):
    first, last = seconds_of(0), seconds_of(19)
    rows = [{"segment": [first, last], "label": "action 0", "label_id": 0}]
    rows.append({"segment": [seconds_of(10), seconds_of(30)], "label": "action 2", "label_id": 2})
    change_video(root, "video0", annotations=rows, annotated=[first, seconds_of(25)])
    classes, usable = frame_classifier._targets(datasets(root)[0].unread(0), 3)
    assert classes.shape[1] == 4 and np.flatnonzero(classes[:, 0]).tolist() == list(range(20))
    assert np.flatnonzero(classes[:, 2]).tolist() == list(range(10, 31)) and not classes[:, 1].any()
    assert np.flatnonzero(classes[:, 3]).tolist() == list(range(31, len(classes)))
    assert np.flatnonzero(usable).tolist() == list(range(25))


@needs_sklearn
def test_it_beats_guessing_and_gives_the_same_twice(root):
    train, test = datasets(root)
    found = frame_predictions(train, test, TIOUS, seed=3)
    gt, lasts = to_frame(test.videos), {video.name: video.duration_sec for video in test.videos}
    scores = evaluate(gt, found.predictions, TIOUS)
    guessed = evaluate(gt, prior_predictions(to_frame(train.videos), lasts, 0), TIOUS)
    assert scores.average_map > 0.5 and scores.average_map > 2 * guessed.average_map
    again = frame_predictions(*datasets(root), TIOUS, seed=3)
    assert found.predictions.equals(again.predictions) and found.facts == again.facts
    assert found.facts["learned_from_steps"] == sum(train.unread(i).features.shape[1] for i in range(len(train)))
    assert (found.predictions["end_sec"] <= found.predictions["video"].map(lasts)).all()
    assert found.predictions["start_sec"].min() >= 0


@needs_sklearn
def test_actions_of_two_classes_at_once_are_both_found(root):
    """Class 1 lies inside of every action of class 0, and shows in a channel of its own."""
    rng, database = np.random.default_rng(0), read_database(root)
    for name, entry in database.items():
        features = rng.normal(scale=0.3, size=(60, 6))
        features[10:40, 0] += 3
        features[20:30, 1] += 3
        np.save(root / "tiny" / "features" / f"{name}.npy", features.astype(np.float32))
        spans = ((10, 39, 0), (20, 29, 1))
        rows = [{"segment": [seconds_of(a), seconds_of(b)], "label": f"action {k}", "label_id": k} for a, b, k in spans]
        database[name] = entry | {"annotations": rows, "duration": seconds_of(60)}
    write_annotations(root, database)
    train, test = datasets(root)
    found = frame_predictions(train, test, TIOUS).predictions
    assert evaluate(to_frame(test.videos), found, TIOUS).average_map == pytest.approx(1.0)


@needs_sklearn
def test_the_test_videos_have_no_part_in_the_choice_and_few_steps_suffice(root, monkeypatch):
    before = frame_predictions(*datasets(root), TIOUS).facts
    for video in ("video6", "video7"):
        change_video(root, video, annotations=[])
        path = root / "tiny" / "features" / f"{video}.npy"
        np.save(path, np.zeros_like(np.load(path)))
    assert frame_predictions(*datasets(root), TIOUS).facts == before
    monkeypatch.setattr(frame_classifier, "MOST_STEPS", 60)
    assert frame_predictions(*datasets(root), TIOUS).facts["learned_from_steps"] == 60


@needs_sklearn
def test_wide_features_are_reduced_and_a_single_video_is_enough(root, monkeypatch):
    monkeypatch.setattr(frame_classifier, "CHANNELS", 4)
    monkeypatch.setattr(frame_classifier, "COMPONENTS", 3)
    train, test = datasets(root)
    train.videos = train.videos[:1]
    reduce = frame_classifier._reduction(train, np.random.default_rng(0))
    assert frame_classifier._in_context(train.unread(0), reduce).shape[1] == 3 * 3
    facts = frame_predictions(train, test, TIOUS).facts
    assert facts["threshold"] == frame_classifier.THRESHOLDS[1], "nothing to choose on"


def test_the_videos_of_a_group_are_in_one_half(root):
    for number in range(6):
        change_video(root, f"video{number}", group=f"p{number // 2}")
    halves = frame_classifier._halves(datasets(root)[0].videos)
    assert list(halves.values()) == [0, 0, 1, 1, 0, 0]


@needs_sklearn
def test_without_labels_there_is_nothing_to_learn(root):
    for number in range(6):
        change_video(root, f"video{number}", annotations=[])
    with pytest.raises(ValueError, match="no training video with an action to learn from"):
        frame_predictions(*datasets(root), TIOUS)


def test_without_scikit_learn_one_sentence_says_what_to_install(root, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ValueError, match=r"^the frame classifier needs scikit-learn; pip install 'afkit\[media\]'$"):
        frame_predictions(*datasets(root), TIOUS)
