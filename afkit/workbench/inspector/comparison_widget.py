"""Several runs above each other as one widget. It needs anywidget (the extra "inspect")."""

import base64
import functools
from collections.abc import Sequence
from typing import Any

import anywidget
import pandas as pd
import traitlets

from afkit.evaluation.scores import check_tious
from afkit.workbench.inspector.inspected import (
    Inspected,
    describe,
    list_segments,
    match_listed,
    pack_facts,
    pack_matching,
)
from afkit.workbench.inspector.page import TIOUS, read_script, read_style
from afkit.workbench.inspector.picture import picture_png
from afkit.workbench.inspector.tracks import Track, answer_questions, read_track


class Comparison(anywidget.AnyWidget):
    """Ground truth and predictions of several runs, one above the other, one video at a time.

    Args:
        compared: as `afkit.workbench.inspector.comparison.make_comparable` gives them.
        video: id of the first video; "" for the one with the most errors of the first run.

    Attributes:
        video, tiou, min_score, top_k: what the controls show, of all runs; can be set and observed. top_k 0 stands
            for all.

    Raises:
        ValueError: an unknown video, an unusable threshold, or a number in the tables that is not finite.
    """

    _esm = read_script()
    _css = read_style()
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    video = traitlets.Unicode().tag(sync=True)
    tiou = traitlets.Float(0.5).tag(sync=True)
    min_score = traitlets.Float(0.0).tag(sync=True)
    top_k = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(self, compared: Sequence[Inspected], video: str = "", tiou: float = 0.5, min_score: float = 0.2):
        check_tious([tiou])
        self.compared, self._listed = list(compared), functools.cache(self._list)
        infos = [describe(run, list(TIOUS), tiou, min_score) for run in self.compared]
        worst = max(infos[0]["videos"], key=lambda entry: entry["errors"])["video"]
        super().__init__(runs=infos, video=video or worst, tiou=tiou, min_score=min_score)
        answer_questions(self, self._answer)

    @traitlets.validate("video")
    def _known_video(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.compared[0].videos:
            raise ValueError(f"there is no video '{proposal['value']}' that all runs have")
        return proposal["value"]

    @traitlets.validate("tiou")
    def _usable_tiou(self, proposal: dict[str, Any]) -> float:
        check_tious([proposal["value"]])
        return proposal["value"]

    def _list(self, run: int, video: str) -> pd.DataFrame:
        return list_segments(*self.compared[run].of_video(video))

    def _answer(self, question: dict[str, Any]) -> Track:
        """Segments of a run's video and what they are at a threshold, or a track of it."""
        inspected, video = self.compared[question["run"]], question["video"]
        if question["track"] != "segments":
            return read_track(inspected.tracks, inspected.labels, question["track"], video)
        segments, tiou = self._listed(question["run"], video), question["tiou"]
        facts = {"video": video, "tiou": tiou, "duration_sec": inspected.duration_sec(video), "segments": len(segments)}
        return facts, [pack_facts(segments, inspected.labels) + pack_matching(match_listed(segments, tiou))]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        """The widget, and a picture of the first run for where no kernel is behind it."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = picture_png(self.compared[0], self.video, self.tiou, self.min_score)
        return data | {"image/png": base64.b64encode(png).decode()}, metadata
