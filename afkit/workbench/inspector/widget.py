"""The inspector as a widget of JupyterLab and its kin. It needs anywidget (the extra "inspect")."""

import base64
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
    corrected_gt,
    original_segments,
    save_corrected,
)
from afkit.workbench.inspector.inspected import (
    KINDS,
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

SELECTION = ["video", "start_sec", "end_sec", "label", "name", "score", "kind", "tiou"]


class Inspector(anywidget.AnyWidget):
    """Ground truth and predictions of a run on a timeline, one video at a time.

    What each segment is at a threshold is computed here, for the chosen video only, and kept.

    Args:
        video: id of the first video; "" for the one with the most errors.

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
    info = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    segments = traitlets.Bytes().tag(sync=True)
    video = traitlets.Unicode().tag(sync=True)
    tiou = traitlets.Float(0.5).tag(sync=True)
    min_score = traitlets.Float(0.0).tag(sync=True)
    top_k = traitlets.Int(0, min=0).tag(sync=True)
    picked = traitlets.List(traitlets.Int()).tag(sync=True)
    corrections = traitlets.Dict().tag(sync=True)
    selection = traitlets.Instance(pd.DataFrame)

    def __init__(self, inspected: Inspected, video: str = "", tiou: float = 0.5, min_score: float = 0.2):
        check_tious([tiou])
        self.inspected, self._edits = inspected, 0
        self._listed: dict[str, pd.DataFrame] = {}
        self._matched: dict[tuple[str, float], pd.DataFrame] = {}
        info = describe(inspected, list(TIOUS), tiou, min_score)
        worst = max(info["videos"], key=lambda entry: entry["errors"], default={"video": ""})["video"]
        super().__init__(info=info, video=video or worst, tiou=tiou, min_score=min_score, selection=self._select([]))
        answer_questions(self, self._read_track)
        self._show()

    def table(self) -> pd.DataFrame:
        """All segments of the shown video by onset, with kind and tiou, in the columns of `selection`."""
        return self._select(range(len(self._list())))

    @property
    def annotations(self) -> pd.DataFrame:
        """See the class; computed at each call."""
        return apply_corrections(self.inspected, self.corrections)

    def save_annotations(self, path: str | Path) -> None:
        """Write a new annotation file with the corrections; all that was not edited is as in the old one.

        Args:
            path: the new file, ends in .json.

        Raises:
            ValueError: there is no correction, the file exists, or the old one is missing or not known.
            OSError: the folder cannot be written to.
        """
        save_corrected(path, self.inspected, self.corrections)

    @traitlets.validate("video")
    def _known_video(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in {*self.inspected.videos, ""}:
            raise ValueError(f"there is no video '{proposal['value']}' in {self.inspected.title or 'this inspector'}")
        return proposal["value"]

    @traitlets.validate("tiou")
    def _usable_tiou(self, proposal: dict[str, Any]) -> float:
        check_tious([proposal["value"]])
        return proposal["value"]

    @traitlets.validate("corrections")
    def _usable_corrections(self, proposal: dict[str, Any]) -> Corrections:
        return check_corrections(self.inspected, proposal["value"])

    @traitlets.observe("corrections")
    def _correct(self, change: dict[str, Any]) -> None:
        self._listed, self._matched, self._edits = {}, {}, self._edits + 1
        self._show()

    @traitlets.observe("video", "tiou")
    def _show(self, change: Any = None) -> None:
        """Send the segments of the chosen video. `shown` says what they are, and goes with them."""
        if not self.info or self.shown == (shown := self._describe_shown()):
            return
        other = self.shown.get("video") != self.video
        packed = pack_facts(self._list(), self.inspected.labels) + pack_matching(self._match())
        with self.hold_sync():
            self.set_trait("segments", packed)
            self.set_trait("shown", shown)
        self.picked = [] if other else self.picked
        self.selection = self._select(self.picked)

    @traitlets.observe("picked")
    def _pick(self, change: dict[str, Any]) -> None:
        self.selection = self._select(change["new"])

    def _read_track(self, question: dict[str, Any]) -> Track:
        return read_track(self.inspected.tracks, self.inspected.labels, question["track"], question["video"])

    def _describe_shown(self) -> dict[str, Any]:
        """`original` is the ground truth before its corrections; `edits` makes two states of one video differ."""
        facts = {"video": self.video, "tiou": self.tiou, "duration_sec": self.inspected.duration_sec(self.video)}
        original = original_segments(self.inspected, self.video)
        return facts | {"segments": len(self._list()), "original": original, "edits": self._edits}

    def _list(self) -> pd.DataFrame:
        if self.video not in self._listed:
            gt, predictions = self.inspected.of_video(self.video)
            if self.video in self.corrections:
                gt = corrected_gt(self.video, self.corrections[self.video])
            self._listed[self.video] = list_segments(gt, predictions)
        return self._listed[self.video]

    def _match(self) -> pd.DataFrame:
        key = self.video, self.tiou
        if key not in self._matched:
            self._matched[key] = match_listed(self._list(), self.tiou)
        return self._matched[key]

    def _select(self, rows: Any) -> pd.DataFrame:
        rows = [row for row in rows if row < len(self._list())] if len(rows) else []
        if not rows:
            return pd.DataFrame(columns=SELECTION)
        names = dict(zip(self.inspected.labels.tolist(), self.inspected.names(), strict=True))
        matching = self._match().iloc[rows].assign(kind=lambda table: [KINDS[kind] for kind in table["kind"]])
        table = self._list().iloc[rows].join(matching).assign(video=self.video)
        return table.assign(name=table["label"].map(names))[SELECTION]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        """The widget, and a picture for where no kernel is behind it: a notebook that is opened again."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = picture_png(self.inspected, self.video, self.tiou, self.min_score)
        return data | {"image/png": base64.b64encode(png).decode()}, metadata
