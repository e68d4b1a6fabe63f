"""Annotations as tables and projects of BORIS, Raven, VIA 3, Label Studio and Audacity, and as CSV."""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from afkit.workbench.own_data.export_tiers import Labelled, Row, tiers_of
from afkit.workbench.own_data.import_tools import NOBODY

SOUND = re.compile(r"\.(wav|mp3|flac|ogg|m4a|aac|aiff?)$", re.IGNORECASE)
RAVEN_HIGH_HZ = 8000  # of the boxes that Raven draws; annotations know no frequency


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]], separator: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def _time(seconds: float) -> str:
    """Seconds with at least three decimals, and at most six."""
    text = f"{seconds:.6f}"
    return text[:-3] if text.endswith("000") else text


_OF_OBSERVATION = (
    "Observation id",
    "Observation type",
    "Media duration (s)",
    "Subject",
    "Behavior",
    "Behavioral category",
)


def _observed(one: Labelled, subject: str, row: Row) -> list[Any]:
    """Cells of an event of BORIS that START, STOP and aggregated events have in common."""
    lasts = "NA" if one.duration_sec is None else _time(one.duration_sec)
    return [
        one.name,
        "Media file",
        lasts,
        f"{NOBODY}{subject}" if subject[:2] in ("", " [") else subject,
        row.label,
        "",
    ]


def write_boris(recordings: Sequence[Labelled]) -> str:
    """Tabular events: a START and a STOP for each annotation; tiers are subjects, also those that overlaps need."""
    events = []
    for one in recordings:
        own = []
        for place, (subject, row) in enumerate(_by_subject(one)):
            cells, film = _observed(one, subject, row), one.media or one.name
            own.append((row.start_sec, 1, place, [*cells, "START", _time(row.start_sec), film, row.comment]))
            own.append((row.end_sec, 0, place, [*cells, "STOP", _time(row.end_sec), film, ""]))
        events += [cells for *_, cells in sorted(own)]
    return _table([*_OF_OBSERVATION, "Behavior type", "Time", "Media file name", "Comment"], events)


def write_boris_aggregated(recordings: Sequence[Labelled]) -> str:
    """Aggregated events: a row for each annotation."""
    rows = [
        [
            *_observed(one, subject, row),
            "STATE",
            _time(row.start_sec),
            _time(row.end_sec),
            _time(row.end_sec - row.start_sec),
            one.media or one.name,
            row.comment,
            "",
        ]
        for one in recordings
        for subject, row in _by_subject(one)
    ]
    names = [
        "Behavior type",
        "Start (s)",
        "Stop (s)",
        "Duration (s)",
        "Media file name",
        "Comment start",
        "Comment stop",
    ]
    return _table([*_OF_OBSERVATION, *names], rows)


def _by_subject(one: Labelled) -> list[tuple[str, Row]]:
    """(subject, annotation) by time; annotations of a label that overlap have subjects of their own."""
    labels = sorted({row.label for row in one.rows})
    pairs = [
        (subject, row)
        for label in labels
        for subject, rows in tiers_of([row for row in one.rows if row.label == label], by_label=False).items()
        for row in rows
    ]
    return sorted(pairs, key=lambda pair: pair[1][:2])


def write_raven(recordings: Sequence[Labelled]) -> str:
    """The selection table of one recording; tiers and scores are columns where there are any."""
    (one,) = recordings
    tiered = any(row.tier for row in one.rows)
    scored = any(row.score is not None for row in one.rows)
    names = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
    names += ["Begin File", "Annotation", "Comment", *["Tier"] * tiered, *["Score"] * scored]
    rows = []
    for number, row in enumerate(one.rows, 1):
        cells = [number, "Spectrogram 1", 1, _time(row.start_sec), _time(row.end_sec), 0, RAVEN_HIGH_HZ]
        film = Path(one.media).name or one.name
        rows.append([*cells, film, row.label, row.comment, *[row.tier] * tiered, *[row.score] * scored])
    return _table(names, rows, "\t")


def write_via(recordings: Sequence[Labelled]) -> str:
    """A project of VIA 3: the labels are options of its temporal segments, and comments are texts of theirs."""
    labels = sorted({row.label for one in recordings for row in one.rows})
    options = {label: str(place) for place, label in enumerate(labels)}
    text = {"anchor_id": "FILE1_Z2_XY0", "type": 1, "desc": "", "options": {}, "default_option_id": ""}
    segment: dict[str, Any] = {
        "aname": "TEMPORAL-SEGMENTS",
        "type": 4,
        "options": {place: label for label, place in options.items()},
    }
    films = {str(place): one for place, one in enumerate(recordings, 1)}
    project: dict[str, Any] = {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "pname": "afkit",
        "data_format_version": "3.1.1",
    }
    project |= {"rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__", "creator": "afkit", "vid_list": list(films)}
    metadata = {
        f"{vid}_{place:08d}": {
            "vid": vid,
            "flg": 0,
            "z": [round(row.start_sec, 6), round(row.end_sec, 6)],
            "xy": [],
            "av": {"1": options[row.label]} | ({"2": row.comment} if row.comment else {}),
        }
        for vid, one in films.items()
        for place, row in enumerate(one.rows)
    }
    content = {
        "project": project,
        "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}},
        "attribute": {"1": text | segment, "2": text | {"aname": "comment"}},
        "file": {
            vid: {
                "fid": vid,
                "fname": Path(one.media).name or one.name,
                "type": 8 if SOUND.search(one.media) else 4,
                "loc": 3 if one.media else 1,
                "src": one.media,
            }
            for vid, one in films.items()
        },
        "metadata": metadata,
        "view": {vid: {"fid_list": [vid]} for vid in films},
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def write_labelstudio(recordings: Sequence[Labelled]) -> str:
    """Tasks with regions in seconds, of <Labels name="label" toName="audio">; those with scores are predictions."""
    tasks = []
    for number, one in enumerate(recordings, 1):
        regions = []
        for place, row in enumerate(one.rows):
            value = {
                "start": round(row.start_sec, 6),
                "end": round(row.end_sec, 6),
                "channel": 0,
                "labels": [row.label],
            }
            region: dict[str, Any] = {
                "id": f"{number}-{place}",
                "type": "labels",
                "from_name": "label",
                "to_name": "audio",
                "value": value,
            }
            region |= {} if one.duration_sec is None else {"original_length": one.duration_sec}
            region |= {"meta": {"text": [row.comment]}} if row.comment else {}
            regions.append(region | ({} if row.score is None else {"score": row.score}))
        kind = "predictions" if any(row.score is not None for row in one.rows) else "annotations"
        task: dict[str, Any] = {"id": number, "data": {"audio": one.media or one.name, "recording": one.name}}
        tasks.append(task | {"annotations": [], "predictions": []} | {kind: [{"result": regions}]})
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def write_audacity(recordings: Sequence[Labelled]) -> str:
    """The label track of one recording."""
    return "".join(f"{row.start_sec:.6f}\t{row.end_sec:.6f}\t{row.label}\n" for one in recordings for row in one.rows)


def write_csv(recordings: Sequence[Labelled]) -> str:
    """As the tables of detections, with a row for each recording without annotation."""
    remarks = [
        name for name in ("comment", "tier") if any(getattr(row, name) for one in recordings for row in one.rows)
    ]
    rows = []
    for one in recordings:
        for row in one.rows:
            cells = [one.name, round(row.start_sec, 6), round(row.end_sec, 6), row.label_id, row.label]
            rows.append([*cells, *(getattr(row, name) for name in remarks)])
        if not one.rows:
            rows.append([one.name, *[""] * (4 + len(remarks))])
    return _table(["video", "start_sec", "end_sec", "label", "name", *remarks], rows)
