"""The watch data set: what is written from the installed recordings, and writing that is interrupted."""

import importlib.util
import itertools
import json

import numpy as np
import pytest

from afkit.data.items import Dataset
from afkit.recipes import recipe
from afkit.workbench.datasets import watch
from afkit.workbench.survey.checks import inspect_data

needs_recordings = pytest.mark.skipif(
    importlib.util.find_spec("seglearn") is None, reason="the recordings are part of seglearn, which is not installed"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with the data set."""
    root = tmp_path_factory.mktemp("data")
    assert watch.write_watch(root) == root / "watch"
    return root


def database(root):
    """The annotation file's videos."""
    return json.loads((root / "watch/annotations/watch.json").read_text())["database"]


def contents(folder):
    """{relative name: bytes} of all files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_recordings
def test_counts(root):
    videos = database(root)
    subsets = [video["subset"] for video in videos.values()]
    assert (len(videos), subsets.count("training"), subsets.count("test")) == (20, 14, 6)
    actions = [action for video in videos.values() for action in video["annotations"]]
    assert len(actions) == 100
    assert {(action["label_id"], action["label"]) for action in actions} == set(enumerate(watch.CLASSES.values()))
    assert all(len(video["annotations"]) == 5 for video in videos.values())  # each exercise once on each timeline
    assert all(len({a["label_id"] for a in video["annotations"]}) == 5 for video in videos.values())


@needs_recordings
def test_actions_lie_inside_and_do_not_overlap(root):
    for name, video in database(root).items():
        signal = np.load(root / f"watch/signals/{name}.npy")
        assert (signal.shape[1], signal.dtype) == (6, np.float32)
        assert video["duration"] == pytest.approx(len(signal) / 50)
        segments = np.array([action["segment"] for action in video["annotations"]])
        assert (segments[:, 0] < segments[:, 1]).all()
        assert segments.min() >= 0
        assert segments.max() <= video["duration"]
        assert (segments[1:, 0] >= segments[:-1, 1]).all()


@needs_recordings
def test_features_follow_from_the_signal_of_their_own_timeline(root):
    for name in database(root):
        features, signal = np.load(root / f"watch/features/{name}.npy"), np.load(root / f"watch/signals/{name}.npy")
        assert (features.dtype, features.shape[1]) == (np.float32, 30)
        np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-4)
        # the signal on disk is rounded to float32
        np.testing.assert_allclose(features, watch.timeline_features(signal.astype(float), name), atol=1e-3)


def test_one_side_is_reflected():
    signal = np.random.default_rng(0).normal(size=(500, 6))
    side = watch.REFLECTED_SIDE
    mirrored = watch.timeline_features(signal * np.array(watch.REFLECTION), f"person01_side{side}")
    np.testing.assert_allclose(watch.timeline_features(signal, f"person01_side{1 - side}"), mirrored, atol=1e-6)
    assert set(watch.REFLECTION) == {-1, 1}


@needs_recordings
def test_the_recipe_fits_the_data(root):
    config = recipe("watch").data
    _, findings = inspect_data(config, root)
    assert findings == []
    assert len(Dataset(config, root, config.train_subsets, training=True)) == 14
    assert len(Dataset(config, root, config.test_subsets)) == 6


@needs_recordings
def test_what_is_there_is_left_alone(root, tmp_path):
    folder = tmp_path / "watch" / "annotations"
    folder.mkdir(parents=True)
    (folder / "watch.json").write_text("mine")
    assert watch.write_watch(tmp_path) == tmp_path / "watch"
    assert contents(tmp_path) == {"watch/annotations/watch.json": b"mine"}


def test_without_the_package_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="part of the package seglearn; install it with pip install seglearn"):
        watch.write_watch(tmp_path)
    assert not list(tmp_path.iterdir())


def test_window_statistics_equal_a_plain_loop():
    width, step = watch.WINDOW_SAMPLES, watch.STEP_SAMPLES
    signal = np.random.default_rng(0).normal(size=(width + 7 * step + step - 1, 2))
    expected = []
    for first in range(0, len(signal) - width + 1, step):
        window = signal[first : first + width]
        means = [sum(column) / width for column in window.T]
        row = list(means)
        row += [(sum((x - m) ** 2 for x in column) / width) ** 0.5 for column, m in zip(window.T, means, strict=True)]
        row += [min(column) for column in window.T] + [max(column) for column in window.T]
        row += [sum(abs(b - a) for a, b in itertools.pairwise(column)) / (width - 1) for column in window.T]
        expected.append(row)
    found = watch.window_statistics(signal)
    assert found.shape == (8, 2 * len(watch.FEATURES))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# ---- prepare
