"""The signal below a timeline: that of watch as it is, those of hapt and of one's own from the windows in features."""

import numpy as np
import pytest

from afkit.recipes import recipe
from afkit.workbench.datasets.hapt import STEP_SAMPLES, WINDOW_SAMPLES
from afkit.workbench.datasets.sensors import has_signal, sensor_arguments
from afkit.workbench.datasets.watch import ANNOTATIONS
from afkit.workbench.own_data.signal_files import write_windows
from afkit.workbench.own_data.signals import raw_windows

HAPT_ANNOTATIONS = "hapt/annotations/hapt.json"


def config_of(annotations=HAPT_ANNOTATIONS, **settings):
    """The `data` section of a recipe with that annotation file."""
    return recipe("hapt").data.model_copy(update={"annotations": annotations} | settings)


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
    assert has_signal(config_of(annotations), tmp_path)
    found = sensor_arguments(config_of(annotations), tmp_path, "person01")
    assert (found["signal"] == np.concatenate([signals["acceleration"], signals["rotation"]], axis=1)).all()
    assert found["signal_rate_hz"] == 50 and list(found["signal_groups"].values()) == [[0, 1, 2], [3, 4, 5]]


def test_the_signal_of_watch_is_its_file(tmp_path):
    (tmp_path / "watch" / "signals").mkdir(parents=True)
    np.save(tmp_path / "watch" / "signals" / "a.npy", np.ones((7, 6), np.float32))
    assert sensor_arguments(config_of(ANNOTATIONS), tmp_path, "a")["signal"].shape == (7, 6)
    assert sensor_arguments(config_of("thumos/annotations/thumos14.json"), tmp_path, "a") == {}


@pytest.mark.parametrize("annotations", ["", "mine.json", "hapt.json", "thumos/hapt/watch.json", "watchers/watch.json"])
def test_other_data_sets_have_no_signal(tmp_path, annotations):
    write_hapt_features(tmp_path, 100)
    assert not has_signal(config_of(annotations), tmp_path)
    assert sensor_arguments(config_of(annotations), tmp_path, "person01") == {}


@pytest.mark.parametrize("stride", [3, 5, 7])
def test_the_signal_of_own_sensors_is_put_together_again(tmp_path, stride):
    signals = {"acc": np.arange(46.0).reshape(23, 2), "gyro": np.arange(23.0).reshape(23, 1) - 9}
    for name, signal in signals.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "day1.npy", signal)
    made = write_windows(
        [tmp_path / name for name in signals], [10, 10], tmp_path / "mine", 5, stride, say=lambda _: None
    )
    grid = {"input_dims": [made.width], "stride_frames": stride, "num_frames": 5}
    config = config_of("mine.json", features=["mine"], **grid)
    found = sensor_arguments(config, tmp_path, "day1")
    expected = np.concatenate(list(signals.values()), axis=1)[: (23 - 5) // stride * stride + 5]
    for k, row in enumerate(found["signal"]):
        assert np.isnan(row).all() if k % stride >= 5 else (row == expected[k]).all()
    assert len(found["signal"]) == len(expected) and found["signal_rate_hz"] == 10
    assert found["signal_groups"] == {"acc": [0, 1], "gyro": [2]} and found["signal_names"] == ["1", "2", "1"]
    assert has_signal(config, tmp_path) and sensor_arguments(config, tmp_path, "day2") == {}
