"""The watch data set: what is written from the installed recordings, and writing that is interrupted."""

import importlib.util
import itertools
import json
import statistics

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


@needs_recordings
def test_actions_lie_inside_and_do_not_overlap(root):
    videos = database(root)
    assert sorted(video["subset"] for video in videos.values()) == ["test"] * 6 + ["training"] * 14
    assert all(name.startswith(f"{video['group']}_side") for name, video in videos.items())
    for name, video in videos.items():
        signal, actions = np.load(root / f"watch/signals/{name}.npy"), video["annotations"]
        assert (signal.shape[1], signal.dtype) == (6, np.float32)
        assert video["duration"] == pytest.approx(len(signal) / 50)
        found = {(action["label_id"], action["label"]) for action in actions}  # each exercise once on each timeline
        assert found == set(enumerate(watch.CLASSES.values())) and len(actions) == 5
        times = np.array([action["segment"] for action in actions]).ravel()
        assert times[0] >= 0 and times[-1] <= video["duration"] and (np.diff(times) >= 0).all()


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
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


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
        columns = signal[first : first + width].T.tolist()
        row = [statistic(column) for statistic in (statistics.fmean, statistics.pstdev, min, max) for column in columns]
        row += [statistics.fmean(abs(b - a) for a, b in itertools.pairwise(column)) for column in columns]
        expected.append(row)
    found = watch.window_statistics(signal)
    assert found.shape == (8, 2 * len(watch.FEATURES))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
