"""A column with the time, in a table of samples, against the rate that is given."""

import numpy as np

from afkit.workbench.own_data.import_names import UNITS, unit_of

LONGEST_STEP_SEC, LONGEST_STEP = 0.25, 3  # seconds or samples between two samples, above which a clock jumps
RATE_TOLERANCE, LEAST_DRIFT_SEC = 0.01, 0.1  # by which a clock may run at another rate than is given


def clock_problem(clock: np.ndarray, name: str, rate_hz: float) -> str:
    """What a column with the time says against the rate of a sensor; "" where they agree.

    Args:
        clock: (samples,), in seconds, or what its name or the rate tells.
        name: of the column.
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
        rate_hz: wanted.

    Returns:
        (samples, C) float64, as many as the clock's time holds.
    """
    steps, _ = _steps_sec(clock, "", rate_hz)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.arange(int(times[-1] * rate_hz + 1e-6) + 1) / rate_hz
    return np.stack([np.interp(wanted, times, channel) for channel in values.T], axis=1)
