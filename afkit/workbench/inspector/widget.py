"""The inspector as a widget of JupyterLab and its kin. It needs anywidget (the extra "inspect")."""

import base64
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from afkit.evaluation.scores import check_tious
from afkit.workbench.inspector.corrections import (
    Corrections,
    apply_corrections,
    check_corrections,
    corrected_file,
    corrected_gt,
    save_corrected,
)
from afkit.workbench.inspector.inspected import (
    KINDS,
    Inspected,
    describe,
    first_score,
    list_segments,
    match_listed,
    pack_run,
)
from afkit.workbench.inspector.page import TIOUS, read_script, read_style
from afkit.workbench.inspector.picture import picture_png
from afkit.workbench.inspector.tracks import Track, read_track

SELECTION = ["video", "start_sec", "end_sec", "label", "name", "score", "kind", "tiou"]


class Inspector(anywidget.AnyWidget):
    """Ground truth and predictions of a run on a timeline, one video at a time; of several runs one above the other.

    Its script gets all segments at once, and computes itself what each of them is at a threshold. Selection,
    corrections and tables are those of the first run; where there are several, none can be selected or corrected.

    Args:
        inspected: a run, or several as `afkit.workbench.inspector.comparison.make_comparable` gives them.
        video: id of the first video; "" for the one with the most errors of the first run.

    Attributes:
        video, tiou, min_score, top_k: what the controls show; can be set and observed. top_k 0 stands for all.
        selection: DataFrame video, start_sec, end_sec, label (id), name, score (NaN: ground truth), kind (one of
            workbench.inspector.inspected.KINDS, at the threshold, all predictions counted) and tiou, a row for each
            selected segment; observable: `inspector.observe(function, "selection")`.
        corrections: video -> all its segments as edited, each start_sec, end_sec, label id; can be set and observed.
        annotations: the ground truth of all videos with these corrections: DataFrame video, start_sec, end_sec,
            label (id), name.

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
    picked = traitlets.List(traitlets.Int()).tag(sync=True)
    corrections = traitlets.Dict().tag(sync=True)
    selection = traitlets.Instance(pd.DataFrame)

    def __init__(
        self,
        inspected: Inspected | Sequence[Inspected],
        video: str = "",
        tiou: float = 0.5,
        min_score: float | None = None,
    ):
        check_tious([tiou])
        self.compared = [inspected] if isinstance(inspected, Inspected) else list(inspected)
        self.inspected = self.compared[0]
        min_score = first_score(self.inspected, min_score)
        self._listed, self._matched = functools.cache(self._list), functools.cache(self._match)
        infos = [describe(run, list(TIOUS), tiou, min_score) for run in self.compared]
        worst = max(infos[0]["videos"], key=lambda entry: entry["errors"], default={"video": ""})["video"]
        super().__init__(runs=infos, video=video or worst, tiou=tiou, min_score=min_score, selection=self._select([]))
        self.on_msg(self._answer)

    def table(self) -> pd.DataFrame:
        """All segments of the shown video by onset, with kind and tiou, in the columns of `selection`."""
        return self._select(range(len(self._listed(self.video))))

    @property
    def annotations(self) -> pd.DataFrame:
        """See the class; computed at each call."""
        return apply_corrections(self.inspected, self.corrections)

    def save_annotations(self, path: str | Path) -> None:
        """Write a new annotation file (.json) with the corrections; all that was not edited is as in the old one.

        Raises:
            ValueError: there is no correction, the file exists, or the old one is missing or not known.
            OSError: the folder cannot be written to.
        """
        save_corrected(path, self.inspected, self.corrections)

    @traitlets.validate("video")
    def _known_video(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in {*self.inspected.videos, ""}:
            where = (
                f"in {self.inspected.title or 'this inspector'}" if len(self.compared) == 1 else "that all runs have"
            )
            raise ValueError(f"there is no video '{proposal['value']}' {where}")
        return proposal["value"]

    @traitlets.validate("tiou")
    def _usable_tiou(self, proposal: dict[str, Any]) -> float:
        check_tious([proposal["value"]])
        return proposal["value"]

    @traitlets.validate("corrections")
    def _usable_corrections(self, proposal: dict[str, Any]) -> Corrections:
        return check_corrections(self.inspected, proposal["value"])

    @traitlets.observe("video", "tiou", "corrections", "picked")
    def _reselect(self, change: dict[str, Any]) -> None:
        if change["name"] == "corrections":
            self._listed.cache_clear()
            self._matched.cache_clear()
        if change["name"] == "video":
            self.picked = []
        self.selection = self._select(self.picked)

    def _list(self, video: str) -> pd.DataFrame:
        gt, predictions = self.inspected.of_video(video)
        if video in self.corrections:
            gt = corrected_gt(video, self.corrections[video])
        return list_segments(gt, predictions)

    def _match(self, video: str, tiou: float) -> pd.DataFrame:
        return match_listed(self._listed(video), tiou)

    def _select(self, rows: Sequence[int]) -> pd.DataFrame:
        rows = [row for row in rows if row < len(self._listed(self.video))]
        if not rows:
            return pd.DataFrame(columns=SELECTION)
        names = dict(zip(self.inspected.labels.tolist(), self.inspected.names(), strict=True))
        matching = self._matched(self.video, self.tiou).iloc[rows]
        matching = matching.assign(kind=[KINDS[kind] for kind in matching["kind"]])
        table = self._listed(self.video).iloc[rows].join(matching).assign(video=self.video)
        return table.assign(name=table["label"].map(names))[SELECTION]

    def _answer(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        """Answer what the script asks (`askByMessages` of browser/src/kernel.js) by a message with its number."""
        if "question" in content:
            facts, data = self._answer_of(**content["question"])
            self.send(facts | {"answer": content["id"]}, data)

    def _answer_of(self, run: int, track: str, video: str = "") -> Track:
        """All segments of a run (`pack_run`), corrections, those as a file ("save"), or a track of a video."""
        inspected = self.compared[run]
        if track == "corrections":
            return {"corrections": self.corrections}, []
        if track == "save":
            try:
                content = corrected_file(self.inspected, self.corrections)
                return {"text": json.dumps(content, indent=2, ensure_ascii=False)}, []
            except (ValueError, OSError) as error:
                return {"error": f"Nothing was saved: {error}."}, []
        if track == "segments":
            return {}, [pack_run(inspected)]
        return read_track(inspected.tracks, inspected.labels, track, video)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        """The widget, and a picture of the first run for where no kernel is behind it: a notebook that is reopened."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = picture_png(self.inspected, self.video, self.tiou, self.min_score)
        title = self.inspected.title if len(self.compared) == 1 else ""
        shown = {"title": title, "tiou": self.tiou, "min_score": self.min_score}  # for pages that are made of it
        return data | {"image/png": base64.b64encode(png).decode()}, metadata | {"afkit_inspector": shown}
