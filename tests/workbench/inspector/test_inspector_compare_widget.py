"""The widget of several runs: what it shares, and how it answers its script."""

from dataclasses import replace

import numpy as np
import pytest
from test_inspector_compare import run

from afkit.workbench.inspector.show import compare_segments
from afkit.workbench.inspector.tracks import Tracks

pytest.importorskip("anywidget", reason="the widget is an extra")


def asked(widget, monkeypatch, **question):
    """What the widget sends as the answer to a question: facts and buffers."""
    sent = []
    monkeypatch.setattr(widget, "send", lambda content, buffers: sent.append((content, buffers)))
    widget._handle_custom_msg({"question": question, "id": "1"}, [])
    return sent[0]


def test_each_run_is_asked_for_its_own_segments(monkeypatch):
    widget = compare_segments([run("x"), run("y", predicted=2)], "b")
    assert widget.video == "b" and [one["title"] for one in widget.runs] == ["x", "y"]
    for number, label in enumerate((0, 2)):
        facts, (data,) = asked(widget, monkeypatch, track="segments", run=number, video="a", tiou=0.7)
        assert facts == {"answer": "1", "video": "a", "tiou": 0.7, "duration_sec": 30.0, "segments": 3}
        columns = np.frombuffer(data, "<f8", count=15).reshape(5, 3)
        assert columns[2][~np.isnan(columns[3])] == [label]
        assert len(data) == 3 * (5 * 8 + 3 * 4)


def test_tracks_are_those_of_the_run(monkeypatch):
    silent = Tracks(lambda video: (np.arange(2.0), np.zeros((2, 3))))
    widget = compare_segments([run("x"), run("y"), replace(run("z"), tracks=silent)])
    assert asked(widget, monkeypatch, track="curves", run=2, video="a")[0]["labels"] == []
    facts, data = asked(widget, monkeypatch, track="curves", run=1, video="a")
    assert facts["labels"] == [0, 1, 2] and list(data[0]) == [255] * 6
    assert asked(widget, monkeypatch, track="signal", run=0, video="a")[0]["error"].startswith("There is no sensor")


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="there is no video 'c' that all runs have"):
        compare_segments([run("x"), run("y")], "c")
    widget = compare_segments([run("x"), run("y")])
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        widget.tiou = 0


def test_a_picture_goes_with_the_widget():
    data, _ = compare_segments([run("x"), run("y")])._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data and "image/png" in data
