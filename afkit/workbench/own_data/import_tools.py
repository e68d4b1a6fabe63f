"""Tables and projects of BORIS, Raven, VIA 3 and Label Studio."""

import csv
import io
import json
import re
import reprlib
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd

from afkit.data.feature_formats import listed
from afkit.files import read_json
from afkit.workbench.own_data.import_formats import as_table, check_cells, read_csv_table
from afkit.workbench.own_data.import_names import read_name
from afkit.workbench.own_data.import_rows import MEDIA, Change, Table, as_number, is_empty, read_text, to_time

NOBODY = "No focal subject"  # what BORIS writes for an event of nobody in particular
_PRESENT = {"START", "STOP", "POINT", "STATE"}  # kinds of BORIS' events


def tool_of(text: str) -> str:
    """Which tool's table or JSON a text begins, as `--format` names it; "" for none."""
    if re.match(r'\s*\{\s*"project"\s*:\s*\{[^}]*"(vid_list|pname|data_format_version)"', text):
        return "via"
    if re.search(r"^# CSV_HEADER = metadata_id", text, re.M):
        return "via"
    told = set(re.findall(r'"(\w+)"\s*:', text)) if re.match(r"\s*\[\s*\{", text) else set()
    small = {"channel", "labels"} <= told or {"annotation_id", "lead_time"} <= told  # JSON-MIN
    if small or {"annotations", "result"} <= told or told & {"original_length", "timelinelabels", "timeserieslabels"}:
        return "labelstudio"
    if re.search(r"^Selection\t.*\bBegin Time \(s\)", text, re.M):
        return "raven"
    names = [{cell.strip(' "').casefold() for cell in re.split(r"[\t,;]", line)} for line in text.splitlines()]
    if any({"annotation_id", "lead_time"} <= row for row in names):
        return "labelstudio"
    return "boris" if any(map(_of_boris, names)) else ""


def _of_boris(names: set[str]) -> bool:
    """Whether a row holds the names of the columns of events."""
    single = "time" in names and not names.isdisjoint({"behavior type", "status"})
    return "behavior" in names and (single or {"start (s)", "stop (s)"} <= names)


def read_boris(path: Path) -> Table:
    """Tabular events, of which START and STOP make one action, or aggregated events; of one observation or several."""
    lines = read_text(path).splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if tool_of(line) == "boris"), None)
    if first is None:
        raise ValueError(f"{path} has no columns Behavior, Behavior type and Time; export events from BORIS as a table")
    separator = max(",;\t", key=lines[first].count)
    reader = csv.reader(io.StringIO("".join(lines[first:]), newline=""), delimiter=separator)
    try:
        numbered = [(first + reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ValueError(
            f"{path}, row {first + reader.line_num} is no row of a table ({error}); export it anew"
        ) from None
    names = [name.strip().casefold() for name in numbered.pop(0)[1]]
    own = next((line.strip().split(separator)[1:] for line in lines[:first] if line.startswith("Observation id")), [])
    films = [name for name in names if (meaning := read_name(name)) and meaning.field == "video"]
    events = []
    for number, cells in numbered:
        check_cells(f"{path}, row {number}", cells)
        if any(cell.strip() for cell in cells):
            event = dict(zip(names, map(str.strip, cells), strict=False)) | {"where": f"{path}, row {number}"}
            id_or_film = (
                event.get("observation id") or "".join(own[:1]) or next(filter(None, map(event.get, films)), "")
            )
            events.append(dict.fromkeys(names, "") | event | {"observation id": id_or_film or path.stem})
    rows: list[dict[str, Any]] = _paired(events) if "time" in names and "start (s)" not in names else events
    offset = next((line.strip().split(separator)[1:] for line in lines[:first] if line.startswith("Time offset")), [])
    shown = _boris_films(events)
    told: set[str] = set()

    def moved(row: dict[str, Any], key: str) -> Any:
        """A time from its film's beginning: BORIS adds its offset, and how long the films before it last."""
        cell, (film, before_sec, _) = row.get(key), shown[row["observation id"]]
        added = as_number(row.get("time offset (s)") or "".join(offset[:1])) or 0.0
        if is_empty(cell) or not (added or before_sec):
            return cell
        told.add(f"times hold BORIS' time offset of {added:g} s: subtracted" * bool(added))
        told.add(f"'{film}' begins {before_sec:g} s after other films: subtracted" * bool(before_sec))
        return round(to_time(cell, row["where"], key)[0] - added - before_sec, 9)

    def remarks(row: dict[str, Any]) -> str:
        cells = dict.fromkeys(row[key] for key in row if key.startswith(("comment", "modifier")))
        return "; ".join(cell for cell in cells if not is_empty(cell) and cell != "None")

    table: list[list[Any]] = [
        [
            shown[row["observation id"]][0],
            moved(row, "start (s)"),
            moved(row, "stop (s)"),
            row.get("behavior"),
            re.sub(rf"^{NOBODY}( \[\d+\])?$", "", row.get("subject") or ""),
            remarks(row),
            shown[row["observation id"]][2]
            or next((row[key] for key in ("media duration (s)", "total length") if as_number(row.get(key))), ""),
        ]
        for row in rows
    ]
    columns = ["video", "Start (s)", "Stop (s)", "Behavior", "Tier", "Comment", "duration"]
    changes = tuple(Change(str(path), what) for what in sorted(told) if what)
    return as_table(path, "boris", table, columns, [row["where"] for row in rows])._replace(changes=changes)


def _paired(events: list[dict]) -> list[dict]:
    """An event with start and stop for each START and the STOP of the same behaviour, subject and modifiers."""
    rows: list[dict] = []
    running: dict[tuple, dict] = {}
    for event in events:
        kind = (event.get("behavior type") or event.get("status") or "").upper()
        if kind not in _PRESENT:
            raise ValueError(f"{event['where']}: expected START, STOP or POINT, found {kind!r}; correct it")
        modifiers = (value for name, value in event.items() if name.startswith("modifier"))
        key = *(event.get(name) for name in ("observation id", "subject", "behavior")), *modifiers
        if kind == "STOP" and key in running:
            begun = running.pop(key)
            begun |= {"stop (s)": event["time"], "comment of stop": event.get("comment", "")}
            continue
        start = None if kind == "STOP" else event["time"]
        rows.append(event | {"start (s)": start, "stop (s)": None if kind == "START" else event["time"]})
        rows[-1]["where"] += f" ({kind} alone)" if kind == "STOP" else ""
        if kind == "START":
            running[key] = rows[-1]
    for row in running.values():
        row["where"] += " (START alone)"
    return rows


def _boris_films(events: list[dict]) -> dict[str, tuple[str, float, float | None]]:
    """{observation: its recording, how long films before it in its player last, how long it lasts if that is told}.

    The recording is the media file where the events are in one alone, else the observation. A ValueError where films
    come before it, and nothing says how long they last.
    """
    media: defaultdict[str, dict[str, dict]] = defaultdict(dict)  # {observation: {media file: an event in it}}
    for event in events:
        names = (event.get(key) for key in ("media file name", "media file path", "media file"))
        media[event["observation id"]] |= {name: event for name in [*filter(None, names)][:1] if not is_empty(name)}
    return {
        observation: _boris_film(*next(iter(found.items()))) if len(found) == 1 else (observation, 0.0, None)
        for observation, found in media.items()
    }


def _boris_film(name: str, event: dict) -> tuple[str, float, float | None]:
    """The one film of an observation, by an event in it."""
    lasts = [as_number(cell) for cell in (event.get("media duration (s)") or "").split(";")]
    own = re.split(r"[/\\]", name)[-1]
    for player in re.split(r"player #\d+\s*:", event.get("source") or ""):
        films = [re.split(r"[/\\]", film)[-1].strip() for film in player.strip("| ;").split(";")]
        place = films.index(own) if own in films else 0
        before = [sec for sec in lasts[:place] if sec is not None]
        if place and not len(before) == place < len(films) == len(lasts):
            what = f"'{name}' is shown after {listed(films[:place])}, and how long these last is not told"
            raise ValueError(f"{event['where']}: {what}; let BORIS export media durations, or observe each film apart")
        if own in films and len(films) == len(lasts) > 1:
            return name, sum(before), lasts[place]
    return name, 0.0, None


def read_raven(path: Path) -> Table:
    """A selection table: one row for each selection, of which Raven writes one for each view.

    In a sequence of files, times become those in the file where the selection begins.
    """
    table = read_csv_table(path)._replace(form="raven")
    cells = table.cells
    if not {"Begin Time (s)", "End Time (s)"} <= set(cells):
        raise ValueError(f"{path} has no columns 'Begin Time (s)' and 'End Time (s)'; save a selection table in Raven")
    if "Begin File" not in cells and "Begin Path" in cells:
        cells = cells.rename(columns={"Begin Path": "Begin File"})
    if "File Offset (s)" in cells:
        times = cells[["Begin Time (s)", "End Time (s)", "File Offset (s)"]].itertuples(index=False)
        read = [
            [to_time(cell, where, "time")[0] for cell in row] for row, where in zip(times, table.where, strict=True)
        ]
        moved = pd.DataFrame(read, columns=["begin", "end", "offset"], dtype=float)
        ends = moved["offset"] + moved["end"] - moved["begin"]
        cells = cells.assign(**{"Begin Time (s)": moved["offset"], "End Time (s)": ends.round(9)})
    elif "Begin File" in cells and cells["Begin File"].nunique() > 1:
        raise ValueError(
            f"{path} has selections of several files, and no 'File Offset (s)' says where in each; add that "
            "measurement in Raven, and save the table again"
        )
    kept = ["Begin Time (s)", "End Time (s)", "Begin File"]
    cells = cells[[name for name in cells if name in kept or not re.match(r"(Begin|End|Delta|File) ", name)]]
    seen = [name for name in ("Selection", *kept) if name in cells]
    first = ~cells.duplicated(seen) if "Selection" in seen else pd.Series(True, cells.index)
    where = [place for place, is_first in zip(table.where, first, strict=True) if is_first]
    return table._replace(cells=cells[first].reset_index(drop=True), where=where, videos=[path.stem] * len(where))


def read_via(path: Path) -> Table:
    """The temporal segments of a project of VIA 3, or of its export as CSV."""
    read = _via_json if path.suffix.lower() == ".json" else _via_csv
    segments, recordings, attributes = read(path)
    rows, where, videos, regions = [], [], [], 0
    for place, video, times, spatial, values in segments:
        if spatial:
            regions += 1
        elif times:
            rows.append({"start [s]": times[0], "end [s]": times[1] if len(times) > 1 else None} | values)
            where.append(place)
            videos.append(video)
    labels = [name for name in attributes if not ((meaning := read_name(name)) and meaning.field == "comment")]
    label = "TEMPORAL-SEGMENTS" if "TEMPORAL-SEGMENTS" in labels else labels[0] if len(labels) == 1 else ""
    frame = pd.DataFrame(rows, columns=["start [s]", "end [s]", *attributes], dtype=object).rename(
        columns={label: "label"}
    )
    frame = frame.explode("label") if "label" in frame else frame  # a row for each of the boxes that are ticked
    where, videos = ([items[i] for i in frame.index] for items in (where, videos))
    frame = frame.reset_index(drop=True)
    told = (Change(str(path), f"{regions} regions in single pictures are left out"),) if regions else ()
    return Table(path, "via", frame.where(frame.notna(), None), where, videos, True, recordings, told)


Segments = list[tuple[str, str, list, list, dict]]  # where, recording, times, spatial coordinates, {attribute: value}


def _via_json(path: Path) -> tuple[Segments, dict, list[str]]:
    """Segments and regions, the recordings, and the names of attributes that segments have."""
    content = read_json(path)
    place = str(path)
    try:
        files, views, known = content["file"], content.get("view") or {}, content.get("attribute") or {}
        segments: Segments = []
        used: set[str] = set()
        for name, item in content["metadata"].items():
            place = f"{path}, metadata '{name}'"
            view = views.get(item["vid"]) or {"fid_list": [item["vid"]]}
            values = {}
            for number, value in item["av"].items():
                attribute = known.get(number) or {"aname": number}
                options, ticked = attribute.get("options") or {}, str(value).split(",")
                several = len(ticked) > 1 and options.keys() >= set(ticked)
                values[str(attribute["aname"])] = (
                    [options[one] for one in ticked] if several else options.get(value, value)
                )
            used |= set(values) if item["z"] and not item["xy"] else set()
            video = str(files[str(view["fid_list"][0])]["fname"])
            segments.append((place, video, list(item["z"]), list(item["xy"]), values))
        recordings: dict[str, tuple[str, dict]] = {
            str(file["fname"]): (f"{path}, file '{number}'", {}) for number, file in files.items()
        }
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise ValueError(f"{place} is not as VIA 3 writes it ({reprlib.repr(error)}); save the project there") from None
    return segments, recordings, sorted(used)


def _via_csv(path: Path) -> tuple[Segments, dict, list[str]]:
    lines = read_text(path).splitlines()
    header = next((re.match(r"# CSV_HEADER = (.*)", line) for line in lines if line.startswith("# CSV_HEADER")), None)
    if header is None:
        raise ValueError(f"{path} has no line '# CSV_HEADER = ...', as exports of VIA 3 have; export it there")
    names = header[1].strip().split(",")
    segments: Segments = []
    used: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        place = f"{path}, row {number}"
        try:
            row = dict(zip(names, next(csv.reader([line])), strict=False))
            if "temporal_segment_start" in row:
                times = [time for side in ("start", "end") if (time := row[f"temporal_segment_{side}"])]
            else:
                times = json.loads(row["temporal_coordinates"])
            spatial = json.loads(row.get("spatial_coordinates") or "[]")
            values = {str(name): value for name, value in json.loads(row["metadata"]).items()}
            segments.append((place, str(json.loads(row["file_list"])[0]), times, spatial, values))
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError, csv.Error) as error:
            raise ValueError(f"{place} is not as VIA 3 writes it ({reprlib.repr(error)}); export it there") from None
        used |= set(values) if times and not spatial else set()
    return segments, {}, sorted(used)


def read_labelstudio(path: Path) -> Table:
    """Regions in time of the tasks that Label Studio exports as JSON or JSON-MIN: of sound, video and time series.

    Ranges of frames, which count from 1 and hold their last frame, need a rate. Of several annotators, each is a tier.
    Where nobody has annotated any task, predictions are taken.
    """
    content = _cells_of_tasks(path) if path.suffix.lower() in (".csv", ".tsv") else read_json(path)
    tasks = content if isinstance(content, list) else [content]
    rows, where, videos = [], [], []
    told: set[str] = set()
    people: defaultdict[str, set[str]] = defaultdict(set)  # annotators of each task
    recordings: dict[str, tuple[str, dict]] = {}
    place = str(path)
    try:
        by_people = any(task.get("annotations") for task in tasks)
        for number, task in enumerate(tasks):
            place = f"{path}, task {task.get('id', number)}"
            data = task["data"] if isinstance(task.get("data"), dict) else task
            video = _media_of(data, task)
            rate = next((data[key] for key in ("fps", "framerate", "frame_rate") if key in data), None)
            facts: dict[str, Any] = {}
            results = _results(task, by_people, told)
            people[place] |= {who for who, _ in results}
            for who, regions in results:
                for region in regions:
                    if region.get("original_length"):
                        facts["duration"] = region["original_length"]
                for row in _region_rows(regions, told):
                    rows.append(row | {"tier": who} | ({"fps": rate} if rate and "start frame" in row else {}))
                    where.append(f"{place}, annotation {len(rows)}")
                    videos.append(video)
            recordings[video] = place, facts
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{place} is not as Label Studio exports it ({reprlib.repr(error)}); export JSON there"
        ) from None
    frame = pd.DataFrame(rows, dtype=object)
    kinds = [name for name in frame if name.startswith("start")]
    if len(kinds) > 1:
        raise ValueError(f"{path} tells times in several ways ({', '.join(kinds)}); export these projects one by one")
    frame = frame.where(frame.notna(), None) if len(frame) else frame
    frame = frame if any(len(who) > 1 for who in people.values()) else frame.drop(columns="tier", errors="ignore")
    changes = tuple(Change(str(path), one) for one in sorted(told))
    return Table(path, "labelstudio", frame, where, videos, True, recordings, changes)


def _cells_of_tasks(path: Path) -> list[dict]:
    """The rows of a table, which holds the same as JSON-MIN."""
    cells = read_csv_table(path).cells.to_dict("records")
    try:
        return [
            {key: json.loads(cell) if cell.startswith("[{") else cell for key, cell in row.items()} for row in cells
        ]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} has a cell that is no JSON ({error}); export JSON from Label Studio") from None


def _media_of(data: dict, task: dict) -> str:
    """The recording of a task, without what Label Studio writes before the name of a file that is uploaded."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    if "recording" in texts:
        return texts["recording"]
    name = next((text for text in texts.values() if MEDIA.search(text.split("?")[0])), "")
    name = name or next((text for text in texts.values() if "?d=" in text), "") or str(task.get("file_upload") or "")
    name = name or next(iter(texts.values()), "") or str(task["id"])
    name = unquote(re.split(r"[/\\]", re.sub(r"\?.*", "", name.rpartition("?d=")[2]))[-1])
    return re.sub(r"^[0-9a-f]{8}-(?=.)", "", name) if "/upload/" in str(texts) or task.get("file_upload") else name


def _results(task: dict, by_people: bool, told: set[str]) -> list[tuple[str, list[dict]]]:
    """(annotator, regions) of a task, in the form of JSON; `by_people`: somebody has annotated one of the tasks."""
    if "annotations" not in task and "predictions" not in task:  # JSON-MIN
        lists = [value for value in task.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        who = str(task.get("annotator", ""))
        return [(who, [{"value": item, "id": str(i)} for i, item in enumerate(items)]) for items in lists]
    given = [one for one in task.get("annotations") or [] if not one.get("was_cancelled")]
    if not given and task.get("predictions"):
        told.add(f"predictions are {'left out, as some tasks are' if by_people else 'taken, as nobody has'} annotated")
        given = [] if by_people else task["predictions"]
    found = []
    for one in given:
        who = one.get("completed_by", "")
        found.append((str(who.get("email") or who["id"]) if isinstance(who, dict) else str(who), one["result"]))
    return found


def _region_rows(regions: list[dict], told: set[str]) -> list[dict[str, Any]]:
    """The rows of one annotator's regions; items with the same id are one region."""
    by_id: defaultdict[str, list[dict]] = defaultdict(list)
    for place, region in enumerate(regions):
        by_id[str(region.get("id", place))].append(region)
    rows = []
    for items in by_id.values():
        texts = [(item.get("meta") or {}).get("text") for item in items]
        texts += [item["value"]["text"] for item in items if item.get("type") == "textarea"]
        notes = [note for text in texts for note in (text if isinstance(text, list) else [text]) if note]
        for value in (item["value"] for item in items):
            labels: list = next(
                (value[key] for key in value if key.endswith("labels") and isinstance(value[key], list)), []
            )
            times = _region_times(value)
            if labels and not times:
                told.add("regions that are not of time (boxes, text) are left out")
            rows += [time | {"label": str(label), "comment": "; ".join(notes)} for label in labels for time in times]
    return rows


def _region_times(value: dict) -> list[dict[str, Any]]:
    """Start and end of a region, in columns whose names tell the unit; none where it is no time."""
    if "ranges" in value:
        return [{"start frame": one["start"] - 1, "end frame": one.get("end")} for one in value["ranges"]]
    if "start" not in value or "text" in value or "sequence" in value:
        return []
    unit = "" if "timeserieslabels" in value else " [s]"
    return [{f"start{unit}": value["start"], f"end{unit}": value.get("end")}]
