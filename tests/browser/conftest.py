"""Pages and widgets in a real browser. AFKIT_SCREENSHOTS names a folder that keeps a picture of each."""

import base64
import json
import os
import shutil
from pathlib import Path

import pytest
from pages import settle

from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import read_script, read_style, write_inspector

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Stands for Jupyter between a widget's script and Python. `pending` answers are on their way; while `late` is a list,
# they wait there to be let go.
JUPYTER = """async (script) => {
  const state = {}, calls = {};
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  let unsaved = {};
  const jupyter = (window.jupyter = { pending: 0, late: null });
  const tell = (event, ...given) => [...(calls[event] ?? [])].forEach((call) => call(...given));
  const apply = (changes) => {
    const news = Object.keys(changes).filter((name) => JSON.stringify(changes[name]) !== JSON.stringify(state[name]));
    Object.assign(state, changes);
    news.forEach((name) => tell(`change:${name}`));
  };
  const python = async (kind, content, use) => {
    jupyter.pending += 1;
    const answer = JSON.parse(await window.python(JSON.stringify([kind, content])));
    if (jupyter.late) await new Promise((go) => jupyter.late.push(go));
    use(answer);
    jupyter.pending -= 1;
  };
  let saved = 0;
  const model = (jupyter.model = {
    get: (name) => state[name],
    set(changes) {
      Object.assign(unsaved, changes);
      apply(changes);
    },
    save_changes() {
      const changes = unsaved, number = (saved += 1);
      unsaved = {};
      const later = (answer) => Object.keys(answer).filter((name) => number === saved || !(name in changes));
      python("set", changes, (answer) => apply(Object.fromEntries(later(answer).map((name) => [name, answer[name]]))));
    },
    send: (content) => python("ask", content, ([facts, data]) => tell("msg:custom", facts, data.map(bytes))),
    on: (name, call) => (calls[name] ??= []).push(call),
    off: (name, call) => (calls[name] = calls[name].filter((one) => one !== call)),
  });
  await python("set", {}, apply);
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" })), el = document.body;
  jupyter.close = (await import(url)).default.render({ model, el });
  el.firstChild.id = "inspector";
}"""


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened_file(browser, tmp_path):
    """A function that opens a page in a file; the page must not complain in the end."""
    complaints, pages = [], []

    def open_file(path: Path, width: int = 1200, **options):
        page = browser.new_page(viewport={"width": width, "height": 760}, **options)
        page.add_init_script("delete window.showSaveFilePicker")  # its dialog is the system's, which nobody clicks here
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        settle(page)
        pages.append(page)
        return page

    yield open_file
    folder = Path(os.environ.get("AFKIT_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages):
        page.screenshot(path=folder / f"{tmp_path.name}_{number}.png", full_page=True)
        page.evaluate("window.jupyter?.close()")
        page.close()
    assert complaints == []


@pytest.fixture
def opened(opened_file, tmp_path):
    """A function that opens the page of some tables."""

    def open_page(inspected: Inspected, width: int = 1200, **options):
        write_inspector(tmp_path / "page.html", inspected)
        return opened_file(tmp_path / "page.html", width, **options)

    return open_page


@pytest.fixture
def shown(opened_file, tmp_path):
    """A function that shows a widget with a stand-in for Jupyter between it and its script."""

    def show(widget):
        names = [
            name for name in widget.keys if not name.startswith("_") and name not in ("layout", "tabbable", "tooltip")
        ]

        def answer(given):
            kind, content = json.loads(given)
            if kind == "ask":
                sent = []
                widget.send = lambda facts, buffers: sent.append((facts, buffers))
                widget._handle_custom_msg(content, [])
                ((facts, data),) = sent
                return json.dumps([facts, [base64.b64encode(part).decode() for part in data]])
            for name, value in content.items():
                setattr(widget, name, value)
            return json.dumps(widget.get_state(names))

        (tmp_path / "empty.html").write_text("<!DOCTYPE html><title>widget</title>")
        page = opened_file(tmp_path / "empty.html")
        page.expose_function("python", answer)
        page.add_style_tag(content=read_style())
        page.evaluate(JUPYTER, read_script())
        settle(page)
        return page

    return show
