"""One file of raw samples: its channels, by their names where it has any, and its clock."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import named, open_array
from afkit.workbench.own_data.import_names import UNITS, unit_of
from afkit.workbench.own_data.number_tables import Numbers, read_numbers
from afkit.workbench.own_data.signals import Sensor


class SensorKind(NamedTuple):
    """A sensor that all recordings have."""

    name: str  # of its folder
    rate_hz: float  # samples per second in the files
    channels: int  # numbers in a sample
    columns: tuple[str, ...] = ()  # names of the channels in tables that have names


def read_signal(path: Path) -> np.ndarray:
    """Raw samples (samples, C) of a file; NaN where a table has gaps.

    Raises:
        ValueError: unreadable, or no table of numbers; the message names file and row.
    """
    return _read_samples(path, ()).values


def _read_samples(path: Path, columns: Sequence[str]) -> Numbers:
    """Raw samples of a file, with the names of its channels and its clock where it is a table that has them."""
    if path.suffix.lower() in (".csv", ".txt"):
        with named(path, path.stem):
            return read_numbers(path, gaps=True, columns=columns)
    return Numbers(open_array(path, path.stem, path.stem)[:], [], None, "", [])


def read_sensor(path: Path, kind: SensorKind, fix: bool) -> tuple[Sensor, Numbers, list[str]]:
    """The samples of a sensor, what was read, and what `fix` changed.

    Args:
        fix: put samples onto regular times where the clock says that they are not.

    Raises:
        ValueError: unreadable, other channels, or a clock that contradicts the rate; the message names the file.
    """
    numbers = _read_samples(path, ()) if not kind.columns else _read_named(path, kind.columns)
    sensor, repairs = Sensor(str(path), numbers.values, kind.rate_hz), []
    if numbers.clock is not None:
        problem = clock_problem(numbers.clock, numbers.clock_name, kind.rate_hz)
        if problem and not fix:
            raise ValueError(f"{path}: {problem}; correct it, or put the samples onto regular times with --fix")
        if problem:
            sensor = sensor._replace(signal=on_clock(numbers.values, numbers.clock, kind.rate_hz))
            repairs.append(f"{path}: {problem}: put onto regular times")
    return sensor, numbers, repairs


def _read_named(path: Path, columns: Sequence[str]) -> Numbers:
    """The channels of those names; a table without names must have as many columns."""
    try:
        return _read_samples(path, columns)
    except ValueError as error:
        if "has no column" not in str(error):
            raise
        numbers = _read_samples(path, ())
        if numbers.names:
            raise
        return numbers


LONGEST_STEP_SEC, LONGEST_STEP = 0.25, 3  # seconds or samples between two samples, above which a clock jumps
RATE_TOLERANCE, LEAST_DRIFT_SEC = 0.01, 0.1  # by which a clock may run at another rate than is given


def clock_problem(clock: np.ndarray, name: str, rate_hz: float) -> str:
    """What a column with the time says against the rate of a sensor; "" where they agree.

    Args:
        clock: (samples,), in seconds, or what its name or the rate tells.
        rate_hz: samples per second, as given.

    Examples:
        >>> clock_problem(np.arange(100) * 20, "time_ms", 50), clock_problem(np.arange(100) / 25, "time", 50)
        ('', "by its clock 'time' it has 25 samples a second, not 50")
    """
    steps, unit = _steps_sec(clock, name, rate_hz)
    if not unit:
        return f"its clock '{name}' rises by {np.median(steps):g} a sample, which is no {rate_hz:g} Hz in any unit"
    jumps = np.flatnonzero(steps > max(LONGEST_STEP_SEC, LONGEST_STEP / rate_hz))
    if len(jumps):
        more = f" ({len(jumps)} jumps)" if len(jumps) > 1 else ""
        return f"its clock '{name}' jumps by {steps[jumps[0]]:.3g} s after sample {jumps[0] + 1}{more}"
    rate = len(steps) / steps.sum()
    if abs(rate / rate_hz - 1) > RATE_TOLERANCE and abs(steps.sum() - len(steps) / rate_hz) > LEAST_DRIFT_SEC:
        return f"by its clock '{name}' it has {rate:.4g} samples a second, not {rate_hz:g}"
    return ""


def _steps_sec(clock: np.ndarray, name: str, rate_hz: float) -> tuple[np.ndarray, str]:
    """(seconds between samples, unit of the clock); without a unit where none comes near the rate."""
    steps = np.diff(clock)
    meaning = unit_of(name)
    units = [meaning] if UNITS.get(meaning) else [unit for unit, size in UNITS.items() if size and size <= 1]
    middle = np.mean(steps[steps <= np.quantile(steps, 0.99)])  # without jumps
    near = min(units, key=lambda unit: abs(np.log(max(middle, 1e-300) * UNITS[unit] * rate_hz)))
    fits = len(units) == 1 or 0.1 < middle * UNITS[near] * rate_hz < 10
    return (steps * UNITS[near], near) if fits else (steps, "")


def on_clock(values: np.ndarray, clock: np.ndarray, rate_hz: float) -> np.ndarray:
    """Samples at regular times, by straight lines between those that there are.

    Args:
        values: (samples, C).
        clock: (samples,), of each, in any unit near the rate.

    Returns:
        (samples, C) float64, as many as the clock's time holds.
    """
    steps, _ = _steps_sec(clock, "", rate_hz)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.arange(int(times[-1] * rate_hz + 1e-6) + 1) / rate_hz
    return np.stack([np.interp(wanted, times, channel) for channel in values.T], axis=1)
