"""The widget's side of Python: what is sent, what is selected, and the picture that stands in."""

import base64
import importlib.util
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from afkit.data.annotations import read_annotations
from afkit.workbench.inspector import show as module
from afkit.workbench.inspector.inspected import Inspected

pytest.importorskip("anywidget", reason="the widget is an extra")
ENTRY = {"subset": "Test", "annotations": [{"segment": [0, 5], "label": "jump", "label_id": 0}]}
PNG = b"\x89PNG"


def inspected():
    rows = [("a", 0.0, 5.0, 0), ("b", 0.0, 5.0, 0), ("b", 10.0, 20.0, 1)]
    gt = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label"])
    predictions = gt.iloc[[0, 1]].assign(score=[0.9, 0.8], end_sec=[5.0, 7.0])
    return Inspected(gt, predictions, {0: "jump", 1: "throw"}, {"a": 30.0, "b": 30.0}, "run")


def test_the_video_with_most_errors_comes_first_and_another_is_sent_when_chosen():
    widget = module.inspect_segments(inspected())
    facts = {"video": "b", "tiou": 0.5, "duration_sec": 30.0, "segments": 3}
    assert widget.video == "b" and facts.items() <= widget.shown.items()
    assert len(widget.segments) == 3 * (5 * 8 + 3 * 4)
    widget.video = "a"
    assert widget.shown["video"] == "a" and widget.shown["segments"] == 2
    assert np.frombuffer(widget.segments, "<f8", count=10).reshape(5, 2)[1].tolist() == [5, 5]


def test_another_threshold_matches_again():
    widget = module.inspect_segments(inspected())
    assert widget.table()["kind"].tolist() == ["ground truth", "hit", "miss"]
    widget.tiou = 0.9
    assert widget.table()["kind"].tolist() == ["miss", "localisation", "miss"] and widget.shown["tiou"] == 0.9


def test_the_selection_is_a_table_that_can_be_observed():
    widget = module.inspect_segments(inspected())
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "selection")
    assert widget.selection.empty
    widget.picked = [1, 2]
    assert widget.selection["name"].tolist() == ["jump", "throw"]
    assert widget.selection["video"].tolist() == ["b", "b"] and widget.selection["score"].iloc[0] == 0.8
    assert seen[-1].equals(widget.selection)
    widget.tiou = 0.9
    assert widget.selection["kind"].tolist() == ["localisation", "miss"], "the same rows, judged again"
    widget.video = "a"
    assert widget.picked == [] and widget.selection.empty


def test_corrections_are_matched_again_and_come_out_as_tables(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"database": dict.fromkeys("ab", ENTRY)}))
    annotations = read_annotations(tmp_path / "old.json")
    widget = module.inspect_segments(replace(inspected(), annotations=annotations))
    seen, edits = [], widget.shown["edits"]
    widget.observe(lambda change: seen.append(change["new"]), "corrections")
    widget.corrections = {"b": [[10, 20, 1], [0, 7, 0]], "a": [[0, 5, 0]]}
    assert seen == [{"b": [[0.0, 7.0, 0], [10.0, 20.0, 1]]}], "by onset, and without what is as it was"
    assert widget.table()["tiou"].tolist() == [1, 1, 0] and widget.shown["original"] == [(0, 5, 0), (10, 20, 1)]
    assert np.frombuffer(widget.segments, "<f8", count=6)[3:].tolist() == [7, 7, 20]
    assert widget.shown["edits"] > edits, "or the browser would not hear of it"
    widget.tiou = 0.9
    assert widget.table()["kind"].tolist() == ["ground truth", "hit", "miss"]
    assert widget.annotations["end_sec"].tolist() == [5, 7, 20] and list(widget.annotations)[-1] == "name"
    widget.save_annotations(tmp_path / "new.json")
    assert read_annotations(tmp_path / "new.json").videos["b"].segments_sec.tolist() == [[0, 7], [10, 20]]
    with pytest.raises(ValueError, match="exists"):
        widget.save_annotations(tmp_path / "new.json")
    widget.corrections = {"b": []}
    assert widget.shown["segments"] == 1
    widget.corrections = {}
    assert widget.table()["end_sec"].tolist() == [5, 7, 20], "ground truth, prediction, ground truth"


def test_corrections_that_cannot_be_are_named():
    widget = module.inspect_segments(inspected())
    with pytest.raises(ValueError, match=r"lie within the video, from 0 to 30 s"):
        widget.corrections = {"b": [[0, 31, 0]]}
    assert widget.corrections == {}
    with pytest.raises(ValueError, match="no correction to save"):
        widget.save_annotations("new.json")


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="there is no video 'c' in run"):
        module.inspect_segments(inspected(), "c")
    widget = module.inspect_segments(inspected())
    with pytest.raises(ValueError, match="there is no video 'c' in run"):
        widget.video = "c"
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        widget.tiou = 0


def test_a_picture_goes_with_the_widget():
    data, _ = module.inspect_segments(inspected())._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]).startswith(PNG)


def test_without_anywidget_there_is_a_picture(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "anywidget" else find(name))
    figure = module.inspect_segments(inspected())
    assert isinstance(figure, Figure) and "b, tIoU 0.5" in figure.get_suptitle()
    assert "pip install anywidget" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no video 'c' in run"):
        module.inspect_segments(inspected(), "c")


def test_an_inspector_without_any_video_can_be_made():
    nothing = inspected()
    empty = Inspected(nothing.gt.iloc[:0], nothing.predictions.iloc[:0], {})
    widget = module.inspect_segments(empty)
    assert widget.video == "" and widget.segments == b""
