"""The inspector's page with many segments: `python -m benchmarks.inspector [--segments N] [--csv FILE]`.

One video of 20 classes in headless chromium: how long its page takes until the first drawing, and how many frames a
second are shown while it is panned and zoomed, at the scale of the whole video and close up. The browser shows at most
60. Then a run of 1000 videos with four times as many segments: its first drawing, how long its list takes to be
filtered and sorted anew, and frames a second while the list is scrolled. It needs playwright and chromium.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import write_inspector
from benchmarks import timing

FIRST_MS, FRAMES_PER_SEC, RUN_FIRST_MS, FILTER_MS = 500.0, 30.0, 1000.0, 100.0  # what is wanted
NUM_FRAMES = 120
VIDEO_SEC, NUM_CLASSES = 36_000.0, 20
NUM_VIDEOS, TIMES_AS_MANY = 1000, 4  # of the run, for its list
# Notes the first drawing, before the page's own script runs.
WATCH = "document.addEventListener('drawn', () => (window.firstDrawn ??= performance.now()), true);"
MEASURE = """async ([number, action]) => {
  const panel = document.getElementById('inspector').inspector, { scene } = panel;
  const length = scene.view.end - scene.view.begin, times = [], drawing = [];
  const share = action.endsWith('close') ? 0.01 : 1;
  panel.look(scene.view.begin + 0.4 * length, scene.view.begin + (0.4 + share) * length);
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  let last = performance.now();
  for (let k = 0; k < number; k++) {
    const there = k % 40 < 20 ? 1 : -1;
    if (action.startsWith('zoom')) panel.zoom(there > 0 ? 0.9 : 1 / 0.9);
    else if (share < 1) panel.pan(0.05 * there);
    else panel.look(scene.view.begin + 1e-4 * (k % 2) * length, scene.view.end); // nearly all is in view
    await frame(); // the inspector draws in it, too
    times.push(performance.now() - last);
    last = performance.now();
  }
  for (let k = 0; k < number; k++) {
    const began = performance.now();
    panel.draw();
    drawing.push(performance.now() - began);
  }
  return [times, drawing];
}"""

# How long each of some changes takes until the list is there, in ms; the first one also matches all videos.
FILTER = """() => {
  const panel = document.getElementById('inspector').inspector, times = {};
  const change = (name, changes) => {
    const began = performance.now();
    panel.set(changes);
    panel.listed();
    (times[name] ??= []).push(performance.now() - began);
  };
  change('first list, all videos matched', {});
  panel.showVideo(panel.state.video, 0.7);
  change('list at another tIoU', { what: 'errors' });
  change('gains computed', { sorted: 'gain' });
  for (let k = 0; k < 10; k++) {
    change('list filtered by score', { sorted: 'time', what: 'detections', minScore: 0.01 * k });
    change('list filtered by kind', { what: k % 2 ? 'background' : 'errors' });
    change('list filtered by length', { minSec: k });
    change('list sorted by score', { sorted: 'score', minSec: 0, what: 'detections' });
    change('list sorted by doubt', { sorted: 'doubt' });
    change('list sorted by gain', { sorted: 'gain' });
  }
  panel.set({ sorted: 'time', listOpen: true });
  return times;
}"""
SCROLL = """async (number) => {
  const entries = document.querySelector('.entries'), times = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  let last = performance.now();
  for (let k = 0; k < number; k++) {
    entries.scrollTop += 397;
    await frame();
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times;
}"""


def many_segments(number: int) -> Inspected:
    """One video of ten hours: a tenth of its segments are ground truth, the others predictions around them."""
    draws = np.random.default_rng(0)
    truths = number // 10
    start = np.sort(draws.uniform(0, VIDEO_SEC - 60, truths))
    gt = pd.DataFrame({"video": "long", "start_sec": start, "end_sec": start + draws.exponential(8, truths) + 0.5})
    gt["label"] = draws.integers(0, NUM_CLASSES, truths)
    near = gt.iloc[draws.integers(0, truths, number - truths)].reset_index(drop=True)
    length = (near["end_sec"] - near["start_sec"]) * draws.uniform(0.5, 1.5, len(near))
    onset = (near["start_sec"] + draws.normal(0, 2, len(near))).clip(0)
    predictions = near.assign(start_sec=onset, end_sec=onset + length, score=draws.beta(1, 3, len(near)))
    names = {label: f"class {label}" for label in range(NUM_CLASSES)}
    return Inspected(gt, predictions, names, {"long": VIDEO_SEC}, f"{number} segments")


def many_videos(number: int) -> Inspected:
    """The same cut into NUM_VIDEOS videos, each of some seconds."""
    long = many_segments(number)
    length_sec = VIDEO_SEC / NUM_VIDEOS
    tables = []
    for table in (long.gt, long.predictions):
        place = (table["start_sec"] // length_sec).clip(0, NUM_VIDEOS - 1).astype(int)
        cut = {column: table[column] - place * length_sec for column in ("start_sec", "end_sec")}
        tables.append(table.assign(video=[f"video{i:04d}" for i in place], **cut))
    return Inspected(*tables, long.label_names, {}, f"{number} segments in {NUM_VIDEOS} videos")


def measure(number: int, frames: int, folder: Path) -> list[dict[str, Any]]:
    """The rows of the table; all scores are shown."""
    from playwright.sync_api import sync_playwright

    path = folder / "inspector.html"
    write_inspector(path, many_segments(number), min_score=0.0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"])
        firsts = [_first_drawn(browser, path) for _ in range(5)]
        page = _open(browser, path)
        rows = [_row("page until its first drawing", statistics.median(firsts), "ms", FIRST_MS)]
        for action in ("pan whole", "zoom whole", "pan close", "zoom close"):
            times, drawing = page.evaluate(MEASURE, [frames, action])
            rows.append(_row(f"{action}: frames per second", 1000 * frames / sum(times), "/s", FRAMES_PER_SEC))
            rows.append(_row(f"{action}: script of a drawing", statistics.median(drawing), "ms"))
        page.close()
        rows += _measure_list(browser, TIMES_AS_MANY * number, frames, folder / "run.html")
        browser.close()
    return rows


def _measure_list(browser: Any, number: int, frames: int, path: Path) -> list[dict[str, Any]]:
    """Rows about the list of a run."""
    write_inspector(path, many_videos(number), min_score=0.0)
    first = statistics.median(_first_drawn(browser, path) for _ in range(3))
    page = _open(browser, path)
    rows = [_row("run: page until its first drawing", first, "ms", RUN_FIRST_MS)]
    for what, times in page.evaluate(FILTER).items():
        rows.append(_row(f"run: {what}", statistics.median(times), "ms", FILTER_MS if len(times) > 1 else None))
    times = page.evaluate(SCROLL, frames)
    return [*rows, _row("run: list scrolled, frames per second", 1000 * frames / sum(times), "/s", FRAMES_PER_SEC)]


def find_chromium() -> str | None:
    """Where chromium is; None lets playwright look for its own."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def _open(browser: Any, path: Path) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(WATCH)
    page.goto(path.as_uri())
    page.wait_for_function("window.firstDrawn")
    return page


def _first_drawn(browser: Any, path: Path) -> float:
    page = _open(browser, path)
    first = page.evaluate("window.firstDrawn - performance.getEntriesByType('navigation')[0].responseStart")
    page.close()
    return first


def _row(what: str, value: float, unit: str, wanted: float | None = None) -> dict[str, Any]:
    enough = None if wanted is None else value <= wanted if unit == "ms" else value >= wanted
    return {"what": what, "value": value, "unit": unit, "wanted": wanted, "enough": enough}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--segments", type=int, default=50_000)
    parser.add_argument("--frames", type=int, default=NUM_FRAMES)
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "inspector.csv")
    options = parser.parse_args(arguments)
    facts = timing.announce()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options.segments, options.frames, Path(folder))
    timing.show(rows)
    timing.write_csv(options.csv, [row | {"segments": options.segments} | facts for row in rows])
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
