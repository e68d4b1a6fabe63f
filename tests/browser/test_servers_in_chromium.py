"""The inspector as a widget with a kernel behind it, in JupyterLab and in Voila."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from pages import counted, eventually, shown_rows
from watch_run import home_with_run

from afkit.data.annotations import read_annotations
from afkit.workbench.inspector.inspected import list_segments, read_inspected

pytest.importorskip("jupyterlab", reason="the widget is looked at in JupyterLab")
pytest.importorskip("papermill", reason="the run is made by papermill")
pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUN = "results/watch/seen"
TOKEN = "a token of this test"
START_MS = 120_000  # of a server and a kernel, on a busy machine
PANEL = "document.querySelector('.afkit-inspector').inspector"
LAB = re.search(r"^lab:.*\n\t\S+python -m (.*?) \$\(if", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
FOREIGN = re.compile(r"https?://(?!127\.0\.0\.1)")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder with a short real run, whose predictions are good and bad, and its data."""
    folder, home = tmp_path_factory.mktemp("project"), home_with_run(tmp_path_factory)
    left = shutil.ignore_patterns(".*", "predicted")  # what other tests may be writing
    for source, target in (
        ("project/notebooks", "notebooks"),
        ("project/results/watch/done", RUN),
        ("recordings", "data"),
    ):
        shutil.copytree(home / source, folder / target, ignore=left)
    return folder


@pytest.fixture(scope="module")
def lab(project):
    """The port of JupyterLab as `make lab` starts it."""
    shutil.copytree(ROOT / "notebooks" / ".lab", project / "notebooks" / ".lab")
    with serving(project, *LAB, "--no-browser", "--allow-root") as port:
        yield port


@contextmanager
def serving(folder: Path, *command: str):
    """A server process that listens on a free port, and writes into a file named after the command; the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "JUPYTER_TOKEN": TOKEN}
    environment |= {"PYTHONUNBUFFERED": "1", "JUPYTER_CONFIG_DIR": str(folder / "config")}  # no user's settings
    said = folder / f"{command[0]}.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, f"--port={port}"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + START_MS / 1000
        while not _answers(port):
            assert process.poll() is None and time.monotonic() < until, said.read_text()
            time.sleep(0.2)
        yield port
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(ending)
            with suppress(subprocess.TimeoutExpired):  # JupyterLab asks whether it is meant; and waits for kernels
                process.wait(3 if ending == signal.SIGINT else 60)
                break


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def looking(browser, tmp_path: Path):
    """An empty page that must not complain while it is looked at, but of what other hosts would have given."""
    complaints = []

    def note(message):
        refused = "Content Security Policy" in message.text and FOREIGN.search(message.text)  # by our own rule
        if message.type == "error" and not refused and not FOREIGN.match(message.location.get("url", "")):
            complaints.append(f"{message.text} {message.location.get('url', '')}")

    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        folder = Path(os.environ.get("AFKIT_SCREENSHOTS", tmp_path))
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{tmp_path.name}.png")
        page.close()
    assert complaints == []


def computed(project: Path, video: str, score: float) -> int:
    """How many Python computes."""
    segments = list_segments(*read_inspected(project / RUN, project / "data").of_video(video))
    return int(shown_rows(segments, score).sum())


def use(page, project: Path) -> None:
    """What one does with the inspector: read a tooltip, filter, zoom, pan, select, step to errors."""
    page.wait_for_selector("[data-role=count]", timeout=START_MS)
    page.locator(".scroller canvas").scroll_into_view_if_needed()
    video = page.evaluate(f"{PANEL}.state.video")
    counts = {score: computed(project, video, float(score)) for score in ("0.6", "0.05", "0")}
    assert len(set(counts.values())) == 3
    for score, count in counts.items():
        page.locator("[data-role=score]").fill(score)
        eventually(page, lambda count=count: counted(page) == count)
    page.locator("[data-role=score]").fill("0.2")

    x, y = page.evaluate(f"({WHERE})({PANEL})")
    page.mouse.move(x, y)
    tooltip = page.locator("[role=tooltip]").inner_text()
    assert "prediction" in tooltip and "score 0." in tooltip, tooltip
    page.mouse.click(x, y)
    assert "prediction" in page.inner_text("[data-role=said]")

    view = f"[{PANEL}.scene.view.from, {PANEL}.scene.view.to]"
    whole = page.evaluate(view)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    eventually(page, lambda: page.evaluate(view) != whole)
    near = page.evaluate(view)
    assert near[1] - near[0] < 0.7 * (whole[1] - whole[0])
    page.mouse.down()
    page.mouse.move(x - 60, y)
    page.mouse.up()
    moved = page.evaluate(view)
    assert moved[0] > near[0] and moved[1] - moved[0] == pytest.approx(near[1] - near[0])
    page.locator("[data-role=next]").click()
    said = page.inner_text("[data-role=said]")
    assert "error: " in said or "missed" in said


# The middle of the first prediction that is drawn, on the page.
WHERE = """({ scene, canvas }) => {
  const i = scene.shown.findIndex((kind, k) => kind > 1 && !Number.isNaN(scene.segments.score[k]));
  const lane = scene.lanes.find((one) => one.label === scene.segments.label[i]);
  const row = lane.rows.find((one) => one.ids.includes(i)), box = canvas.getBoundingClientRect();
  const middle = (scene.segments.start[i] + scene.segments.end[i]) / 2;
  const share = (middle - scene.view.from) / (scene.view.to - scene.view.from);
  const x = scene.left + share * (scene.width - scene.left), y = 26 - scene.scrollTop + row.top + row.height / 2;
  return [box.x + x, box.y + y];
}"""


def test_the_widget_works_in_jupyterlab_and_gives_python_what_was_selected(browser, tmp_path, project, lab):
    path = project / "notebooks" / "04_visualize.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source += f'\nseed, overrides, run_dir = 1, {{"optim.epochs": 1}}, "{RUN}"'
    nbformat.write(notebook, path)
    with looking(browser, tmp_path) as window:
        window.goto(f"http://127.0.0.1:{lab}/lab/tree/notebooks/04_visualize.ipynb?reset&token={TOKEN}")
        window.wait_for_selector(".jp-Notebook .jp-Cell", timeout=START_MS)
        window.wait_for_selector("text=Python 3 (", timeout=START_MS)
        window.click("text=Run >> nth=0")
        window.click("text=Run All Cells")
        window.wait_for_selector("[data-role=count]", timeout=START_MS)
        window.locator(".scroller canvas").hover()
        length = f"(({{from, to}}) => to - from)({PANEL}.state.view)"
        whole = window.evaluate(length)
        window.keyboard.press("+")
        assert window.evaluate(length) == whole / 2, "without any click"
        window.keyboard.press("0")
        use(window, project)
        said = window.inner_text("[data-role=said]")
        (name, kind) = said.split(", ")[0], "miss" if "missed" in said else re.search("error: ([a-z ]+)", said)[1]
        selected = "print(len(inspector.selection), *inspector.selection[['name', 'kind']].iloc[0])"
        execute(window, selected, f"1 {name} {kind}")

        window.locator("[data-role=edit]").click()
        window.locator("[data-role=add]").click()
        window.wait_for_selector("[data-role=corrected]:has-text('1')")
        save = "inspector.save_annotations('../corrected.json'); print('corrected:', len(inspector.corrections))"
        execute(window, save, "corrected: 1")
    before, after = (
        read_annotations(project / name) for name in ("data/watch/annotations/watch.json", "corrected.json")
    )
    more = {name: len(video.labels) - len(before.videos[name].labels) for name, video in after.videos.items()}
    assert sorted(more.values()) == [0] * (len(more) - 1) + [1]


def execute(page, code: str, printed: str) -> None:
    """Run a new cell below, which prints something."""
    active = page.locator(".jp-Cell.jp-mod-active")
    before = active.get_attribute("data-windowed-list-index")
    page.locator(".jp-NotebookPanel-toolbar [data-command='notebook:insert-cell-below']").click()
    eventually(page, lambda: active.get_attribute("data-windowed-list-index") != before)
    page.keyboard.press("Enter")
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(f".jp-OutputArea-output:has-text('{printed}')", timeout=START_MS)


def test_the_widget_works_in_voila(browser, tmp_path, project):
    pytest.importorskip("voila", reason="an extra")
    with serving(project, "afkit", "view", RUN, "--data-root", "data") as port, looking(browser, tmp_path) as window:
        window.goto(f"http://127.0.0.1:{port}/")
        assert window.locator(".afkit-inspector").count() == 0 and "oken" in window.inner_text("body"), "nobody gets in"
        address = (project / "afkit.log").read_text().split("open ")[1].split()[0]
        answer = window.goto(address)
        assert "default-src 'self' " in answer.headers["content-security-policy"], "nothing is fetched from elsewhere"
        use(window, project)
    assert "without encryption" not in (project / "afkit.log").read_text(), "the kernel listens on files, not on ports"


def test_jupyterlab_lets_nobody_in_without_the_token_and_listens_here_alone(lab):
    assert "--ip=127.0.0.1" in LAB and not any("token" in word or "password" in word for word in LAB)
    for address in ("api/contents", "api/kernels"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"http://127.0.0.1:{lab}/{address}", timeout=60)
    address = f"api/contents?token={urllib.parse.quote(TOKEN)}"
    with urllib.request.urlopen(f"http://127.0.0.1:{lab}/{address}", timeout=60) as answer:
        assert answer.status == 200
    assert {entry.laddr.ip for entry in psutil.net_connections("tcp") if entry.laddr.port == lab} == {"127.0.0.1"}


def test_jupyterlab_begins_with_a_page_whose_links_open(browser, tmp_path, project, lab):
    (project / RUN / "inspector.html").write_text("<title>the inspector</title>")
    make = [sys.executable, "-m", "afkit.workbench.runs.start_page"]
    subprocess.run(make, cwd=project, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    with looking(browser, tmp_path) as window:
        window.goto(f"http://127.0.0.1:{lab}/lab/tree/results/start.md?reset&token={TOKEN}")
        with window.context.expect_page() as opened:
            window.get_by_role("link", name="inspector").click(timeout=START_MS)
        assert opened.value.title() == "the inspector"
        window.get_by_role("link", name="03", exact=True).click()
        window.wait_for_selector(".jp-Notebook .jp-Cell", timeout=START_MS)
        assert window.url.endswith(f"/{RUN}/03_eval.ipynb")


def test_a_reopened_notebook_shows_the_picture(browser, tmp_path, project, lab):
    cells = nbformat.read(project / RUN / "04_visualize.ipynb", as_version=4).cells
    (number,) = (i for i, cell in enumerate(cells) if "afkit_inspector" in str(cell))
    with looking(browser, tmp_path) as window:
        window.goto(f"http://127.0.0.1:{lab}/lab/tree/{RUN}/04_visualize.ipynb?reset&token={TOKEN}")
        window.wait_for_selector(".jp-Notebook .jp-Cell", timeout=START_MS)
        shown = set()  # (cell, kind of output, has a picture); cells far outside the window are not drawn
        window.locator(".jp-Notebook .jp-Cell").first.hover()
        for _ in range(200):
            window.wait_for_timeout(200)
            shown |= {tuple(entry) for entry in window.evaluate(OUTPUTS)}
            if (number, "image/png", 1) in shown:
                break
            window.mouse.wheel(0, 500)
    assert {(kind, pictures) for cell, kind, pictures in shown if cell == number} == {("image/png", 1)}


OUTPUTS = """[...document.querySelectorAll('.jp-Notebook .jp-Cell')].flatMap((cell) =>
  [...cell.querySelectorAll('.jp-OutputArea-output')].map((output) =>
    [Number(cell.dataset.windowedListIndex), output.dataset.mimeType, output.querySelectorAll('img').length]))"""
