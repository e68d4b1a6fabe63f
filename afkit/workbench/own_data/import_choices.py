"""What the rows of a table are: label and recording, times in one of the ways that the file tells, and its tiers."""

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_columns import ORDER, Columns, as_text
from afkit.workbench.own_data.import_json import pair
from afkit.workbench.own_data.import_names import UNITS, plain
from afkit.workbench.own_data.import_rows import CLOCK, Table, as_number, is_empty

_ABOUT = ("subset", "group", "duration", "fps")  # what is said of a recording


class Way(NamedTuple):
    """Start and end of the rows, in one of the ways in which a file tells them."""

    names: str  # of the columns
    start: pd.Series  # cells
    end: pd.Series | None  # cells; None where `span` tells it
    start_unit: str  # of `UNITS`, "clock", "index" or ""
    end_unit: str  # likewise
    span: tuple[pd.Series, str] | None = None  # cells of the segments' lengths, and their unit


class Chosen(NamedTuple):
    """The rows of files with equal columns."""

    rows: pd.DataFrame  # where, video, label, label_id, subset, group, duration, fps; None where there is none
    way: Way | None  # times, None for labels per step
    others: list[Way]  # further ways, to tell the unit by
    used: set[str]  # fields that were found
    told: list[str]  # which columns were taken, where their names alone do not say so
    columns: list[str]  # all that there are
    form: str  # of the files


def choose(table: Table, columns: Mapping[str, str], unit: str, tiers: Sequence[str]) -> Chosen:
    """Decide what the columns of a table are.

    Args:
        table: of one file, or of several with the same columns.
        columns: {field: column}, as the user says.
        unit: of the times, as the user says; "" where not.
        tiers: to keep; ("all",) for all, () for the only one.

    Returns:
        the rows, and the ways in which the table tells their times.

    Raises:
        ValueError: a question: what cannot be decided, with the columns that there are and the option to give.
    """
    chooser = Columns(table, columns)
    times = {"segment"} if "segment" in chooser.mapped else {"start", "end"}
    if not table.named and len(table.cells) and not chooser.mapped.keys() >= {"label", *times}:
        chooser.by_content()
    label, label_id, cells = chooser.label()
    rows = pd.DataFrame({"where": chooser.table.where, "video": chooser.video(), "label": label, "label_id": label_id})
    for field in _ABOUT:
        rows[field] = chooser.cells(field)
    way, others = (None, []) if table.form == "steps" else _way(chooser, unit)
    scores = [name for name in chooser.names() if plain(name) in ("score", "scores", "confidence", "probability")]
    if scores:
        ids = "" if label_id is not None else "; ids of labels come from csv only, or from --labels"
        chooser.told.append(f"the scores in '{scores[0]}' are left out{ids}")
    kept = _of_tiers(chooser, rows, cells, tiers)
    kept &= pd.Series([True] * len(rows)) if chooser.taken is None else ~chooser.taken.map(is_empty)
    empty = rows["label"].map(is_empty)  # a recording without annotation has neither label nor times
    for cells in (way.start, way.end) if way else ():
        empty &= cells.map(is_empty) if cells is not None else True
    rows = rows.assign(kept=kept, empty=empty if way else False)
    return Chosen(rows, way, others, chooser.used, chooser.told, chooser.names(), table.form)


def _way(chooser: Columns, unit: str) -> tuple[Way | None, list[Way]]:
    """Start and end, and the other ways of telling them."""
    if not len(chooser.table.cells):
        return None, []
    ways = _ways(chooser)
    if not ways:
        raise chooser.missing("start" if not chooser.found("start") else "end")
    fitting = [way for way in ways if not unit or {way.start_unit, way.end_unit} <= {unit, "", "clock", "index"}]
    if not fitting:
        way = ways[0]
        raise chooser.ask(
            f"has times in {way.start_unit} by the name of {way.names}, but --unit says {unit}",
            "leave --unit out, or choose other columns with --column start=NAME --column end=NAME",
        )
    exact = [way for way in fitting if unit and way.start_unit == unit]
    fitting = exact or sorted(fitting, key=lambda way: ORDER.index(way.start_unit))
    best = fitting[0]
    for other in fitting[1:]:
        if not _agree(best, other):
            both = f"{best.names} and {other.names}"
            raise chooser.ask(f"tells the times twice, in {both}, and they differ", "choose with --column start=NAME")
    chooser.used |= {"start", "end"}
    return best, [way for way in ways if way is not best]


def _ways(chooser: Columns) -> list[Way]:
    """All ways in which the columns tell times."""
    starts, ends, spans = (chooser.found(field) for field in ("start", "end", "span"))
    span = (chooser.of(spans[0][0]), spans[0][1]) if spans else None
    ways = []
    segments = chooser.found("segment") + ([] if "segment" in chooser.mapped else chooser.named.get("", []))
    for name, unit in segments:
        pairs = chooser.of(name).map(pair)
        bad = pairs.isna() & ~chooser.of(name).map(is_empty)
        of_unit = name in dict(chooser.named.get("", []))
        if bad.any() and not starts and not of_unit and (pairs.notna().any() or chooser.table.form == "json"):
            place, cell = chooser.table.where[int(bad.argmax())], chooser.of(name)[int(bad.argmax())]
            raise ValueError(f"{place}: expected a segment [start, end], found {reprlib.repr(cell)}; correct it")
        if pairs.notna().any() and not bad.any():
            first, second = (pairs.map(lambda p, i=i: None if p is None else p[i]) for i in (0, 1))
            ways.append(Way(f"'{name}'", first, second, unit, unit, span))
    for name, unit in starts:
        end = next(((n, u) for n, u in ends if u == unit), ends[0] if len(starts) == len(ends) == 1 else None)
        if end is not None:
            ways.append(Way(f"'{name}' and '{end[0]}'", chooser.of(name), chooser.of(end[0]), unit, end[1], span))
    if starts and not ends and span is not None:
        ways = [Way(f"'{n}' and '{spans[0][0]}'", chooser.of(n), None, u, u, span) for n, u in starts]
    return ways


def _of_tiers(chooser: Columns, rows: pd.DataFrame, tier: pd.Series | None, tiers: Sequence[str]) -> pd.Series:
    """Which rows are of the tiers that are asked for."""
    every = pd.Series([True] * len(rows))
    if tier is None:
        if tiers and tuple(tiers) != ("all",):
            raise chooser.ask("has no tiers or lists to choose from", "leave --tier out")
        return every
    names = tier.map(as_text)
    used = names[~rows["label"].map(is_empty)] if chooser.taken is not None else names
    there = sorted(set(used))
    if tiers and tuple(tiers) != ("all",):
        unknown = [name for name in tiers if name not in there]
        if unknown:
            raise chooser.ask(f"has no tier '{unknown[0]}'", f"there are {listed(there)}")
        return names.isin(list(tiers))
    own = {re.sub(r" \[\d+\]$", "", name) for name in there} <= set(rows["label"])  # a tier for each label
    if len(there) > 1 and not tiers and not own:
        what = "lists of annotations" if chooser.table.form == "json" else "tiers"
        raise chooser.ask(f"has several {what}: {listed(there)}", "choose with --tier NAME, or take --tier all")
    return every


def _agree(one: Way, other: Way) -> bool:
    """Whether two ways tell the same times; frames are left alone, since only a rate compares them."""
    factors = [1.0 if way.start_unit == "clock" else UNITS.get(way.start_unit, 0.0) for way in (one, other)]
    if {one.start_unit, other.start_unit} & {"frames", "samples", "index"}:
        return True
    if not all(factors) and one.start_unit != other.start_unit:
        return True
    for first, second in ((one.start, other.start), (one.end, other.end)):
        if first is None or second is None:
            continue
        for a, b in zip(first.head(1000), second.head(1000), strict=True):
            x, y = (_seconds(cell, factor or 1.0) for cell, factor in zip((a, b), factors, strict=True))
            if x is not None and y is not None and abs(x - y) > 0.011 + 1e-6 * abs(x):
                return False
    return True


def _seconds(cell: Any, factor: float) -> float | None:
    clock = CLOCK.fullmatch(cell) if isinstance(cell, str) else None
    if clock:
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))
    number = as_number(cell)
    return None if number is None else number * factor
