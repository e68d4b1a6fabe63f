"""The widget's side of Python: how it answers its script, what is selected, and the picture that stands in."""

import base64
import importlib.util
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_inspector_compare import run

from afkit.data.annotations import read_annotations
from afkit.workbench.inspector.inspected import Inspected, pack_run
from afkit.workbench.inspector.show import compare_segments, inspect_segments
from afkit.workbench.inspector.tracks import Tracks

pytest.importorskip("anywidget", reason="the widget is an extra")
ENTRY = {"subset": "Test", "annotations": [{"segment": [0, 5], "label": "jump", "label_id": 0}]}


def inspected():
    rows = [("a", 0.0, 5.0, 0), ("b", 0.0, 5.0, 0), ("b", 10.0, 20.0, 1)]
    gt = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label"])
    predictions = gt.iloc[[0, 1]].assign(score=[0.9, 0.8], end_sec=[5.0, 7.0])
    return Inspected(gt, predictions, {0: "jump", 1: "throw"}, {"a": 30.0, "b": 30.0}, "run")


@pytest.fixture
def asked(monkeypatch):
    """A function that asks a widget as its script does; the answer's facts and buffers."""

    def ask(widget, **question):
        sent = []
        monkeypatch.setattr(widget, "send", lambda content, buffers: sent.append((content, buffers)))
        widget._handle_custom_msg({"event": "click"}, [])
        widget._handle_custom_msg({"question": {"run": 0} | question, "id": "7"}, [])
        ((facts, data),) = sent
        assert facts.pop("answer") == "7"
        return facts, data

    return ask


def test_all_segments_of_a_run_are_given_at_once(asked):
    widget = inspect_segments(inspected())
    assert widget.video == "b", "with most errors"
    facts, (data,) = asked(widget, track="segments")
    assert facts == {} and data == pack_run(widget.inspected)
    assert np.frombuffer(data, "<f8").reshape(5, 5)[1].tolist() == [5, 5, 5, 7, 20], "of a, then of b"


def test_the_selection_is_a_table_that_can_be_observed():
    widget = inspect_segments(inspected())
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "selection")
    assert widget.selection.empty and widget.table()["kind"].tolist() == ["ground truth", "hit", "miss"]
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
    widget = inspect_segments(replace(inspected(), annotations=read_annotations(tmp_path / "old.json")))
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "corrections")
    widget.table()
    widget.corrections = {"b": [[10, 20, 1], [0, 7, 0]], "a": [[0, 5, 0]]}
    assert seen == [{"b": [[0.0, 7.0, 0], [10.0, 20.0, 1]]}], "by onset, and without what is as it was"
    assert widget.table()["tiou"].tolist() == [1, 1, 0] and widget.table()["end_sec"].tolist() == [7, 7, 20]
    widget.tiou = 0.9
    assert widget.table()["kind"].tolist() == ["ground truth", "hit", "miss"]
    assert widget.annotations["end_sec"].tolist() == [5, 7, 20] and list(widget.annotations)[-1] == "name"
    widget.save_annotations(tmp_path / "new.json")
    assert read_annotations(tmp_path / "new.json").videos["b"].segments_sec.tolist() == [[0, 7], [10, 20]]
    with pytest.raises(ValueError, match="exists"):
        widget.save_annotations(tmp_path / "new.json")
    widget.corrections = {"b": []}
    assert len(widget.table()) == 1
    widget.corrections = {}
    assert widget.table()["end_sec"].tolist() == [5, 7, 20], "ground truth, prediction, ground truth"


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="there is no video 'c' in run"):
        inspect_segments(inspected(), "c")
    widget = inspect_segments(inspected())
    for name, value, message in (
        ("video", "c", "there is no video 'c' in run"),
        ("tiou", 0, "above 0 and at most 1"),
        ("corrections", {"b": [[0, 31, 0]]}, "lie within the video, from 0 to 30 s"),
    ):
        with pytest.raises(ValueError, match=message):
            setattr(widget, name, value)
    with pytest.raises(ValueError, match="no correction to save"):
        widget.save_annotations("new.json")
    with pytest.raises(ValueError, match="there is no video 'c' that all runs have"):
        compare_segments([run("x"), run("y")], "c")


def test_each_of_several_runs_is_asked_for_its_own_segments_and_tracks(asked):
    silent = Tracks(lambda video: (np.arange(2.0), np.zeros((2, 3))))
    widget = compare_segments([run("x"), run("y", predicted=2), replace(run("z"), tracks=silent)], "b")
    assert widget.video == "b" and [one["title"] for one in widget.runs] == ["x", "y", "z"]
    for number, label in enumerate((0, 2)):
        columns = np.frombuffer(asked(widget, track="segments", run=number)[1][0], "<f8").reshape(5, 6)
        assert columns[2][~np.isnan(columns[3])].tolist() == [label] * 2
    assert asked(widget, track="curves", run=2, video="a")[0]["labels"] == []
    facts, data = asked(widget, track="curves", run=1, video="a")
    assert facts["labels"] == [0, 1, 2] and list(data[0]) == [255] * 6
    assert asked(widget, track="signal", video="a")[0]["error"].startswith("There is no sensor")


@pytest.mark.parametrize(
    "show", [lambda: inspect_segments(inspected()), lambda: compare_segments([run("x"), run("y")])]
)
def test_a_picture_goes_with_the_widget(show):
    data, _ = show()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_without_anywidget_there_is_a_picture(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "anywidget" else find(name))
    for figure in (inspect_segments(inspected()), compare_segments([run("x"), run("y")], "b")):
        assert isinstance(figure, Figure) and figure.get_suptitle() == "b, tIoU 0.5"
    assert capsys.readouterr().out.count("pip install anywidget") == 2
    with pytest.raises(ValueError, match="there is no video 'c' in run"):
        inspect_segments(inspected(), "c")


def test_an_inspector_without_any_video_can_be_made():
    nothing = inspected()
    assert inspect_segments(Inspected(nothing.gt.iloc[:0], nothing.predictions.iloc[:0], {})).video == ""
