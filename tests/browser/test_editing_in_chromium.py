"""Editing the ground truth on the page in a real browser: pointer, keys, undo, and the file that is saved."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pages import COLUMNS, EVIL, GT, click, drag, edited, eventually, few, many, panel_of, press, said, settle, truths

from afkit.data.annotations import read_annotations
from afkit.workbench.inspector.corrections import apply_corrections, check_corrections
from afkit.workbench.inspector.inspected import KINDS, Inspected, list_segments, match_listed

pytestmark = pytest.mark.slow


@pytest.fixture
def editing(opened):
    """A function that opens the page of some tables in edit mode."""

    def open_page(inspected, **options):
        page = opened(inspected, **options)
        press(page, "e")
        return page

    return open_page


def test_without_edit_mode_dragging_moves_the_view_only(opened):
    page = opened(few())
    press(page, "+")
    drag(page, 0, 30, 40)
    press(page, "Delete", "a", "Insert")
    assert truths(page) == [list(row) for row in GT]
    assert page.locator(".edits").is_hidden() and page.locator("[data-role=corrected]").is_hidden()


def test_ends_and_middle_are_dragged(editing):
    page = editing(few())
    drag(page, 0, 30, 35)
    assert truths(page)[0] == pytest.approx([10, 35, 0], abs=0.2)
    drag(page, 0, truths(page)[0][0], 5)
    assert truths(page)[0] == pytest.approx([5, 35, 0], abs=0.2)
    drag(page, 1, 60, 75)
    start, end, label = truths(page)[1]
    assert (start, label) == (pytest.approx(65, abs=0.2), 1) and end - start == pytest.approx(20, abs=0.002)
    assert edited(page) == [row[0] for row in truths(page)]
    assert page.inner_text("[data-role=corrected]").startswith("2 corrections in this video (◤), 1 video corrected; ")


def test_ends_stay_apart_and_within_the_video(editing):
    page = editing(few())
    drag(page, 0, 10, 45)
    assert truths(page)[0] == [29.99, 30, 0], "an end stops at the other one"
    drag(page, 1, 70, 99)
    length = truths(page)[1][1] - truths(page)[1][0]
    drag(page, 1, 60, 99)
    start, end, _ = truths(page)[1]
    assert end == 100 and end - start == pytest.approx(length, abs=0.002)
    click(page, 1, 80)
    press(page, "m", *["Shift+ArrowRight"] * 3)
    assert truths(page)[1] == [start, 100, 1]


def test_a_video_of_unknown_length_grows(editing):
    page = editing(few(duration_sec=None))
    assert panel_of(page, "p.scene.view.end") == 90
    click(page, 1, 60)
    press(page, "m", *["Shift+ArrowRight"] * 25)
    assert truths(page)[1] == [75, 95, 1] and panel_of(page, "p.scene.view.end") == 95


def test_keys_choose_and_move_the_ends(editing):
    page = editing(few())
    press(page, "j", "]", "ArrowRight", "ArrowRight", "Shift+ArrowRight")
    assert truths(page)[0] == [10, 31.2, 0]
    press(page, "[", "ArrowLeft")
    assert truths(page)[0] == [9.9, 31.2, 0]
    press(page, "m", "Shift+ArrowLeft")
    assert truths(page)[0] == [8.9, 30.2, 0]
    view = panel_of(page, "p.scene.view.from")
    press(page, "Escape", "+", "ArrowRight")
    assert truths(page)[0] == [8.9, 30.2, 0] and panel_of(page, "p.scene.view.from") > view
    press(page, "j", "Delete")
    assert truths(page) == [[8.9, 30.2, 0]]
    press(page, "k", "Delete", "j")
    assert truths(page) == [] and said(page) == "No annotation is shown."
    press(page, "[")
    assert said(page) == "Select an annotation first."


def test_a_segment_is_drawn_on_empty_space_of_its_lane(editing):
    page = editing(few())
    drag(page, 1, 80, 75)
    assert truths(page)[2] == pytest.approx([75, 80, 1], abs=0.2)
    page.select_option("[data-role=label]", "1")
    click(page, 0, 97)
    page.select_option("[data-role=label]", "3")
    drag(page, 3, 20, 24)
    assert truths(page)[1] == pytest.approx([20, 24, 7], abs=0.2), "a class without a lane, below the last one"
    assert panel_of(page, "p.scene.lanes.length") == 4
    click(page, 0, 97)
    assert len(truths(page)) == 4, "a click adds nothing"


def test_a_hidden_class_is_shown_when_it_is_added_to(editing):
    page = editing(few())
    page.click(".classes summary")
    page.locator("input[data-label='2']").uncheck()
    page.select_option("[data-role=label]", "2")
    press(page, "Insert")
    assert page.locator("input[data-label='2']").is_checked() and said(page).startswith("run, 45.00 to 55.00 s")


def test_an_annotation_is_added_by_key_where_its_class_is_known(editing):
    page = editing(few(gt=[], predicted=[]))
    assert "no ground truth" in page.inner_text(".remark")
    page.select_option("[data-role=label]", "2")
    press(page, "Insert")
    assert truths(page) == [[45, 55, 2]] and page.inner_text(".remark") == "This video has no predictions."
    page = editing(replace(few(gt=[], predicted=[]), label_names={}))
    press(page, "Insert")
    assert truths(page) == [] and said(page) == "Its class is not known: choose another one."


def test_a_prediction_becomes_an_annotation_once(editing):
    page = editing(few())
    press(page, "a")
    assert said(page) == "Select a prediction first."
    click(page, 2, 85)
    press(page, "a")
    assert truths(page)[2] == [80, 90, 2]
    kinds = panel_of(page, "[...p.scene.segments.kind]")
    assert sorted(kinds) == sorted(KINDS.index(kind) for kind in ["ground truth"] * 2 + ["hit"] * 2 + ["miss"])
    press(page, "n", "n")
    panel_of(page, "p.pick([p.scene.segments.score.findIndex((score) => score > 0.79 && score < 0.81)])")
    press(page, "a")
    assert said(page) == "This is annotated already." and len(truths(page)) == 3


def test_a_prediction_of_an_unknown_class_is_not_taken(editing):
    names = {0: "jump", 1: "throw", -1: "unknown label"}
    page = editing(replace(few(predicted=[(80, 90, -1, 0.8)]), label_names=names))
    press(page, "p", "a")
    assert len(truths(page)) == 2 and said(page) == "Its class is not known: choose another one."


def test_the_class_is_changed_and_edits_are_undone_and_done_again(editing):
    page = editing(few())
    click(page, 1, 60)
    assert page.input_value("[data-role=label]") == "1"
    page.select_option("[data-role=label]", "3")
    assert truths(page)[1] == [50, 70, 7]
    press(page, "Delete")
    steps = [[list(row) for row in GT], [[10, 30, 0], [50, 70, 7]], [[10, 30, 0]]]
    assert truths(page) == steps[2]
    press(page, "Control+z")
    assert truths(page) == steps[1] and panel_of(page, "p.state.picked.length") == 1
    page.click("[data-role=undo]")
    assert truths(page) == steps[0] and edited(page) == []
    assert page.locator("[data-role=undo]").is_disabled() and page.locator("[data-role=save]").is_disabled()
    press(page, "Control+z")
    assert said(page) == "There is nothing to undo."
    press(page, "Control+Shift+z")
    page.click("[data-role=redo]")
    assert truths(page) == steps[2]
    press(page, "Control+z", "Insert", "Control+Shift+z")
    assert said(page) == "There is nothing to redo.", "another edit ends what can be done again"


def test_edits_of_another_video_are_undone_there(editing):
    page = editing(many(2, 3))
    page.select_option("[data-role=video]", "video0")
    before = truths(page)
    press(page, "j", "Delete")
    page.select_option("[data-role=video]", "video1")
    assert len(truths(page)) == 10
    assert "before editing," in page.locator("[data-role=video] option[value=video0]").inner_text()
    press(page, "Control+z")
    assert panel_of(page, "p.state.video") == "video0" and truths(page) == before


def test_edited_segments_are_matched_as_python_does(opened):
    draws = np.random.default_rng(3)

    def draw(video, count):
        starts, lengths = draws.integers(0, 7, count), draws.integers(0, 5, count)
        table = pd.DataFrame({"video": video, "start_sec": starts, "end_sec": starts + lengths})
        return table.assign(label=draws.integers(0, 3, count), score=draws.integers(1, 5, count) / 5)

    videos = [f"v{i}" for i in range(40)]
    predictions = pd.concat([draw(video, 12) for video in videos], ignore_index=True)
    gt = pd.concat([draw(video, draws.integers(0, 7)) for video in videos], ignore_index=True).drop(columns="score")
    inspected = Inspected(gt, predictions, {0: "a", 1: "b", 2: "c"}, dict.fromkeys(videos, 30.0), "run")
    page = opened(inspected)
    for video in videos:
        edited = draw(video, draws.integers(0, 12)).query("start_sec < end_sec").sort_values(COLUMNS)[COLUMNS]
        segments = list_segments(edited, inspected.of_video(video)[1])
        given = edited.set_axis(["start", "end", "label"], axis=1).to_json(orient="records")
        for tiou in (0.3, 0.5):
            panel_of(page, f"(p.run.edited.set('{video}', {given}), p.showVideo('{video}', {tiou}), p.refresh())")
            columns = "[s.start, s.label, s.kind, s.partner, s.tiou].map((column) => [...column])"
            ours = panel_of(page, f"((s) => {columns})(p.scene.segments)")
            matching = match_listed(segments, tiou)
            expected = [segments["start_sec"], segments["label"], matching["kind"], matching["partner"]]
            assert ours[:4] == [column.tolist() for column in expected]
            assert ours[4] == matching["tiou"].astype(np.float32).tolist()


def saved(page, folder):
    """The annotation file that the page saves."""
    with page.expect_download() as download:
        page.click("[data-role=save]")
    download.value.save_as(folder / "saved.json")
    return folder / "saved.json"


def test_the_saved_file_is_what_python_makes_of_the_corrections(editing, tmp_path):
    inspected = many(2, 10)
    page = editing(inspected, accept_downloads=True)
    page.select_option("[data-role=video]", "video1")
    press(page, "j", "]", "ArrowRight", "j", "Delete")
    page.select_option("[data-role=label]", "0")
    press(page, "Insert")
    rows, annotations = truths(page), read_annotations(saved(page, tmp_path))
    assert said(page) == "Saved the annotations of 2 videos, with 2 corrections."
    expected = apply_corrections(inspected, check_corrections(inspected, {"video1": rows}))
    for video, wanted in expected.groupby("video"):
        found = annotations.videos[video]
        assert found.segments_sec.tolist() == wanted[["start_sec", "end_sec"]].to_numpy().tolist()
        assert found.labels.tolist() == wanted["label"].tolist()
        assert (found.subset, found.duration_sec) == ("inspected", 200)
    assert annotations.label_names[0] == EVIL


def test_what_the_annotation_file_says_of_a_video_is_saved_with_it(editing, tmp_path):
    entry = {"subset": "Test", "fps": 25.0, "duration": 100, "annotations": []}
    (tmp_path / "old.json").write_text(json.dumps({"database": {"v": entry}}))
    page = editing(replace(few(), annotations=read_annotations(tmp_path / "old.json")), accept_downloads=True)
    press(page, "j", "Delete", "j", "Delete")
    content = json.loads(saved(page, tmp_path).read_text())
    assert content == {"database": {"v": entry | {"subset": "test", "annotations": []}}}


def test_a_draft_outlives_the_page_and_where_there_can_be_none_unsaved_corrections_are_asked_about(editing, tmp_path):
    page = editing(few(), accept_downloads=True)
    questions = []

    def stay(dialog):
        questions.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    press(page, "j", "Delete", "d")
    page.reload()
    settle(page)
    assert questions == [] and len(truths(page)) == 1 and "The draft of" in page.inner_text(".remark")
    press(page, "e")
    assert page.input_value("[data-role=state]") == "done"
    press(page, "Control+z", "j")
    assert len(truths(page)) == 2, "undo goes back through the draft"
    page.evaluate("() => void (Storage.prototype.setItem = () => { throw new Error('full'); })")
    press(page, "Delete")
    eventually(page, lambda: "NOT SAVED: this browser keeps no draft" in page.inner_text("[data-role=alarm]"))
    page.evaluate("location.reload()")
    eventually(page, lambda: questions)
    assert questions == ["beforeunload"] and len(truths(page)) == 1
    content = json.loads(saved(page, tmp_path).read_text())
    assert content["database"]["v"]["state"] == "done"
    page.reload()
    assert questions == ["beforeunload"]


def test_of_two_windows_of_a_page_that_goes_on_which_was_edited_as_they_have_one_draft(editing):
    page = editing(few())
    with page.expect_popup() as opened:
        page.evaluate("window.open(location.href)")
    other = opened.value
    settle(other)
    press(page, "j", "Delete")
    eventually(other, lambda: "edited in another window; reload it" in other.inner_text("[data-role=alarm]"))
    press(other, "e", "j", "Delete")
    assert len(truths(other)) == 2
    other.reload()
    settle(other)
    press(other, "e", "j", "Delete")
    assert truths(other) == []
    eventually(page, lambda: "in another window" in page.inner_text("[data-role=alarm]"))
    other.close()


def test_where_the_browser_lets_a_page_choose_a_file_it_is_written_again_and_again(editing):
    page = editing(few())
    page.evaluate("""() => {
      window.written = [];
      window.showSaveFilePicker = async ({ suggestedName }) => {
        window.written.push(suggestedName);
        return { createWritable: async () => ({ write: (text) => window.written.push(text), close() {} }) };
      };
    }""")
    press(page, "j", "Delete")
    page.click("[data-role=save]")
    eventually(page, lambda: said(page).startswith("Saved"))
    press(page, "Control+z", "j", "Delete")
    page.click("[data-role=save]")
    eventually(page, lambda: page.evaluate("window.written.length") == 3)
    assert page.evaluate("window.written[0]") == "annotations_corrected.json"


def test_odd_segments_stay_as_they_are_beside_an_edit(editing):
    page = editing(few(gt=[(5, 5, 0), (5, 8, 0), (6, 9, 0), (50, 70, 1)]))
    click(page, 1, 60)
    press(page, "Delete")
    assert truths(page) == [[5, 5, 0], [5, 8, 0], [6, 9, 0]] and edited(page) == []


def test_500_classes_can_be_edited_on_a_narrow_page(editing):
    inspected = many(1, 500, 500)
    inspected.label_names[7] = "a name that is long, " * 8
    page = editing(inspected, width=600)
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
    page.select_option("[data-role=label]", "499")
    press(page, "Insert")
    assert [90, 110, 499] in [[round(start), round(end), label] for start, end, label in truths(page)]
