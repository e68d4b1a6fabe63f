"""What ELAN exports as tab-delimited text, and the parts that all readers of tables share."""

import re
from pathlib import Path

import pandas as pd

from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_rows import MEDIA, Change, Table, as_number, is_time, read_text

SCORE = re.compile(r"\s*\((?:0\.\d{3}|1\.000)\)\s*$")  # which `predict` writes behind a label


def text_frame(rows: list[list[str]], names: list[str]) -> pd.DataFrame:
    """A table of texts, whose names are made different."""
    different: list[str] = []
    for place, name in enumerate(names, start=1):
        name = name.strip() or f"column {place}"
        different.append(f"{name} ({place})" if name in different else name)
    return pd.DataFrame(rows, columns=different, dtype=object)


def places(number: int) -> list[str]:
    """Names for columns without names: "1", "2", ..."""
    return [str(place) for place in range(1, number + 1)]


def check_width(where: str, cells: list[str], names: list[str], separator: str) -> None:
    """Refuse a row of another width, or with numbers whose comma may be of thousands.

    Args:
        where: file and row, for messages.
        cells: of the row.
        names: of the columns.
        separator: between the cells.

    Raises:
        ValueError: it is such a row.
    """
    if len(cells) != len(names):
        shown = f"{len(cells)} cells under {len(names)} columns ({listed(names)})"
        hint = ", perhaps a decimal comma; separate cells by semicolons" if separator == "," else ""
        raise ValueError(f"{where}: {shown}; correct the row{hint if len(cells) > len(names) else ''}")
    grouped = [cell for cell in cells if separator == "," and re.fullmatch(r"\s*\d{1,3}(,\d{3})+\s*", cell)]
    if grouped:
        raise ValueError(f"{where}: {grouped[0]!r} may be a thousand or a decimal comma; write it without the comma")


def scores_left(path: Path, number: int) -> tuple[Change, ...]:
    """What is told where labels lost their scores."""
    what = "the scores behind the labels are left out; ids of labels come from csv only, or from --labels"
    return (Change(str(path), what),) if number else ()


def read_elan(path: Path) -> Table:
    """Tab-delimited text as ELAN exports it, with or without a row of names, in whatever language."""
    lines = [(f"{path}, row {i}", line) for i, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    rows, where = [line.split("\t") for _, line in lines], [place for place, _ in lines]
    if rows and not any(is_time(cell) for cell in rows[0]):
        names, rows, where = rows[0], rows[1:], where[1:]
    else:
        names = _elan_names(rows, where)
    for place, cells in zip(where, rows, strict=True):
        cells += [""] * (len(names) - len(cells))
        check_width(place, cells, names, "\t")
    frame = text_frame(rows, names)
    label = next((name for name in frame if name.strip().lower() == "annotation"), None)
    scored = 0
    if label is not None:
        scored = int(frame[label].str.contains(SCORE).sum())
        frame[label] = frame[label].str.replace(SCORE, "", regex=True)
    table = Table(path, "elan", frame, where, [path.stem] * len(rows))
    return table._replace(changes=scores_left(path, scored))


def _elan_names(rows: list[list[str]], where: list[str]) -> list[str]:
    """Names for tier, participant, begin and end (each in all ways of writing), perhaps duration, then the rest."""
    if not rows:
        return []
    cells = rows[0]
    ways = [way_of(cell) for cell in cells]
    first = next((i for i, way in enumerate(ways) if i and way), 0)
    width = next((k for k in (1, 2, 3) if ways[first : first + k] == ways[first + k : first + 2 * k]), 0)
    if not first or not width or not all(ways[first : first + width]):
        raise ValueError(f"{where[0]}: no begin and end time in {listed(cells)}; export both from ELAN")
    names = ["Tier", "Participant", *places(first)][:first] if first < 3 else ["Tier", *places(first)[1:]]
    times = ways[first : first + width]
    names += [f"{time} - {way}" for time in ("Begin Time", "End Time") for way in times]
    if ways[len(names) : len(names) + width] == times and _is_duration(cells, first, width):
        names += [f"Duration - {way}" for way in times]
    rest = range(len(names), max(map(len, rows)))
    files = [i for i in rest if len(rest) > 1 and all(MEDIA.search(row[i].strip()) for row in rows if len(row) > i)]
    texts = [i for i in rest if i not in files]
    named = dict.fromkeys(files, "File") | {i: "Annotation" if len(texts) == 1 else str(i + 1) for i in texts}
    return names + [named[i] for i in rest]


def way_of(cell: str) -> str:
    """In which of ELAN's ways a cell tells a time; "" where it is none."""
    if not is_time(cell):
        return ""
    return "hh:mm:ss.ms" if ":" in cell else "msec" if re.fullmatch(r"\s*\d+\s*", cell) else "ss.msec"


def _is_duration(cells: list[str], first: int, width: int) -> bool:
    """Whether the third group of times is the difference of the first two, where that can be told."""
    begin, end, length = (as_number(cells[first + i * width + width - 1]) for i in range(3))
    return None in (begin, end, length) or abs(end - begin - length) < 0.01 * max(abs(length), 1)  # type: ignore
