"""The one place that decides from when times count: beginnings, clocks, or midnight; else by asking."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from afkit.workbench.own_data.clocks import DAY_SEC, UNIX_SEC
from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.import_rows import wall_sec

_AROUND_SEC = 1.0  # by which labels may lie outside their recording
_HALVES = ["-03:30", "+03:30", "+04:30", "+05:30", "+05:45", "+06:30", "+09:30", "+10:30"]
_ZONES = [f"{hours:+03}:00" for hours in range(-12, 15)] + _HALVES
_Times = tuple[pd.Series, pd.Series, bool]  # starts, ends, and whether they were read as times of day


def from_beginnings(
    source: Path, rows: pd.DataFrame, media: Mapping[str, Medium], label_clock: str
) -> tuple[pd.DataFrame, dict[str, float], list[str]]:
    """The rows, as of `in_seconds`, with times from their recordings' beginnings on; what was decided.

    Between these, {recording: second at which it begins by its clock}, {} where times counted from the beginnings. A
    ValueError where they are those of a calendar and nothing says when the recording begins, or where they may be
    several; `label_clock` ("recording", "sensor", or the zone of the clock that tells none) answers that.
    """
    begins, lasts, zoned = (
        rows["video"].map({video: getattr(one, field) for video, one in media.items()}).astype(float)
        for field in ("begin_sec", "duration_sec", "zoned")
    )
    dated, known = rows["start"] > UNIX_SEC, begins.notna()
    by_clock = label_clock != "recording"
    if by_clock and (dated & ~known).any():
        row = rows[dated & ~known].iloc[0]
        raise ValueError(
            f"{row['where']}: the times are those of a calendar, and nothing says when the recording '{row['video']}' "
            "begins; give its samples with a column of such times, or write times from its beginning"
        )
    sign = 1 if rows["naive"].any() else -1  # which clock may tell no zone: that of the labels, or of the recordings

    def share(times: _Times) -> float:
        """Of the rows in known recordings, those that lie inside."""
        start, end, _ = times
        inside = start.between(-_AROUND_SEC, lasts + _AROUND_SEC) & (end <= lasts + _AROUND_SEC)
        return float(inside[known].mean()) if known.any() else 0.0

    def moved(ahead_sec: float) -> _Times:
        return max(_moved(rows, begins + sign * ahead_sec), key=share)

    own_zone_sec = zone_sec(label_clock)
    clock, own = moved(own_zone_sec or 0.0), share((rows["start"], rows["end"], False))
    fits, (start, end, of_day) = share(clock), clock
    differ = zoned == rows["naive"]  # one clock tells a zone, the other none
    differ = (dated | rows["day_start"].notna()) & (differ | ((begins > UNIX_SEC) & (fits < 0.5)))
    if by_clock and ((dated.any() and fits < 0.5) or (not label_clock and own < 0.9 and differ.any())):
        zones = [zone for zone in _ZONES if share(moved(zone_sec(zone) or 0.0)) > 0.9]
        _check_zones(rows.assign(after=start, lasts=lasts)[known], zones, fits)
    if not label_clock and min(fits, own) > 0.9 and begins.abs().max() > 0.05:
        raise ValueError(
            f"{source}: the recordings' clocks begin at {_moment(begins.max())}, and the times may be those of the "
            "clocks or count from the beginnings; say which, with --label-clock sensor or --label-clock recording"
        )
    subtract = by_clock and known.any() and (label_clock or fits > max(own, 0.5))
    of_day = bool(subtract and of_day)
    short = rows["start"][rows["short"]].astype(int).head(1)
    read = "hours:minutes, of a day" if of_day else "minutes:seconds"
    told = [f"times such as {sec // 60}:{sec % 60:02} were read as {read}" for sec in short]
    if not subtract:
        return rows, {}, told
    video, zone = rows["video"][known].iloc[0], "UTC" if own_zone_sec is None else label_clock
    what = f"their beginnings were subtracted, of '{video}' {_moment(begins[known].iloc[0])}"
    what += f", where no zone is told read as {zone}" * bool(begins.max() > UNIX_SEC)
    told.append(f"times of the recordings' clocks: {what}")
    if of_day and lasts.max() > DAY_SEC:
        told.append("times of day are those of each recording's first 24 hours")
    rows = rows.assign(start=start.where(known, rows["start"]), end=end.where(known, rows["end"]))
    firsts = {video: one.begin_sec + sign * (own_zone_sec or 0.0) for video, one in media.items() if one.begin_sec}
    return rows, {video: first % DAY_SEC if of_day else first for video, first in firsts.items()}, told


def _moved(rows: pd.DataFrame, first: pd.Series) -> list[_Times]:
    """The rows' times from when their recordings begin, in seconds of the clock, or of the day where they can be."""
    start, end = rows["start"] - first, rows["end"] - first
    since = (rows["day_start"] - first + _AROUND_SEC) % DAY_SEC - _AROUND_SEC
    length = rows["day_end"] - rows["day_start"]
    until = since + length + DAY_SEC * (length < -DAY_SEC / 2)  # over midnight
    return [(start, end, False), (since.fillna(start), until.fillna(end), True)]


def _check_zones(rows: pd.DataFrame, zones: list[str], fits: float) -> None:
    """Refuse times that lie `after` the beginnings where none, or not just UTC, is the zone with which they fit."""
    row = rows[(rows["start"] > UNIX_SEC) | rows["day_start"].notna()].iloc[0]
    remedy = "Write both alike"
    if zones and zones != ["+00:00"]:
        which = f"the one that tells none is of {', '.join(zones)}"
        remedy = f"They fit if {which}: say it, e.g. --label-clock={zones[-1]}, or write both alike"
    elif fits >= 0.5 or row["start"] < UNIX_SEC:
        return
    seen = f"{row['where']}: the action begins {row['after']:.6g} s after its recording '{row['video']}', which lasts "
    raise ValueError(f"{seen}{row['lasts']:.6g} s; is one of the two clocks of another time zone? {remedy}")


def zone_sec(zone: str) -> float | None:
    """By how many seconds a zone such as +05:30 is ahead of UTC; None where it is none."""
    midnight = wall_sec(f"1970-01-01 00:00{zone}") if zone else None
    return None if midnight is None else -midnight


def _moment(begin_sec: float) -> str:
    """When a recording begins, as date and time where its clock has them."""
    dated = begin_sec > UNIX_SEC
    return f"{datetime.fromtimestamp(begin_sec, UTC):%Y-%m-%d %H:%M:%S}" if dated else f"{begin_sec:.4g} s"
