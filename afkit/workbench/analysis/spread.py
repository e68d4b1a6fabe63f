"""What several runs say together: the spread over seeds, and the mean over folds with its interval."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from afkit.workbench.analysis.bootstrap import Interval


class Spread(NamedTuple):
    """Several runs that differ in nothing but their seed."""

    number: int  # of runs
    mean: float  # of the values
    standard_deviation: float | None  # with number - 1 in the denominator; None for a single run
    lowest: float  # of the values
    highest: float  # of the values


def mean_and_spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and range over seeds; ValueError without a value, or for one that is not finite."""
    numbers = np.asarray(list(values), np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"give at least one value, all of them finite, not {list(values)}")
    deviation = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
    return Spread(len(numbers), float(numbers.mean()), deviation, float(numbers.min()), float(numbers.max()))


def mean_interval(values: Sequence[float], resamples: int = 10_000, seed: int = 0, level: float = 0.95) -> Interval:
    """The mean of independent values, such as the scores of folds, by drawing these with replacement."""
    numbers = np.asarray(list(values), np.float64)
    drawn = np.random.default_rng(seed).choice(numbers, (resamples, len(numbers))).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(numbers.mean()), float(low), float(high), float(drawn.std(ddof=1)))
