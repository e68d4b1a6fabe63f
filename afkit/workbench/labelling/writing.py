"""The annotation file that labelling makes: the old one with what the journal says."""

from pathlib import Path
from typing import Any

import pandas as pd

from afkit.files import write_json
from afkit.workbench.labelling.journal import Journal, Segment, torn_note
from afkit.workbench.labelling.labelled import COMMENT, Labelled
from afkit.workbench.own_data.corrected import check_new, corrected_content
from afkit.workbench.own_data.import_recordings import LABELLED


def write_labels(path: str | Path, labelled: Labelled) -> str:
    """Write a new annotation file from the old one and the journal; a sentence on what it holds.

    Recordings without a change are as they were; those that the old file lacks are added where they have a label or are
    done. States are kept as "state", comments as "comment".

    Raises:
        ValueError: the file exists or does not end in .json, there is no change, or a file that is read is unusable.
        OSError: the folder cannot be written to.
    """
    path, journal = Path(path), labelled.read_journal()
    check_new(path)
    if not journal.states:
        torn = torn_note(labelled.journal_path, journal)
        raise ValueError(f"{labelled.journal_path} holds no change; label something first{torn and f' ({torn})'}")
    ids = {name: label for label, name in labelled.inspected.label_names.items()}
    rows = [
        (recording, *segment[:2], ids[segment.label], segment.label, segment.comment)
        for recording, segments in journal.segments.items()
        for segment in segments
    ]
    table = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label", "name", COMMENT])
    content: dict[str, Any] = {"database": {}}
    known = labelled.inspected.annotations.videos if labelled.inspected.annotations else {}
    if labelled.inspected.annotations:
        changed = [recording for recording in journal.segments if recording in known]
        content = corrected_content(labelled.annotations, changed, table)
    database = content["database"]
    for recording, state in journal.states.items():
        segments = journal.segments.get(recording, [])
        if recording not in database:
            if not segments and state == "to do":
                continue
            database[recording] = _added(journal, recording, segments, ids)
        database[recording] = {**database[recording], "state": state}
    if not database:
        raise ValueError(f"{labelled.journal_path} has no label left, and no recording is done; label something first")
    write_json(path, content)
    torn = torn_note(labelled.journal_path, journal)
    return _summary(path, database, journal) + (f"; {torn}" if torn else "")


def _added(journal: Journal, recording: str, segments: list[Segment], ids: dict[str, int]) -> dict[str, Any]:
    """The entry of a recording that the old file lacks."""
    duration_sec = journal.durations_sec.get(recording)
    entries = [
        {"label": label, "segment": [start, end], "label_id": ids[label]} | ({COMMENT: comment} if comment else {})
        for start, end, label, comment in segments
    ]
    known = {} if duration_sec is None else {"duration": duration_sec}
    return {"subset": LABELLED} | known | {"annotations": entries}


def _summary(path: Path, database: dict[str, Any], journal: Journal) -> str:
    there = [recording for recording in journal.states if recording in database]
    open_ones = [name for name in there if journal.states[name] == "to do" and journal.segments.get(name)]
    labels = sum(len(journal.segments.get(recording, [])) for recording in there)
    text = f"{path}: {len(database)} recordings, {len(there)} of them labelled here, with {labels} labels"
    if open_ones:
        text += (
            f"; {len(open_ones)} of these are not marked as done ('{open_ones[0]}'): training takes what is not "
            "labelled in them for time without action"
        )
    return text
