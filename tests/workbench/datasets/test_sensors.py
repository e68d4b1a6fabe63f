"""The signal below a timeline: that of watch as it is, that of hapt from the windows in its features."""

import numpy as np
import pytest

from afkit.workbench.datasets.hapt import STEP_SAMPLES, WINDOW_SAMPLES
from afkit.workbench.datasets.sensors import has_signal, sensor_arguments
from afkit.workbench.datasets.watch import ANNOTATIONS
from afkit.workbench.own_data.signals import raw_windows

HAPT_ANNOTATIONS = "hapt/annotations/hapt.json"


def write_hapt_features(root, samples):
    """Features of one person, of signals that count up; the signals (samples, 3) by folder."""
    signals = {}
    for place, folder in enumerate(("acceleration", "rotation")):
        signals[folder] = np.arange(3.0 * samples).reshape(samples, 3) + 1000 * place
        (root / "hapt" / folder).mkdir(parents=True)
        features = raw_windows(signals[folder], WINDOW_SAMPLES, STEP_SAMPLES).astype(np.float32)
        np.save(root / "hapt" / folder / "person01.npy", features)
    return signals


@pytest.mark.parametrize("annotations", [HAPT_ANNOTATIONS, "hapt/annotations/people.json"])
def test_the_signal_of_hapt_is_put_together_again(tmp_path, annotations):
    signals = write_hapt_features(tmp_path, 175)
    assert has_signal(annotations)
    found = sensor_arguments(annotations, tmp_path, "person01")
    assert (found["signal"] == np.concatenate([signals["acceleration"], signals["rotation"]], axis=1)).all()
    assert found["signal_rate_hz"] == 50 and list(found["signal_groups"].values()) == [[0, 1, 2], [3, 4, 5]]


def test_the_signal_of_watch_is_its_file(tmp_path):
    (tmp_path / "watch" / "signals").mkdir(parents=True)
    np.save(tmp_path / "watch" / "signals" / "a.npy", np.ones((7, 6), np.float32))
    assert sensor_arguments(ANNOTATIONS, tmp_path, "a")["signal"].shape == (7, 6)
    assert sensor_arguments("thumos/annotations/thumos14.json", tmp_path, "a") == {}


@pytest.mark.parametrize("annotations", ["", "mine.json", "hapt.json", "thumos/hapt/watch.json", "watchers/watch.json"])
def test_other_data_sets_have_no_signal(tmp_path, annotations):
    write_hapt_features(tmp_path, 100)
    assert not has_signal(annotations) and sensor_arguments(annotations, tmp_path, "person01") == {}
