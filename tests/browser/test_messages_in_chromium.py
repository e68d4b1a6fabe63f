"""The widgets' script with a stand-in for Jupyter between it and Python: messages go both ways, as with a kernel."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from pages import CANVAS, WAIT_MS, many, settle, shown_rows

from afkit.workbench.inspector.inspected import list_segments
from afkit.workbench.inspector.page import read_script, read_style
from afkit.workbench.inspector.show import compare_segments, inspect_segments
from afkit.workbench.inspector.tracks import Tracks

pytest.importorskip("anywidget", reason="the widget is an extra")
pytestmark = pytest.mark.slow
MODEL = """
const calls = {}, bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const state = {};
window.apply = (changes) => {
  const opened = ([key, value]) => [key, value?.base64 === undefined ? value : bytes(value.base64)];
  const entries = Object.entries(changes).map(opened);
  const different = entries.filter(([key, value]) => JSON.stringify(state[key]) !== JSON.stringify(value));
  Object.assign(state, Object.fromEntries(entries));
  for (const [key] of different) (calls[`change:${key}`] ?? []).forEach((call) => call());
};
window.delays = []; // ms of the next answers
window.tell = (content, data) => (calls["msg:custom"] ?? []).forEach((call) => call(content, data.map(bytes)));
let unsaved = {};
window.model = {
  get: (name) => state[name],
  set(changes, value) {
    if (typeof changes === "string") changes = { [changes]: value };
    Object.assign(unsaved, changes);
    window.apply(changes);
  },
  async save_changes() {
    const changes = unsaved;
    unsaved = {};
    window.apply(await window.python_set(changes));
  },
  async send(content) {
    const delay = window.delays.shift() ?? 0, answer = await window.python_ask(content);
    setTimeout(() => window.tell(...answer), delay);
  },
  on: (name, call) => (calls[name] ??= []).push(call),
  off: (name, call) => (calls[name] = calls[name].filter((one) => one !== call)),
};
"""


@pytest.fixture
def shown(browser):
    """A function that shows a widget of ours; nothing may go wrong in the browser."""
    complaints, pages = [], []

    def show(widget):
        def ask(content):
            sent = []
            widget.send = lambda facts, buffers: sent.append((facts, buffers))
            widget._handle_custom_msg(content, [])
            ((facts, data),) = sent
            return [facts, [base64.b64encode(part).decode() for part in data]]

        def state():
            found = widget.get_state([name for name in widget.keys if not name.startswith("_") and name != "layout"])
            packed = {key: value for key, value in found.items() if isinstance(value, bytes | memoryview)}
            return found | {key: {"base64": base64.b64encode(value).decode()} for key, value in packed.items()}

        def change(changes):
            for name, value in changes.items():
                setattr(widget, name, value)
            return state()

        page = browser.new_page(viewport={"width": 1200, "height": 760})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.expose_function("python_ask", ask)
        page.expose_function("python_set", change)
        page.set_content(f"<style>{read_style()}</style><main></main><script>{MODEL}</script>")
        page.evaluate("(changes) => window.apply(changes)", state())
        script = read_script().replace("export default { render };", "window.render = render;")
        page.add_script_tag(content=script, type="module")
        page.wait_for_function("typeof window.render === 'function'")
        page.evaluate("() => { window.close_ = window.render({ model, el: document.querySelector('main') }); }")
        settle(page, 2 * WAIT_MS)
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.evaluate("window.close_()")
        page.close()
    assert complaints == []


def flat(video):
    return np.arange(201.0), np.tile([0.25, 0.5, 0.75], (201, 1))


def films(tmp_path):
    (tmp_path / "video0.mp4").write_bytes(b"no film")
    return tmp_path


def test_curves_are_computed_when_they_are_asked_for(shown, tmp_path):
    asked = []
    curves = lambda video: asked.append(video) or flat(video)  # noqa: E731
    page = shown(inspect_segments(replace(many(2), tracks=Tracks(curves, None, films(tmp_path))), "video1"))
    assert asked == [] and "has no file of the video 'video1'" in page.inner_text("[data-role=film-said]")
    page.check("[data-role=track-curves]")
    settle(page, 2 * WAIT_MS)
    assert asked == ["video1"] and page.locator("[data-role=curve]").is_visible()
    page.select_option("[data-role=video]", "video0")
    settle(page, 2 * WAIT_MS)
    assert asked == ["video1", "video0"]
    assert page.get_attribute("[data-role=curve]", "aria-label") == "Score of class 2 over time, threshold 0.20"
    assert "'video0.mp4' cannot be played" in page.inner_text("[data-role=film-said]"), "its bytes were sent"


def test_an_answer_that_comes_late_is_not_drawn_for_another_video(shown):
    curves = lambda video: (np.arange(9.0), np.eye(3)[[int(video[-1])] * 9])  # noqa: E731  video1: class 1
    page = shown(inspect_segments(replace(many(3), tracks=Tracks(curves)), "video0"))
    page.check("[data-role=track-curves]")
    settle(page)
    page.evaluate("window.delays.push(900)")
    page.select_option("[data-role=video]", "video1")
    settle(page)
    page.select_option("[data-role=video]", "video2")
    page.wait_for_timeout(1000)
    assert "Score of class 2" in page.get_attribute("[data-role=curve]", "aria-label")


def panels(page, what):
    settle(page, 2 * WAIT_MS)
    return page.evaluate(f"document.querySelector('main > div').inspector.panels.map((p) => {what})")


def test_a_comparison_shows_what_python_and_its_controls_say(shown):
    first = replace(many(2), tracks=Tracks(curves=flat))
    second = replace(first, predictions=first.predictions.iloc[::3])
    widget = compare_segments([first, second], "video0", min_score=0.4)
    page = shown(widget)
    expected = [int(shown_rows(list_segments(*run.of_video("video0")), 0.4).sum()) for run in (first, second)]
    counted = [int(text.split()[0]) for text in page.locator("[data-role=count]").all_inner_texts()]
    assert counted == expected and expected[1] < expected[0]
    page.select_option("[data-role=video] >> nth=0", "video1")
    page.locator("[data-role=score]").nth(0).fill("0.7")
    page.check("[data-role=track-curves] >> nth=0")
    assert panels(page, "[p.state.video, p.state.minScore, p.tracks.drawn?.name]") == [["video1", 0.7, "class 2"]] * 2
    assert (widget.video, widget.min_score) == ("video1", 0.7)
    page.locator(CANVAS).nth(1).press("+")  # the second one leads
    page.evaluate("window.model.set({ video: 'video0', tiou: 0.3 })")  # as when it is set in Python
    assert panels(page, "[p.state.video, p.state.tiou]") == [["video0", 0.3]] * 2
