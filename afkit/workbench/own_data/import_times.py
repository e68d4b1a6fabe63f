"""The one place that decides units: by the columns' names, by --unit, or by what else the files say; else by asking."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from afkit.workbench.own_data.clocks import UNIX_SEC
from afkit.workbench.own_data.import_columns import Chosen, Way
from afkit.workbench.own_data.import_names import UNITS
from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.import_rows import PART, SHORT, WALL, Part, Recording, is_empty, not_negative, to_time

LONGEST_SEC = 3600  # whole numbers above it, with nothing else to tell the unit by, are a question
_USED = (0.1, 1.05)  # between which share of a recording's duration its last action ends, if the unit is right
COUNTED = ("frames", "samples", "index")
_USED_BY_RATE = 0.55  # likewise where a frame rate in the file counts: another is often half or double of it
_LEAST_RECORDINGS = 5  # to judge a rate by
_SAME = 0.02  # relative difference of times that are the same


def in_seconds(
    source: Path,
    chosen: list[Chosen],
    known: Mapping[str, Recording],
    unit: str,
    rate: float | None,
    media: Mapping[str, Medium],
) -> tuple[pd.DataFrame, dict[str, list[Part]], list[str]]:
    """The rows of all tables that hold an annotation, with start and end in seconds; parts that they say were labelled.

    The last is what was decided.
    Rows are as of `Chosen`, with span (length of the segment by a column of its own, seconds), whole (both times were
    whole numbers in the file), mixed (written otherwise than the unit says) and times (their unit in the file); those
    of `_of_clocks`, too. Without a rate as the user says it (frames or samples per second), that of the files counts.
    Clocks of `media` tell units, too. ValueError for a time that is none, a unit that cannot be told, or frames without
    a rate.
    """
    tables, told = [], []
    parts: defaultdict[str, list[Part]] = defaultdict(list)
    for one in chosen:
        if not len(one.rows):
            continue
        about = [known.get(video, Recording("")) for video in one.rows["video"]]
        rates = [
            rate or (fps if isinstance(fps, int | float) and fps == fps else recording.fps)
            for fps, recording in zip(one.rows["fps"], about, strict=True)
        ]
        lasts = np.array([recording.duration for recording in about], float)  # NaN where unknown, as per_sec
        begins = [media[video].begin_sec if video in media else None for video in one.rows["video"]]
        lasts = lasts + np.array([begin or 0.0 for begin in begins])  # times may be those of the recordings' clocks
        rows = one.rows.reset_index(drop=True).assign(per_sec=np.array(rates, float), lasts=lasts)
        times = "seconds"
        if one.way is None:
            runs, decided = _runs(rows, one.others, media)
            tables.append(runs)
            told += [decided] if decided else []
        else:
            rows, times, decided = _with_times(source, one, one.way, rows, known, unit, rate)
            tables.append(rows[rows["kept"] & ~rows["empty"]])
            told += [decided] if decided else []
        for video, part in _parts(one, rows, times):
            parts[video].append(part)
    if not tables:
        return pd.DataFrame(columns=["video", "start", "end", "span", "times"]), {}, told
    return pd.concat(tables, ignore_index=True), parts, told


def _parts(one: Chosen, rows: pd.DataFrame, times: str) -> Iterator[tuple[str, Part]]:
    """(recording, part of it that was labelled) as rows say, whose own times are in the unit `times`; each once."""
    said = rows[~rows[list(PART)].map(is_empty).all(axis=1)]
    said = said.loc[said[["video", *PART]].astype(str).drop_duplicates().index]
    starts, ends = (_part_sec(said, field, one.part_units.get(field, ""), times) for field in PART)
    for video, where, start, end in zip(said["video"], said["where"], starts, ends, strict=True):
        yield video, Part(start, end, where)


def _part_sec(rows: pd.DataFrame, field: str, named: str, times: str) -> list[float | None]:
    """The starts or ends of parts in seconds, in the unit that the column's name says; None for empty cells."""
    read = [not_negative(cell, where, field) for cell, where in zip(rows[field], rows["where"], strict=True)]
    counts = any(value is not None and not clock for value, clock in read)
    if counts and named not in UNITS and times != "seconds":
        raise ValueError(
            f"{rows['where'].iloc[0]}: the name of the column for '{field}' has no unit, and the other times are in "
            f"{times}; call it {field}_{times}, or {field}_seconds"
        )
    factors = _factors(named if counts and named in UNITS else "seconds", rows)
    return [
        value if value is None or clock else float(value * factor)
        for (value, clock), factor in zip(read, factors, strict=True)
    ]


def _with_times(
    source: Path,
    one: Chosen,
    way: Way,
    rows: pd.DataFrame,
    known: Mapping[str, Recording],
    unit: str,
    rate: float | None,
) -> tuple[pd.DataFrame, str, str]:
    """The rows with the columns that `in_seconds` adds, the unit of the starts, and a sentence on the units."""
    start, start_clock = _numbers(way.start, rows, "start")
    end, end_clock = _numbers(way.end, rows, "end") if way.end is not None else (start, start_clock)
    differ = (start_clock != end_clock) & np.isfinite(start + end)
    if differ.any():
        place = rows["where"][int(differ.argmax())]
        raise ValueError(f"{place}: mixed units, start and end are not written alike; correct one")
    named, reason = [name for name in (way.start_unit, way.end_unit) if name in UNITS], ""
    if not named and not start_clock.all():
        decided, reason = (unit, "") if unit else _unit(source, one, way, rows, start, end, known)
        named = [decided]
    named = named or ["seconds"]  # a column that has no unit has the other's
    of_start, of_end = (name if name in UNITS else named[0] for name in (way.start_unit, way.end_unit))
    _check_points(way, rows, {of_start, of_end}.isdisjoint(("seconds", "minutes")))
    counted = not {of_start, of_end}.isdisjoint(("frames", "samples"))
    begin = np.where(start_clock, start, start * _factors(of_start, rows))
    finish = np.where(end_clock, end, end * _factors(of_end, rows))
    if way.end is None:
        finish = begin + _spans(way, rows, of_end)
        _check_lengths(source, way, rows, begin, finish, of_end)
    whole = (np.floor(start) == start) & (np.floor(end) == end) & ~start_clock
    shares = _shares(rows, finish)
    if counted and rate is None and len(shares) >= _LEAST_RECORDINGS and shares.median() < _USED_BY_RATE:
        raise ValueError(
            f"{source}: by the frame rate that the files tell, the last actions end after {100 * shares.median():.0f} "
            "% of their recordings (median), so the labels may count frames of another rate; give theirs with --rate"
        )
    span = _spans(way, rows, "seconds") if way.span and way.span[1] not in COUNTED else np.nan
    mixed = np.isfinite(start + end) & ~whole & counted
    apart = _apart(rows["video"], finish - begin, np.asarray(span)) if np.isfinite(span).any() else False
    told = ""
    if {of_start, of_end} != {"seconds"} or reason:
        of_rate = ": divided by the rate, which is not taken for the features' frame rate" if counted else ""
        told = f"times were in {' and '.join(dict.fromkeys((of_start, of_end)))}{of_rate}{reason}"
    rows = rows.assign(start=begin, end=finish, whole=whole, mixed=mixed, span=span, times=of_start, apart=apart)
    return _of_clocks(rows, way, start_clock), of_start, told


def _check_points(way: Way, rows: pd.DataFrame, small: bool) -> None:
    """Refuse numbers whose point or comma may be one of thousands: a file has both, or all have three digits behind it.

    The latter only in `small` units, of which there are thousands and hardly parts.
    """
    cells = pd.concat([side[rows["kept"]] for side in (way.start, way.end) if side is not None])
    texts = cells[[isinstance(cell, str) for cell in cells]].astype(str).str.strip()
    commas, points = (texts[texts.str.fullmatch(rf"[+-]?\d+{sign}\d+")] for sign in (",", r"\."))
    signs, files = pd.concat([commas, points]), rows["where"].str.rpartition(",")[0]
    both = {*files[commas.index]} & {*files[points.index]}
    if both or (small and len(signs) and texts.str.fullmatch(r"\d{1,3}([.,]\d{3})?").all()):
        signs = signs[files[signs.index].isin(both or set(files)).to_numpy()]
        what = f"{signs.iloc[0]!r} and {signs.iloc[-1]!r} may hold thousands or decimals"
        raise ValueError(f"{rows['where'][signs.index[0]]}: {what}; write all with one decimal sign, without thousands")


def _apart(videos: pd.Series, lengths: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Of which rows a column tells another length, if it is that of at least half of them, and not the recording's."""
    apart = abs(span - lengths) > np.maximum(_SAME * abs(lengths), 0.05)
    of_segments = pd.Series(span).groupby(videos).nunique().max() > 1
    return apart & of_segments & (apart[np.isfinite(span + lengths)].mean() <= 0.5)


def _check_lengths(source: Path, way: Way, rows: pd.DataFrame, begin: np.ndarray, end: np.ndarray, unit: str) -> None:
    """Ask for the unit of lengths that have none, where most reach beyond the next segment, unlike in milliseconds."""
    room = pd.Series(begin).groupby(rows["video"]).shift(-1) - begin
    room, lengths = room[room > 0], (end - begin)[room > 0]
    named = way.span is None or way.span[1] in UNITS
    if (
        not named
        and len(room)
        and np.median(lengths) >= 100
        and (lengths > room).mean() > 0.5 > (lengths > 1000 * room).mean()
    ):
        what = f"the lengths in {way.names} reach beyond the next segments, if they are in {unit}"
        raise ValueError(f"{source}: {what}; tell their unit in the column's name, e.g. duration_ms")


def _of_clocks(rows: pd.DataFrame, way: Way, clock: np.ndarray) -> pd.DataFrame:
    """The rows with what tells whether they may be times of a day or a calendar, of those that are `clock` times.

    short: all have two parts, of minutes and seconds or of hours and minutes; day_start and day_end: seconds since
    midnight as times of day, else NaN; naive: times of a clock without a zone. ValueError where some dates have one.
    """
    timed = clock & (rows["kept"] & ~rows["empty"]).to_numpy()
    cells = [str(cell) for side in (way.start, way.end) if side is not None for cell in side[timed]]
    short = bool(cells) and all(map(SHORT.fullmatch, cells))
    zoned = {bool(date[3]) for cell in cells if (date := WALL.fullmatch(cell))}
    if len(zoned) > 1:
        raise ValueError(f"{rows['where'][timed.argmax()]}: some dates have a time zone, others none; write all alike")
    of_day = np.where(clock & (rows["start"] < UNIX_SEC), 60.0 if short else 1.0, np.nan)
    length = (rows["end"] - rows["start"]) * (of_day if way.end is not None else 1.0)
    start = rows["start"] * of_day
    return rows.assign(day_start=start, day_end=start + length, naive=timed & (zoned != {True}), short=timed & short)


def _shares(rows: pd.DataFrame, end: np.ndarray) -> pd.Series:
    """After which share of a recording its last action ends, of recordings of which both are known."""
    shares = pd.Series(end, rows.index) / rows["lasts"]
    return shares[np.isfinite(shares)].groupby(rows["video"]).max()


def _runs(rows: pd.DataFrame, counting: list[Way], media: Mapping[str, Medium]) -> tuple[pd.DataFrame, str]:
    """Each run of steps with the same label as one row, and what was decided; a step that is not there ends a run."""
    step, told = rows.groupby("video").cumcount().astype(float), ""  # of its recording
    hold = longest = 1.0  # steps that a row holds; between two rows, above which there is a gap
    if counting:
        step, hold, longest, told = _counted(rows, counting[0], media)
    runs = rows.assign(step=step, label=rows["label"].fillna(""))
    by_video = runs.groupby("video")
    following = by_video["step"].shift(-1)
    gap = following - step > longest
    runs["until"] = following.where(following.notna() & ~gap, step + hold)
    changed = (runs["label"] != by_video["label"].shift()) | by_video["step"].shift().isna()
    changed |= gap.groupby(runs["video"]).shift(fill_value=False)
    runs["run"] = changed.groupby(runs["video"]).cumsum()
    grouped = runs.groupby(["video", "run"], sort=False)
    made = grouped.first().reset_index()
    factors = _factors("samples", made)
    start, end = made["step"] * factors, grouped["until"].max().to_numpy() * factors
    made["step"] = made["step"].where(~made["video"].isin(runs["video"][gap]))  # its last label is not its end
    made = made.assign(start=start, end=end, whole=True, mixed=False, span=np.nan, times="seconds", apart=False)
    return made.drop(columns=["run", "until"]).assign(day_start=np.nan, day_end=np.nan, naive=False, short=False), told


def _counted(rows: pd.DataFrame, way: Way, media: Mapping[str, Medium]) -> tuple[pd.Series, float, float, str]:
    """By a column of frames or times: the step of each row, how many it holds, above how many there is a gap; and so.

    ValueError where the column falls or stands still, or tells another rate.
    """
    where, rate, by_frames = rows["where"], 1 / _factors("samples", rows), way.start_unit in COUNTED
    step = pd.Series([to_time(cell, place, way.names)[0] for cell, place in zip(way.start, where, strict=True)])
    sizes = [UNITS.get(way.start_unit, 1.0)] if way.start_unit else [size for size in UNITS.values() if 0 < size <= 1]

    def rises_of(step: pd.Series) -> tuple[pd.Series, float]:
        """By how much it rises from row to row, and usually; in batches of one time, on average."""
        rises = step.groupby(rows["video"]).diff().dropna()
        usual = rises[rises > 0].median() if rises.min() > 0 else rises.mean()
        return rises, float(usual) if usual > 0 else 1.0

    if not by_frames:
        step = min((step * size * rate for size in sizes), key=lambda one: abs(np.log(rises_of(one)[1]))).round(6)
    rises, usual = rises_of(step)
    if not by_frames and rises.min() == 0 and abs(usual - 1) < 0.2:  # batches of one time
        return rows.groupby("video").cumcount().astype(float), 1.0, 1.0, ""
    if rises.min() <= 0:
        raise ValueError(f"{where[rises.idxmin()]}: {way.names} does not rise by step; correct or remove that column")
    if not by_frames and abs(usual - 1) > 0.1:
        what = f"by {way.names} there are {rate[0] / usual:.4g} labels a second, not {rate[0]:g}"
        raise ValueError(f"{where[0]}: {what}; correct the rate, or remove that column")
    longest = 1.5 * usual if by_frames else max(3.0, 0.25 * float(rate.min()))
    first, told = step.groupby(rows["video"]).transform("min"), f"steps are counted by {way.names}"
    if way.start_unit == "index" and first.nunique() > 1 and step.is_monotonic_increasing:
        if rises.max() > longest:
            what = f"{way.names} counts on over the recordings, and has gaps; write a column 'frame' for each"
            raise ValueError(f"{where[rises.idxmax()]}: {what}")
        return step - first, usual, longest, f"{told}, from each recording's first on"
    if by_frames:
        return (step - 1, usual, longest, f"{told}, from 1 on") if first.min() == 1 else (step, usual, longest, told)
    if first.max() > 0 and rises.max() <= longest and all(one.begin_sec is None for one in media.values()):
        return step - first, usual, longest, f"{told}, from each recording's first on"
    return step, usual, longest, told


def _numbers(cells: pd.Series, rows: pd.DataFrame, field: str) -> tuple[np.ndarray, np.ndarray]:
    """(values, which of them are clock times); rows that are not kept are not looked at."""
    use = rows["kept"] & ~rows["empty"]
    read = [
        to_time(cell, where, field) if wanted else (np.nan, False)
        for cell, where, wanted in zip(cells, rows["where"], use, strict=True)
    ]
    return np.array([value for value, _ in read], float), np.array([clock for _, clock in read], bool)


def _factors(unit: str, rows: pd.DataFrame) -> np.ndarray:
    """Seconds of one of a unit, for each row."""
    if UNITS[unit]:
        return np.full(len(rows), UNITS[unit])
    missing = rows["per_sec"].isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"{rows['where'].iloc[missing.argmax()]}: the times are in {unit} without a rate; give the {unit} per "
            "second with --rate, or a column 'fps'"
        )
    return 1 / rows["per_sec"].to_numpy()


def _spans(way: Way, rows: pd.DataFrame, unit: str) -> np.ndarray:
    """Lengths of the segments in seconds."""
    assert way.span is not None
    cells, named = way.span
    values, clock = _numbers(cells, rows, "duration")
    return np.where(clock, values, values * _factors(named if named in UNITS else unit, rows))


def _unit(
    source: Path,
    one: Chosen,
    way: Way,
    rows: pd.DataFrame,
    start: np.ndarray,
    end: np.ndarray,
    known: Mapping[str, Recording],
) -> tuple[str, str]:
    """The unit that no name tells, and a reason; by frames, segments' lengths and recordings' durations in the file."""
    finite = np.isfinite(start + end)
    latest = pd.Series(end[finite]).groupby(rows["video"][finite].to_numpy()).max()
    fps = any(known[video].fps for video in latest.index if video in known)
    seen = "frame rates are given" if fps else f"they reach {latest.max():g}"
    if "index" in (way.start_unit, way.end_unit):
        seen = f"they are numbers of something ({way.names})"
    else:
        if way.end is not None and way.span is not None and UNITS.get(way.span[1]):
            found = _matching(end - start, _spans(way, rows, "seconds"))
            if found:
                return found, ", as the lengths in the column of durations tell"
        for other in one.others:
            if other.start_unit in ("frames", "samples") and rows["per_sec"].notna().all():
                frames, _ = _numbers(other.start, rows, "start")
                late = frames > 10  # rounding matters less
                found = _matching(np.where(late, start, np.nan), frames * _factors("frames", rows))
                if found:
                    return found, f", as {other.names} and the frame rate tell"
        if rows["lasts"][finite].notna().any():
            return _by_duration(source, rows, end, latest)
        by_format = way.names == "'segment'" and way.start.map(type).eq(float).any()  # ActivityNet's, which writes 2.0
        parts = (start[finite] % 1 != 0) | (end[finite] % 1 != 0)
        if parts.any() or by_format or not (fps or latest.max() > LONGEST_SEC):
            return "seconds", ""
    raise ValueError(
        f"{source}: the times {way.names} are whole numbers and {seen}, so their unit is not clear; say it, e.g. "
        "--unit seconds, --unit milliseconds, or --unit frames --rate 25"
    )


def _matching(values: np.ndarray, seconds: np.ndarray) -> str:
    """The unit in which values are these seconds; "" where none fits."""
    use = np.isfinite(values) & np.isfinite(seconds) & (seconds > 0) & (values > 0)
    if not use.any():
        return ""
    factor = float(np.median(seconds[use] / values[use]))
    return next((name for name, size in UNITS.items() if size and abs(factor / size - 1) < _SAME), "")


def _by_duration(source: Path, rows: pd.DataFrame, end: np.ndarray, latest: pd.Series) -> tuple[str, str]:
    """The unit in which the last actions end within their recordings, and not just at their beginnings."""
    lasts = rows["lasts"].to_numpy()
    told = np.isfinite(end) & np.isfinite(lasts)
    if np.mean(end[told] <= _USED[1] * lasts[told]) >= 0.5:
        return "seconds", ""
    fitting = []
    for unit in UNITS:
        if unit == "samples" or (not UNITS[unit] and rows["per_sec"].isna().any()):
            continue
        shares = _shares(rows, end * _factors(unit, rows))
        least = _USED[0] if UNITS[unit] else _USED_BY_RATE
        if least < shares.median() and (shares <= _USED[1]).mean() >= 0.95:
            fitting.append(unit)
    if len(fitting) != 1:
        known = rows[told].groupby("video")["lasts"].first()
        video = latest[known.index].idxmax()
        raise ValueError(
            f"{source}: the times reach {latest[video]:g} in recording '{video}', which lasts {known[video]:g} s, so "
            "they are not in seconds; say in what, e.g. --unit milliseconds, or --unit frames --rate 25"
        )
    return fitting[0], ", as the recordings' durations tell"
