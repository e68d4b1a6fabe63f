"""One reader for each format of annotations: what stands in a file, as a table of cells, with nothing decided."""

import csv
import html
import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_json import pair
from afkit.workbench.own_data.import_names import read_name
from afkit.workbench.own_data.import_rows import MEDIA, Change, Table, as_number, is_empty, is_time, read_text
from afkit.workbench.own_data.physio_files import read_physio_labels

MOST_CELLS, LONGEST_CELL = 10_000, 8_000  # of a row; letters
SCORE = re.compile(r"\s{0,9}\((?:0\.\d{3}|1\.000)\)\s*$")  # which `predict` writes behind a label
WITHOUT_SCORES = "the scores behind the labels are left out; ids of labels come from csv only, or from --labels"


def _numbered(path: Path, skipped: str = "\n") -> list[tuple[str, str]]:
    """(file and row, line) of each line that holds something and does not begin with what is skipped."""
    lines = enumerate(read_text(path).splitlines(), 1)
    return [(f"{path}, row {i}", line) for i, line in lines if line.strip() and not line.startswith(skipped)]


def as_table(
    path: Path, form: str, rows: Sequence[Sequence[Any]], names: list[str], where: list[str], named: bool = True
) -> Table:
    """What a file holds, of one recording where no column says more; names of columns are made different."""
    different: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        name = name.strip() or f"column {place}"
        while name in different:
            name += f" ({place})"
        different[name] = place
    frame = pd.DataFrame(rows, columns=list(different), dtype=object)
    return Table(path, form, frame, where, [path.stem] * len(rows), named)


def check_cells(where: str, cells: Sequence[str]) -> None:
    """Raise a ValueError for a row of very many cells, or with a cell of whole pages."""
    if len(cells) > MOST_CELLS or max(map(len, cells), default=0) > LONGEST_CELL:
        seen = f"{len(cells)} cells, the longest of {max(map(len, cells))} letters"
        raise ValueError(f"{where} has {seen}; look what separates them, and whether each quote is closed")


def places(number: int) -> list[str]:
    """Names for columns without names: "1", "2", ..."""
    return [str(place) for place in range(1, number + 1)]


def check_width(where: str, cells: list[str], names: list[str], separator: str) -> None:
    """Raise a ValueError for a row of another width, or with numbers whose comma may be of thousands."""
    if len(cells) != len(names):
        shown = f"{len(cells)} cells under {len(names)} columns ({listed(names)})"
        hint = ", perhaps a decimal comma; separate cells by semicolons" if separator == "," else ""
        raise ValueError(f"{where}: {shown}; correct the row{hint if len(cells) > len(names) else ''}")
    grouped = [cell for cell in cells if separator == "," and re.fullmatch(r"\s*\d{1,3}(,\d{3})+\s*", cell)]
    if grouped:
        raise ValueError(f"{where}: {grouped[0]!r} may be a thousand or a decimal comma; write it without the comma")


def read_elan(path: Path) -> Table:
    """Tab-delimited text as ELAN exports it, with or without a row of names, in whatever language."""
    lines = _numbered(path)
    rows, where = [line.split("\t") for _, line in lines], [place for place, _ in lines]
    for place, cells in zip(where, rows, strict=True):
        check_cells(place, cells)
    if rows and not any(is_time(cell) for cell in rows[0]):
        names, rows, where = rows[0], rows[1:], where[1:]
    else:
        names = _elan_names(rows, where)
    for place, cells in zip(where, rows, strict=True):
        cells += [""] * (len(names) - len(cells))
        check_width(place, cells, names, "\t")
    table = as_table(path, "elan", rows, names, where)
    for label in [name for name in table.cells if name.strip().lower() == "annotation"][:1]:
        if table.cells[label].str.contains(SCORE).any():
            table.cells[label] = table.cells[label].str.replace(SCORE, "", regex=True)
            table = table._replace(changes=(Change(str(path), WITHOUT_SCORES),))
    return table


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


CUE = re.compile(r"\s*([\d:.,]+)\s*-->\s*([\d:.,]+)")
_TAGS = re.compile(r"</?(?:[ibuvc]|font|lang|ruby|rt)\b[^>]*>|<[\d:.]+>|\{\\[^}]*\}")  # how subtitles are drawn
_THUMOS = re.compile(r"(video_(validation|test)_\d+)\s+(\S+)\s+(\S+)\s*")


def read_csv_table(path: Path, form: str = "csv") -> Table:
    """A table, separated by comma, semicolon, tab, or blanks; its first row names the columns, unless it has a time.

    Lines that begin with # are comments before the names, and later where they are one cell under several names. Of
    `steps`, a row whose cells are empty is one, too.
    """
    text = read_text(path)
    first = re.match(r"sep=(.)\r?\n", text)  # Excel writes it
    skipped = 1 if first else 0
    body = text[first.end() :] if first else text
    header = next((line for line in body.splitlines() if line.strip() and not line.startswith("#")), "")
    separator = first[1] if first else max(",;\t", key=header.count)
    if separator not in header and len(header.split()) > 2 and not first:
        separator = " "
    spaced = separator == " " or f'{separator} "' in body  # quotes count at the beginning of a cell alone
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=spaced)
    rows: list[list[str]] = []
    where, comments = [], 0
    try:
        for cells in reader:
            check_cells(f"{path}, row {reader.line_num + skipped}", cells)
            width = len(rows[0]) if rows else 0
            if any(cell.strip() for cell in cells):
                row = any(map(is_time, cells[1:])) and header.count(separator) in (0, len(cells) - 1)
                comment = len(cells) == 1 < width if rows else not row
                if cells[0].startswith("#") and comment:
                    comments += bool(rows)
                    continue
            elif form != "steps" or not (width == 1 or (cells and width)):
                continue
            rows.append(cells or [""])
            where.append(f"{path}, row {reader.line_num + skipped}")
            inside = [line for cell in cells if "\n" in cell for line in cell.splitlines()[1:]]
            if any(line.count(separator) == header.count(separator) > 0 for line in inside):
                raise ValueError(f"{where[-1]}: a cell holds whole rows, as after a quote that is not closed; close it")
    except csv.Error as error:
        where_now = f"{path}, row {reader.line_num + skipped}"
        raise ValueError(f"{where_now} is no row of a table ({error}); correct it") from None
    named = bool(rows) and not any(is_time(cell) or pair(cell) for cell in rows[0])
    names = rows.pop(0) if named else places(len(rows[0]) if rows else 0)
    where = where[len(where) - len(rows) :]
    for place, cells in zip(where, rows, strict=True):
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        check_width(place, cells, names, separator)
    told = (Change(str(path), f"{comments} lines below the names that begin with # and are no rows are left out"),)
    return _unpacked(as_table(path, form, rows, names, where, named)._replace(changes=told * bool(comments)))


def _unpacked(table: Table) -> Table:
    """A row for each action where a cell holds several, "label start end;label start end", as Charades has them."""
    one = r"\s*[^\s;]+ [\d.]+ [\d.]+\s*"
    if any(meaning.field in ("start", "segment") for meaning in map(read_name, table.cells) if meaning):
        return table  # it says them in columns
    for column in table.cells:
        cells = [cell for cell in table.cells[column] if not is_empty(cell)]
        if not cells or not all(re.fullmatch(f"{one}(;{one})*;?", cell) for cell in cells):
            continue
        parts = table.cells[column].map(
            lambda cell: [part.split() for part in cell.split(";") if len(part.split()) == 3]
        )
        rest = table.cells.drop(columns=[column, *({"label", "start", "end"} & set(table.cells))])
        rest = rest.rename(columns={name: "video" for name in rest if name.strip().lower() == "id"})
        rest = rest.assign(packed=parts, where=table.where).explode("packed", ignore_index=True)
        actions = [part if isinstance(part, list) else ["", "", ""] for part in rest["packed"]]
        made = pd.DataFrame(actions, columns=["label", "start", "end"], dtype=object)
        cells = pd.concat([rest.drop(columns=["packed", "where"]), made], axis=1)
        return table._replace(cells=cells, where=list(rest["where"]), videos=[table.path.stem] * len(cells))
    return table


def read_lines(path: Path) -> Table:
    """Lines "start end label" or "label start end", one recording per file; or a class per file, as THUMOS14 has it."""
    lines = _numbered(path, "\\")  # Audacity's frequencies
    where = [place for place, _ in lines]
    thumos = [_THUMOS.fullmatch(line.strip()) for _, line in lines]
    if lines and all(thumos):
        label = re.sub(r"_(val|validation|test)$", "", path.stem)
        rows = [[m[1], m[3], m[4], label, m[2]] for m in thumos if m]
        return as_table(path, "text", rows, ["video", "start", "end", "label", "subset"], where)
    rows = []
    for place, line in lines:
        cells = _line_cells(line)
        if not cells or (rows and len(cells) != len(rows[0])):
            raise ValueError(f"{place}: expected start, end and label, found {line[:80]!r}; correct it")
        rows.append(cells)
    return as_table(path, "text", rows, places(len(rows[0]) if rows else 0), where, named=False)


def _line_cells(line: str) -> list[str]:
    """The cells of a line in which two times stand side by side; [] where there are none."""
    for separator in ("\t", ";", None, ","):
        parts = [part.strip() for part in (line.strip(" ").split(separator))]
        times = [is_time(part) for part in parts]
        if len(parts) < 3 or (separator == "," and sum(times) > 3):  # decimal commas and commas between cells
            continue
        if separator in ("\t", ";") and sum(times) > 1:
            return parts
        if times[0] and times[1]:
            return [part.strip() for part in line.strip(" ").split(separator, 2)]
        if times[-1] and times[-2]:
            return [part.strip() for part in line.strip(" ").rsplit(separator, 2)]
    return []


def read_audacity(path: Path) -> Table:
    """The labels of a track."""
    lines = _numbered(path, "\\")  # its frequencies
    rows = [[*line.split("\t", 2), ""][:3] for _, line in lines]
    for (place, line), cells in zip(lines, rows, strict=True):
        if not (is_time(cells[0]) and is_time(cells[1])):
            raise ValueError(f"{place}: expected start, end and label with tabs, found {line[:80]!r}; correct it")
    return as_table(path, "audacity", rows, ["start", "end", "label"], [place for place, _ in lines])


def read_subtitles(path: Path) -> Table:
    """SubRip and WebVTT: a row for each cue, whose text is the label."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    is_vtt = bool(lines) and lines[0].startswith("WEBVTT")
    rows, where, scored = [], [], False
    for place, (cue, text) in _cues(lines).items():
        label = " ".join(_TAGS.sub("", text).split())
        name = SCORE.sub("", label)
        scored |= name != label
        if is_vtt:
            name = html.unescape(name)
        elif name != label:
            name = name.translate(str.maketrans("\u2039\u203a", "<>"))  # as `predict` writes them
        rows.append([cue[1], cue[2], name])
        where.append(f"{path}, row {place + 1}")
    if not rows and any(lines) and not is_vtt:
        raise ValueError(f"{path} has no line with '-->', which begins a subtitle; name the format with --format")
    table = as_table(path, "vtt" if is_vtt else "srt", rows, ["start", "end", "label"], where)
    return table._replace(changes=(Change(str(path), WITHOUT_SCORES),) * scored)


def _cues(lines: list[str]) -> dict[int, tuple[re.Match, str]]:
    """{line: times and text} of each cue; its times stand after a blank line, or a number or name after that."""
    starts = {}
    for place, line in enumerate(lines):
        cue = CUE.match(line)
        number = place > 0 and (lines[place - 1].isdecimal() or place == 1 or not lines[place - 2])
        if cue and (place == 0 or not lines[place - 1] or number):
            starts[place] = cue
    cues = {}
    for place, cue in starts.items():
        block = itertools.takewhile(lambda i: lines[i] and i not in starts, range(place + 1, len(lines)))
        texts = [lines[i] for i in block if not (lines[i].isdecimal() and i + 1 in starts)]
        cues[place] = cue, " ".join(texts)
    return cues


def read_steps(path: Path) -> Table:
    """A label per time step, in a table or one a line."""
    if path.suffix.lower() in (".csv", ".tsv", ".tab"):
        return read_csv_table(path, "steps")
    lines = read_text(path).splitlines()
    counted = [re.fullmatch(r"(\d+)[\s,;]+\S.*", line) for line in lines]
    if len(lines) > 2 and all(counted) and len({match[1] for match in counted if match}) == len(lines):
        raise ValueError(f"{path}: its lines hold a number and a label ({lines[0][:40]!r}); save it as .csv with names")
    where = [f"{path}, row {number}" for number in range(1, len(lines) + 1)]
    return as_table(path, "steps", [[line] for line in lines], ["label"], where)


def read_physio(path: Path) -> Table:
    """Annotations in a recording of physiology, or beside it, with its duration."""
    found = read_physio_labels(path)
    form = "edf" if path.suffix.lower() in (".edf", ".bdf") else "wfdb"
    rows = [[repr(start), repr(end), label] for start, end, label in found.rows]
    where = [f"{path}, annotation {number}" for number in range(1, len(rows) + 1)]
    table = as_table(path, form, rows, ["start_s", "end_s", "label"], where)
    about = {path.stem: (str(path), {"duration": found.lasts_sec})} if found.lasts_sec else {}
    changes = (Change(str(path), found.remark),) if found.remark else ()
    return table._replace(recordings=about, changes=changes)
