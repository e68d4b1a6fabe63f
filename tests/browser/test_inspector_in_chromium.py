"""The inspector's page in a real browser. AFKIT_SCREENSHOTS names a folder that keeps pictures of it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from afkit.view.inspector_data import Inspected, list_segments, shown_rows
from afkit.view.inspector_page import write_inspector

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
EVIL = '<img src=x onerror="document.title=1">"quoted"'
PANEL = "document.getElementById('inspector').inspector"
WAIT_MS = 300  # for two frames, on a busy machine


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens the page of some tables; the page must not complain in the end."""
    complaints, pages = [], []

    def open_page(inspected: Inspected, width: int = 1200):
        write_inspector(tmp_path / "page.html", inspected)
        page = browser.new_page(viewport={"width": width, "height": 760})
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_timeout(WAIT_MS)
        pages.append(page)
        return page

    yield open_page
    folder = Path(os.environ.get("AFKIT_SCREENSHOTS", tmp_path))
    for number, page in enumerate(pages):
        page.screenshot(path=folder / f"{tmp_path.name}_{number}.png")
        page.close()
    assert complaints == []


def many(num_videos: int = 2, per_video: int = 60, num_classes: int = 3) -> Inspected:
    """Ground truths every 20 s, and predictions of all scores around them."""
    draws, rows = np.random.default_rng(0), []
    for video in range(num_videos):
        for i in range(per_video):
            start = 20.0 * (i % 10) + draws.uniform(0, 8)
            rows.append((f"video{video}", start, start + draws.uniform(2, 8), i % num_classes, draws.uniform()))
    predictions = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label", "score"])
    gt = [(f"video{v}", 20.0 * i, 20.0 * i + 8, i % num_classes) for v in range(num_videos) for i in range(10)]
    truth = pd.DataFrame(gt, columns=["video", "start_sec", "end_sec", "label"])
    names = {0: EVIL} | {label: f"class {label}" for label in range(1, num_classes)}
    return Inspected(truth, predictions, names, dict.fromkeys(truth["video"].unique(), 200.0), "a run")


def counted(page) -> int:
    return int(page.inner_text("[data-role=count]").split()[0])


def view_of(page) -> tuple[float, float]:
    return tuple(page.evaluate(f"[{PANEL}.scene.view.from, {PANEL}.scene.view.to]"))


def test_controls_draw_as_many_segments_as_python_computes(opened):
    inspected = many()
    page = opened(inspected)
    page.select_option("[data-role=video]", "video0")
    segments = list_segments(*inspected.of_video("video0"))
    for score in ("0", "0.37", "0.9"):
        page.locator("[data-role=score]").fill(score)
        assert counted(page) == shown_rows(segments, float(score)).sum()
    page.locator("[data-role=score]").fill("0.1")
    page.fill("[data-role=top]", "7")
    assert counted(page) == shown_rows(segments, 0.1, 7).sum() == 17
    page.click("summary")
    page.locator("input[data-label='1']").uncheck()
    assert counted(page) == shown_rows(segments, 0.1, 7, {0, 2}).sum()


def test_a_tooltip_names_what_is_below_the_pointer_as_text(opened):
    page = opened(many(1, 3))
    box = page.locator(".scroller canvas").bounding_box()
    page.mouse.move(box["x"] + 168 + 10, box["y"] + 40)
    tooltip = page.locator("[role=tooltip]")
    assert tooltip.inner_text().startswith(EVIL) and "0.00 to 8.00 s" in tooltip.inner_text()
    assert page.locator(".afkit-inspector img").count() == 0 and page.title() == "a run"


def test_wheel_drag_and_keys_move_the_view(opened):
    page = opened(many())
    assert view_of(page) == (0, 200)
    box = page.locator(".scroller canvas").bounding_box()
    page.mouse.move(box["x"] + 600, box["y"] + 80)
    page.mouse.wheel(0, -240)
    page.wait_for_timeout(WAIT_MS)
    begin, end = view_of(page)
    assert 0 < begin < end < 200 and end - begin == pytest.approx(200 * np.exp(-0.48))
    page.mouse.down()
    page.mouse.move(box["x"] + 650, box["y"] + 80)
    page.mouse.up()
    assert view_of(page)[0] < begin and view_of(page)[1] - view_of(page)[0] == pytest.approx(end - begin)
    page.locator(".scroller canvas").press("0")
    assert view_of(page) == (0, 200)


def test_keys_step_through_the_errors_and_clicks_select(opened):
    page = opened(many(1))
    canvas = page.locator(".scroller canvas")
    onsets = []
    for _ in range(3):
        canvas.press("n")
        onsets.append(page.evaluate(f"(({{scene, state}}) => scene.segments.start[state.picked[0]])({PANEL})"))
        said = page.inner_text("[data-role=said]")
        assert "error: " in said or "missed" in said
    assert onsets == sorted(onsets) and len(set(onsets)) == 3
    canvas.press("p")
    assert page.evaluate(f"{PANEL}.state.picked.length") == 1
    canvas.press("Escape")
    assert page.inner_text("[data-role=said]") == ""
    canvas.press("0")
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 168 + 10, box["y"] + 40)
    assert EVIL in page.inner_text("[data-role=said]")


def test_the_picker_searches_and_changes_the_video(opened):
    page = opened(many(12))
    page.fill("[data-role=search]", "VIDEO11")
    assert page.locator("[data-role=video] option").count() == 1
    assert page.evaluate(f"{PANEL}.state.video") == "video11"


def test_another_threshold_is_matched_as_python_does(opened):
    page = opened(many(1))
    before = page.inner_text("[data-role=count]")
    page.select_option("[data-role=tiou]", "0.3")
    assert page.inner_text("[data-role=count]") != before and "tIoU 0.3" in page.inner_text("[data-role=count]")


def test_empty_videos_are_explained_and_the_rest_stays_usable(opened):
    full = many(1)
    empty = Inspected(full.gt, full.predictions, full.label_names, {"none": 10.0, "video0": 200.0}, "run", "Not done.")
    page = opened(empty)
    page.select_option("[data-role=video]", "none")
    text = page.inner_text(".remark")
    assert text == "Not done. This video has no ground truth. This video has no predictions."
    page.click("[data-role=next]")
    assert "no error" in page.inner_text("[data-role=said]")
    page.select_option("[data-role=video]", "video0")
    assert counted(page) > 10 and page.inner_text(".remark") == "Not done."


def test_500_classes_scroll_on_a_narrow_page(opened):
    page = opened(many(1, 1000, 500), width=600)
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
    heights = page.evaluate("(e => [e.scrollHeight, e.clientHeight])(document.querySelector('.scroller'))")
    assert heights[0] > 10 * heights[1]
    page.locator(".scroller canvas").press("n")
    assert "error" in page.inner_text("[data-role=said]") or "missed" in page.inner_text("[data-role=said]")
