"""A page on which somebody labels: what it begins with, and how each change is kept before the next."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from afkit.workbench.inspector.corrections import check_corrections
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.labelling.journal import STATES, STEPS, Edit, Segment, append_line, line_of
from afkit.workbench.labelling.labelled import Labelled
from afkit.workbench.labelling.turns import Turn

Rows = list[list[Any]]  # of segments: start_sec, end_sec, label id, comment
# {} for what is kept; else a sentence: "error" where it may be kept later, "refused", "read_only"
Answer = dict[str, Any]
LONGEST_LABEL = 200


class Session:
    """A page of what is labelled.

    Args:
        labelled: what is labelled.
        turns: file of turns (see `afkit.workbench.labelling.turns`), whose turn this page takes; None: it only looks.
        read_only: why it only looks; "" where it may write.

    Attributes:
        names: {label id: name}, with those that were added on the page.
        journal: what the journal said when the page was opened.

    Raises:
        ValueError, OSError: the journal cannot be read.
    """

    def __init__(self, labelled: Labelled, turns: Path | None = None, read_only: str = ""):
        self.labelled, self.read_only = labelled, read_only
        self.names = dict(labelled.inspected.label_names)
        self.turn = Turn(turns) if turns else None
        if self.turn is None:
            self.journal = labelled.read_journal()
            return
        with self.turn.taken():
            self.journal = labelled.read_journal()
            news = [name for name in labelled.labels if name not in self.journal.labels]
            if news:
                with suppress(OSError):  # the first change will say so
                    self._append({"labels": news})

    def begin(self) -> dict[str, Any]:
        """What the page begins with, ready for JSON."""
        ids, journal = {name: label for label, name in self.names.items()}, self.journal

        def rows(segments: list[Segment] | None) -> Rows | None:
            return None if segments is None else [[s[0], s[1], ids[s.label], s.comment] for s in segments]

        def edits(several: list[Edit]) -> list[Any]:
            return [[edit.recording, rows(edit.before), rows(edit.after)] for edit in several]

        return {
            "journal": self.labelled.journal_path.name,
            "read_only": self.read_only,
            "states": journal.states,
            "segments": {recording: rows(segments) for recording, segments in journal.segments.items()},
            "comments": self.labelled.comments,
            "undo": edits(journal.undo),
            "redo": edits(journal.redo),
        }

    def keep(self, inspected: Inspected, video: str, segments: Rows | None, state: str, step: str) -> Answer:
        """Keep a recording after a change: it is in the journal, on the disk, when this is done.

        Args:
            inspected: with the classes that there are by now.
            video: the recording.
            segments: all its segments; None where none were ever changed, and this is about its state.
            state: one of STATES.
            step: one of STEPS.
        """
        try:
            if state not in STATES or step not in STEPS:
                raise ValueError(f"'{state}' is no state, or '{step}' no step, of a recording")
            kept = None
            if segments is not None:
                check_corrections(inspected, {video: [row[:3] for row in segments]})
                kept = [Segment(row[0], row[1], self.names[row[2]], *map(str, row[3:4])) for row in sorted(segments)]
            duration_sec = inspected.durations_sec.get(video)
            return self._append_in_turn(line_of(video, kept, state, step, duration_sec))
        except (ValueError, TypeError, KeyError) as error:
            return {"refused": str(error)}

    def add_label(self, name: str) -> Answer:
        """A new class; {"label_id"} of it, or of the one that has this name already."""
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_LABEL or not name.isprintable():
            return {"error": f"a class has a name of 1 to {LONGEST_LABEL} letters"}
        for label, known in self.names.items():
            if known == name and label >= 0:
                return {"label_id": label}
        answer = self._append_in_turn({"labels": [name]})
        if not answer:
            answer["label_id"] = max(self.names, default=-1) + 1
            self.names[answer["label_id"]] = name
        return answer

    def why_not(self) -> str:
        """Why this page may not write; "" where it may."""
        if self.turn is None:
            return self.read_only
        with self.turn.writing() as reason:
            return reason

    def _append_in_turn(self, line: dict[str, Any]) -> Answer:
        if self.turn is None:
            return {"read_only": self.read_only}
        try:
            with self.turn.writing() as reason:
                if reason:
                    return {"read_only": reason}
                self._append(line)
        except OSError as error:
            return {"error": f"{error.filename or self.labelled.journal_path}: {error.strerror or error}"}
        return {}

    def _append(self, line: dict[str, Any]) -> None:
        append_line(self.labelled.journal_path, line, self.labelled.header)
