"""What is drawn, pixel by pixel: kinds without colour, the overview, and all segments in two lanes."""

import base64
import dataclasses
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from pages import CANVAS, EVIL, click, counted, drag, few, panel_of, place, press, said, settle, truths, view_of

from afkit.data.annotations import AnnotationFile, Video
from afkit.workbench.inspector.inspected import KINDS

pytestmark = pytest.mark.slow


def pixels(locator):
    """(height, width, 3) of a canvas, 0 to 255."""
    png = base64.b64decode(locator.evaluate("(canvas) => canvas.toDataURL()").split(",")[1])
    return 255.0 * image.imread(io.BytesIO(png))[..., :3]


def grey(locator):
    """(height, width), as printed without colour."""
    return pixels(locator) @ [0.299, 0.587, 0.114]


def bar(page, label, start, end):
    """(height, width) grey values within a bar of the first row of a lane."""
    box, drawn = page.locator(CANVAS).bounding_box(), grey(page.locator(CANVAS))
    (left, y), (right, _) = place(page, start, label), place(page, end, label)
    top = round(y - box["y"])
    return drawn[top - 6 : top + 4, round(left - box["x"]) + 3 : round(right - box["x"]) - 3]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("part", "columns"), [("hatch", slice(1, 7)), ("letter", slice(8, 18))])
def test_each_kind_looks_different_without_colour(opened, scheme, part, columns):
    page = opened(few(), color_scheme=scheme)
    entries = page.locator(".legend canvas")
    samples = [grey(entries.nth(kind))[1:-1, columns] for kind in range(len(KINDS))]
    for (a, first), (b, second) in itertools.combinations(enumerate(samples), 2):
        assert (np.abs(first - second) > 20).mean() > 0.1, f"the {part} of {KINDS[a]} and {KINDS[b]}"


def test_each_error_bears_its_letter_and_what_is_right_none(opened):
    entries = opened(few()).locator(".legend canvas")
    drawn = [grey(entries.nth(kind))[1:-1] for kind in range(len(KINDS))]
    lettered = [(np.abs(bar[:, 9:17] - bar[:, 17:25]) > 20).mean() > 0.1 for bar in drawn]  # hatches repeat after 8
    assert lettered == [kind not in ("ground truth", "hit") for kind in KINDS]


def test_a_miss_is_hatched_on_the_canvas_and_a_found_truth_is_plain(opened):
    page = opened(few())
    assert bar(page, 0, 10, 30).std() == 0
    missed = bar(page, 1, 50, 70)[:, 10:60]  # left of the letter
    assert missed.std() > 5


def test_what_was_not_annotated_is_hatched_and_said(opened):
    video = Video("v", "test", 100.0, None, np.zeros((0, 2)), np.zeros(0, int), np.array([[-np.inf, 8], [92, np.inf]]))
    annotations = AnnotationFile(Path("annotations.json"), {"v": video}, {})
    page = opened(dataclasses.replace(few(), annotations=annotations))
    drawn = grey(page.locator(CANVAS))[60:, :]
    left, width = panel_of(page, "[p.scene.left, p.scene.width]")
    xs = [round(left + time / 100 * (width - left)) for time in (2, 7, 9, 45, 91, 93, 98)]
    lines = [(drawn[:, x - 5 : x + 6] < 250).mean() > 0.15 for x in xs]  # beside what separates lanes
    assert lines == [True, True, False, False, False, True, True]
    assert "Hatched parts were not annotated" in page.inner_text(".remark")
    assert "not annotated" not in opened(few()).inner_text(".remark")


def test_the_overview_shows_truth_hits_and_false_alarms_in_three_bands(opened):
    page = opened(few())
    strip = pixels(page.locator(".overview"))
    left, width = panel_of(page, "[p.scene.left, p.scene.width]")

    def filled(time, y):
        x = round(left + time / 100 * (width - left))
        return np.ptp(strip[y, x]) > 0 and not np.allclose(strip[y, x], strip[12, round(left + 0.4 * (width - left))])

    bands = {7: [20, 60], 18: [20], 29: [85]}
    assert {y: [time for time in (5, 20, 40, 60, 85) if filled(time, y)] for y in bands} == bands


def test_the_overview_moves_the_view_and_frames_it(opened):
    page = opened(few())
    press(page, "+", "+")
    box = page.locator(".overview").bounding_box()
    left, width = panel_of(page, "[p.scene.left, p.scene.width]")
    page.mouse.click(box["x"] + left + 0.7 * (width - left), box["y"] + 10)
    assert view_of(page) == pytest.approx((57.5, 82.5), abs=0.2)
    page.mouse.click(box["x"] + width - 2, box["y"] + 10)
    assert view_of(page) == (75, 100)
    settle(page)
    row = pixels(page.locator(".overview"))[13]
    frame = [x for x in range(left, width) if (row[x] < 80).all()]
    assert frame == pytest.approx([left + 0.75 * (width - left), width - 1], abs=2)


def test_a_corrected_segment_bears_a_flag_and_what_is_dragged_a_frame(opened):
    page = opened(few())
    press(page, "e")
    before = bar(page, 0, 10, 30)
    page.mouse.move(*place(page, 20, 0))
    page.mouse.down()
    page.mouse.move(*place(page, 22, 0))
    page.mouse.move(*place(page, 40, 0))
    settle(page)
    assert "30.00 to 50.00 s" in said(page) and truths(page)[0] == [10, 30, 0], "not before the pointer is let go"
    empty, framed = bar(page, 0, 61, 69), bar(page, 0, 45, 55)
    assert empty.std() == 0 and framed.min() < 50
    page.mouse.move(*place(page, 22, 0))
    page.mouse.up()
    page.mouse.move(0, 0)
    press(page, "Escape", "Escape")
    settle(page)
    assert truths(page)[0] == pytest.approx([12, 32, 0], abs=0.2)
    flag, middle = bar(page, 0, 11.5, 13.5), bar(page, 0, 14, 19)
    assert before.std() == 0 and flag.min() < 30 and middle.std() < 0.01


def test_a_cancelled_drag_changes_nothing(opened):
    page = opened(few())
    press(page, "e")
    page.mouse.move(*place(page, 20, 0))
    page.mouse.down()
    page.mouse.move(*place(page, 50, 0))
    page.locator(CANVAS).dispatch_event("pointercancel")
    page.mouse.up()
    assert truths(page)[0] == [10, 30, 0] and panel_of(page, "p.scene.draft") is None


def test_stacked_segments_share_two_lanes_and_name_their_class(opened):
    page = opened(few())
    before = counted(page)
    plain = bar(page, 0, 10, 30)
    page.locator("[data-role=stacked]").check()
    settle(page)
    assert panel_of(page, "p.scene.lanes.map((lane) => lane.name)") == ["ground truth", "predictions"]
    assert counted(page) == before
    assert plain.std() == 0 and bar(page, -1, 10, 30).std() > 20, "text stands in the bar"
    click(page, -1, 20)
    assert said(page).startswith(EVIL) and "10.00 to 30.00 s" in said(page)
    press(page, "n", "n")
    assert "error: background" in said(page)
    page.locator("[data-role=stacked]").uncheck()
    assert panel_of(page, "p.scene.lanes.length") == 3


def test_a_bar_too_narrow_for_a_name_keeps_its_letter(opened):
    page = opened(few(gt=[(50, 52, 1)], predicted=[]))
    lettered = bar(page, 1, 50, 52)
    page.locator("[data-role=stacked]").check()
    settle(page)
    np.testing.assert_array_equal(bar(page, -1, 50, 52), lettered)


def test_stacked_segments_can_be_edited(opened):
    page = opened(few())
    page.locator("[data-role=stacked]").check()
    press(page, "e")
    page.select_option("[data-role=label]", "2")
    drag(page, -1, 80, 90)
    assert truths(page)[2] == pytest.approx([80, 90, 2], abs=0.2)
    drag(page, -1, 20, 15)
    assert truths(page)[0] == pytest.approx([5, 25, 0], abs=0.2)
