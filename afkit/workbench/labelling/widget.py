"""The inspector for labelling, as a widget: changes go to the journal, and the page hears whether they are kept."""

from dataclasses import replace
from typing import Any

import traitlets

from afkit.workbench.inspector.tracks import Track
from afkit.workbench.inspector.widget import Inspector
from afkit.workbench.labelling.labelled import Labelled
from afkit.workbench.labelling.session import Rows, Session


class Labeller(Inspector):
    """An `Inspector` whose corrections are kept in the journal of a `Session`, each as it is made.

    Args:
        labelled: what is labelled.
        session: the page.
        address: below which a server gives films and sounds; "": the kernel sends them.

    Attributes:
        labelling: what the page begins with, see `Session.begin`.
        corrections: as of `Inspector`, and only to be read: they come from the page.
    """

    labelling = traitlets.Dict().tag(sync=True)
    corrections = traitlets.Dict()  # of each change, the page tells one recording

    def __init__(self, labelled: Labelled, session: Session, address: str = ""):
        tracks = replace(labelled.inspected.tracks, address=address)
        first = next((video for video in labelled.inspected.videos), "")
        undone = (name for name in labelled.inspected.videos if session.journal.states.get(name, "to do") == "to do")
        super().__init__(replace(labelled.inspected, tracks=tracks), next(undone, first))
        self.session, self.labelling = session, session.begin()
        self.corrections.update({video: _plain(rows) for video, rows in self.labelling["segments"].items()})

    def _answer_of(self, run: int, track: str, video: str = "", **change: Any) -> Track:
        if track == "keep":
            return self._keep(video, **change), []
        if track == "label":
            return self._add_label(**change), []
        if track == "turn":
            return {"read_only": self.session.why_not()}, []
        return super()._answer_of(run, track, video)

    def _keep(self, video: str, segments: Rows | None, state: str, step: str) -> dict[str, Any]:
        answer = self.session.keep(self.inspected, video, segments, state, step)
        if not answer and segments is not None:
            self.corrections[video] = _plain(segments)  # without telling the page, which knows
            self._listed.cache_clear()
            self._matched.cache_clear()
        return answer

    def _add_label(self, name: str) -> dict[str, Any]:
        answer = self.session.add_label(name)
        if "label_id" in answer:
            self.inspected = replace(self.inspected, label_names=dict(self.session.names))
            self.compared = [self.inspected]
        return answer


def _plain(rows: Rows) -> Rows:
    """Segments without their comments."""
    return [row[:3] for row in rows]
