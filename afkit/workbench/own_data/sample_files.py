"""One file of raw samples: its channels, by their names where it has any, and its clock."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import named, open_array
from afkit.workbench.own_data.clocks import clock_problem, on_clock
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
        path: of the file.
        kind: whose channels are looked for by their names.
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
