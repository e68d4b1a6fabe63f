"""Widgets in a real browser: their script against those of Python, with a stand-in for Jupyter between the two."""

from dataclasses import replace

import numpy as np
import pytest
from pages import (
    CANVAS,
    EVIL,
    counted,
    drag,
    eventually,
    few,
    many,
    panel_of,
    panels,
    press,
    settle,
    shown_rows,
    truths,
    view_of,
)

from afkit.data.annotations import read_annotations
from afkit.files import read_json, write_json
from afkit.workbench.inspector.inspected import KINDS, list_segments
from afkit.workbench.inspector.show import compare_segments, inspect_segments
from afkit.workbench.inspector.tracks import Tracks

pytest.importorskip("anywidget", reason="the widget is an extra")
pytestmark = pytest.mark.slow


def rows_of(widget):
    """(start_sec, end_sec, label id) of the corrected ground truth of the shown video."""
    return [[start, end, label] for start, end, label in widget.corrections.get(widget.video, [])]


def set_in_python(page, widget, **values):
    """As a cell of a notebook does, and Jupyter tells the browser."""
    for name, value in values.items():
        setattr(widget, name, value)
    page.evaluate("jupyter.model.save_changes()")
    settle(page)


def test_edits_reach_python_and_are_matched_there(shown):
    widget = inspect_segments(few())
    page = shown(widget)
    press(page, "e", "j", "]", "ArrowRight", "ArrowRight", "Shift+ArrowRight")
    drag(page, 1, 60, 65)
    assert rows_of(widget) == truths(page) and truths(page)[0] == [10, 31.2, 0]
    assert panel_of(page, "[...p.scene.segments.kind]") == [KINDS.index(kind) for kind in widget.table()["kind"]]
    assert page.inner_text("[data-role=corrected]") == "2 corrections in this video (◤), 1 video corrected"
    assert widget.selection["start_sec"].tolist() == [truths(page)[1][0]], "the moved segment stays selected"
    press(page, *["Control+z"] * 4)
    settle(page)
    assert widget.corrections == {} and truths(page) == [[10, 30, 0], [50, 70, 1]]


def test_corrections_are_saved_from_the_page_as_nobody_does_in_python_behind_view(shown, tmp_path):
    entries = [
        {"segment": [s, e], "label": f"l{k}", "label_id": k, "note": 1} for s, e, k in ((10, 30, 0), (50, 70, 1))
    ]
    videos = {name: {"subset": "a", "duration": 100, "annotations": entries} for name in ("v", "other")}
    write_json(tmp_path / "old.json", {"database": videos})
    widget = inspect_segments(replace(few(), annotations=read_annotations(tmp_path / "old.json")))
    page, questions = shown(widget), []
    page.on("dialog", lambda dialog: (questions.append(dialog.type), dialog.dismiss()))
    press(page, "e", "j", "Delete")
    page.evaluate("location.reload()")
    eventually(page, lambda: questions == ["beforeunload"])
    with page.expect_download() as download:
        page.click("[data-role=save]")
    download.value.save_as(tmp_path / "new.json")
    database = read_json(tmp_path / "new.json")["database"]
    assert database == videos | {"v": videos["v"] | {"annotations": entries[1:]}}
    (tmp_path / "old.json").unlink()
    press(page, "Control+z", "k", "Delete")
    page.click("[data-role=save]")
    eventually(page, lambda: "Nothing was saved: " in page.inner_text("[data-role=said]"))


def test_quick_edits_are_not_undone_by_late_answers(shown):
    widget = inspect_segments(few())
    page = shown(widget)
    press(page, "e", "j", "m")
    page.evaluate("jupyter.late = []")
    page.evaluate(
        "for (let i = 0; i < 20; i++) document.querySelector('.scroller canvas')"
        ".dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))"
    )
    while page.evaluate("jupyter.pending"):
        eventually(page, lambda: page.evaluate("jupyter.late.length > 0"))
        page.evaluate("jupyter.late.shift()()")
        assert truths(page)[0] == pytest.approx([12, 32, 0]), "as the keys left it; the first answers say 10.1, 10.2"
    assert rows_of(widget) == truths(page)


def test_corrections_set_in_python_are_shown(shown):
    widget = inspect_segments(few())
    page = shown(widget)
    set_in_python(page, widget, corrections={"v": [[1, 2, 7]]})
    assert truths(page) == [[1, 2, 7]]
    set_in_python(page, widget, corrections={})
    assert truths(page) == [[10, 30, 0], [50, 70, 1]]


def test_an_edited_video_is_edited_when_it_is_shown_again(shown):
    widget = inspect_segments(many(2, 3))
    page = shown(widget)
    first = widget.video
    (other,) = {"video0", "video1"} - {first}
    press(page, "e", "j", "Delete")
    rows = truths(page)
    page.select_option("[data-role=video]", other)
    settle(page)
    assert len(truths(page)) == 10 and len(rows) == 9
    page.select_option("[data-role=video]", first)
    settle(page)
    assert truths(page) == rows and EVIL in widget.annotations["name"].tolist()
    assert panel_of(page, "p.scene.segments.edited.length") == 0, "only one was deleted"


def flat(video):
    return np.arange(201.0), np.tile([0.25, 0.5, 0.75], (201, 1))


def test_curves_are_computed_when_they_are_asked_for(shown, tmp_path):
    (tmp_path / "video0.mp4").write_bytes(b"no film")
    asked = []
    curves = lambda video: asked.append(video) or flat(video)  # noqa: E731
    page = shown(inspect_segments(replace(many(2), tracks=Tracks(curves, None, tmp_path)), "video1"))
    assert asked == [] and "has no file of the video 'video1'" in page.inner_text("[data-role=film-said]")
    page.check("[data-role=track-curves]")
    settle(page)
    assert asked == ["video1"] and page.locator("[data-role=curve]").is_visible()
    page.select_option("[data-role=video]", "video0")
    settle(page)
    assert asked == ["video1", "video0"]
    assert page.get_attribute("[data-role=curve]", "aria-label") == "Score of class 2 over time, threshold 0.20"
    # its bytes were sent
    eventually(page, lambda: "'video0.mp4' cannot be played" in page.inner_text("[data-role=film-said]"))


def test_an_answer_that_comes_late_is_not_drawn_for_another_video(shown):
    curves = lambda video: (np.arange(9.0), np.eye(3)[[int(video[-1])] * 9])  # noqa: E731  video1: class 1
    page = shown(inspect_segments(replace(many(3), tracks=Tracks(curves)), "video0"))
    page.check("[data-role=track-curves]")
    settle(page)
    page.evaluate("jupyter.late = []")
    for video in ("video1", "video2"):
        page.select_option("[data-role=video]", video)
        eventually(page, lambda: page.evaluate("jupyter.late.length === jupyter.pending"))
    page.evaluate("() => { const late = jupyter.late.reverse(); jupyter.late = null; late.forEach((go) => go()); }")
    settle(page)
    assert panel_of(page, "p.state.video") == "video2"
    assert "Score of class 2" in page.get_attribute("[data-role=curve]", "aria-label")


def test_a_comparison_shows_what_python_and_its_controls_say(shown):
    first = replace(many(2), tracks=Tracks(curves=flat))
    second = replace(first, predictions=first.predictions.iloc[::3])
    widget = compare_segments([first, second], "video0", min_score=0.4)
    page = shown(widget)
    expected = [int(shown_rows(list_segments(*run.of_video("video0")), 0.4).sum()) for run in (first, second)]
    counts = [int(text.split()[0]) for text in page.locator("[data-role=count]").all_inner_texts()]
    assert counts == expected and expected[1] < expected[0]
    page.select_option("[data-role=video] >> nth=0", "video1")
    page.locator("[data-role=score]").nth(0).fill("0.7")
    page.check("[data-role=track-curves] >> nth=0")
    settle(page)
    assert panels(page, "[p.state.video, p.state.minScore, p.tracks.drawn?.name]") == [["video1", 0.7, "class 2"]] * 2
    assert (widget.video, widget.min_score) == ("video1", 0.7)
    page.locator(".scroller canvas").nth(1).press("+")  # the second one leads
    set_in_python(page, widget, video="video0", tiou=0.3)
    assert panels(page, "[p.state.video, p.state.tiou]") == [["video0", 0.3]] * 2


def test_settings_made_in_python_are_shown(shown):
    inspected = many(2)
    widget = inspect_segments(inspected)
    page = shown(widget)
    set_in_python(page, widget, video="video1", tiou=0.7, min_score=0.6, top_k=5)
    assert panel_of(page, "[p.state.video, p.state.tiou, p.state.minScore, p.state.topK]") == ["video1", 0.7, 0.6, 5]
    assert counted(page) == shown_rows(list_segments(*inspected.of_video("video1")), 0.6, 5).sum()
    press(page, "n")
    settle(page)
    assert widget.selection["video"].tolist() == ["video1"]


def test_keys_are_the_inspectors_while_the_pointer_is_over_it_but_never_while_somebody_types(shown):
    page = shown(inspect_segments(few()))
    cells = "<div id=cell tabindex=-1>a cell</div><textarea id=code></textarea>"
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', {cells!r})")
    focused = "document.activeElement.id || document.activeElement.tagName"

    def over():
        page.locator(CANVAS).scroll_into_view_if_needed()
        box = page.locator(CANVAS).bounding_box()
        page.mouse.move(box["x"] + 300, box["y"] + 60)
        page.mouse.move(box["x"] + 320, box["y"] + 60)
        return box

    page.focus("#cell")
    page.keyboard.press("+")
    assert view_of(page) == (0, 100), "a notebook's own keys stay its own"
    box = over()
    page.keyboard.press("+")
    assert view_of(page)[1] - view_of(page)[0] == 50
    page.mouse.move(box["x"] + 300, 1e4)
    assert page.evaluate(focused) == "cell", "the notebook has its keys back"
    page.focus("#code")
    over()
    page.keyboard.type("0n")
    assert page.input_value("#code") == "0n" and view_of(page)[1] - view_of(page)[0] == 50
    page.focus("#cell")
    over()
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(box["x"] + 300, 1e4)
    assert page.evaluate(focused) == "CANVAS", "a click lets them stay"
