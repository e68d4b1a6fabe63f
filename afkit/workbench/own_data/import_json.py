"""Annotations in JSON, in the many ways in which people nest videos, lists of rows, and what is said of a video."""

import re
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.data.annotations import check_name
from afkit.data.feature_formats import listed
from afkit.files import read_json
from afkit.workbench.own_data.import_names import read_name
from afkit.workbench.own_data.import_rows import Table, is_time

_WRAPPERS = ("database", "results", "detect_results", "videos", "data", "annotations")
_LISTS = ("annotations", "segments", "actions", "events", "labels", "results", "instances")  # rows of a video
_IDS = ("video", "video_id", "video_name", "videoId", "filename", "file_name", "file", "id", "name")
VIDEO, TIER = "video of the entry", "list"  # columns that the nesting makes


def read_json_table(path: Path) -> Table:
    """{"database": {video: entry}}, with or without that level, lists of videos, or a list of rows.

    An entry holds lists of rows, or is one; a row is an object, or a list of three. Lists of equal length, such as
    `timestamps` and `sentences`, are rows, too.
    """
    content = read_json(path)
    rows: list[dict] = []
    where: list[str] = []
    recordings: dict[str, tuple[str, dict]] = {}
    for video, entry in _entries(path, content):
        check_name(path, video)
        place = f"{path}, video '{video}'"
        facts, lists = _parts(entry, place)
        if video in recordings:
            raise ValueError(f"{place} stands there twice; join its annotations")
        recordings[video] = place, facts
        for name, items in lists.items():
            for number, item in enumerate(items):
                rows.append(_row(item, f"{place}, annotation {number}") | {VIDEO: video, TIER: name})
                where.append(f"{place}, annotation {number}")
    _resolve(rows, content)
    videos = [row.pop(VIDEO) for row in rows]
    frame = pd.DataFrame(rows, dtype=object)
    frame = frame.where(frame.notna(), None) if len(frame) else frame
    named = not len(frame) or not {"1", "2", "3"} <= set(frame)
    return Table(path, "json", frame, where, videos, named, recordings)


def _entries(path: Path, content: Any) -> Iterator[tuple[str, Any]]:
    """(video, entry) of a file."""
    inner = content
    while isinstance(inner, dict) and not _row_lists(inner):
        key = next((key for key in _WRAPPERS if isinstance(inner.get(key), dict | list) and inner[key]), None)
        if key is None:
            break
        inner = inner[key]
    if isinstance(inner, dict) and _row_lists(inner):
        name = next((inner[key] for key in _IDS if isinstance(inner.get(key), str)), path.stem)
        yield name, inner
        return
    if isinstance(inner, list) and inner and all(isinstance(entry, dict) for entry in inner):
        if any(_lists_in(entry) for entry in inner) and not _is_rows(inner):
            for number, entry in enumerate(inner):
                flat = {key: value for key, value in _flat(entry).items() if isinstance(value, str | int)}
                key = next((key for key in flat if (m := read_name(key.split(".")[-1])) and m.field == "video"), None)
                key = key or next((key for key in _IDS if key in flat), None)
                if key is None:
                    seen = f"none of its keys {listed(entry)} names the video"
                    raise ValueError(f"{path}, entry {number}: {seen}; add 'id'")
                yield str(flat[key]), entry
        else:
            yield path.stem, {"annotations": inner}
        return
    videos = {}
    if isinstance(inner, dict):
        extra = content if inner is content and any(isinstance(v, dict | list) for v in inner.values()) else {}
        videos = {key: value for key, value in inner.items() if not (key in extra and isinstance(value, str | int))}
    if not videos:
        keys = f"the keys {listed(content)}" if isinstance(content, dict) and content else reprlib.repr(content)
        raise ValueError(f"{path} has no videos, but {keys}; expected {{video: {{'annotations': [...]}}}}")
    yield from videos.items()


def _lists_in(entry: dict) -> dict[str, list]:
    """The lists of an entry that may hold rows: of objects, or of lists."""
    return {
        key: value
        for key, value in entry.items()
        if isinstance(value, list) and value and all(isinstance(item, dict | list) for item in value)
    }


def _row_lists(entry: dict) -> bool:
    """Whether an object is itself the entry of one video: a usual key of it holds a list of rows."""
    return any(key in _LISTS and _is_rows(value) for key, value in _lists_in(entry).items())


def _is_rows(items: list) -> bool:
    """Whether the first item has times, rather than annotations of its own."""
    item = items[0]
    if isinstance(item, list):
        return len(item) >= 2 and sum(map(is_time, item)) >= 2
    flat = _flat(item)
    meanings = [read_name(key) for key in flat]
    return not _lists_in(item) and any(m and m.field in ("start", "segment") for m in meanings)


def _parts(entry: Any, place: str) -> tuple[dict, dict[str, list]]:
    """({key: value} of what is said of a video, {name: rows} of its lists)."""
    if entry is None or isinstance(entry, list):
        return {}, {"": entry} if entry else {}
    usual = next((key for key in _LISTS if isinstance(entry, dict) and key in entry), None)
    items: Any = entry if usual is None else entry[usual] or []
    if not isinstance(items, dict if usual is None else list):
        raise ValueError(f"{place}: its annotations must be a list, not {reprlib.repr(items)}; correct them")
    facts = {key: value for key, value in _flat(entry).items() if not isinstance(value, list | dict)}
    spans = {key: rows for key in ("annotated", "ignored") if (rows := _spans(entry.get(key))) is not None}
    facts, entry = facts | spans, {key: value for key, value in entry.items() if key not in spans}
    parallel = _parallel(entry)
    if parallel:
        return facts, {"": parallel}
    return facts, _row_lists_below(entry) or ({usual: list(items)} if usual and items else {})


def _spans(value: Any) -> list | None:
    """[[start, end], ...] where an entry has it as an annotation file of this project does; else None."""
    rows = [value] if isinstance(value, list) and value and not isinstance(value[0], list) else value
    each = isinstance(rows, list) and all(isinstance(row, list) and len(row) == 2 for row in rows)
    return rows if each and all(isinstance(time, int | float) for row in rows for time in row) else None


def _row_lists_below(entry: dict, depth: int = 3) -> dict[str, list]:
    """The lists of rows in an entry, or in the objects of its lists."""
    lists = {key: value for key, value in _lists_in(entry).items() if _is_rows(value)}
    if not lists and depth:
        for items in _lists_in(entry).values():
            for item in (item for item in items if isinstance(item, dict)):
                for key, rows in _row_lists_below(item, depth - 1).items():
                    lists[key] = [*lists.get(key, []), *rows]
    return lists


def _resolve(rows: list[dict], content: Any) -> None:
    """Names for numbers: of {"categories": [{"id": 3, "name": "run"}]}, a row with the category_id 3 is of run."""
    for key, items in content.items() if isinstance(content, dict) else ():
        if not isinstance(items, list) or not all(isinstance(item, dict) and "id" in item for item in items):
            continue
        name = next((name for name in ("name", "file_name") if all(name in item for item in items)), None)
        one = key[:-3] + "y" if key.endswith("ies") else key.removesuffix("s")
        names = {item["id"]: item[name] for item in items if isinstance(item["id"], int | str)} if name else {}
        for row in rows:
            if isinstance(row.get(f"{one}_id"), int | str) and row[f"{one}_id"] in names:
                row[f"{one}_name"] = names[row[f"{one}_id"]]
                if one == "video":
                    del row["video_id"]


def _parallel(entry: dict) -> list[dict]:
    """Rows from lists of equal length, one of times and another of labels."""
    lists = {key: value for key, value in entry.items() if isinstance(value, list) and value}
    times = {key: value for key, value in lists.items() if _means_time(key)}
    for value in times.values():
        pair = all(isinstance(item, list) and len(item) == 2 and all(map(is_time, item)) for item in value)
        if pair or all(is_time(item) for item in value):
            same = {k: v for k, v in lists.items() if len(v) == len(value)}
            if any(isinstance(v[0], str | int) for k, v in same.items() if k not in times):
                return [dict(zip(same, items, strict=True)) for items in zip(*same.values(), strict=True)]
    return []


def _means_time(key: str) -> bool:
    meaning = read_name(key)
    return meaning is not None and meaning.field in ("start", "end", "segment")


def _flat(item: dict, before: str = "") -> dict[str, Any]:
    """An object whose objects are joined to it: {"label": {"id": 3}} is {"label.id": 3}."""
    flat: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, dict) and before.count(".") < 3:
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat


def _row(item: Any, where: str) -> dict[str, Any]:
    """{key: value} of a row; of a list, {"1": ..., "2": ..., "3": ...}."""
    if isinstance(item, list) and len(item) > 2:
        return {str(place): value for place, value in enumerate(item, start=1)}
    if not isinstance(item, dict):
        wanted = "expected a segment [start, end] and a label"
        raise ValueError(f"{where}: {wanted}, found {reprlib.repr(item)}; correct it")
    flat = _flat(item)
    for key, value in flat.items():
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
            flat[key] = value[0]
    return flat


def pair(value: Any) -> list | None:
    """The two times of a segment, [1, 2] or "[1, 2]"; None where it is none."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*[\[(]\s*([^\s,;\[\]()]+)(?:\s*[,;]\s*|\s+)([^\s,;\[\]()]+)\s*[\])]\s*", value)
        value = [found[1], found[2]] if found else None
    return list(value) if isinstance(value, list | tuple) and len(value) == 2 else None
