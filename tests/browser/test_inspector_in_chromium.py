"""The inspector's page in a real browser."""

import numpy as np
import pytest
from pages import CANVAS, EVIL, click, counted, eventually, few, many, panel_of, place, press, said, shown_rows, view_of

from afkit.workbench.inspector.inspected import Inspected, list_segments

pytestmark = pytest.mark.slow


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
    page.click(".classes summary")
    page.locator("input[data-label='1']").uncheck()
    assert counted(page) == shown_rows(segments, 0.1, 7, {0, 2}).sum()


def test_a_tooltip_names_what_is_below_the_pointer_as_text(opened):
    page = opened(many(1, 3))
    page.mouse.move(*place(page, 4, 0))
    tooltip = page.locator("[role=tooltip]")
    assert tooltip.inner_text().startswith(EVIL) and "0.00 to 8.00 s" in tooltip.inner_text()
    assert page.locator(".afkit-inspector img").count() == 0 and page.title() == "a run"


def test_wheel_drag_and_keys_move_the_view(opened):
    page = opened(many())
    assert view_of(page) == (0, 200)
    box = page.locator(CANVAS).bounding_box()
    page.mouse.move(box["x"] + 600, box["y"] + 80)
    page.mouse.wheel(0, -240)  # the page's
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    eventually(page, lambda: view_of(page) != (0, 200))
    begin, end = view_of(page)
    assert 0 < begin < end < 200 and end - begin == pytest.approx(200 * np.exp(-0.48))
    page.mouse.down()
    page.mouse.move(box["x"] + 650, box["y"] + 80)
    page.mouse.up()
    assert view_of(page)[0] < begin and view_of(page)[1] - view_of(page)[0] == pytest.approx(end - begin)
    press(page, "0")
    assert view_of(page) == (0, 200)


def test_steps_go_round_and_clicks_with_shift_gather(opened):
    page = opened(few(predicted=[(80, 90, 2, 0.8)]))
    picks = []
    for key in ("n", "n", "n", "n", "p"):
        press(page, key)
        picks.append(panel_of(page, "p.state.picked[0]"))
    assert picks == [0, 1, 2, 0, 2]
    press(page, "0", "Escape")
    assert said(page) == ""
    click(page, 0, 20)
    page.keyboard.down("Shift")
    click(page, 1, 60)
    assert panel_of(page, "p.state.picked") == [0, 1]
    click(page, 0, 20)
    assert panel_of(page, "p.state.picked") == [1]
    page.keyboard.up("Shift")


def test_hiding_a_prediction_makes_its_ground_truth_a_miss(opened):
    page = opened(few())
    assert "2 errors" in page.inner_text("[data-role=count]")
    page.locator("[data-role=score]").fill("0.95")
    assert page.inner_text("[data-role=count]").startswith("2 of 4 segments shown, 2 errors")
    click(page, 0, 20)
    assert "ground truth, missed" in said(page)


def test_segments_that_overlap_stand_in_rows_of_their_own(opened):
    page = opened(few(predicted=[(10, 30, 0, 0.9), (20, 40, 0, 0.8), (30, 50, 0, 0.7)]))
    rows = panel_of(page, "p.scene.lanes[0].rows.map((row) => row.ids.length)")
    assert rows == [1, 2, 1], "the truth; the first and the last prediction; the one between"


def test_keys_do_not_pan_beyond_the_ends(opened):
    page = opened(few())
    press(page, "+", *["ArrowRight"] * 6)
    assert view_of(page) == (50, 100)
    press(page, *["ArrowLeft"] * 12)
    assert view_of(page) == (0, 50)


def test_empty_videos_are_explained_and_the_rest_stays_usable(opened):
    full = many(1)
    empty = Inspected(full.gt, full.predictions, full.label_names, {"none": 10.0, "video0": 200.0}, "run", "Not done.")
    page = opened(empty)
    page.select_option("[data-role=video]", "none")
    text = page.inner_text(".remark")
    assert text == "Not done. This video has no ground truth. This video has no predictions."
    page.click("[data-role=next]")
    assert "missed" in said(page) and panel_of(page, "p.state.video") == "video0", "the list is that of the run"
    page.select_option("[data-role=video]", "video0")
    assert counted(page) > 10 and page.inner_text(".remark") == "Not done."


def test_500_classes_scroll_on_a_narrow_page(opened):
    page = opened(many(1, 1000, 500), width=600)
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
    heights = page.evaluate("(e => [e.scrollHeight, e.clientHeight])(document.querySelector('.scroller'))")
    assert heights[0] > 10 * heights[1]
    press(page, "n")
    assert "error" in said(page) or "missed" in said(page)
