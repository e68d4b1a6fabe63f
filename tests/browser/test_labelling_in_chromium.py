"""Labelling in a real browser: by keys, with a journal, through a killed kernel and page."""

import os
import urllib.request
from dataclasses import replace

import psutil
import pytest
from media_files import write_film
from pages import PANEL, click, drag, eventually, few, panel_of, place, press, said, settle, truths
from test_servers_in_chromium import START_MS, serving

from afkit.files import write_json
from afkit.workbench.labelling.journal import header_of, read_journal
from afkit.workbench.labelling.labelled import collect_labelled
from afkit.workbench.labelling.session import Session
from afkit.workbench.labelling.turns import hold_for_ever

pytest.importorskip("anywidget", reason="the widget is an extra")
pytestmark = pytest.mark.slow
CLASSES = ["walk", "sit", "jump"]


@pytest.fixture
def labelling(shown, tmp_path, monkeypatch):
    """A function that shows a widget for labelling, with predictions, and a stand-in for Jupyter."""
    from afkit.workbench.labelling.widget import Labeller

    monkeypatch.chdir(tmp_path)
    truth = [{"segment": [10, 30], "label": "walk", "label_id": 0, "comment": "limps"}]
    truth.append({"segment": [50, 70], "label": "sit", "label_id": 1})
    write_json(
        tmp_path / "labels.json",
        {"database": {name: {"subset": "a", "duration": 100, "annotations": truth} for name in "vw"}},
    )

    def show(predicted=()):
        labelled = collect_labelled([], CLASSES, "labels.json")
        if predicted:
            predictions = few(predicted=predicted).predictions
            labelled = replace(labelled, inspected=replace(labelled.inspected, predictions=predictions))
        widget = Labeller(labelled, Session(labelled, hold_for_ever(labelled.journal_path)[0]))
        return shown(widget), widget

    return show


def journal(tmp_path):
    path = tmp_path / "labels.json"
    return read_journal(tmp_path / "labels.journal.jsonl", header_of(path))


def at(page, seconds):
    """Let the cursor be at a time."""
    page.evaluate(f"{PANEL}.set({{ cursorSec: {seconds} }})")


def test_all_of_labelling_by_keys_and_a_full_disk(labelling, tmp_path, monkeypatch):
    page, widget = labelling([(52, 68, 2, 0.9), (80, 90, 0, 0.6), (92, 95, 1, 0.3)])
    assert page.locator(".edits").is_visible(), "it begins with editing"
    press(page, "2")
    at(page, 40)
    press(page, "i")
    at(page, 45.5)
    press(page, "o", "c")
    page.fill("[data-role=asked]", "slowly")
    page.keyboard.press("Enter")
    assert truths(page) == [[10, 30, 0], [40, 45.5, 1], [50, 70, 1]]
    press(page, "g")
    assert truths(page)[1] == [40, 70, 1]
    at(page, 60)
    press(page, "b")
    assert truths(page)[1:] == [[40, 60, 1], [60, 70, 1]]
    click(page, 2, 60)
    press(page, "x")
    assert truths(page)[1:] == [[40, 60, 1], [52, 68, 2]], "a wrong label is corrected, not doubled"
    press(page, "A")
    page.fill("[data-role=asked]", "0.5")
    assert page.inner_text("[data-role=ok]") == "accept 1"
    page.keyboard.press("Enter")
    assert truths(page)[3] == [80, 90, 0]
    press(page, "/")
    page.keyboard.type("Leap")
    page.keyboard.press("Enter")
    settle(page)
    assert truths(page)[3] == [80, 90, 3], "the selected annotation gets the new class"
    press(page, "Escape", "t", "/")
    page.keyboard.type("Hop")
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator("thead th").all_inner_texts() == [*CLASSES, "Leap", "Hop", "missed"]
    assert page.locator("[data-role=label] option").all_inner_texts()[3:] == ["4 Leap", "5 Hop"]
    assert page.locator(".classes label").all_text_contents() == [*CLASSES, "Leap", "Hop"]
    click(page, 3, 85)
    press(page, "u")
    settle(page)
    kept = journal(tmp_path)
    assert [segment.label for segment in kept.segments["v"]] == ["walk", "sit", "jump", "Leap"]
    assert [segment.comment for segment in kept.segments["v"]] == ["limps", "slowly", "slowly", ""]
    assert kept.states == {"v": "unsure"} and len(kept.undo) == 7
    drag(page, 0, 30, 39.6)
    assert truths(page)[0] == [10, 40, 0], "an end stops at its neighbour's"

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        press(page, "j", "Delete")
        eventually(page, lambda: "1 change is NOT SAVED" in page.inner_text("[data-role=alarm]"))
        assert "No space left on device" in page.inner_text("[data-role=alarm]")
    eventually(page, lambda: page.locator("[data-role=alarm]").is_hidden())
    assert len(journal(tmp_path).segments["v"]) == 3 == len(widget.corrections["v"])


def test_undo_goes_on_where_an_earlier_page_ended_and_an_older_page_only_looks(labelling, tmp_path):
    older, _ = labelling()
    assert "limps" in panel_of(older, "p.scene.segments.comment.join()")
    assert panel_of(older, "[...p.scene.shown]") == [0, 0], "without predictions nothing was missed"
    assert older.inner_text("[data-role=count]") == "2 annotations of 2 classes"
    press(older, "l", "n", "n", "n")
    settle(older)
    assert older.inner_text("[data-role=listed]") == "3 of 4 listed" and panel_of(older, "p.state.video") == "w"
    press(older, "l", "p")
    settle(older)
    press(older, "Escape")
    press(older, "j", "Delete", "Control+z", "3")
    settle(older)
    newer, _ = labelling()
    assert truths(newer)[0] == [10, 30, 2]
    press(newer, "Control+z")
    assert truths(newer)[0] == [10, 30, 0]
    press(newer, "Control+Shift+z")
    settle(newer)
    press(older, "j", "1")
    eventually(older, lambda: "opened later" in older.inner_text("[data-role=alarm]"))
    assert "1 change is not kept" in older.inner_text("[data-role=alarm]") and older.locator(".edits").is_hidden()
    press(older, "e")
    assert "reload this page" in said(older)
    assert [segment.label for segment in journal(tmp_path).segments["v"]] == ["jump", "sit"]


def test_what_was_begun_or_held_or_asked_goes_to_nothing_else(labelling, tmp_path):
    page, _ = labelling()
    press(page, "Escape")
    at(page, 40)
    press(page, "i")
    panel_of(page, "p.showVideo('w')")
    at(page, 45)
    press(page, "o")
    assert "Set the start first" in said(page) and len(truths(page)) == 2, "it was begun in another recording"
    press(page, "j", "Delete")
    for key, left in (("Control+z", [[10, 30, 0], [50, 70, 1]]), ("Delete", [[50, 70, 1]])):
        press(page, "Escape", "j")
        if key == "Control+z":
            click(page, 1, 60)
        page.mouse.move(*place(page, 69.9, 1))
        page.mouse.down()
        page.mouse.move(*place(page, 80, 1))
        press(page, key)
        page.mouse.move(*place(page, 85, 1))
        page.mouse.up()
        settle(page)
        assert truths(page) == left, key
    press(page, "Control+z", "Escape", "j")
    page.evaluate("jupyter.late = []")
    press(page, "/")
    page.keyboard.type("Leap")
    page.keyboard.press("Enter")
    press(page, "j")
    page.evaluate("(({ late }) => (jupyter.late = null, late.forEach((go) => go())))(jupyter)")
    eventually(page, lambda: "“Leap” was added" in said(page))
    assert truths(page) == [[10, 30, 0], [50, 70, 1]] and not journal(tmp_path).segments.get("v")


SHOWN = "document.querySelector('.afkit-inspector')?.inspector?.scene.segments"
ON_PAGE = "document.querySelector('.afkit-inspector').inspector"


def opened_at(window, address):
    """The page of a server, when its inspector is there."""
    window.goto(address, wait_until="commit", timeout=START_MS)
    window.wait_for_selector("[data-role=count]", timeout=START_MS)
    eventually(window, lambda: window.evaluate(f"Boolean({SHOWN})"))


def kernels():
    """Those that our servers have started."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if "ipykernel_launcher" in " ".join(process.cmdline())]


def kept_of(folder):
    journal = read_journal(folder / "labels.journal.jsonl", header_of(folder / "labels.json", exists=False))
    return {name: [list(segment[:3]) for segment in segments] for name, segments in journal.segments.items()}


def test_labels_survive_a_killed_kernel_and_page_and_films_come_in_ranges(browser, tmp_path):
    pytest.importorskip("voila", reason="an extra")
    write_film(tmp_path / "film 1.webm", codec="libvpx-vp9", rate="5", length_sec=8)
    log = tmp_path / "afkit.log"
    command = ("afkit", "label", "film 1.webm", "--labels", "walk,sit")
    with serving(tmp_path, *command), browser.new_context() as context:
        window = context.new_page()
        address = log.read_text().split("open ")[1].split()[0]
        ranges = []
        window.on("request", lambda request: "/media/" in request.url and ranges.append(request.headers.get("range")))
        opened_at(window, address)
        eventually(window, lambda: window.evaluate("document.querySelector('video')?.duration > 7"))
        for key, seconds in ((".", 0.2), (".", 0.4), (",", 0.2)):  # a step is a frame, however long it lasts
            window.keyboard.press(key)
            eventually(window, lambda sec=seconds: window.evaluate(f"{ON_PAGE}.state.cursorSec") == sec)
        for keys, seconds in (("2i", 1), ("o", 3)):
            window.evaluate(f"{ON_PAGE}.set({{ cursorSec: {seconds} }})")
            for key in keys:
                window.keyboard.press(key)
        eventually(window, lambda: kept_of(tmp_path) == {"film 1": [[1, 3, "sit"]]})
        window.keyboard.press("1")
        eventually(window, lambda: kept_of(tmp_path) == {"film 1": [[1, 3, "walk"]]})
        for kernel in kernels():
            kernel.kill()
        window.keyboard.press("2")
        eventually(window, lambda: "NOT SAVED: afkit does not answer" in window.inner_text("[data-role=alarm]"))
        window.on("dialog", lambda dialog: dialog.accept())
        opened_at(window, address)
        window.keyboard.press("Control+z")
        eventually(window, lambda: kept_of(tmp_path) == {"film 1": [[1, 3, "sit"]]})
        assert any(ranges), "the film is asked for in ranges"

        stranger = address.split("?")[0] + "media/film%201"
        with urllib.request.urlopen(stranger, timeout=60) as answer:
            assert "webm" not in answer.headers["Content-Type"], "nobody gets the film without the token"
