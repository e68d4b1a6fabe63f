"""The column with the time in a table of samples: its unit, its rate, and where it has gaps or runs backwards."""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

import numpy as np

from afkit.workbench.own_data.import_names import UNITS, unit_of
from afkit.workbench.own_data.import_rows import clock_sec, wall_sec

LONGEST_STEP_SEC, LONGEST_STEP = 0.25, 3  # seconds or samples between two samples, above which a clock jumps
MOST_GAPS = 0.5  # share of a recording's time in which there may be no samples
MOST_APART = 2.1  # times a given rate, or the reverse: it is not the clock of the samples, or in another unit
MOST_HZ = 1e5  # above which a clock that does not name its unit is hardly in seconds
LONGER_SEC = {"minutes": 60, "days": 86400}
LEAST_FULL = 0.9  # of the usual samples that a batch of one time has, below which it is incomplete
DAY_SEC = 86400
UNIX_SEC = 1e8  # seconds above which a clock counts from 1970 on
RECENT_SEC = 9e8, 2.6e9  # of 1998 to 2052, in which such a clock lies whose unit is told by its size alone
LEAST_HZ = 2  # below which a clock that does not name its unit is as likely in milliseconds as in seconds


class Clock(NamedTuple):
    """When the samples of a recording were taken."""

    times_sec: np.ndarray  # (samples,) from the first on, without repetitions, see `_spread`
    start_sec: float  # of the first sample on the clock itself; above `UNIX_SEC` from 1970 on
    rate_hz: float  # samples per second, gaps left out
    jitter_sec: float  # standard deviation of the steps
    gaps_sec: np.ndarray  # (R, 2), where none were: from the last sample before to the first after, as of times_sec

    def drift_sec(self, period_sec: float) -> float:
        """By how much it is ahead in the end if samples are `period_sec` apart, gaps left out."""
        steps = len(self.times_sec) - 1 - len(self.gaps_sec)
        return float(self.times_sec[-1] - np.diff(self.gaps_sec).sum() - steps * period_sec)


def as_seconds(cells: Sequence[str]) -> np.ndarray | None:
    """(samples,) of times of day or of a calendar, in seconds (of a calendar: from 1970 on); None where a cell is none.

    Examples:
        >>> as_seconds(["10:00:00.5", "10:00:01"]), as_seconds(["2026-01-01 10:00:00", "2026-01-01T10:00:01Z"])
        (array([36000.5, 36001. ]), array([1.7672616e+09, 1.7672616e+09]))
    """
    read = wall_sec if wall_sec(cells[0]) is not None else clock_sec
    times = list(takewhile(lambda time: time is not None, map(read, cells)))
    return np.array(times, float) if len(times) == len(cells) else None


def fall_like(clock: np.ndarray, place: int, cell: str) -> tuple[str, str]:
    """What it looks like that a clock falls after a sample, "" if unknown; what to do. `cell` is the text there."""
    steps = np.diff(clock)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    fall = usual - steps[place]
    if any(abs(fall - DAY_SEC / size) <= 2 * usual for size in (1, 1e-3, 1e-6)):
        return "as over midnight", "write times with a date and a zone"
    if wall_sec(cell) is not None and abs(fall - 3600) < 60:
        return "as where summer time ends", "write times with a date and a zone"
    sizes = [
        size for base in (2.0, 10.0) for k in range(3, 65) if abs(fall - (size := base**k)) <= min(usual, size / 10)
    ]
    if sizes:
        return f"as a counter that begins anew at {sizes[0]:.0f}", "write times that go on rising"
    return "", "correct it"


def read_clock(
    values: np.ndarray, name: str, longest_gap_sec: float = 0, rate_hz: float | None = None, unit: str = ""
) -> Clock:
    """What a column with the time says; a ValueError where its unit is not told, or it is mostly gaps.

    `values` (samples,) rise or stay. A step above `longest_gap_sec` (0: a quarter of a second, and three samples) is a
    gap. The unit is `unit`, else that of the name, else, with a rate, that in which the clock comes near it.
    """
    told, dated = unit or unit_of(name), bool(unit)
    unit = _unit_alone(values, name, told) if rate_hz is None else _unit_near(values, name, told, rate_hz)
    unit_sec = UNITS[unit]
    times = _spread((values - values[0]) * unit_sec, longest_gap_sec)
    start_sec, times = float(values[0] * unit_sec + times[0]), times - times[0]
    steps = np.diff(times)
    jump = LONGEST_STEP * np.mean(steps[steps <= np.quantile(steps, 0.99)])
    gap = steps > max(longest_gap_sec or LONGEST_STEP_SEC, jump)
    regular = steps[~gap & (steps <= max(LONGEST_STEP_SEC, jump))]
    rate = len(regular) / regular.sum()
    if rate_hz is None and rate > MOST_HZ and not UNITS.get(told):
        what = f"its clock '{name}', read in {unit}, makes {rate:.3g} samples a second{_in_longer(rate)}"
        raise ValueError(f"{what}; write seconds, or give it a name with its unit, such as '{name}_us'")
    like = _jump_like(start_sec + times, steps[gap], 1 / rate, dated)
    if like or steps[gap].sum() > MOST_GAPS * times[-1]:
        place = int(np.argmax(gap))
        share = (
            f"and gaps are {100 * steps[gap].sum() / times[-1]:.0f} % of its time; cut the file there, or leave it out"
        )
        raise ValueError(f"its clock '{name}' jumps by {steps[place]:.4g} s after sample {place + 1}, {like or share}")
    gaps_sec = np.column_stack([times[:-1][gap], times[1:][gap]])
    return Clock(times, start_sec, float(rate), float(regular.std()), gaps_sec)


def _jump_like(times_sec: np.ndarray, jumps_sec: np.ndarray, period_sec: float, dated: bool) -> str:
    """What it looks like that a clock jumps, "" if unknown, and what to do. `dated`: it is no number in the file."""
    more_sec = jumps_sec - period_sec
    if dated and (np.abs(more_sec - 3600) <= 2 * period_sec).sum() == 1:
        return "as where summer time begins; write times with a date and a zone"
    minutes = np.abs(more_sec % 100 - 40) <= period_sec
    if not dated and period_sec < 10 and minutes.any() and (times_sec % 100 < 60).all():
        return "as times do that are written HHMMSS; write them as HH:MM:SS"
    return ""


def clock_problem(clock: Clock, name: str, rate_hz: float) -> str:
    """What a column with the time says against the rate of a sensor; "" where they agree.

    They agree while no sample would lie further from its time than a step may be long that still counts as samples, a
    quarter of a second (of slow sensors, a sample): a rate that is wrong by a thousandth is off by seconds in an hour.

    Examples:
        >>> clock = read_clock(np.arange(999) / 49, "time", rate_hz=50)
        >>> clock_problem(clock, "time", 49), clock_problem(clock, "time", 50)
        ('', "by its clock 'time' it has 49 samples a second, not 50: times would be up to 0.407 s wrong")
    """
    times, steps = clock.times_sec, np.diff(clock.times_sec)
    jumps = np.flatnonzero(steps > max(LONGEST_STEP_SEC, LONGEST_STEP / rate_hz))
    if len(jumps):
        more = f" ({len(jumps)} jumps)" if len(jumps) > 1 else ""
        return f"its clock '{name}' jumps by {steps[jumps[0]]:.3g} s after sample {jumps[0] + 1}{more}"
    apart_sec = float(np.abs(times - np.arange(len(times)) / rate_hz).max())
    if apart_sec > max(LONGEST_STEP_SEC, 1 / rate_hz):
        rate = f"{len(steps) / times[-1]:.6g} samples a second, not {rate_hz:g}"
        return f"by its clock '{name}' it has {rate}: times would be up to {apart_sec:.3g} s wrong"
    return ""


def _unit_near(clock: np.ndarray, name: str, told: str, rate_hz: float) -> str:
    """The unit of a clock, that which is told or in which it comes near the rate; a ValueError where none does."""
    units = [told] if UNITS.get(told) else [unit for unit, size in UNITS.items() if size and size <= 1]
    middle = max(_usual_step(clock), 1e-300)
    near = min(units, key=lambda unit: abs(np.log(middle * UNITS[unit] * rate_hz)))
    own_hz = 1 / (middle * UNITS[near])
    if max(own_hz / rate_hz, rate_hz / own_hz) > MOST_APART:
        what = f"by its clock '{name}', read in {near}, it has {own_hz:.3g} samples a second, not {rate_hz:g}"
        longer = _in_longer(own_hz, rate_hz / MOST_APART, rate_hz * MOST_APART)
        raise ValueError(f"{what}{longer}; correct the rate, write seconds, or remove that column")
    return near


def _in_longer(rate_hz: float, least_hz: float = 5, most_hz: float = 2000) -> str:
    """The longer unit in which a rate lies in those limits, to be shown."""
    usual = [(name, rate_hz / size) for name, size in LONGER_SEC.items() if least_hz < rate_hz / size < most_hz]
    return "".join(f" (in {name} it would be {own_hz:.3g})" for name, own_hz in usual)


def _usual_step(clock: np.ndarray) -> float:
    """By how much a clock rises a sample, without jumps."""
    _, counts, steps = _stamps(clock)
    usual = steps <= np.quantile(steps, 0.99)
    return float(steps[usual].sum() / counts[:-1][usual].sum())


def _unit_alone(values: np.ndarray, name: str, told: str) -> str:
    """The unit of a clock, that which is told, or by its size; a ValueError asks for the rate."""
    steps = np.diff(values)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if not step:
        raise ValueError(f"its clock '{name}' does not rise; give the rate as FOLDER@HZ")
    if UNITS.get(told):
        return told
    least, most = RECENT_SEC
    since = [known for known, size in UNITS.items() if size and size < 60 and least < values[0] * size < most]
    # phones count nanoseconds from their start on, days later as many as microseconds from 1970 on
    if len(since) == 1 and (since != ["microseconds"] or _usual_step(values) * 1e-6 * LEAST_HZ < 1):
        return since[0]
    if (values % 1 != 0).any() and step < LONGEST_STEP and _usual_step(values) * LEAST_HZ < 1:
        return "seconds"
    raise ValueError(
        f"its clock '{name}' rises by {step:.4g} a sample, in what is not told; give the rate as FOLDER@HZ, or a name "
        f"with the unit, such as '{name}_s' or '{name}_ms'"
    )


def _stamps(clock: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first sample of each distinct time (N,), number of samples that have it (N,), steps between them (N - 1,))."""
    first = np.flatnonzero(np.concatenate([[True], np.diff(clock) > 0]))
    return first, np.diff(first, append=len(clock)), np.diff(clock[first])


def _spread(times: np.ndarray, longest_gap_sec: float = 0) -> np.ndarray:
    """Samples of one time, a batch, spread evenly up to the next time, as those of a clock that counts whole seconds.

    Before a gap and at the end, a batch lasts as long as as many samples do elsewhere; so does one that is incomplete
    at the beginning or after a gap, up to the next time.
    """
    first, counts, steps = _stamps(times)
    if len(first) == len(times):
        return times
    held = counts[:-1]
    period = np.median(steps / held)
    limit = max(min(longest_gap_sec or LONGEST_STEP_SEC, LONGEST_STEP_SEC), LONGEST_STEP * period)
    excess = steps - np.maximum(np.median(steps), held * period)
    early = np.where(steps < 0.5 * held * period, held * period - steps, 0)
    gap = excess > limit
    for i in np.flatnonzero(gap):  # batches that only came late are followed by others that come fast
        caught_up = early[i + 1 :][np.logical_and.accumulate(early[i + 1 :] > 0)].sum()
        gap[i] = 2 * caught_up < excess[i]
    begins = np.concatenate([[True], gap[:-1]])
    usual = ~gap & ~begins if (~gap & ~begins).any() else ~gap
    period = steps[usual].sum() / held[usual].sum()
    late = begins & ~gap & (held * period < LEAST_FULL * steps) & (np.median(counts) > 1)
    lasts = np.append(np.where(gap | late, held * period, steps), counts[-1] * period)
    starts = times[first] + np.append(np.where(late, steps - held * period, 0), 0)
    within = np.arange(len(times)) - np.repeat(first, counts)  # place in the batch
    return np.repeat(starts, counts) + within * np.repeat(lasts / counts, counts)


def regular_samples(values: np.ndarray, clock: Clock, rate_hz: float) -> np.ndarray:
    """Samples (samples, C) at every 1 / rate_hz seconds from the first on, by straight lines; as many as fit."""
    wanted = np.arange(int(clock.times_sec[-1] * rate_hz + 1e-6) + 1) / rate_hz
    return np.stack([np.interp(wanted, clock.times_sec, channel) for channel in values.T], axis=1)


def bridged_runs(
    values: np.ndarray, times_sec: np.ndarray, rate_hz: float, longest_gap_sec: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Samples (samples, C) with long runs of missing ones bridged by straight lines; where those were (R, 2), seconds.

    Runs are long as gaps of a clock are, see `read_clock`; shorter ones, and channels without any number, stay.
    """
    if values.ndim != 2 or values.dtype.kind != "f":
        return values, np.zeros((0, 2))
    found, gaps = values.copy(), [np.zeros((0, 2))]
    limit = max(longest_gap_sec or LONGEST_STEP_SEC, LONGEST_STEP / rate_hz)
    there = np.isfinite(values)
    for i in np.flatnonzero(~there.all(axis=0) & there.any(axis=0)):
        good = there[:, i]
        rows = np.flatnonzero(good)
        edges = np.concatenate([times_sec[:1], times_sec[rows], times_sec[-1:] + 1 / rate_hz])
        missing = np.diff(rows, prepend=-1, append=len(good)) > 1
        long = missing & (np.diff(edges) > limit)
        bridged = ~good & long[np.cumsum(good)]
        found[bridged, i] = np.interp(times_sec[bridged], times_sec[rows], values[rows, i])
        gaps.append(np.column_stack([edges[:-1], edges[1:]])[long])
    return found, np.concatenate(gaps)
