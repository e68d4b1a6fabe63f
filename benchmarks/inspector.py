"""The inspector's page with many segments: `python -m benchmarks.inspector [--segments N] [--csv FILE]`.

One video of 20 classes in headless chromium: how long its page takes until the first drawing, and how many frames a
second are shown while it is panned and zoomed, at the scale of the whole video and close up. The browser shows at most
60. It needs playwright and chromium.
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

FIRST_MS, FRAMES_PER_SEC = 500.0, 30.0  # what is wanted
NUM_FRAMES = 120
VIDEO_SEC, NUM_CLASSES = 36_000.0, 20
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
        browser.close()
    return rows


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
