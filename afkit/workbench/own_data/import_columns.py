"""The one place that decides which column is what: by its name or by --column, else by asking."""

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.config import nearest
from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_json import TIER, pair
from afkit.workbench.own_data.import_names import FIELDS, SCORE, UNITS, plain, read_name, unit_of
from afkit.workbench.own_data.import_rows import (
    ABOUT,
    PART,
    Table,
    as_number,
    as_text,
    base_name,
    clock_sec,
    is_empty,
    is_time,
)

FILE = "file"  # stands for the file's name where no column is called so
ORDER = ["clock", *(unit for unit in UNITS if UNITS[unit]), "", "index", "samples", "frames"]  # of units, best first


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

    rows: pd.DataFrame  # where, video, label, label_id, comment, tier, fields of `ABOUT` and `PART`; None where none
    way: Way | None  # times, None for labels per step
    others: list[Way]  # further ways, to tell the unit by; of labels per step, what counts the steps
    part_units: dict[str, str]  # of the columns of `PART`, by their names
    used: set[str]  # fields that were found
    told: list[str]  # which columns were taken, where their names alone do not say so
    columns: list[str]  # all that there are
    form: str  # of the files


def check_columns(columns: Mapping[str, str], form: str) -> None:
    """Raise a ValueError for a mapping of what is no field, or not of this format."""
    times = sorted(columns.keys() & {"start", "end", "segment"})
    if times and form == "steps":
        raise ValueError(f"--column {times[0]}=... has no use with labels per step; leave it out")
    for field in columns:
        if field not in FIELDS:
            raise ValueError(f"there is no field '{field}' to map a column to; {nearest(field, list(FIELDS))}")


def choose(table: Table, columns: Mapping[str, str], unit: str, tiers: Sequence[str]) -> Chosen:
    """Decide what the columns of a table, of one file or of several with the same columns, are.

    The user says `columns`, {field: column}, `unit` of the times and `tiers` to keep, ("all",) for all. A ValueError is
    a question: what cannot be decided, with the columns that there are and the option to give.
    """
    chooser = Columns(table, columns)
    times = {"segment"} if "segment" in chooser.mapped else {"start", "span" if "span" in chooser.mapped else "end"}
    if not table.named and len(table.cells) and not chooser.mapped.keys() >= {"label", *times}:
        chooser.by_content()
    label, label_id, tier = chooser.label()
    rows = pd.DataFrame({"where": chooser.table.where, "video": chooser.video(), "label": label, "label_id": label_id})
    for field in (*ABOUT, *PART, "comment"):
        rows[field] = chooser.cells(field)
    rows["tier"] = _tier_names(chooser.cells("tier"), label)
    if table.form == "csv" and rows["subset"].notna().any() and "video" not in chooser.used:
        option = "name it, e.g. --column video=NAME, or --column video=file where each file is of one recording"
        raise chooser.ask("tells subsets of recordings, and no column says which recording a row is of", option)
    part_units = {field: unit for field in PART for _, unit in chooser.found(field)[:1]}
    way, others = (None, _counting(chooser)) if table.form == "steps" else _way(chooser, unit)
    names = list(map(str, chooser.table.cells))
    for score in [name for name in names if plain(name) in SCORE.split()][:1]:
        ids = "" if label_id is not None else "; ids of labels come from csv only, or from --labels"
        chooser.told.append(f"the scores in '{score}' are left out{ids}")
    kept = _of_tiers(chooser, rows, tier, tiers)
    if chooser.taken is not None:
        kept &= ~chooser.taken.map(is_empty)
    empty = rows["label"].map(is_empty)  # a recording without annotation has neither label nor times
    for cells in (way.start, way.end) if way else ():
        empty &= cells.map(is_empty) if cells is not None else True
    rows = rows.assign(kept=kept, empty=empty if way else False)
    there = [name for name in names if name != TIER]
    return Chosen(rows, way, others, part_units, chooser.used, chooser.told, there, table.form)


class Columns:
    """The columns of one table and what is known of them."""

    def __init__(self, table: Table, columns: Mapping[str, str]) -> None:
        self.table = table
        self.there = [str(name) for name in table.cells if name != TIER]  # as the file has them
        self.told: list[str] = []
        self.taken: pd.Series | None = None  # cells of the one tier that is a column
        self.mapped = {field: name for field in columns if (name := self._find(columns[field])) is not None}
        self.asked = set(self.mapped)  # what the user said and is there
        self.used = set(self.asked)
        self.named: dict[str, list[tuple[str, str]]] = {}  # field: columns and units
        for name in map(str, table.cells) if table.named else ():
            meaning = read_name(name)
            if meaning is not None and name not in self.mapped.values():
                self.named.setdefault(meaning.field, []).append((name, meaning.unit))

    def _find(self, wanted: str) -> str | None:
        for same in (str.strip, str.casefold, plain):
            for name in map(str, self.table.cells):
                if same(name).strip() == same(wanted).strip():
                    return name
        return FILE if plain(wanted) == FILE else None

    def of(self, name: str) -> pd.Series:
        """The cells of a column, or the name of the file."""
        if name == FILE and name not in self.table.cells:
            return pd.Series(self.table.videos, dtype=object)
        return self.table.cells[name]

    def texts(self, name: str) -> pd.Series:
        """The cells of a column as names."""
        return self.of(name).map(as_text)

    def full(self, name: str) -> bool:
        """Whether any cell of a column holds something."""
        return not self.of(name).map(is_empty).all()

    def found(self, field: str) -> list[tuple[str, str]]:
        """The columns of a field, with the units that their names tell."""
        if field in self.mapped:
            return [(self.mapped[field], unit_of(self.mapped[field]))]
        return [(name, unit) for name, unit in self.named.get(field, []) if self.full(name)]

    def cells(self, field: str) -> pd.Series | None:
        """The cells of a field that is mapped, or has one name."""
        if field in self.mapped:
            return self.of(self.mapped[field])
        found = [name for name, unit in self.named.get(field, []) if field != "duration" or unit != "frames"]
        if not found or field == "group":
            return None
        self.used.add(field)
        return self.of(found[0])

    def ask(self, what: str, option: str) -> ValueError:
        """The question."""
        shown = listed(self.there)
        if not self.table.named and len(self.table.cells):
            first = self.table.cells.iloc[0]
            shown = "without names: " + ", ".join(f"{name}: {str(first[name])[:40]!r}" for name in self.there)
        return ValueError(f"{self.table.path} {what}; its columns are {shown}; {option}")

    def missing(self, field: str) -> ValueError:
        """The question for a field that no column has."""
        empty = any(not self.full(name) for name, _ in self.named.get(field, []))
        what = f"has nothing in its column for '{field}'" if empty else f"has no column for '{field}'"
        steps = field == "start" and self.table.form == "csv"
        other = ", or, where each row is the label of a time step, give --format steps --rate HZ" if steps else ""
        other = ", or a segment's length, --column span=NAME" if field == "end" else other
        return self.ask(what, f"name it, e.g. --column {field}=NAME{other}")

    def by_content(self) -> None:
        """Find start, end and label among three columns without names, where only one order is possible."""
        example = "--column label=1 --column start=2 --column end=3"
        question = self.ask("does not tell which column is what", f"say it, e.g. {example}")
        missing = [field for field in ("start", "end", "label") if field not in self.mapped]
        if len(missing) < 3:
            raise self.missing(missing[0])
        if len(self.there) != 3:
            raise question
        cells = {name: [cell for cell in self.table.cells[name] if not is_empty(cell)] for name in self.there}
        texts = [name for name in self.there if not all(map(is_time, cells[name]))]
        if texts == ["1"] and self.table.form != "json" and "video" not in self.mapped:
            option = f"say which: {example}, or --column video=1 ... --column label=file"
            raise self.ask("has a text before two times, a label or a recording", option)
        orders = {"1": ("2", "3"), "2": ("1", "3"), "3": ("1", "2")}  # label: start, end
        label, *more = texts or [name for name in "13" if _may_be_labels(cells, name, orders[name])] or ["", ""]
        if more:
            raise question
        self.mapped |= {"label": label, "start": orders[label][0], "end": orders[label][1]}
        if label != "3":
            self.told.append(f"columns are {', '.join(sorted(self.mapped, key=self.mapped.__getitem__))}")

    def video(self) -> pd.Series:
        """The recording of each row."""
        if "video" in self.mapped:
            return self._recordings(self.mapped["video"])
        nested = self.table.form == "json" and set(self.table.recordings) != {self.table.path.stem}
        found = [name for name, _ in self.found("video")]
        if not found or nested:
            names = list(map(base_name, self.table.videos))
            if found and list(map(base_name, self._recordings(found[0]))) != names:
                seen = f"tells the recordings twice, as '{names[0]}' and in '{found[0]}', and they differ"
                raise self.ask(seen, f"choose: --column video={found[0]}, or --column video=file for the former")
            return pd.Series(self.table.videos, dtype=object)
        first, *others = map(self._recordings, found)
        if any(list(map(base_name, first)) != list(map(base_name, other)) for other in others):
            option = f"choose, e.g. --column video={found[0]!r}"
            raise self.ask(f"has several columns for the recording ({listed(found)})", option)
        self.used.add("video")
        return first

    def _recordings(self, name: str) -> pd.Series:
        for where, cell in zip(self.table.where, self.of(name), strict=True):
            if isinstance(cell, list | dict):
                raise ValueError(f"{where}: the recording is no text, but {reprlib.repr(cell)}; correct it")
        return self.texts(name)

    def label(self) -> tuple[pd.Series, pd.Series | None, pd.Series | None]:
        """Names of labels, their ids or None, and the tiers or None."""
        tier = self.table.cells[TIER] if TIER in self.table.cells else self.cells("tier")
        ids = self.cells("label_id")
        if "label" in self.mapped:
            name = self.mapped["label"]
            label = self.texts(name)
            if self.table.form == "elan" and name not in dict(self.named.get("tier", [])):
                self.taken = label
            return label, ids, None if tier is None or tier.equals(self.of(name)) else tier
        found = [name for name, _ in self.found("label")]
        if not found and self.table.form == "elan":
            return self._melted(tier)
        if not found and len(self.table.cells):
            raise self.missing("label")
        if not found:
            return pd.Series([], dtype=object), None, None
        numeric = [name for name in found if _whole(self.of(name))]
        of_things = [name for name, _ in self.found("name")] if numeric else []
        texts = [name for name in [*found, *of_things] if name not in numeric]
        if len(numeric) == 1 and len(texts) == 1:
            pairs = pd.DataFrame({"id": self.texts(numeric[0]), "name": self.of(texts[0])}).drop_duplicates()
            if pairs["id"].is_unique and pairs["name"].is_unique:
                self.told.append(f"labels are named by '{texts[0]}', and have the ids of '{numeric[0]}'")
                return self.texts(texts[0]), self.of(numeric[0]), tier
        if (numeric and texts) or not all(self.texts(name).equals(self.texts(found[0])) for name in found):
            every = list(dict.fromkeys([*found, *texts]))
            raise self.ask(f"has several columns for the label ({listed(every)})", f"choose: --column label={every[0]}")
        self.used.add("label")
        return self.texts(found[0]), ids, tier

    def _melted(self, tier: pd.Series | None) -> tuple[pd.Series, pd.Series | None, pd.Series | None]:
        """A row for each tier where ELAN wrote a column for each."""
        table = self.table
        named = {field: names for field, names in self.named.items() if field != "comment"}
        known = {name for names in named.values() for name, _ in names} | {*self.mapped.values(), "Participant"}
        unknown = [name for name in map(str, table.cells) if name not in known and self.full(name)]
        if unknown and all(name.isdecimal() for name in unknown):
            raise self.missing("label")
        if not unknown:
            tiers = listed(sorted(set(tier))) if tier is not None else ""
            option = f"to take the names of the tiers ({tiers}), give --column label=Tier" if tiers else "name it"
            raise self.ask("has no text in any annotation", option)
        kept = table.cells.drop(columns=unknown)
        cells = pd.concat([kept.assign(Tier=name, Annotation=table.cells[name]) for name in unknown], ignore_index=True)
        where, videos = table.where * len(unknown), table.videos * len(unknown)
        self.table = table._replace(cells=cells, where=where, videos=videos)
        self.taken = cells["Annotation"]
        return self.taken.map(as_text), None, cells["Tier"]


def _may_be_labels(cells: Mapping[str, list], label: str, times: tuple[str, str]) -> bool:
    """Whether a column of numbers can be labels: whole ones, and the other two do not run backwards."""
    labels, starts, ends = ([as_number(cell) for cell in cells[name]] for name in (label, *times))
    if any(number is None or number % 1 for number in labels):
        return False
    pairs = zip(starts, ends, strict=False)
    return sum(None not in (start, end) and end < start for start, end in pairs) <= 0.05 * len(labels)  # type: ignore


def _whole(cells: pd.Series) -> bool:
    """Whether all cells are whole numbers."""
    numbers = [as_number(cell) for cell in cells if not is_empty(cell)]
    return bool(numbers) and all(number is not None and number % 1 == 0 for number in numbers)


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


def _counting(chooser: Columns) -> list[Way]:
    """The frame or time of each step, where a column tells it; the best one first."""
    found = [one for field in ("", "segment") for one in chooser.found(field) if one[1] != "minutes"]
    of_pandas = [name for name in ("column 1", "Unnamed: 0") if not found and name in chooser.table.cells]
    found += [(name, "index") for name in of_pandas if _whole(chooser.of(name))]
    ways = [Way(f"'{name}'", chooser.of(name), None, unit, unit) for name, unit in found]
    return sorted((way for way in ways if way.start.map(is_time).all()), key=lambda way: -ORDER.index(way.start_unit))


def _of_tiers(chooser: Columns, rows: pd.DataFrame, tier: pd.Series | None, tiers: Sequence[str]) -> pd.Series:
    """Which rows are of the tiers that are asked for."""
    wanted = [] if tuple(tiers) == ("all",) else list(tiers)
    if tier is None and wanted:
        raise chooser.ask("has no tiers or lists to choose from", "leave --tier out")
    if tier is None:
        return pd.Series([True] * len(rows))
    names = tier.map(as_text)
    used = names[~rows["label"].map(is_empty)] if chooser.taken is not None else names
    there = sorted(set(used))
    if wanted:
        unknown = next((name for name in wanted if name not in there), None)
        if unknown is not None:
            raise chooser.ask(f"has no tier '{unknown}'", f"there are {listed(there)}")
        return names.isin(wanted)
    own = {re.sub(r" \[\d+\]$", "", name) for name in there} <= set(map(str, rows["label"]))  # a tier for each label
    if len(there) > 1 and not tiers and not own:
        what = "lists of annotations" if chooser.table.form == "json" else "tiers"
        raise chooser.ask(f"has several {what}: {listed(there)}", "choose with --tier NAME, or take --tier all")
    return pd.Series([True] * len(rows))


def _tier_names(tier: pd.Series | None, label: pd.Series) -> pd.Series | None:
    """The tier of each row, without the number that overlaps give it; None where there is just one for each label."""
    names = None if tier is None else tier.map(as_text).map(lambda name: re.sub(r" \[\d+\]$", "", str(name)))
    return None if names is None or set(names) <= set(map(str, label)) else names


def _agree(one: Way, other: Way) -> bool:
    """Whether two ways tell the same times; frames are left alone, since only a rate compares them."""
    units = {one.start_unit, other.start_unit}
    if units & {"frames", "samples", "index"} or ("" in units and len(units) > 1):
        return True
    for first, second in ((one.start, other.start), (one.end, other.end)):
        if first is not None and second is not None:
            x, y = _seconds(first, one.start_unit), _seconds(second, other.start_unit)
            with np.errstate(invalid="ignore"):
                if (abs(x - y) > 0.011 + 1e-6 * abs(x)).any():
                    return False
    return True


def _seconds(cells: pd.Series, unit: str) -> np.ndarray:
    """(N,) of the first thousand cells, NaN where one is no time."""
    factor = UNITS.get(unit) or 1.0
    read = [(clock_sec(cell), as_number(cell)) for cell in cells.head(1000)]
    return np.array([number and number * factor if clock is None else clock for clock, number in read], float)
