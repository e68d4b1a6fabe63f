"""One file of raw samples: its numbers, and when they were taken."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import named, open_array
from afkit.workbench.own_data.clocks import bridged_runs, clock_problem, read_clock, regular_samples
from afkit.workbench.own_data.number_tables import Numbers, read_numbers
from afkit.workbench.own_data.physio_files import CLOCK_NAME, PHYSIO, read_physio
from afkit.workbench.own_data.pose_files import read_pose
from afkit.workbench.own_data.signals import Sensor


class SensorKind(NamedTuple):
    """A sensor that all recordings have."""

    name: str  # of its folder
    rate_hz: float  # samples per second, of the files or (`by_clock`) to which they are brought
    channels: int  # numbers in a sample
    columns: tuple[str, ...] = ()  # names of the channels in tables that have names
    by_clock: bool = False  # the column with the time (or the file itself) tells when samples were taken
    pose: bool = False  # files hold key points of a body, see `pose_files`


def read_signal(path: Path) -> np.ndarray:
    """Raw samples (samples, C) of a file, NaN where a table has gaps; a ValueError names file and row."""
    return read_samples(path).values


def read_samples(path: Path, columns: Sequence[str] = (), pose: bool = False, label: str = "") -> Numbers:
    """Raw samples of a file, with the names of its channels and its clock where it has them.

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
            values, names = read_pose(path)
            return Numbers(values, names, None, "", [])
        if ending in PHYSIO:
            found = read_physio(path, columns)
            return Numbers(found.values, found.names, found.clock_sec, CLOCK_NAME, found.slower, [], found.rate_hz)
        if ending in (".csv", ".txt", ".tsv"):
            return read_numbers(path, True, columns, label)
    return Numbers(open_array(path, path.stem, path.stem)[:], [], None, "", [])


def read_sensor(
    path: Path, kind: SensorKind, fix: bool, longest_gap_sec: float = 0, label: str = ""
) -> tuple[Sensor, Numbers, list[str]]:
    """The samples of a sensor, what was read, and what `fix` changed: samples put onto the regular times of the rate.

    ValueError where it is unreadable, or has other channels, or a clock that contradicts the rate or is mostly gaps:
    steps longer than `longest_gap_sec` (0: as of `clocks.read_clock`). Runs of missing samples as long are gaps, too,
    of a sensor `by_clock` or with `fix`. `start_sec` of a sensor `by_clock` is that of its clock, NaN without one.
    """
    try:
        numbers = read_samples(path, kind.columns, kind.pose, label)
    except ValueError as error:
        if not kind.columns or "has no column" not in str(error):
            raise
        numbers = read_samples(path, (), kind.pose)
        if numbers.names:  # a table without names may have as many columns
            raise
    if kind.by_clock:
        return _by_clock(path, kind, numbers, longest_gap_sec), numbers, []
    sensor, repairs = Sensor(str(path), numbers.values, kind.rate_hz), []
    if numbers.clock is not None:
        with of_file(path):
            problem = clock_problem(numbers.clock, numbers.clock_name, kind.rate_hz)
        if problem and not fix:
            raise ValueError(f"{path}: {problem}; correct it, or put the samples onto regular times with --fix")
        if problem:
            sensor = _on_clock(path, numbers, kind.rate_hz, longest_gap_sec, kind.rate_hz)._replace(start_sec=0.0)
            repairs.append(f"{path}: {problem}: put onto regular times")
            return sensor, numbers, repairs
    return _without_runs(sensor, longest_gap_sec) if fix else sensor, numbers, repairs


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Put the path before the messages of ValueErrors."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _without_runs(sensor: Sensor, longest_gap_sec: float) -> Sensor:
    """The sensor with long runs of missing samples as gaps."""
    times_sec = np.arange(len(sensor.signal)) / sensor.rate_hz
    signal, gaps_sec = bridged_runs(sensor.signal, times_sec, sensor.rate_hz, longest_gap_sec)
    return sensor._replace(signal=signal, gaps_sec=gaps_sec)


def _by_clock(path: Path, kind: SensorKind, numbers: Numbers, longest_gap_sec: float) -> Sensor:
    """The samples at regular times of the kind's rate, as the clock tells, or at the rate that the file tells."""
    if numbers.rate_hz is not None:  # nothing tells how its clock runs against that of other sensors
        if numbers.clock is None:
            return _without_runs(Sensor(str(path), numbers.values, numbers.rate_hz, np.nan), longest_gap_sec)
        return _on_clock(path, numbers, numbers.rate_hz, longest_gap_sec)._replace(start_sec=np.nan)
    if numbers.clock is None:
        raise ValueError(f"{path} has no column with the time; give the samples per second, as FOLDER@HZ")
    return _on_clock(path, numbers, kind.rate_hz, longest_gap_sec)


def _on_clock(
    path: Path, numbers: Numbers, rate_hz: float, longest_gap_sec: float, given_hz: float | None = None
) -> Sensor:
    """The samples at regular times, as their clock tells, in the unit in which it comes near a rate that is given."""
    assert numbers.clock is not None
    with of_file(path):
        clock = read_clock(numbers.clock, numbers.clock_name, longest_gap_sec, given_hz)
    values, runs_sec = bridged_runs(numbers.values, clock.times_sec, clock.rate_hz, longest_gap_sec)
    signal = regular_samples(values, clock, rate_hz)
    return Sensor(str(path), signal, rate_hz, clock.start_sec, np.concatenate([clock.gaps_sec, runs_sec]))
