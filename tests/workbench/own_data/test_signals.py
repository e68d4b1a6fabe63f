"""Raw signals as features: where windows lie in time, sensors on one clock, and what is refused or repaired."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afkit.segments import grid_to_sec
from afkit.workbench.own_data.signals import Sensor, raw_windows, resample, signal_features, standardise, windows

RAMP = np.arange(10.0)[:, None]  # sample k has the value k


def test_windows_of_hand_made_numbers():
    signal = np.stack([np.arange(7), 10 * np.arange(7)], axis=1)
    assert windows(signal, 3, 2).tolist() == [
        [[0, 1, 2], [0, 10, 20]],
        [[2, 3, 4], [20, 30, 40]],
        [[4, 5, 6], [40, 50, 60]],
    ]
    assert raw_windows(signal, 3, 2)[1].tolist() == [2, 3, 4, 20, 30, 40], "channel by channel"
    assert standardise(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist() == [[-1, 0], [1, 0]], "constant ones become 0"


@given(window=st.integers(1, 9), stride=st.integers(1, 9), rate=st.sampled_from([10.0, 12.5, 50.0]))
def test_the_centre_of_a_vector_is_the_time_that_annotations_mean(window, stride, rate):
    times = (np.arange(60) + 0.5) / rate  # the middle of each sample, in seconds
    found = signal_features([Sensor("clock", times[:, None], rate)], window, stride)
    assert len(found.features) == (60 - window) // stride + 1
    centres = grid_to_sec(np.arange(len(found.features)), found.fps, found.stride_frames, found.num_frames)
    np.testing.assert_allclose(found.features.mean(axis=1), centres, rtol=1e-6)


@pytest.mark.parametrize("rate_hz", [None, 50.0, 20.0, 7.0])
def test_sensors_of_different_rates_show_the_same_time(rate_hz):
    """Each sensor records the time itself: on the common clock all must agree, away from the ends."""
    sensors = []
    for name, rate, start in (("fast", 50.0, 0.0), ("slow", 20.0, 0.0), ("early", 10.0, -1.0)):
        count = round(12 * rate)
        sensors.append(Sensor(name, (start + (np.arange(count) + 0.5) / rate)[:, None], rate, start))
    found = signal_features(sensors, 4, 2, rate_hz, fix=True)  # "early" ends a second before the others
    assert found.fps == (rate_hz or 50.0)
    centres = grid_to_sec(np.arange(len(found.features)), found.fps, found.stride_frames, found.num_frames)
    for sensor, vectors in zip(sensors, np.split(found.features, 3, axis=1), strict=True):
        # a mean over 2.5 samples counts half a sample at its middle: up to an eighth of a sample off
        off_sec = 0.125 / sensor.rate_hz if sensor.rate_hz > found.fps else 1e-5
        steps = (np.arange(4) - 1.5) / found.fps
        np.testing.assert_allclose(vectors[5:-5], (centres[:, None] + steps)[5:-5], rtol=0, atol=off_sec)


def test_a_faster_clock_gets_straight_lines_between_centres_and_a_slower_one_means():
    assert resample(Sensor("a", np.array([[0.0], [4.0]]), 1.0), 2.0, 4).ravel().tolist() == [0, 1, 3, 4]
    shaking = np.tile([[1.0], [-1.0]], (50, 1))
    np.testing.assert_allclose(resample(Sensor("a", shaking, 100.0), 50.0, 50), 0, atol=1e-12)
    assert resample(Sensor("a", RAMP, 4.0), 2.0, 5).ravel().tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    found = resample(Sensor("a", RAMP, 5.0), 2.0, 4).ravel()  # 2.5 samples each
    np.testing.assert_allclose(found, [(0 + 1 + 0.5 * 2) / 2.5, (0.5 * 2 + 3 + 4) / 2.5, 14.5 / 2.5, 20.5 / 2.5])


def test_equal_rates_leave_the_samples_as_they_are():
    signal = np.random.default_rng(0).normal(size=(100, 2))
    found = signal_features([Sensor("a", signal, 50)], 10, 5)
    np.testing.assert_array_equal(found.features, raw_windows(signal, 10, 5).astype(np.float32))
    assert found[1:5] == (5, 10, 50.0, []) and len(found.ignored_sec) == 0
    assert found.features.dtype == np.float32


@pytest.mark.parametrize("rate_hz", [2.0, 4.0, 8.0])
def test_outside_its_time_a_sensor_repeats_its_ends(rate_hz):
    assert resample(Sensor("a", RAMP, 1.0, start_sec=2.0), 1.0, 5).ravel().tolist() == [0, 0, 0, 1, 2]
    assert resample(Sensor("a", RAMP, 1.0, start_sec=-2.0), 1.0, 3).ravel().tolist() == [2, 3, 4]
    values = resample(Sensor("a", np.array([[3.0], [3.0], [5.0]]), 4.0, start_sec=1.0), rate_hz, round(3 * rate_hz))
    assert (values[: round(rate_hz)] == 3).all()
    assert (values[round(1.75 * rate_hz) + 1 :] == 5).all()


def test_normalising_takes_away_offset_and_scale_of_each_channel():
    signal = np.random.default_rng(0).normal(size=(100, 2)) * [1, 50] + [9, -3]
    plain = signal_features([Sensor("a", signal, 50)], 10, 10, normalise="recording").features
    moved = signal_features([Sensor("a", signal * [3, 2] + [1, 7], 50)], 10, 10, normalise="recording").features
    np.testing.assert_allclose(plain, moved, atol=1e-5)
    np.testing.assert_allclose([plain[:, :10].std(), plain[:, 10:].std()], 1, rtol=1e-5)
    np.testing.assert_allclose([plain[:, :10].mean(), plain[:, 10:].mean()], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("other", "message", "repair", "steps"),
    [
        (Sensor("b", RAMP[:4], 1.0), "sensor 'a' ends 6 s after sensor 'b'", "cut", 3),
        (Sensor("b", RAMP, 1.0, 3.0), "sensor 'b' starts 3 s after the annotations' time 0", "its first sample", 9),
    ],
)
def test_sensors_that_do_not_cover_the_same_time(other, message, repair, steps):
    sensors = [Sensor("a", RAMP, 1.0), other]
    with pytest.raises(ValueError, match=message):
        signal_features(sensors, 2, 1)
    found = signal_features(sensors, 2, 1, fix=True)
    assert any(line.startswith(message) and repair in line for line in found.repairs)
    assert len(found.features) == steps
    found = signal_features([Sensor("a", RAMP, 1.0), Sensor("b", RAMP[:8], 1.0)], 2, 2)
    assert found.features.shape == (4, 4) and found.repairs == [], "a difference within a stride is no fault"


def test_gaps_are_named_and_bridged_on_request():
    signal = RAMP.copy()
    signal[[3, 4], 0] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"sensor 'a', sample 3: NaN or infinite \(2 such samples\)"):
        signal_features([Sensor("a", signal, 1.0)], 2, 1)
    found = signal_features([Sensor("a", signal, 1.0)], 2, 1, fix=True)
    np.testing.assert_array_equal(found.features, raw_windows(RAMP, 2, 1))
    assert len(found.repairs) == 1
    assert np.isnan(signal[3]), "the caller's array is left alone"
    with pytest.raises(ValueError, match="no finite sample in a channel"):
        signal_features([Sensor("a", np.full((9, 1), np.nan), 1.0)], 2, 1, fix=True)


@pytest.mark.parametrize(
    ("sensors", "message"),
    [
        ([], "no sensor is given"),
        ([Sensor("a", RAMP[:3], 1.0)], r"the recording of 'a' has 3 samples at 1 Hz; a window needs 4"),
        ([Sensor("a", np.zeros(9), 1.0)], r"sensor 'a': its signal must be \(samples, channels\), not \(9,\)"),
        ([Sensor("a", np.zeros((0, 3)), 1.0)], r"must be \(samples, channels\), not \(0, 3\)"),
        ([Sensor("a", np.array([["x"]]), 1.0)], "sensor 'a': its samples are not numbers"),
        ([Sensor("a", RAMP, 0.0)], "must be above 0"),
    ],
)
def test_what_is_refused(sensors, message):
    with pytest.raises(ValueError, match=message):
        signal_features(sensors, 4, 2)
