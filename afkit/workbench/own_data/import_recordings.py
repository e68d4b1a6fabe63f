"""What files say about recordings: their names, durations, frame rates, subsets and groups."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.data import feature_formats
from afkit.data.annotations import check_name
from afkit.workbench.own_data.import_checks import Problem
from afkit.workbench.own_data.import_columns import ORDER, Chosen, Columns
from afkit.workbench.own_data.import_formats import read_csv_table
from afkit.workbench.own_data.import_names import UNITS, read_name, unit_of
from afkit.workbench.own_data.import_rows import (
    ABOUT,
    MEDIA,
    PART,
    Change,
    Part,
    Recording,
    Table,
    base_name,
    clock_sec,
    is_empty,
    not_negative,
    positive,
)

NUMBERS = ("duration", "fps")
TRAINING, TEST = "training", "validation"  # names of the subsets of a drawn split, as a recipe has them by default
LABELLED = "labelled"  # of recordings that `label` added, which are for neither yet


class Medium(NamedTuple):
    """What a recording itself says, rather than a table about it."""

    where: str  # its file
    duration_sec: float
    begin_sec: float | None = None  # of its first sample, on its clock; None where it has none
    group: str = ""  # such as a person, by its name
    zoned: bool | None = None  # whether its clock tells a time zone, or counts from 1970; None where nobody knows


def with_media(listed: Mapping[str, Recording], media: Mapping[str, Medium]) -> dict[str, Recording]:
    """The recordings that a table lists, {} for none, and those that there are; what the table says counts first."""
    grouped = any(one.group for one in listed.values())
    found = dict(listed)
    for video, medium in media.items():
        one = found.get(video, Recording(medium.where))
        group = one.group or ("" if grouped else medium.group)
        found[video] = one._replace(duration=one.duration or medium.duration_sec, group=group)
    return found


def read_recordings(path: str | Path, columns: Mapping[str, str]) -> tuple[dict[str, Recording], set[str]]:
    """The recordings that a table lists, and the fields that were mapped to columns of it; nothing for "".

    ValueError where no column is for the recording, or a row contradicts another.
    """
    if not str(path):
        return {}, set()
    if not Path(path).is_file():
        raise ValueError(f"{path} is no file; name the table of the recordings")
    table = read_csv_table(Path(path))
    chooser = Columns(table, {field: name for field, name in columns.items() if field in ("video", *ABOUT, *PART)})
    if "video" not in chooser.mapped and "video" not in chooser.named:
        raise chooser.missing("video")
    videos = chooser.video()
    names = short_names(videos)
    known: dict[str, Recording] = {}
    for where, video, cells in zip(table.where, videos, table.cells.to_dict("records"), strict=True):
        if not is_empty(video):
            _remember(known, names[video], where, _facts(cells, chooser.mapped))
    return known, chooser.asked


def recordings_of(
    tables: list[Table], chosen: list[Chosen], columns: Mapping[str, str]
) -> tuple[list[Chosen], dict[str, Recording], list[Change]]:
    """The rows with the recordings' names as feature files have them, what is said of each, and what was changed.

    ValueError where a name cannot be one, or two rows contradict each other.
    """
    rows_say = any("video" in one.used for one in chosen)
    said = {video: about for table in tables for video, about in table.recordings.items() if about[1] or not rows_say}
    if len(tables) > 1:  # of a folder; in an empty file nothing is labelled
        said |= {table.path.stem: (str(table.path), {}) for table in tables if not table.where}
    names = short_names([*said, *(video for one in chosen for video in one.rows["video"])])
    known: dict[str, Recording] = {}
    for video, (where, values) in said.items():
        _remember(known, names[video], where, _facts(values, columns))
    done = []
    for one in chosen:
        rows = one.rows.assign(video=one.rows["video"].map(names))
        done.append(one._replace(rows=rows))
        fields = [field for field in ABOUT if rows[field].notna().any()]
        distinct = rows.astype({field: str for field in fields}).drop_duplicates(["video", *fields]).index
        for row in rows.loc[distinct].to_dict("records"):
            _remember(known, row["video"], row["where"], {field: row[field] for field in fields})
    for video, recording in known.items():
        check_name(Path(recording.where), video)
    short = [(video, name) for video, name in names.items() if str(video).strip() != name]
    if not short:
        return done, known, []
    (video, name), *_ = short
    what = f"{len(short)} names of files lost folder and ending, as '{video}', now '{name}'"
    return done, known, [Change(known[name].where, what)]


def short_names(videos: Iterable[Any]) -> dict[Any, str]:
    """{name in the file: name of the recording}, without ending and folder of a film, as long as they stay distinct.

    Examples:
        >>> short_names(["C:/films/one.mp4", "two"]), short_names(["1/a.mp4", "2/a.mp4"])
        ({'C:/films/one.mp4': 'one', 'two': 'two'}, {'1/a.mp4': '1/a', '2/a.mp4': '2/a'})
    """
    raw = {video: str(video).strip() for video in videos}
    for shorten in (base_name, lambda name: MEDIA.sub("", name)):
        names = {video: shorten(name) for video, name in raw.items()}
        if len(set(names.values())) == len(set(raw.values())):
            return names
    return raw


def _facts(values: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """{field of `ABOUT`: value} from cells or keys by their names; a duration in seconds."""
    facts: dict[str, Any] = {}
    lengths: list[tuple[int, Any, str]] = []
    wanted = {name.strip().casefold(): field for field, name in columns.items() if field in (*ABOUT, *PART)}
    for key, value in values.items():
        if is_empty(value):
            continue
        meaning, asked = read_name(key), wanted.get(key.strip().casefold())
        field = asked or (meaning.field if meaning else None)
        if field in ("duration", "span") or (field == "" and meaning is not None and meaning.unit in UNITS):
            unit = unit_of(key)
            lengths.append((-1 if asked else ORDER.index(unit), value, unit))
        elif field in PART:
            facts[field] = _part_time(value, key)
        elif key in ("annotated", "ignored") and isinstance(value, list):
            facts[key] = value
        elif field in ABOUT and (field != "group" or asked):
            facts.setdefault(field, value)
    if lengths:
        _, value, unit = min(lengths, key=lambda length: length[0])
        facts["duration"] = _duration(value, unit, facts.get("fps"))
    return facts


def _duration(value: Any, unit: str, fps: Any) -> Any:
    """Seconds where they can be told; otherwise the value, or None for frames without a rate."""
    if isinstance(value, list | dict) or clock_sec(value) is not None or UNITS.get(unit, 1.0) == 1:
        return value
    if not UNITS[unit] and is_empty(fps):
        return None
    where = f"a duration in {unit}"
    number = positive(value, where, "duration")
    return number * UNITS[unit] if UNITS[unit] else number / positive(fps, where, "fps")


def _part_time(value: Any, key: str) -> Any:
    """Seconds, or the value where it is a clock's."""
    unit = unit_of(key)
    if unit and not UNITS.get(unit, 1.0):
        raise ValueError(f"'{key}' counts {unit}; a table of recordings says it in seconds")
    if isinstance(value, list | dict) or clock_sec(value) is not None or UNITS.get(unit, 1.0) == 1:
        return value
    seconds, _ = not_negative(value, f"'{key}'", unit)
    return seconds and seconds * UNITS[unit]


def _remember(known: dict[str, Recording], video: str, where: str, values: Mapping[str, Any]) -> None:
    """Add what a row says, {field of `Recording`: value}, to what is known; a ValueError where two rows contradict."""
    before = known.get(video, Recording(where))
    parts = [Part(start, end, where) for start, end in values.get("annotated", ())]
    new: dict[str, Any] = {"ignored": (*before.ignored, *map(tuple, values.get("ignored", ())))}
    if not all(is_empty(values.get(field)) for field in PART):
        start, end = (not_negative(values.get(field), where, field)[0] for field in PART)
        parts.append(Part(start, end, where))
    known[video] = before._replace(parts=with_parts(before.parts, parts))
    for field, value in values.items():
        if field in ("annotated", "ignored", *PART) or is_empty(value):
            continue
        if not isinstance(value, str | int | float):
            raise ValueError(f"{where}: '{field}' must be a text or a number, not {reprlib.repr(value)}; correct it")
        new[field] = positive(value, where, field) if field in NUMBERS else str(value).strip()
        old = getattr(before, field)
        if old not in ("", None, new[field]):
            raise ValueError(
                f"{where}: recording '{video}' has {field} '{new[field]}' here and '{old}' before; correct one"
            )
    known[video] = known[video]._replace(**new)


def with_parts(parts: tuple[Part, ...], more: Iterable[Part]) -> tuple[Part, ...]:
    """Parts that were labelled and more of them, each once."""
    distinct = {(part.start, part.end): part for part in reversed([*parts, *more])}
    return tuple(reversed(distinct.values()))


def all_parts(
    known: Mapping[str, Recording], parts: Mapping[str, Iterable[Part]], begins: Mapping[str, float]
) -> dict[str, Recording]:
    """The recordings with the parts that rows say were labelled, too; all count from the recordings' beginnings.

    Where labels are by the recordings' clocks, which have `begins`, a part is by these if it begins after that.
    """
    found = dict(known)
    for video in {**known, **parts}:
        own, begin = list(parts.get(video, ())), begins.get(video, 0.0)
        one = found.get(video) or Recording(own[0].where)
        every = [
            part.after(begin) if (part.start or part.end or 0) >= begin - 1 else part for part in (*one.parts, *own)
        ]
        found[video] = one._replace(parts=with_parts((), every))
    return found


def merge(own: Mapping[str, Recording], listed: Mapping[str, Recording]) -> dict[str, Recording]:
    """What labels and table say about the recordings; the table, {} where there is none, wins."""
    merged = {video: recording for video, recording in own.items() if not listed or video in listed}
    for video, recording in listed.items():
        kept = {field: value for field, value in recording._asdict().items() if value not in ("", None, ())}
        merged[video] = merged.get(video, recording)._replace(**kept)
    return merged


def lasting(rows: pd.DataFrame, known: Mapping[str, Recording]) -> dict[str, Recording]:
    """The recordings with durations that nobody said: the last step of labels per step, or what a column tells.

    That is a column `length` (`span`) beside the labels, if it is not of the segments.
    """
    lasts = rows[rows["step"].notna()].groupby("video")["end"].max().to_dict() if "step" in rows else {}
    use = rows[rows["span"].notna() & rows["end"].notna()]
    of_segments = (abs(use["end"] - use["start"] - use["span"]) < 0.02 * use["span"]).mean() > 0.5
    by_video = use.groupby("video").agg(least=("span", "min"), most=("span", "max"), last=("end", "max"))
    same = by_video["least"] == by_video["most"]
    if not of_segments and (same & (by_video["last"] <= 1.1 * by_video["most"])).mean() > 0.9:
        lasts = by_video["most"][same].to_dict() | lasts
    return {video: one._replace(duration=one.duration or lasts.get(video)) for video, one in known.items()}


def draw_split(
    source: Path,
    chosen: Sequence[Chosen],
    known: Mapping[str, Recording],
    test_share: float,
    seed: int,
    problems: list[Problem],
) -> tuple[dict[str, str], str]:
    """{recording: subset}, and a sentence where it was drawn.

    The columns of the tables that were `chosen` are shown where none names the recording; `problems` receives
    recordings without a subset or group, and a split that cannot be drawn.
    """
    first_place = next((one.where for one in known.values()), str(source))
    known = dict(sorted(known.items()))
    if {one.subset for one in known.values()} == {LABELLED}:
        known = {video: one._replace(subset="") for video, one in known.items()}
    said = [field for field in ("subset", "group") if any(getattr(one, field) for one in known.values())]
    for field in said:
        for video, one in known.items():
            if not getattr(one, field):
                problems.append(Problem(one.where, f"recording '{video}' has no {field}"))
    if "subset" in said:
        split = {video: one.subset.lower() for video, one in known.items()}
        first: dict[str, str] = {}  # subset of each group
        for video, one in known.items():
            if one.group and first.setdefault(one.group, split[video]) != split[video]:
                of = f"group '{one.group}' is in '{first[one.group]}' and, with recording '{video}', in"
                problems.append(Problem(one.where, f"{of} '{split[video]}'"))
        return split, ""
    groups = sorted({one.group or video for video, one in known.items()})
    what = "groups" if "group" in said else "recordings"
    if len(groups) < 2:
        unnamed = [one.columns for one in chosen if "video" not in one.used and one.form == "csv" and len(known) == 1]
        remedy = "add another, or a column 'subset' (here, or in a table for --recordings)"
        if unnamed:
            columns = feature_formats.listed(unnamed[0])
            remedy += f"; if one of the columns {columns} names the recording, --column video=NAME"
        problems.append(Problem(first_place, f"a split needs two {what}, there is only {len(groups)}; {remedy}"))
        return dict.fromkeys(known, TRAINING), ""
    number = min(max(round(test_share * len(groups)), 1), len(groups) - 1)
    tested = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:number]}
    split = {video: TEST if (one.group or video) in tested else TRAINING for video, one in known.items()}
    return split, f"subsets were drawn (seed {seed}): {number} of {len(groups)} {what} are '{TEST}'"
