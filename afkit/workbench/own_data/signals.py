"""From raw signals of sensors to features: one clock for all sensors, then windows.

Sample `k` of a sensor covers the time from `k / rate_hz` to `(k + 1) / rate_hz`, counted from its start. A recording's
features begin at time 0 of its annotations, so that vector `t` has its centre at
`(t * stride_frames + 0.5 * num_frames) / fps` seconds, as `afkit.segments` counts.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from afkit.data.annotations import joined_spans
from afkit.workbench.own_data.clocks import MOST_GAPS


class Sensor(NamedTuple):
    """What one sensor recorded."""

    name: str  # for messages
    signal: np.ndarray  # (samples, C)
    rate_hz: float  # samples per second
    start_sec: float = 0.0  # of the first sample, on the clock of the annotations
    gaps_sec: np.ndarray = np.zeros((0, 2))  # (R, 2), counted from its first sample: where straight lines stand for it


class SignalFeatures(NamedTuple):
    """Features of one recording, and what a recipe must say about them."""

    features: np.ndarray  # (T, C) float32
    stride_frames: int  # data.stride_frames
    num_frames: int  # data.num_frames
    fps: float  # data.fps
    repairs: list[str]  # what `fix` changed
    gaps_sec: np.ndarray  # (R, 2), where a sensor has gaps
    ignored_sec: np.ndarray  # (R, 2), where vectors have their centres that saw one


def signal_features(
    sensors: Sequence[Sensor],
    window: int,
    stride: int,
    rate_hz: float | None = None,
    normalise: Literal["none", "recording"] = "none",
    fix: bool = False,
    tolerance_sec: float = 0,
) -> SignalFeatures:
    """Windows of the raw samples of one recording, all sensors side by side.

    Features are (T, window * all channels) float32, T = (samples - window) // stride + 1, channel by channel.

    Args:
        window, stride: samples at `rate_hz` of a feature vector, and between the beginnings of two.
        rate_hz: of the common clock; None for that of the fastest sensor.
        normalise: "recording" gives each channel mean 0 and standard deviation 1 over this recording.
        fix: repair what is a ValueError else: samples that are not finite are bridged by straight lines, a sensor that
            starts late repeats its first sample, and all end with the first that ends.
        tolerance_sec: by which sensors may start or end apart without a word; a stride at least.
    """
    if not sensors:
        raise ValueError("no sensor is given; name at least one")
    rate_hz = float(max(sensor.rate_hz for sensor in sensors) if rate_hz is None else rate_hz)
    if min(rate_hz, window, stride, *(sensor.rate_hz for sensor in sensors)) <= 0:
        raise ValueError("rates, window and stride must be above 0; correct them")
    repairs: list[str] = []
    sensors = [_checked(sensor, fix, repairs) for sensor in sensors]
    end_sec = _common_end(sensors, max(stride / rate_hz, tolerance_sec), fix, repairs)
    samples = int(end_sec * rate_hz + 1e-6)  # a whole number of samples may come out slightly below
    if samples < window:
        names = ", ".join(f"'{sensor.name}'" for sensor in sensors)
        raise ValueError(f"the recording of {names} has {samples} samples at {rate_hz:g} Hz; a window needs {window}")
    signal = np.concatenate([resample(sensor, rate_hz, samples) for sensor in sensors], axis=1)  # (samples, C)
    gaps = [sensor.start_sec + sensor.gaps_sec for sensor in sensors]
    # a bridged sample reaches two of its sensor further, on that one's regular times and on the common clock
    wide = [0.5 * window / rate_hz + 2 / sensor.rate_hz for sensor in sensors]
    gaps_sec = _within(gaps, end_sec)
    if (share := np.diff(gaps_sec).sum() / end_sec) > MOST_GAPS:
        raise ValueError(f"{sensors[0].name}: {100 * share:.0f} % are gaps, those of all sensors joined; leave it out")
    ignored_sec = _within([own + np.array([-more, more]) for own, more in zip(gaps, wide, strict=True)], end_sec)
    if normalise == "recording":
        signal = standardise(signal, _outside(gaps_sec, rate_hz, samples))
    features = raw_windows(signal, window, stride).astype(np.float32)
    return SignalFeatures(features, stride, window, rate_hz, repairs, gaps_sec, ignored_sec)


def _within(spans: Sequence[np.ndarray], end_sec: float) -> np.ndarray:
    """The spans (R, 2) of all sensors as one list, from 0 to the end."""
    found = joined_spans(np.concatenate(spans)).clip(0, end_sec)
    return found[found[:, 0] < found[:, 1]]


def _outside(spans_sec: np.ndarray, rate_hz: float, samples: int) -> np.ndarray | slice:
    """Which samples lie outside spans (R, 2)."""
    if not len(spans_sec):
        return slice(None)
    outside = np.ones(samples, bool)
    for start, end in np.ceil(spans_sec * rate_hz).astype(int):
        outside[start:end] = False
    return outside


def windows(signal: np.ndarray, window: int, stride: int) -> np.ndarray:
    """(samples, C) -> view (T, C, window), every `stride` samples, without an incomplete last one."""
    return np.lib.stride_tricks.sliding_window_view(signal, window, axis=0)[::stride]


def raw_windows(signal: np.ndarray, window: int, stride: int) -> np.ndarray:
    """The samples of each window as a vector (T, C * window), first all of channel 0, then all of channel 1 ...

    Examples:
        >>> raw_windows(np.array([[1, 10], [2, 20], [3, 30], [4, 40]]), window=2, stride=2)
        array([[ 1,  2, 10, 20],
               [ 3,  4, 30, 40]])
    """
    parts = windows(signal, window, stride)
    return parts.reshape(len(parts), -1)


def standardise(values: np.ndarray, counted: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Each column of (rows, columns) with mean 0 and standard deviation 1 of the rows counted; a constant one is 0."""
    deviation = values[counted].std(axis=0)
    return (values - values[counted].mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def resample(sensor: Sensor, rate_hz: float, samples: int) -> np.ndarray:
    """A sensor's signal at another rate, from time 0 on.

    A faster clock gets straight lines between the samples' centres; a slower one gets the mean over each of its
    samples, so that fast vibrations do not appear as slow ones. Outside the sensor's time its first and last sample
    are repeated. (n, C) -> (samples, C) float64, the very samples where rate and start fit already.
    """
    signal = np.asarray(sensor.signal, np.float64)
    if sensor.rate_hz == rate_hz and sensor.start_sec == 0 and len(signal) >= samples:
        return signal[:samples]
    ratio, start = sensor.rate_hz / rate_hz, sensor.start_sec * sensor.rate_hz
    if ratio <= 1:
        centres = (np.arange(samples) + 0.5) * ratio - start  # in samples of the sensor
        own = np.arange(len(signal)) + 0.5
        return np.stack([np.interp(centres, own, channel) for channel in signal.T], axis=1)
    edges = np.arange(samples + 1) * ratio - start
    padded = np.concatenate([signal[:1], signal, signal[-1:]])  # repeated beyond both ends, as far as the edges reach
    low, high = min(edges[0], -1.0), max(edges[-1], len(signal) + 1.0)
    own = np.concatenate([[low], np.arange(len(signal) + 1), [high]])
    sums = np.concatenate([np.zeros((1, signal.shape[1])), np.cumsum(padded * np.diff(own)[:, None], axis=0)])
    at_edges = np.stack([np.interp(edges, own, channel) for channel in sums.T], axis=1)
    return np.diff(at_edges, axis=0) / ratio


def _checked(sensor: Sensor, fix: bool, repairs: list[str]) -> Sensor:
    """The sensor with a finite float64 signal (samples, C)."""
    try:
        signal = np.asarray(sensor.signal, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"sensor '{sensor.name}': its samples are not numbers; correct them") from None
    if signal.ndim != 2 or 0 in signal.shape:
        raise ValueError(f"sensor '{sensor.name}': its signal must be (samples, channels), not {signal.shape}")
    finite = np.isfinite(signal)
    if not finite.all():
        row = int(np.argmin(finite.all(axis=1)))
        number = int((~finite.all(axis=1)).sum())
        what = f"sensor '{sensor.name}', sample {row}: NaN or infinite ({number} such samples)"
        if not fix or not finite.any(axis=0).all():
            remedy = (
                "no finite sample in a channel; leave the sensor out" if fix else "correct it, or repair it with --fix"
            )
            raise ValueError(f"{what}; {remedy}")
        signal, rows = signal.copy(), np.arange(len(signal))
        for channel, good in zip(signal.T, finite.T, strict=True):
            channel[~good] = np.interp(rows[~good], rows[good], channel[good])
        repairs.append(f"{what}: bridged by straight lines")
    return sensor._replace(signal=signal)


def _common_end(sensors: Sequence[Sensor], tolerance_sec: float, fix: bool, repairs: list[str]) -> float:
    """Where the first sensor ends; complaints about, or a list of, sensors that start late or end at other times."""
    ends = [sensor.start_sec + len(sensor.signal) / sensor.rate_hz for sensor in sensors]
    end = min(ends)
    first = sensors[ends.index(end)].name
    for sensor, own_end in zip(sensors, ends, strict=True):
        late, longer = sensor.start_sec, own_end - end
        if late > tolerance_sec:
            what = f"sensor '{sensor.name}' starts {late:.4g} s after the annotations' time 0"
            if not fix:
                raise ValueError(f"{what}; cut the others, correct its clock, or repeat its first sample with --fix")
            repairs.append(f"{what}: its first sample is repeated")
        if longer > tolerance_sec:
            what = f"sensor '{sensor.name}' ends {longer:.4g} s after sensor '{first}'"
            if not fix:
                raise ValueError(f"{what}; correct lengths, rates or starts, or repair it with --fix")
            repairs.append(f"{what}: cut")
    return end
