"""Documents of ELAN and TextGrids of Praat, both with tiers, read by pympi and praatio."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from afkit.opening import check_plain, read_bytes
from afkit.workbench.own_data.import_names import read_name
from afkit.workbench.own_data.import_rows import Change, Table

_SIZES = re.compile(  # how many entries a tier of a TextGrid says it has, in its long and its short form
    r"(?m:^)[ \t]*(?:intervals|points)\s*:\s*size\s*=\s*(\d+)|"
    r'"(?:IntervalTier|TextTier)"\s+"(?:[^"]|"")*"\s+\S+\s+\S+\s+(\d+)'
)


_EXPONENT = re.compile(r"^([ \t]*(?:(?:xmin|xmax|number)\s*=\s*)?)(\d+(?:\.\d+)?e[+-]?\d{1,3})(?=[ \t\r]*$)", re.M)


def read_eaf(path: Path) -> Table:
    """A row for each annotation of a document of ELAN; child tiers that are called "comment" comment on their parents.

    Time slots without a value lie evenly between their neighbours, as ELAN draws them. An annotation that only refers
    to another has its times, or its part of them on a tier that divides them (Symbolic_Subdivision). Times are those of
    the first film: where ELAN begins within it (TIME_ORIGIN), they move.
    """
    try:
        from pympi.Elan import Eaf
    except ImportError as error:
        raise ValueError(f"{path} needs pympi-ling ({error}); install it with: pip install 'afkit[label]'") from None
    check_plain(path)
    _check_full(path)
    try:
        document = Eaf(path, suppress_version_warning=True)
        unit = document.header.get("TIME_UNITS", "milliseconds")
        rows, where = _eaf_rows(path, document)
        origin_ms = int(next((film.get("TIME_ORIGIN") for film in document.media_descriptors), None) or 0)
    except Exception as error:  # pympi lets through whatever a malformed document leads to
        reason = error.__context__ or error
        seen = f"{type(reason).__name__}: {str(reason)[:200]}"
        raise ValueError(f"{path} is no document that ELAN can open ({seen}); open it there and save it") from None
    if unit != "milliseconds":
        raise ValueError(f"{path} counts its times in {unit}; save it in an ELAN that writes milliseconds")
    told = []
    if origin_ms:
        rows = [
            [*row[:2], *(time if time is None else time + origin_ms for time in row[2:4]), *row[4:]] for row in rows
        ]
        what = f"ELAN begins {origin_ms / 1000:g} s into the film '{rows[0][-1] if rows else ''}'"
        told.append(Change(str(path), f"{what} (TIME_ORIGIN): all times were moved by that"))
    names = ["Tier", "Participant", "Begin Time - msec", "End Time - msec", "Annotation", "Comment", "linked file"]
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    return Table(path, "eaf", frame, where, [path.stem] * len(rows), changes=tuple(told))


def _check_full(path: Path) -> None:
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty; copy it anew")


def _eaf_rows(path: Path, document: Any) -> tuple[list[list], list[str]]:
    """Tier, participant, begin and end (ms), text, comment and film of each annotation, and where it stands."""
    media = next((re.split(r"[/\\]", unquote(one["MEDIA_URL"]))[-1] for one in document.media_descriptors), "")
    spans: dict[str, tuple[Any, Any]] = {}  # of annotations with times of their own
    parents: dict[str, str] = {}  # of the others
    comments: defaultdict[str, list[str]] = defaultdict(list)
    texts: list[tuple[str, str, str]] = []  # tier, annotation, what it says
    for aligned, *_ in document.tiers.values():
        times = _slot_times(document, aligned)
        spans |= {name: (times[begin], times[end]) for name, (begin, end, *_) in aligned.items()}
    for tier, (aligned, referring, about, *_) in document.tiers.items():
        for name, (_, _, text, _) in aligned.items():
            parent = _around(spans, document.tiers.get(about.get("PARENT_REF"), [{}])[0], name)
            if parent and _is_comment(tier):
                comments[parent].append(text)
            else:
                texts.append((tier, name, text))
        for name, (parent, text, *_) in referring.items():
            parents[name] = parent
            if _is_comment(tier):
                comments[parent].append(text)
            else:
                texts.append((tier, name, text))
    shares = _shares(document)

    def span_of(name: str) -> tuple[Any, Any]:
        """Begin and end of an annotation: its own, its parent's, or its share of these."""
        if name in spans:
            return spans[name]
        begin, end = span_of(parents[name])
        place, number = shares.get(name, (0, 1))
        if begin is None or end is None:
            return begin, end
        return tuple(begin + (end - begin) * k / number for k in (place, place + 1))

    rows, where = [], []
    for tier, name, text in texts:
        begin, end = span_of(name)
        who = document.tiers[tier][2].get("PARTICIPANT") or ""
        rows.append([tier, who, begin, end, text, "; ".join(filter(None, comments[name])), media])
        where.append(f"{path}, tier '{tier}', annotation {name}")
    return rows, where


def _shares(document: Any) -> dict[str, tuple[int, int]]:
    """{annotation: (its place, their number)} of those that share their parent's time evenly, in their order."""
    shares: dict[str, tuple[int, int]] = {}
    for _, referring, about, *_ in document.tiers.values():
        kind = document.linguistic_types.get(about.get("LINGUISTIC_TYPE_REF")) or {}
        if kind.get("CONSTRAINTS") != "Symbolic_Subdivision":
            continue
        after = {before: name for name, (_, _, before, _) in referring.items() if before}
        for first in (name for name, (_, _, before, _) in referring.items() if not before):
            row = [first]
            while row[-1] in after and len(row) <= len(after):
                row.append(after[row[-1]])
            shares |= {name: (place, len(row)) for place, name in enumerate(row)}
    return shares


def _around(spans: Mapping[str, tuple[Any, Any]], others: Iterable[str], name: str) -> str:
    """Which of some annotations an annotation lies in; "" for none."""
    begin, end = spans[name]
    if begin is None or end is None:
        return ""
    middle = (begin + end) / 2
    lies_in = (other for other in others if None not in spans.get(other, (None,)))
    return next((other for other in lies_in if spans[other][0] <= middle <= spans[other][1]), "")


def _slot_times(document: Any, aligned: dict) -> dict[str, float | None]:
    """{time slot: ms} of those that a tier uses, in the order of the document."""
    used = {slot for begin, end, *_ in aligned.values() for slot in (begin, end)}
    slots = [slot for slot in document.timeslots if slot in used]
    known = [
        (place, document.timeslots[slot]) for place, slot in enumerate(slots) if document.timeslots[slot] is not None
    ]
    if not known:
        return dict.fromkeys(slots)
    places, times = zip(*known, strict=True)
    between = np.interp(np.arange(len(slots)), places, times, left=np.nan, right=np.nan)
    return dict(zip(slots, between.tolist(), strict=True))


def _is_comment(tier: str) -> bool:
    """Whether a tier's name says that it comments on another: "walk - comment", "Kommentar@Ann"."""
    meanings = [read_name(word) for word in re.findall(r"[^\W_]+", tier)]
    return any(meaning is not None and meaning.field == "comment" for meaning in meanings)


def read_textgrid(path: Path) -> Table:
    """A row for each interval with a text, and each point, of a TextGrid in its long or short form."""
    try:
        from praatio.utilities import errors, textgrid_io
    except ImportError as error:
        raise ValueError(f"{path} needs praatio ({error}); install it with: pip install 'afkit[label]'") from None
    _check_full(path)
    text = _praat_text(path)
    if "ooTextFile" not in text[:100]:
        raise ValueError(f'{path} does not begin as a TextGrid does, with File type = "ooTextFile"; save it in Praat')
    if re.search(r"^[ \t]*(?:x(?:min|max)\s*=\s*|number\s*=\s*)?-[\d.]*[1-9]", text, re.M):
        raise ValueError(f"{path} has times before 0; shift them in Praat (Modify times), and save it")
    text = _EXPONENT.sub(lambda found: f"{found[1]}{float(found[2]):.17f}", text)  # praatio reads none
    try:
        grid = textgrid_io.parseTextgridStr(f"{text}\n", includeEmptyIntervals=True)
    except (errors.PraatioException, ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        seen = str(error)[:200]
        raise ValueError(f"{path} is no TextGrid that Praat can read ({seen}); open it there and save it") from None
    said = [int(long or short) for long, short in _SIZES.findall(text)]
    found = [len(tier["entries"]) for tier in grid["tiers"]]
    if said and said != found:
        raise ValueError(f"{path} says that its tiers have {said} entries, and has {found}; save it anew in Praat")
    rows, where = [], []
    for tier in grid["tiers"]:
        for number, (*times, label) in enumerate(tier["entries"], 1):
            if label.strip():
                rows.append([tier["name"], times[0], times[-1], label.strip()])
                where.append(f"{path}, tier '{tier['name']}', entry {number}")
    frame = pd.DataFrame(rows, columns=["Tier", "start [s]", "end [s]", "label"], dtype=object)
    about = {path.stem: (str(path), {"duration": grid["xmax"]})} if grid["xmax"] > 0 else {}
    return Table(path, "textgrid", frame, where, [path.stem] * len(rows), True, about)


def _praat_text(path: Path) -> str:
    """The text of a file as Praat writes it: UTF-16 with a mark of the order of bytes, or UTF-8."""
    try:
        data = read_bytes(path)
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable text file ({error}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
