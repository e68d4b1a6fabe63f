"""The widget in a real browser: its script against the widget of Python, joined by a model as JupyterLab has one."""

import base64
import json

import pytest
from pages import EVIL, PANEL, drag, few, many, press, settle, truths

from afkit.workbench.inspector.page import read_script, read_style

pytest.importorskip("anywidget", reason="the widget is an extra")
pytestmark = pytest.mark.slow
NAMES = ("info", "video", "tiou", "min_score", "top_k", "picked", "corrections", "segments", "shown")  # as sent
MODEL = """
const state = JSON.parse(await window.python("{}"));
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const listeners = {}, changed = {};
const model = {
  get: (name) => (name === "segments" ? bytes(state.segments) : state[name]),
  set(given, value) {
    const changes = typeof given === "string" ? {[given]: value} : given;
    Object.assign(state, changes);
    Object.assign(changed, changes);
  },
  async save_changes() {
    const sent = JSON.stringify(changed);
    Object.keys(changed).forEach((name) => delete changed[name]);
    const number = (window.numSent = (window.numSent ?? 0) + 1), answer = JSON.parse(await window.python(sent));
    await new Promise((go) => setTimeout(go, window.delayMs ?? 0));
    if (number !== window.numSent) delete answer.corrections; // a later one is on its way
    const news = Object.keys(answer).filter((name) => JSON.stringify(answer[name]) !== JSON.stringify(state[name]));
    Object.assign(state, answer);
    for (const name of news) (listeners[`change:${name}`] ?? []).forEach((call) => call());
  },
  on: (event, call) => (listeners[event] ??= []).push(call),
  off: () => {},
  send: () => {},
};
window.model = model;
const url = URL.createObjectURL(new Blob([SCRIPT], {type: "text/javascript"}));
const el = document.createElement("div");
document.body.append(el);
(await import(url)).default.render({model, el});
el.firstChild.id = "inspector";
"""


@pytest.fixture
def shown(opened_file, tmp_path):
    """A function that shows the widget of some tables, and gives the page and the widget."""
    from afkit.workbench.inspector.widget import Inspector

    def show(inspected, width=1200):
        widget = Inspector(inspected)

        def answer(changes):
            for name, value in json.loads(changes).items():
                setattr(widget, name, value)
            state = widget.get_state(NAMES)
            return json.dumps(state | {"segments": base64.b64encode(state["segments"]).decode()})

        (tmp_path / "empty.html").write_text("<!DOCTYPE html><title>widget</title>")
        page = opened_file(tmp_path / "empty.html", width)
        page.expose_function("python", answer)
        page.add_style_tag(content=read_style())
        page.evaluate(f"async (SCRIPT) => {{ {MODEL} }}", read_script())
        settle(page)
        return page, widget

    return show


def rows_of(widget):
    """(start_sec, end_sec, label id) of the corrected ground truth of the shown video."""
    return [[start, end, label] for start, end, label in widget.corrections.get(widget.video, [])]


def test_edits_reach_python_and_are_matched_there(shown):
    page, widget = shown(few())
    press(page, "e", ".", "]", "ArrowRight", "ArrowRight", "Shift+ArrowRight")
    drag(page, 1, 60, 65)
    assert rows_of(widget) == truths(page) and truths(page)[0] == [10, 31.2, 0]
    kinds = page.evaluate(f"[...{PANEL}.scene.segments.kind]")
    assert kinds == widget._match()["kind"].tolist()
    assert page.inner_text("[data-role=corrected]") == "2 corrections in this video (◤), 1 video corrected"
    assert widget.selection["start_sec"].tolist() == [truths(page)[1][0]], "the moved segment stays selected"
    press(page, "Control+z", "Control+z", "Control+z", "Control+z")
    settle(page)
    assert widget.corrections == {} and truths(page) == [[10, 30, 0], [50, 70, 1]]
    assert page.locator("[data-role=save]").is_hidden(), "Python saves"


def test_quick_edits_are_not_undone_by_late_answers(shown):
    page, widget = shown(few())
    press(page, "e", ".", "m")
    page.evaluate(
        "for (let i = 0; i < 20; i++) document.querySelector('.scroller canvas')"
        ".dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))"
    )
    settle(page)
    assert truths(page)[0] == pytest.approx([12, 32, 0])
    assert rows_of(widget) == truths(page)


def test_an_answer_that_comes_late_is_not_shown(shown):
    page, _ = shown(few())
    press(page, "e", ".", "m")
    start = page.evaluate(
        f"""() => new Promise((tell) => {{
          window.delayMs = 300;
          const canvas = document.querySelector(".scroller canvas");
          const press = () => canvas.dispatchEvent(new KeyboardEvent("keydown", {{key: "ArrowRight"}}));
          press();
          setTimeout(press, 200);
          setTimeout(() => tell({PANEL}.scene.segments.start[0]), 420);
        }})"""
    )
    assert start == 10.2, "as the two keys left it; the answer to the first one says 10.1"


def test_corrections_set_in_python_are_shown(shown):
    page, widget = shown(few())
    widget.corrections = {"v": [[1, 2, 7]]}
    page.evaluate("window.model.save_changes()")
    settle(page)
    assert truths(page) == [[1, 2, 7]]
    widget.corrections = {}
    page.evaluate("window.model.save_changes()")
    settle(page)
    assert truths(page) == [[10, 30, 0], [50, 70, 1]]


def test_an_edited_video_is_edited_when_it_is_shown_again(shown):
    page, widget = shown(many(2, 3))
    first = widget.video
    other = ({"video0", "video1"} - {first}).pop()
    press(page, "e", ".", "Delete")
    rows = truths(page)
    page.select_option("[data-role=video]", other)
    settle(page)
    assert len(truths(page)) == 10 and len(rows) == 9
    page.select_option("[data-role=video]", first)
    settle(page)
    assert truths(page) == rows and EVIL in widget.annotations["name"].tolist()
    assert page.evaluate(f"{PANEL}.scene.segments.edited.length") == 0, "only one was deleted"
