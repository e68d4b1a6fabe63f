"""The journal of labelling: each change of a recording as a line of JSON, on the disk before the page calls it kept.

The first line names the annotation file and its sha256. Each other line holds a recording as it is after a change: its
segments, its state, and whether the change was an edit or took one back. So the last line of a recording counts, and
all lines together are the history that undo goes through.
"""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from afkit.files import name_in
from afkit.opening import open_to_write, read_bytes
from afkit.workbench.runs.opened import sha256_of

ENDING = ".journal.jsonl"
STATES = ("to do", "done", "unsure")
STEPS = ("edit", "undo", "redo", "state")
MOST_UNDONE = 200  # edits that can be taken back


class Segment(NamedTuple):
    """A label of a recording."""

    start_sec: float
    end_sec: float
    label: str
    comment: str = ""


class Edit(NamedTuple):
    """What an edit made of a recording."""

    recording: str
    before: list[Segment] | None  # None: as the annotation file has them
    after: list[Segment]


@dataclass
class Journal:
    """What a journal says."""

    segments: dict[str, list[Segment]] = field(default_factory=dict)  # of each recording with a change, by onset
    states: dict[str, str] = field(default_factory=dict)  # one of STATES; without one: to do
    durations_sec: dict[str, float] = field(default_factory=dict)  # as far as known
    labels: list[str] = field(default_factory=list)  # names that were given, or added
    undo: list[Edit] = field(default_factory=list)  # the last comes first to be taken back
    redo: list[Edit] = field(default_factory=list)
    torn: int = 0  # lines that a crash or a full disk cut off


def journal_of(annotations: Path) -> Path:
    """The journal beside an annotation file: labels.journal.jsonl beside labels.json."""
    return annotations.with_name(annotations.name.removesuffix(".json") + ENDING)


def header_of(annotations: Path, exists: bool = True) -> dict[str, Any]:
    """The first line of the journal of an annotation file, or of labels that begin without one."""
    return {"journal": 1, "annotations": annotations.name, "sha256": sha256_of(annotations) if exists else None}


def read_journal(path: Path, header: dict[str, Any]) -> Journal:
    """Read a journal, an empty one where there is none.

    Lines that are cut off are counted and left out; all others count.

    Raises:
        ValueError: it is of another annotation file than `header` says, has lost its first line, or a whole line is not
            of a journal.
        OSError: the file cannot be read.
    """
    journal = Journal()
    if not path.exists():
        return journal
    begun, lines = False, read_bytes(path).split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            journal.torn += bool(line.strip())
            continue
        except RecursionError:  # lists in lists
            entry = None
        if not begun:
            _check_header(path, entry, header)
            begun = True
            continue
        try:
            _apply(journal, entry)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise ValueError(
                f"{path}, line {number}: this is no change of a recording as a journal holds it; remove the line"
            ) from None
    if not begun and journal.torn and len(lines) > 1:  # a crash cuts off no more than one line
        _check_header(path, None, header)
    return journal


def torn_note(path: Path, journal: Journal) -> str:
    """A sentence on the lines that were cut off; "" where there are none."""
    if not journal.torn:
        return ""
    lines = "a line of {} was" if journal.torn == 1 else f"{journal.torn} lines of {{}} were"
    return f"{lines.format(path.name)} cut off by a crash or a full disk, and left out; all others count"


def _check_header(path: Path, entry: Any, header: dict[str, Any]) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("sha256", 0), str | None) or "annotations" not in entry:
        raise ValueError(
            f"{path} does not begin with the line that names its annotation file; if it is that of "
            f"{header['annotations']}, put {json.dumps(header, ensure_ascii=False)} there, else move it away"
        )
    if entry["sha256"] == header["sha256"]:
        return
    name, away = header["annotations"], f"or move {path.name} away to begin anew"
    if entry["sha256"] is None:
        raise ValueError(
            f"{path} is the journal of labels that began without {name}; go on without naming that file, {away}"
        )
    if header["sha256"] is None:
        raise ValueError(f"{path} is the journal of the annotation file {entry['annotations']}; name that one, {away}")
    raise ValueError(
        f"{path} is not the journal of {name} as it is now (sha256 {header['sha256'][:8]}, not "
        f"{entry['sha256'][:8]}); restore the file that was labelled, {away}"
    )


def _apply(journal: Journal, entry: dict[str, Any]) -> None:
    if "labels" in entry:
        journal.labels += [str(name) for name in entry["labels"] if name not in journal.labels]
        return
    name, step = str(entry["recording"]), entry["step"]
    if entry["state"] not in STATES or step not in STEPS:
        raise ValueError("no such state or step")
    journal.states[name] = entry["state"]
    if entry.get("duration"):
        journal.durations_sec[name] = _length(entry["duration"])
    if entry["segments"] is None:
        return
    after = [_segment(*row) for row in entry["segments"]]
    before = journal.segments.get(name)
    journal.segments[name] = after
    if step == "edit":
        journal.undo = [*journal.undo, Edit(name, before, after)][-MOST_UNDONE:]
        journal.redo = []
    elif step in ("undo", "redo"):
        taken, other = (journal.undo, journal.redo) if step == "undo" else (journal.redo, journal.undo)
        if taken:
            other.append(taken.pop())


def _length(duration_sec: float) -> float:
    if not 0 < duration_sec < math.inf:
        raise ValueError("no duration")
    return float(duration_sec)


def _segment(start: float, end: float, label: str, *comment: str) -> Segment:
    if not 0 <= start < end < math.inf:
        raise ValueError("no segment")
    return Segment(float(start), float(end), str(label), "".join(comment))


def line_of(
    recording: str, segments: list[Segment] | None, state: str, step: str, duration_sec: float | None = None
) -> dict[str, Any]:
    """A recording after a change, as a line of the journal; without segments where none were ever changed."""
    rows: list[list[Any]] | None = None
    if segments is not None:
        rows = [list(segment if segment.comment else segment[:3]) for segment in segments]
    line = {"recording": recording, "step": step, "state": state, "segments": rows}
    return line | ({} if duration_sec is None else {"duration": duration_sec})


def append_line(path: Path, entry: dict[str, Any], header: dict[str, Any]) -> None:
    """Append a line to a journal, begun with its header where there is none, and wait until it is on the disk.

    After an error the file is as it was; where the system cannot even cut off what it had written of the line, the next
    one begins on a line of its own.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    file = open_to_write(path)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        begin = "\n" if size and os.pread(file, 1, size - 1) != b"\n" else ""
        if not size or (begin and b"\n" not in os.pread(file, size, 0)):  # a crash may have cut off the header
            begin += json.dumps(header, ensure_ascii=False) + "\n"
        data = (begin + json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n").encode()
        try:
            while data:
                data = data[os.write(file, data) :]
            os.fsync(file)
        except OSError as error:
            os.ftruncate(file, size)
            name_in(error, path)
            raise
    finally:
        os.close(file)
