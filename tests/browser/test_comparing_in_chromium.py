"""Two runs above each other, and two annotators: lists of the errors of each, of what changed, of where they differ."""

from dataclasses import replace

import numpy as np
import pytest
from pages import CANVAS, EVIL, PANEL, click, many, panel_of, panels, said, settle

from afkit.files import write_json
from afkit.segments import tiou
from afkit.workbench.inspector.annotators import collect_annotators
from afkit.workbench.inspector.comparison import write_comparison
from afkit.workbench.inspector.inspected import KINDS, list_segments, match_listed
from afkit.workbench.inspector.tracks import Tracks

pytestmark = pytest.mark.slow
FIRST = f"{PANEL}.panels[0]"
LISTED = f"""(({{list}}) => [...list.video].map((v, k) => {{
  const panel = {PANEL}.panels[list.side[k]], {{start, end, label}} = panel.run.kept[v].segments, i = list.row[k];
  return [list.side[k], panel.info.videos[v].video, start[i], end[i], panel.info.label_ids[label[i]]];
}}))({FIRST})"""


def judged(inspected, threshold, min_score):
    """All segments from a score on with their kinds; what hides a prediction makes its action a miss."""
    tables = []
    for video in inspected.videos:
        table = list_segments(*inspected.of_video(video))
        table = table.join(match_listed(table, threshold)).assign(video=video)
        table["kind"] = [KINDS[kind] for kind in table["kind"]]
        found = table["kind"] == "ground truth"
        low = table["score"].to_numpy()[table["partner"]] < min_score
        table.loc[found & low, "kind"] = "miss"
        tables.append(table[~(table["score"] < min_score)].set_index(["video", "start_sec", "end_sec", "label"]))
    return tables


def changed(one, other, threshold, min_score):
    """(run, video, start_sec, end_sec, label) of what only one of two runs found, and of its own false detections."""
    expected = set()
    for both in zip(judged(one, threshold, min_score), judged(other, threshold, min_score), strict=True):
        truths = [table[table["score"].isna()]["kind"] == "ground truth" for table in both]
        wrong = [table[~table["kind"].isin(["ground truth", "miss", "hit"])].index.to_list() for table in both]
        for side in (0, 1):
            expected |= {(side, *key) for key, found in truths[side].items() if found and not truths[1 - side][key]}
            for key in wrong[side]:
                own, theirs = np.array([key[1:3]]), [k[1:3] for k in wrong[1 - side] if k[3] == key[3]]
                if not theirs or tiou(own[:, None], np.array(theirs)).max() < threshold:
                    expected.add((side, *key))
    return expected


@pytest.fixture
def compared(opened_file, tmp_path):
    """A page of two runs with curves, the second with other scores, fewer predictions, and other ends of some."""
    one = replace(many(2), tracks=Tracks(lambda video: (np.arange(201.0), np.ones((201, 3)))))
    draws = np.random.default_rng(1)
    predictions = one.predictions.sample(frac=0.8, random_state=1)
    scores, later_sec = draws.uniform(size=len(predictions)), draws.choice([0, 1.5, 15], len(predictions))
    predictions = predictions.assign(score=scores, end_sec=predictions["end_sec"] + later_sec)
    two = replace(one, predictions=predictions, title="another run")
    write_comparison(tmp_path / "both.html", [one, two], min_score=0.3)
    return opened_file(tmp_path / "both.html"), one, two


def test_what_changed_between_two_runs_is_listed_and_walked(compared):
    page, one, two = compared
    page.keyboard.press("l")
    settle(page)
    page.select_option("[data-role=whose]", "0 1")
    settle(page)
    assert page.evaluate(f"{FIRST}.state.video") in one.videos
    for what, threshold, min_score in (("errors", 0.5, 0.3), ("found0", 0.3, 0.3), ("false1", 0.3, 0.6)):
        page.select_option("[data-role=what]", what)
        page.select_option("[data-role=tiou] >> nth=0", str(threshold))
        page.locator("[data-role=score] >> nth=0").fill(str(min_score))
        settle(page)
        settle(page)  # the second run has followed
        everything = changed(one, two, threshold, min_score)
        truths = set(one.gt.itertuples(index=False, name=None))
        kept = {
            "errors": everything,
            "found0": {change for change in everything if change[0] == 0 and change[1:] in truths},
            "false1": {change for change in everything if change[0] == 1 and change[1:] not in truths},
        }[what]
        listed = [tuple(entry) for entry in page.evaluate(LISTED)]
        assert len(listed) == len(set(listed)) and set(listed) == kept and kept
        assert [entry[1:3] for entry in listed] == sorted(entry[1:3] for entry in listed)
        assert f"{len(kept)} listed; {len(everything)} changes" in page.inner_text("[data-role=listed] >> nth=0")
    page.select_option("[data-role=what]", "errors")
    settle(page)
    listed = [tuple(entry) for entry in page.evaluate(LISTED)]
    walked = []
    for _ in range(12):
        page.keyboard.press("n")
        settle(page)
        row = panels(page, "[p.state.video, p.state.picked.length ? p.scene.segments.start[p.state.picked[0]] : null]")
        side = page.evaluate(f"{PANEL}.panels.indexOf({PANEL}.leader)")
        assert row[0][0] == row[1][0], "both show the same recording"
        assert page.locator("[role=option][aria-selected=true]").count() == 1
        walked.append((side, *row[side]))
        (entry,) = [entry for entry in listed if entry[:3] == walked[-1]]
        action = entry[1:] in truths
        assert (row[0][1] == row[1][1]) if action else (row[1 - side][1] is None)
    places = [[entry[:3] for entry in listed].index(one) for one in walked]
    assert places == [(places[0] + k) % len(listed) for k in range(12)], "in the order of the list"


def test_the_errors_of_each_run_are_listed(compared):
    page, _, two = compared
    page.keyboard.press("l")
    settle(page)
    page.select_option("[data-role=whose]", "1")
    settle(page)
    wrong = [table[~table["kind"].isin(["ground truth", "hit"])] for table in judged(two, 0.5, 0.3)]
    assert [entry[0] for entry in page.evaluate(LISTED)] == [1] * sum(map(len, wrong))
    assert f"{sum(map(len, wrong))} errors in B" in page.inner_text("[data-role=listed] >> nth=0")
    page.keyboard.press("t")
    page.keyboard.press("n")
    settle(page)
    assert panels(page, "p.state.picked.length")[1] == 1
    cells = [int(text or 0) for text in page.locator("td").all_inner_texts()[1:]]
    assert sum(cells) - sum(cells[::5]) == sum(map(len, wrong)), "the table is that of the same run"


def test_runs_have_their_own_lanes_and_titles_below_common_controls(compared):
    page, *_ = compared
    assert page.locator("h2").all_inner_texts() == ["A: a run", "B: another run"]
    assert page.locator("[data-role=video]:visible").count() == 1
    assert page.locator(f"{CANVAS}:visible").count() == 2
    assert page.locator("[data-role=edit]:visible").count() == 0
    assert not any("edits" in text for text in page.locator(".help").all_inner_texts())
    assert len(set(map(str, panels(page, "Array.from(p.scene.segments.start)")))) == 2


def test_both_runs_look_at_the_same_time_though_one_predicts_beyond_the_end(compared):
    page, *_ = compared
    whole = panels(page, "[p.scene.view.from, p.scene.view.to]")
    assert whole[0] == whole[1] and whole[0][1] > 200
    page.locator(CANVAS).nth(1).press("+")
    page.locator(CANVAS).nth(1).press("ArrowRight")
    second = panels(page, "[p.scene.view.from, p.scene.view.to]")
    assert second[0] == pytest.approx(second[1]) and second[0][1] - second[0][0] == pytest.approx(whole[0][1] / 2)
    page.locator(CANVAS).nth(0).press("0")
    assert panels(page, "[p.scene.view.from, p.scene.view.to]") == whole


def test_controls_of_one_run_act_on_both(compared):
    page, *_ = compared
    page.select_option("[data-role=video] >> nth=0", "video1")
    page.select_option("[data-role=tiou] >> nth=0", "0.3")
    page.locator("[data-role=score]").nth(0).fill("0.6")
    page.fill("[data-role=top] >> nth=0", "9")
    page.locator(".classes summary").nth(0).click()
    page.locator("input[data-label='1']").nth(0).uncheck()
    expected = [["video1", 0.3, 0.6, 9, [1]]] * 2
    state = "[p.state.video, p.state.tiou, p.state.minScore, p.state.topK, [...p.state.hidden]]"
    assert panels(page, state) == expected
    assert all(1 not in kinds for kinds in panels(page, "p.scene.lanes.map((lane) => lane.label)"))
    page.select_option("[data-role=track-class] >> nth=0", "0")
    settle(page)
    assert panels(page, "p.tracks.drawn.name") == [EVIL] * 2


def test_a_detection_that_is_selected_in_one_run_stays_there(compared):
    page, *_ = compared
    page.evaluate(f"{PANEL}.panels[0].set({{ listOpen: true, whose: '1', what: 'false' }})")
    page.locator(CANVAS).nth(0).press("n")
    assert panels(page, "p.state.picked.length") == [0, 1]


def test_where_two_annotators_differ_is_walked_by_keys(opened, tmp_path):
    ids = {"walk": 0, "sit": 1}
    one = {"a": [(10, 30, "walk"), (40, 50, "walk")], "b": [(20, 30, "sit"), (60, 80, "walk")]}
    other = {"a": [(10, 33, "walk"), (41, 50, "sit")], "b": [(60, 80, "walk"), (85, 90, "sit")]}
    for name, videos in (("ann", one), ("bob", other)):
        entries = {
            video: [{"segment": [s, e], "label": label, "label_id": ids[label]} for s, e, label in rows]
            for video, rows in videos.items()
        }
        facts = {"subset": "x", "duration": 100}
        write_json(
            tmp_path / f"{name}.json",
            {"database": {video: facts | {"annotations": rows} for video, rows in entries.items()}},
        )
    page = opened(collect_annotators(tmp_path / "ann.json", tmp_path / "bob.json"), width=1366)
    assert page.locator("[role=option]").count() == 4, "the list is open"
    walked = []
    for _ in range(4):
        page.keyboard.press("n")
        settle(page)
        walked.append((panel_of(page, "p.state.video"), page.inner_text("[role=option][aria-selected=true] .what")))
    assert walked == [
        ("a", "end differs by 3 s: walk"),
        ("a", "other class: walk, sit"),
        ("b", "only in ann: sit"),
        ("b", "only in bob: sit"),
    ]
    assert "annotation of bob, only in bob" in said(page)
    page.keyboard.press("0")
    click(page, 1, 70)
    assert "annotation of ann, both agree, bob: walk, 60.00 to 80.00 s" in said(page)
    page.keyboard.press("p")
    assert "only in ann" in said(page), "from where one looks"
    page.select_option("[data-role=what]", "wrong label")
    page.keyboard.press("n")
    assert "sit, 41.00 to 50.00 s" in said(page) and panel_of(page, "p.scene.counterpart") >= 0
    page.keyboard.press("t")
    settle(page)
    cells = [int(text or 0) for text in page.locator("td").all_inner_texts()[1:]]
    assert cells == [0, 0, 1, 1, 2, 0, 1, 0, 0], "rows: sit, walk, only in bob"
    page.click("td [data-cell='3']")
    settle(page)
    assert page.locator("[role=option]").all_inner_texts() == ["other class: walk, sit\na, 40.0 to 50.0 s"]
    assert page.inner_text("[data-role=cell]").startswith("walk in ann, sit in bob")
    texts = page.inner_text("body")
    assert "2 differences; of each class the upper row is ann" in texts
    assert not any(word in texts for word in ("prediction", "ground truth", "tIoU 0.5", "error", "score"))
    assert page.locator("[data-role=edit]").is_hidden()
