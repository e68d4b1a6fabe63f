"""One file of raw samples: its numbers, and when they were taken."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import named, open_array
from afkit.workbench.own_data.clocks import Clock, bridged_runs, clock_problem, read_clock, regular_samples
from afkit.workbench.own_data.number_tables import Numbers, read_numbers
from afkit.workbench.own_data.physio_files import CLOCK_NAME, PHYSIO, read_physio
from afkit.workbench.own_data.pose_files import read_pose
from afkit.workbench.own_data.sample_columns import missing_codes
from afkit.workbench.own_data.signals import Sensor

NO_CLOCK = "has no column with the time; add it, or, to label or make features, give the samples per second: FOLDER@HZ"


class SensorKind(NamedTuple):
    """A sensor that all recordings have."""

    name: str  # of its folder
    rate_hz: float  # samples per second, of the files or (`by_clock`) to which they are brought
    channels: int  # numbers in a sample
    columns: tuple[str, ...] = ()  # names of the channels in tables that have names
    by_clock: bool = False  # the column with the time (or the file itself) tells when samples were taken
    pose: bool = False  # files hold key points of a body, see `pose_files`


def read_samples(path: Path, columns: Sequence[str] = (), pose: bool = False, label: str = "") -> Numbers:
    """Raw samples of a file, with the names of its channels and its clock where it has them; NaN where it has gaps.

    Args:
        columns: names of the channels to take, in this order; () for all but clock and counter.
        pose: the file holds key points.
        label: column of a table that has a label for each sample.
    """
    ending = path.suffix.lower()
    if not path.exists():
        raise ValueError(f"{path} does not exist; add the file of that sensor")
    with named(path, path.stem):
        if pose:
            return read_pose(path)
        if ending in PHYSIO:
            found = read_physio(path, columns)
            return Numbers(found.values, found.names, found.clock_sec, CLOCK_NAME, found.left_out, [], found.rate_hz)
        if ending in (".csv", ".txt", ".tsv"):
            return read_numbers(path, True, columns, label)
    return Numbers(open_array(path, path.stem, path.stem)[:], [], None, "", [])


def read_sensor(
    path: Path, kind: SensorKind, fix: bool, longest_gap_sec: float = 0, label: str = ""
) -> tuple[Sensor, Numbers, list[str]]:
    """The samples of a sensor, what was read, and what `fix` changed: codes for missing samples, times off the rate.

    ValueError where it is unreadable, or has other channels, or a clock that contradicts the rate or is mostly gaps:
    steps longer than `longest_gap_sec` (0: as of `clocks.read_clock`). Runs of missing samples as long are gaps, too,
    of a sensor `by_clock` or with `fix`. `start_sec` is that of its clock, NaN without one.
    """
    try:
        numbers = read_samples(path, kind.columns, kind.pose, label)
    except ValueError as error:
        if not kind.columns or "has no column" not in str(error):
            raise
        numbers = read_samples(path, (), kind.pose)
        if numbers.names:  # a table without names may have as many columns
            raise
    numbers, coded = _without_codes(numbers)
    if coded and not fix:
        raise ValueError(f"{path}: {coded}; leave these cells empty, or take them as missing with --fix")
    clock, problem = clock_of(path, numbers, kind, longest_gap_sec, fix)
    follow = kind.by_clock or bool(problem)
    rate_hz = numbers.rate_hz or kind.rate_hz if kind.by_clock else kind.rate_hz
    if kind.by_clock and clock is None and numbers.rate_hz is None:
        raise ValueError(f"{path} {NO_CLOCK}")
    signal, gaps_sec, start_sec = numbers.values, np.zeros((0, 2)), np.nan
    if follow or fix or numbers.unseen is not None:
        times_sec = clock.times_sec if clock is not None and follow else np.arange(len(signal)) / rate_hz
        signal, gaps_sec = _without_runs(numbers, times_sec, rate_hz, longest_gap_sec)
    if clock is not None and follow:
        signal, gaps_sec = regular_samples(signal, clock, rate_hz), np.concatenate([clock.gaps_sec, gaps_sec])
    if clock is not None and numbers.rate_hz is None:  # else nothing tells how it runs against other sensors' clocks
        start_sec = clock.start_sec
    repairs = [f"{path}: {coded}: taken as missing"] if coded else []
    repairs += [f"{path}: {problem}: put onto regular times"] if problem else []
    return Sensor(str(path), signal, rate_hz, start_sec, gaps_sec), numbers, repairs


def _without_codes(numbers: Numbers) -> tuple[Numbers, str]:
    """The samples with NaN instead of codes for missing ones, and what they were, "" where there are none."""
    coded = missing_codes(numbers.values)
    if not coded.any():
        return numbers, ""
    place = int(coded.any(axis=0).argmax())
    column, rows = numbers.values[:, place], coded[:, place]
    name = repr(numbers.names[place]) if numbers.names else place + 1
    seen = f"is {column[rows.argmax()]:g} in {rows.sum()} of its {len(rows)} samples, and "
    seen += f"{np.nanmin(column[~rows]):g} to {np.nanmax(column[~rows]):g} in the others"
    more = f" (and {coded.any(axis=0).sum() - 1} more channels)" if coded.any(axis=0).sum() > 1 else ""
    told = f"channel {name} {seen}, as where a code stands for missing ones{more}"
    return numbers._replace(values=np.where(coded, np.nan, numbers.values)), told


def clock_of(
    path: Path, numbers: Numbers, kind: SensorKind, longest_gap_sec: float = 0, fix: bool = True
) -> tuple[Clock | None, str]:
    """What the clock of a file says, None without one, and what it says against a rate that is given, "" for nothing.

    A ValueError names the file; without `fix`, for what it says against the rate, too.
    """
    if numbers.clock is None:
        return None, ""
    with of_file(path):
        given_hz = None if kind.by_clock else kind.rate_hz
        clock = read_clock(numbers.clock, numbers.clock_name, longest_gap_sec, given_hz, numbers.clock_unit)
        problem = clock_problem(clock, numbers.clock_name, given_hz) if given_hz is not None else ""
        if problem and not fix:
            follow = f"leave out @{given_hz:g}, so that the clock tells, or put the samples onto regular times"
            raise ValueError(f"{problem}; correct it, {follow} with --fix")
    return clock, problem


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Put the path before the messages of ValueErrors."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _without_runs(
    numbers: Numbers, times_sec: np.ndarray, rate_hz: float, longest_gap_sec: float
) -> tuple[np.ndarray, np.ndarray]:
    """The samples with long runs of missing ones bridged, and where those were, see `clocks.bridged_runs`."""
    if numbers.unseen is None:
        return bridged_runs(numbers.values, times_sec, rate_hz, longest_gap_sec)
    seen = np.where(numbers.unseen, np.nan, 0.0)[:, None]
    return numbers.values, bridged_runs(seen, times_sec, rate_hz, longest_gap_sec)[1]
