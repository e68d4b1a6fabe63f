"""Reviewing a whole run: the list, walking through it by keys alone, the table of classes, and the page's manners."""

import numpy as np
import pytest
from pages import CANVAS, PANEL, click, counted, eventually, few, many, panel_of, press, said, settle, view_of

from afkit.workbench.analysis.confusion import confusion_counts
from afkit.workbench.inspector.inspected import KINDS, list_segments, match_listed

pytestmark = pytest.mark.slow
LISTED = "[...p.listed().video].map((v, k) => [p.info.videos[v].video, p.listed().row[k]])"


def listed(page):
    """[video, row] of all that is listed, in its order."""
    return [tuple(entry) for entry in panel_of(page, LISTED)]


def errors_of(inspected, tiou, min_score):
    """(video, row) of all errors by Python, with score (NaN: a miss) and kind."""
    found = []
    for video in inspected.videos:
        segments = list_segments(*inspected.of_video(video))
        for one in segments.join(match_listed(segments, tiou)).itertuples():
            name = KINDS[one.kind]
            if name == "ground truth" and segments["score"][one.partner] < min_score:
                name = "miss"
            if name not in ("ground truth", "hit") and not one.score < min_score:
                found.append((video, one.Index, one.score, name))
    return found


def precisions(hits, num_truths):
    """Average precision without interpolation, of hits (bool) by falling score."""
    found = np.cumsum(hits)
    return float((found / np.arange(1, len(hits) + 1))[hits].sum() / num_truths)


def test_all_errors_of_a_run_are_walked_by_keys_alone(opened):
    inspected = many(3)
    page = opened(inspected)
    page.keyboard.press("l")
    settle(page)
    score = panel_of(page, "p.state.minScore")
    expected = errors_of(inspected, 0.5, score)
    assert listed(page) == [(video, row) for video, row, _, _ in expected]
    assert f"{len(expected)} errors in the run" in page.inner_text("[data-role=listed]")
    walked = set()
    for _ in expected:
        page.keyboard.press("n")
        walked.add(tuple(panel_of(page, "[p.state.video, p.state.picked[0]]")))
    assert walked == {(video, row) for video, row, _, _ in expected}
    page.fill("[data-role=search]", "VIDEO1")
    assert page.locator("[data-role=video] option").count() == 1 and panel_of(page, "p.state.video") == "video1"
    page.locator(CANVAS).press("n")
    page.fill("[data-role=search]", "")
    page.locator(CANVAS).press("p")
    last = panel_of(page, "[p.state.video, p.state.picked[0]]")
    settle(page)
    chosen = page.locator("[role=option][aria-selected=true]")
    assert chosen.count() == 1 and last[0] in chosen.inner_text()
    page.locator("[data-role=score]").fill("0.6")
    page.select_option("[data-role=tiou]", "0.3")
    expected = errors_of(inspected, 0.3, 0.6)
    assert len(listed(page)) == len(expected) and "tIoU 0.3" in page.inner_text("[data-role=count]")
    page.focus("[data-role=video]")
    counts = [
        int(text.split(", ")[1].split()[0]) for text in page.locator("[data-role=video] option").all_inner_texts()
    ]
    assert counts == [sum(entry[0] == video for entry in expected) for video in inspected.videos]


def test_the_list_is_filtered_and_sorted_and_a_click_goes_there(opened):
    inspected = many(3)
    page = opened(inspected)
    page.locator("[data-role=score]").fill("0.1")
    page.click("[data-role=open-list]")
    page.select_option("[data-role=what]", "background")
    page.select_option("[data-role=sorted]", "score")
    wrong = [entry for entry in errors_of(inspected, 0.5, 0.1) if entry[3] == "background"]
    assert listed(page) == [entry[:2] for entry in sorted(wrong, key=lambda entry: -entry[2])]
    page.select_option("[data-role=sorted]", "doubt")
    assert listed(page) == [entry[:2] for entry in sorted(wrong, key=lambda entry: entry[2])]
    page.click(".more summary")
    page.fill("[data-role=list-video]", "VIDEO2")
    page.fill("[data-role=max-score]", "0.7")
    page.fill("[data-role=min-sec]", "4")
    lengths = panel_of(page, "[...p.listed().row].map((i) => i)")
    kept = [entry for entry in wrong if entry[0] == "video2" and entry[2] <= 0.7]
    segments = list_segments(*inspected.of_video("video2"))
    long = [row for _, row, _, _ in kept if segments["end_sec"][row] - segments["start_sec"][row] >= 4]
    assert sorted(lengths) == sorted(long) and long
    page.keyboard.press("Escape")
    assert page.locator("details[open]").count() == 0
    settle(page)
    page.locator("[role=option]").nth(1).click()
    assert panel_of(page, "p.state.video") == "video2" and panel_of(page, "p.state.picked[0]") == lengths[1]
    page.keyboard.press("n")  # after a click as well
    assert panel_of(page, "p.state.picked[0]") == lengths[2]


def test_the_gain_of_an_error_is_what_average_precision_gains(opened):
    inspected = many(2)
    page = opened(inspected)
    page.locator("[data-role=score]").fill("0")
    page.evaluate(f"{PANEL}.set({{ sorted: 'gain', listOpen: true }})")
    settle(page)
    first = page.locator("[role=option]").first.inner_text()
    tables = [list_segments(*inspected.of_video(video)).assign(video=video) for video in inspected.videos]
    matched = [table.join(match_listed(table, 0.5)) for table in tables]
    gains = {}
    for label in range(3):
        own = [table[table["label"] == label] for table in matched]
        found = sorted(
            ((-row.score, v, i, row.kind == KINDS.index("hit")) for v, table in enumerate(own)
             for i, row in table.iterrows() if row.score == row.score)
        )  # fmt: skip
        hits, num_truths = np.array([one[3] for one in found]), sum(table["score"].isna().sum() for table in own)
        before = precisions(hits, num_truths)
        for place_, (_, v, i, hit) in enumerate(found):
            if not hit:
                gains[f"video{v}", i] = (precisions(np.delete(hits, place_), num_truths) - before) / 3
        miss = (precisions(np.append(True, hits), num_truths) - before) / 3
        for v, table in enumerate(own):
            gains |= {(f"video{v}", i): miss for i in table.index[table["kind"] == KINDS.index("miss")]}
    ours = [gains[entry] for entry in listed(page)]
    assert ours == pytest.approx(sorted(gains.values(), reverse=True), abs=1e-7) and len(ours) == len(gains)
    assert float(first.split("+")[1].split()[0]) == pytest.approx(100 * ours[0], rel=0.06)


def test_a_cell_of_the_table_of_classes_fills_the_list(opened):
    inspected = many(3)
    page = opened(inspected)
    page.locator("[data-role=score]").fill("0.3")
    page.keyboard.press("t")
    settle(page)
    kept = inspected.predictions[inspected.predictions["score"] >= 0.3]
    counts = confusion_counts(inspected.gt, kept, 0.5).to_numpy()
    cells = page.locator("td").all_inner_texts()[1:]  # the corner
    assert [int(text or 0) for text in cells] == counts.ravel().tolist()
    page.click("td [data-cell='3']")  # class 0, missed
    settle(page)
    assert len(listed(page)) == counts[0, 3] and ", missed" in page.inner_text("[data-role=cell]")
    page.click("[data-role=cell]")
    assert len(listed(page)) == counts.sum() - np.trace(counts[:-1, :-1])
    page.locator("td [data-cell='3']").press("Enter")
    assert panel_of(page, "p.state.cell") == 3


def test_a_segment_is_seen_with_its_counterpart(opened):
    page = opened(few(gt=[(10, 30, 0), (50, 70, 1)], predicted=[(12, 30, 0, 0.9), (66, 90, 2, 0.1)]))
    click(page, 1, 60)
    assert "missed, tIoU 0.100, nearest prediction: run, 66.00 to 90.00 s, score 0.100 (hidden" in said(page)
    press(page, "Escape", "+", "+", "+", "n")
    begin, end = view_of(page)
    assert begin <= 50 and end >= 90, "both are in view"
    row = panel_of(page, "p.scene.segments.start[p.scene.counterpart]")
    assert row == 66 and panel_of(page, "p.state.cursorSec") == 50


def test_lanes_keep_their_place_and_fold(opened):
    page = opened(few(gt=[(50, 70, 1)], predicted=[(12, 30, 0, 0.9), (80, 90, 2, 0.8)]))
    lanes = "p.scene.lanes.map((lane) => [lane.label, lane.height])"
    assert [label for label, _ in panel_of(page, lanes)] == [0, 1, 2], "though the second begins first"
    before = counted(page)
    page.locator("[data-role=score]").fill("0.85")
    assert panel_of(page, lanes)[2] == [2, 10] and counted(page) == before - 1


def test_keys_work_at_once_and_after_buttons_but_not_while_typing(opened):
    page = opened(few())
    page.keyboard.press("+")
    assert view_of(page) == (25, 75)
    page.click("[data-role=all]")
    page.keyboard.press("n")
    assert panel_of(page, "p.state.picked.length") == 1
    page.locator("[data-role=search]").press_sequentially("n0+")
    assert panel_of(page, "p.state.picked.length") == 1 and page.input_value("[data-role=search]") == "n0+"
    page.fill("[data-role=search]", "")
    for close in (lambda: page.keyboard.press("Escape"), lambda: page.mouse.click(600, 740)):
        page.click(".classes summary")
        assert page.locator("details[open]").count() == 1
        close()
        assert page.locator("details[open]").count() == 0
    page.keyboard.press("?")
    assert "the next in the list" in page.inner_text("[role=dialog]")
    page.keyboard.press("Escape")
    assert page.locator("[role=dialog]").is_hidden() and panel_of(page, "p.state.picked.length") == 1
    untold = "[...document.querySelectorAll('.controls > label, .controls > button, summary')].filter((e) => !e.title)"
    assert page.evaluate(f"{untold}.length") == 0, "each control has a tooltip"


def test_controls_take_two_rows_and_a_phone_is_not_scrolled_sideways(opened):
    page = opened(many(), width=1366)
    tops = page.locator(".controls >> visible=true").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    assert len(tops) == 2 and max(tops) < 40
    phone = opened(many(), width=390, has_touch=True)
    phone.click("[data-role=open-list]")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    box, session = phone.locator(CANVAS).bounding_box(), phone.context.new_cdp_session(phone)
    y, middle = box["y"] + 60, box["x"] + 240

    def touch(kind, *xs):
        points = [{"x": x, "y": y, "id": i} for i, x in enumerate(xs)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", middle - 20, middle + 20)
    touch("touchMove", middle - 60, middle + 60)
    touch("touchEnd")
    eventually(phone, lambda: view_of(phone) != (0, 200))
    begin, end = view_of(phone)
    assert end - begin == pytest.approx(200 / 3, rel=0.1) and begin > 0
    touch("touchStart", middle)
    for x in (middle + 20, middle + 60, middle + 80):
        touch("touchMove", x)
    touch("touchEnd")
    eventually(phone, lambda: view_of(phone)[0] < begin)
