"""The one place that decides units: by the columns' names, by --unit, or by what else the files say; else by asking."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from afkit.workbench.own_data.import_columns import Chosen, Way
from afkit.workbench.own_data.import_names import UNITS
from afkit.workbench.own_data.import_rows import Recording, to_time

LONGEST_SEC = 3600  # whole numbers above it, with nothing else to tell the unit by, are a question
_USED = (0.1, 1.05)  # between which share of a recording's duration its last action ends, if the unit is right
COUNTED = ("frames", "samples", "index")
_USED_BY_RATE = 0.55  # likewise where a frame rate in the file counts: another is often half or double of it
_LEAST_RECORDINGS = 5  # to judge a rate by
_SAME = 0.02  # relative difference of times that are the same


def in_seconds(
    source: Path, chosen: list[Chosen], known: Mapping[str, Recording], unit: str, rate: float | None
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of all tables, with start and end in seconds.

    Args:
        unit: as the user says; "" where not.
        rate: frames or samples per second, as the user says.

    Returns:
        rows as of `Chosen` that hold an annotation, with start, end, span (length of the segment by a column of its
        own), whole (both were whole numbers in the file) and mixed (written otherwise than the unit says), and what was
        decided.

    Raises:
        ValueError: a time that is none, a unit that cannot be told, or frames without a rate.
    """
    tables, told = [], []
    for one in chosen:
        if not len(one.rows):
            continue
        rows, way = one.rows.reset_index(drop=True), one.way
        if way is None:
            tables.append(_runs(rows, known, rate))
            continue
        start, start_clock = _numbers(way.start, rows, "start")
        end, end_clock = _numbers(way.end, rows, "end") if way.end is not None else (start, start_clock)
        if (start_clock != end_clock).any():
            place = rows["where"][int((start_clock != end_clock).argmax())]
            raise ValueError(f"{place}: mixed units, start and end are not written alike; correct one")
        units, reason = _named_units(way), ""
        if not units and not start_clock.all():
            decided, why = (unit, "") if unit else _unit(source, one, rows, start, end, known, rate)
            units, reason = (decided, decided), why
        units = units or ("seconds", "seconds")
        if {*units} != {"seconds"} or reason:
            per_sec = ": divided by the rate, which is not taken for the features' frame rate"
            of_rate = per_sec if {*units} & {"frames", "samples"} else ""
            told.append(f"times were in {' and '.join(dict.fromkeys(units))}{of_rate}{reason}")
        factors = [_factors(name, rows, known, rate) for name in units]
        begin = np.where(start_clock, start, start * factors[0])
        if way.end is None:
            finish = begin + _spans(way, rows, units[1], known, rate)
        else:
            finish = np.where(end_clock, end, end * factors[1])
        counted = np.array([bool({*units} & {"frames", "samples"})] * len(rows))
        whole = (np.floor(start) == start) & (np.floor(end) == end) & ~start_clock
        odd = counted & np.isfinite(start + end) & ~whole
        if counted.any() and rate is None:
            _check_rate(source, rows, finish, known)
        span = _spans(way, rows, "seconds", known, rate) if way.span and way.span[1] not in COUNTED else np.nan
        made = rows.assign(start=begin, end=finish, whole=whole, mixed=odd, span=span)
        tables.append(made[made["kept"] & ~made["empty"]])
    if not tables:
        return pd.DataFrame(columns=["video", "start", "end", "span"]), told
    return pd.concat(tables, ignore_index=True), list(dict.fromkeys(told))


def _check_rate(source: Path, rows: pd.DataFrame, end: np.ndarray, known: Mapping[str, Recording]) -> None:
    """Ask where a frame rate in the file lets the last actions of most recordings end long before the recordings."""
    durations = rows["video"].map(lambda video: known[video].duration if video in known else None).astype(float)
    shares = (pd.Series(end) / durations.to_numpy()).groupby(rows["video"].to_numpy()).max().dropna()
    if len(shares) >= _LEAST_RECORDINGS and shares.median() < _USED_BY_RATE:
        raise ValueError(
            f"{source}: by the frame rate that the files tell, the last actions end after {100 * shares.median():.0f} "
            "% of their recordings (median), so the labels may count frames of another rate; give theirs with --rate"
        )


def _runs(rows: pd.DataFrame, known: Mapping[str, Recording], rate: float | None) -> pd.DataFrame:
    """Each run of steps with the same label as one row."""
    step = rows.groupby("video").cumcount()  # of its recording
    runs = rows.assign(step=step, label=rows["label"].fillna(""))
    changed = (runs["label"] != runs.groupby("video")["label"].shift()) | (step == 0)
    runs["run"] = changed.groupby(runs["video"]).cumsum()
    grouped = runs.groupby(["video", "run"], sort=False)
    made = grouped.first().reset_index()
    factors = _factors("samples", made, known, rate)
    start, end = made["step"] * factors, (grouped["step"].max().to_numpy() + 1) * factors
    return made.assign(start=start, end=end, whole=True, mixed=False, span=np.nan).drop(columns="run")


def _numbers(cells: pd.Series, rows: pd.DataFrame, field: str) -> tuple[np.ndarray, np.ndarray]:
    """(values, which of them are clock times); rows that are not kept are not looked at."""
    use = rows["kept"] & ~rows["empty"]
    read = [
        to_time(cell, where, field) if wanted else (np.nan, False)
        for cell, where, wanted in zip(cells, rows["where"], use, strict=True)
    ]
    return np.array([value for value, _ in read], float), np.array([clock for _, clock in read], bool)


def _named_units(way: Way) -> tuple[str, str] | None:
    """The units in the names of the columns; one that has none has the other's."""
    named = [unit for unit in (way.start_unit, way.end_unit) if unit in UNITS]
    if not named:
        return None
    start, end = (unit if unit in UNITS else named[0] for unit in (way.start_unit, way.end_unit))
    return start, end


def _factors(unit: str, rows: pd.DataFrame, known: Mapping[str, Recording], rate: float | None) -> np.ndarray:
    """Seconds of one of a unit, for each row."""
    if UNITS[unit]:
        return np.full(len(rows), UNITS[unit])
    rates = [rate or _rate(fps, known.get(video)) for fps, video in zip(rows["fps"], rows["video"], strict=True)]
    for place, per_sec in zip(rows["where"], rates, strict=True):
        if per_sec is None:
            raise ValueError(
                f"{place}: the times are in {unit} without a rate; give the {unit} per second with --rate, or a column "
                "'fps'"
            )
    return 1 / np.array(rates, float)


def _rate(fps: object, recording: Recording | None) -> float | None:
    return float(fps) if isinstance(fps, int | float) and fps == fps else recording.fps if recording else None


def _spans(way: Way, rows: pd.DataFrame, unit: str, known: Mapping[str, Recording], rate: float | None) -> np.ndarray:
    """Lengths of the segments in seconds."""
    assert way.span is not None
    cells, named = way.span
    values, clock = _numbers(cells, rows, "duration")
    return np.where(clock, values, values * _factors(named if named in UNITS else unit, rows, known, rate))


def _unit(
    source: Path,
    one: Chosen,
    rows: pd.DataFrame,
    start: np.ndarray,
    end: np.ndarray,
    known: Mapping[str, Recording],
    rate: float | None,
) -> tuple[str, str]:
    """The unit that no name tells, and a reason; by frames, segments' lengths and recordings' durations in the file."""
    way = one.way
    assert way is not None
    index = "index" in (way.start_unit, way.end_unit)
    if way.end is not None and way.span is not None and UNITS.get(way.span[1]) and not index:
        lengths = _spans(way, rows, "seconds", known, rate)
        found = _matching((end - start), lengths)
        if found:
            return found, ", as the lengths in the column of durations tell"
    for other in one.others:
        if other.start_unit in ("frames", "samples") and not index:
            found = _matching_frames(other, rows, start, known, rate)
            if found:
                return found, f", as {other.names} and the frame rate tell"
    finite = np.isfinite(end)
    latest = pd.Series(end[finite]).groupby(rows["video"][finite].to_numpy()).max()
    lasting = {video: known[video].duration for video in latest.index if video in known and known[video].duration}
    if lasting and not index:
        return _by_duration(source, rows, end, latest, lasting, known, rate)
    if ((start[finite] % 1 != 0) | (end[finite] % 1 != 0)).any() and not index:
        return "seconds", ""
    if way.names == "'segment'" and way.start.map(type).eq(float).any() and not index:
        return "seconds", ""  # by the format of ActivityNet, whose writers give 2.0 where they mean seconds
    fps = any(known[video].fps for video in latest.index if video in known)
    if index or fps or latest.max() > LONGEST_SEC:
        seen = "frame rates are given" if fps else f"they reach {latest.max():g}"
        seen = f"they are numbers of something ({way.names})" if index else seen
        raise ValueError(
            f"{source}: the times {way.names} are whole numbers and {seen}, so their unit is not clear; say it, e.g. "
            "--unit seconds, --unit milliseconds, or --unit frames --rate 25"
        )
    return "seconds", ""


def _matching(values: np.ndarray, seconds: np.ndarray) -> str:
    """The unit in which values are these seconds; "" where none fits."""
    use = np.isfinite(values) & np.isfinite(seconds) & (seconds > 0) & (values > 0)
    if not use.any():
        return ""
    factor = float(np.median(seconds[use] / values[use]))
    return next((name for name, size in UNITS.items() if size and abs(factor / size - 1) < _SAME), "")


def _matching_frames(
    other: Way, rows: pd.DataFrame, start: np.ndarray, known: Mapping[str, Recording], rate: float | None
) -> str:
    """The unit in which times are those of frame numbers beside them; "" where no rate is known, or none fits."""
    try:
        factors = _factors("frames", rows, known, rate)
    except ValueError:
        return ""
    frames, _ = _numbers(other.start, rows, "start")
    late = frames > 10  # rounding matters less
    return _matching(np.where(late, start, np.nan), frames * factors)


def _by_duration(
    source: Path,
    rows: pd.DataFrame,
    end: np.ndarray,
    latest: pd.Series,
    lasting: Mapping[str, float | None],
    known: Mapping[str, Recording],
    rate: float | None,
) -> tuple[str, str]:
    """The unit in which the last actions end within their recordings, and not just at their beginnings."""
    durations = rows["video"].map(lambda video: lasting.get(video)).astype(float).to_numpy()
    told = np.isfinite(end) & np.isfinite(durations)
    if not told.any() or np.mean(end[told] <= _USED[1] * durations[told]) >= 0.5:
        return "seconds", ""
    fitting = []
    for unit in UNITS:
        try:
            factors = _factors(unit, rows, known, rate)
        except ValueError:
            continue
        shares = pd.Series((end * factors / durations)[told]).groupby(rows["video"][told].to_numpy()).max()
        least = _USED[0] if UNITS[unit] else _USED_BY_RATE
        if unit != "samples" and least < shares.median() and (shares <= _USED[1]).mean() >= 0.95:
            fitting.append(unit)
    if len(fitting) != 1:
        video = max(lasting, key=lambda video: latest[video])
        raise ValueError(
            f"{source}: the times reach {latest[video]:g} in recording '{video}', which lasts {lasting[video]:g} s, so "
            "they are not in seconds; say in what, e.g. --unit milliseconds, or --unit frames --rate 25"
        )
    return fitting[0], ", as the recordings' durations tell"
