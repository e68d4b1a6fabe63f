"""The one place that decides which column is what: by its name or by --column, else by asking."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from afkit.config import nearest
from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_json import TIER
from afkit.workbench.own_data.import_names import FIELDS, plain, read_name, unit_of
from afkit.workbench.own_data.import_rows import Table, as_number, base_name, is_empty, is_time

FILE = "file"  # stands for the file's name where no column is called so
_ABOUT = ("subset", "group", "duration", "fps")  # what is said of a recording
ORDER = [  # which unit is taken first where times are told in several
    "clock",
    "seconds",
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "minutes",
    "",
    "index",
    "samples",
    "frames",
]


def check_columns(columns: Mapping[str, str], form: str) -> None:
    """Raise a ValueError for a mapping of what is no field, or not of this format."""
    times = sorted(columns.keys() & {"start", "end", "segment"})
    if times and form == "steps":
        raise ValueError(f"--column {times[0]}=... has no use with labels per step; leave it out")
    for field in columns:
        if field not in FIELDS:
            raise ValueError(f"there is no field '{field}' to map a column to; {nearest(field, list(FIELDS))}")


class Columns:
    """The columns of one table and what is known of them."""

    def __init__(self, table: Table, columns: Mapping[str, str]) -> None:
        self.table, self.columns = table, dict(columns)
        self.used: set[str] = set()
        self.there = self.names()  # as the file has them, for questions
        self.told: list[str] = []
        self.taken: pd.Series | None = None  # cells of the one tier that is a column
        self.mapped = {field: name for field in columns if (name := self._find(columns[field])) is not None}
        self.asked = set(self.mapped)  # what the user said and is there
        self.used |= self.asked
        self.named: dict[str, list[tuple[str, str]]] = {}  # field: columns and units
        for name in map(str, table.cells):
            meaning = read_name(name) if table.named else None
            if meaning is not None and name not in self.mapped.values():
                self.named.setdefault(meaning.field, []).append((name, meaning.unit))

    def _find(self, wanted: str) -> str | None:
        for same in (str.strip, str.casefold, plain):
            found = [name for name in map(str, self.table.cells) if same(name).strip() == same(wanted).strip()]
            if found:
                return found[0]
        return FILE if plain(wanted) == FILE else None

    def of(self, name: str) -> pd.Series:
        """The cells of a column, or the name of the file."""
        if name == FILE and name not in self.table.cells:
            return pd.Series(self.table.videos, dtype=object)
        return self.table.cells[name]

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
        columns = self.there
        first = self.table.cells.iloc[0] if len(self.table.cells) else {}
        shown = listed(columns)
        if not self.table.named and len(self.table.cells):
            shown = "without names: " + ", ".join(f"{name}: {str(first[name])[:40]!r}" for name in columns)
        return ValueError(f"{self.table.path} {what}; its columns are {shown}; {option}")

    def names(self) -> list[str]:
        """All columns of the file."""
        return [str(name) for name in self.table.cells if name != TIER]

    def missing(self, field: str) -> ValueError:
        """The question for a field that no column has."""
        empty = [name for name, _ in self.named.get(field, []) if not self.full(name)]
        what = f"has nothing in its column for '{field}'" if empty else f"has no column for '{field}'"
        return self.ask(what, f"name it, e.g. --column {field}=NAME")

    def by_content(self) -> None:
        """Find start, end and label among three columns without names, where only one order is possible."""
        names = self.names()
        cells = {name: [cell for cell in self.table.cells[name] if not is_empty(cell)] for name in names}
        texts = [name for name in names if not all(map(is_time, cells[name]))]
        orders = {"1": ("2", "3"), "2": ("1", "3"), "3": ("1", "2")}  # label: start, end
        question = self.ask(
            "does not tell which column is what", "say it, e.g. --column label=1 --column start=2 --column end=3"
        )
        if len(names) != 3 or any(field in self.mapped for field in ("start", "end", "label")):
            missing = [field for field in ("start", "end", "label") if field not in self.mapped]
            raise question if len(missing) == 3 else self.missing(missing[0])
        possible = texts or [name for name in ("1", "3") if self._possible(cells, name, orders[name])]
        if texts == ["1"] and self.table.form != "json" and "video" not in self.mapped:
            option = "--column label=1 --column start=2 --column end=3, or --column video=1 ... --column label=file"
            raise self.ask("has a text before two times, a label or a recording", f"say which: {option}")
        if len(possible) != 1:
            raise question
        label = possible[0]
        self.mapped |= {"label": label, "start": orders[label][0], "end": orders[label][1]}
        if label != "3":
            self.told.append(f"columns are {', '.join(field for field, _ in sorted(self.mapped.items(), key=_place))}")

    @staticmethod
    def _possible(cells: Mapping[str, list], label: str, times: tuple[str, str]) -> bool:
        """Whether a column of numbers can be labels: whole ones, and the other two do not run backwards."""
        numbers = {name: [as_number(cell) for cell in cells[name]] for name in (label, *times)}
        if any(number is None or number % 1 for number in numbers[label]):
            return False
        pairs = zip(numbers[times[0]], numbers[times[1]], strict=False)
        backwards = sum(start is not None and end is not None and end < start for start, end in pairs)
        return backwards <= 0.05 * len(cells[label])

    def video(self) -> pd.Series:
        """The recording of each row."""
        default = pd.Series(self.table.videos, dtype=object)
        nested = self.table.form == "json" and set(self.table.recordings) != {self.table.path.stem}
        if "video" in self.mapped:
            return self.of(self.mapped["video"]).map(as_text)
        found = [] if nested else [name for name, _ in self.named.get("video", []) if self.full(name)]
        if not found:
            return default
        values = [self.of(name).map(as_text) for name in found]
        if any(list(map(base_name, values[0])) != list(map(base_name, other)) for other in values[1:]):
            option = f"choose, e.g. --column video={found[0]!r}"
            raise self.ask(f"has several columns for the recording ({listed(found)})", option)
        self.used.add("video")
        return values[0]

    def full(self, name: str) -> bool:
        """Whether any cell of a column holds something."""
        return not self.of(name).map(is_empty).all()

    def label(self) -> tuple[pd.Series, pd.Series | None, pd.Series | None]:
        """Names of labels, their ids or None, and the tiers or None."""
        tier = self._tiers()
        ids = self.cells("label_id")
        if "label" in self.mapped:
            name = self.mapped["label"]
            label = self.of(name).map(as_text)
            if self.table.form == "elan" and name not in [known for known, _ in self.named.get("tier", [])]:
                self.taken = label
            return label, ids, None if tier is None or tier.equals(self.of(name)) else tier
        found = [name for name, _ in self.named.get("label", []) if self.full(name)]
        if not found and self.table.form == "elan":
            return self._melted(tier)
        if not found and len(self.table.cells):
            raise self.missing("label")
        if not found:
            return pd.Series([], dtype=object), None, None
        names = [name for name, _ in self.named.get("name", []) if self.full(name)]
        numeric = [name for name in found if _whole(self.of(name))]
        texts = [name for name in [*found, *(names if numeric else [])] if name not in numeric]
        if len(numeric) == 1 and len(texts) == 1:
            pairs = pd.DataFrame({"id": self.of(numeric[0]).map(as_text), "name": self.of(texts[0])})
            pairs = pairs.drop_duplicates()
            if pairs["id"].is_unique and pairs["name"].is_unique:
                self.told.append(f"labels are named by '{texts[0]}', and have the ids of '{numeric[0]}'")
                return self.of(texts[0]).map(as_text), self.of(numeric[0]), tier
        same = all(self.of(name).map(as_text).equals(self.of(found[0]).map(as_text)) for name in found)
        if not same or (numeric and texts):
            every = list(dict.fromkeys([*found, *texts]))
            raise self.ask(f"has several columns for the label ({listed(every)})", f"choose: --column label={every[0]}")
        self.used.add("label")
        return self.of(found[0]).map(as_text), ids, tier

    def _tiers(self) -> pd.Series | None:
        if TIER in self.table.cells:
            return self.table.cells[TIER]
        return self.cells("tier")

    def _melted(self, tier: pd.Series | None) -> tuple[pd.Series, pd.Series | None, pd.Series | None]:
        """A row for each tier where ELAN wrote a column for each."""
        known = {name for names in self.named.values() for name, _ in names} | set(self.mapped.values())
        unknown = [n for n in map(str, self.table.cells) if n not in known and n != "Participant" and self.full(n)]
        if unknown and all(name.isdecimal() for name in unknown):
            raise self.missing("label")
        if not unknown:
            tiers = listed(sorted(set(tier))) if tier is not None else ""
            option = f"to take the names of the tiers ({tiers}), give --column label=Tier" if tiers else "name it"
            raise self.ask("has no text in any annotation", option)
        kept = [column for column in self.table.cells if column not in unknown]
        table = self.table
        cells = pd.concat([table.cells[kept].assign(Tier=name, Annotation=table.cells[name]) for name in unknown])
        where, videos = table.where * len(unknown), table.videos * len(unknown)
        self.table = table._replace(cells=cells.reset_index(drop=True), where=where, videos=videos)
        self.taken = self.table.cells["Annotation"]
        return self.taken.map(as_text), None, self.table.cells["Tier"]

    def found(self, field: str) -> list[tuple[str, str]]:
        """The columns of a field, with the units that their names tell."""
        if field in self.mapped:
            return [(self.mapped[field], unit_of(self.mapped[field]))]
        return [(name, unit) for name, unit in self.named.get(field, []) if self.full(name)]


def _place(mapped: tuple[str, str]) -> str:
    return mapped[1]


def as_text(cell: Any) -> Any:
    """A cell as the text of a name; whole numbers without a point."""
    if isinstance(cell, float) and cell == int(cell) if isinstance(cell, float) and math.isfinite(cell) else False:
        return str(int(cell))
    return "" if cell is None or cell != cell else str(cell) if isinstance(cell, str | int) else cell


def _whole(cells: pd.Series) -> bool:
    """Whether all cells are whole numbers."""
    numbers = [as_number(cell) for cell in cells if not is_empty(cell)]
    return bool(numbers) and all(number is not None and number % 1 == 0 for number in numbers)
