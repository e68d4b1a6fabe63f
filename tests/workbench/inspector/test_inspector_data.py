"""What each segment of a video is, which are shown, and how a run that is not finished is read."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import NAMES, write_run, write_scored_run, write_test_data

from afkit.files import read_json, write_json
from afkit.workbench.analysis import matching as module
from afkit.workbench.analysis.false_positives import false_positives
from afkit.workbench.inspector.inspected import (
    KINDS,
    Inspected,
    list_segments,
    list_videos,
    match_listed,
    pack_facts,
    pack_run,
    read_inspected,
)

GT = [(0, 10, 0), (20, 30, 1), (40, 50, 0)]
PREDICTED = [
    (0, 10, 0, 0.9),  # hit
    (1, 10, 0, 0.8),  # the same again
    (20, 30, 0, 0.7),  # another class
    (44, 54, 0, 0.6),  # tIoU 6 / 14
    (26, 36, 0, 0.5),  # tIoU 4 / 16, another class
    (60, 70, 1, 0.4),  # nothing there
]
EXPECTED = ["hit", "double detection", "wrong label", "localisation", "confusion", "background"]


def tables(gt=GT, predicted=PREDICTED, video="v"):
    truth = pd.DataFrame(gt, columns=["start_sec", "end_sec", "label"]).astype({"label": int})
    found = pd.DataFrame(predicted, columns=["start_sec", "end_sec", "label", "score"]).astype({"label": int})
    floats = {"start_sec": float, "end_sec": float}
    return truth.astype(floats).assign(video=video), found.astype(floats | {"score": float}).assign(video=video)


def kinds_of(*given, tiou=0.5):
    return [KINDS[kind] for kind in match_listed(list_segments(*tables(*given)), tiou)["kind"]]


def test_each_kind_of_error_is_named_with_its_partner_and_packed(monkeypatch):
    segments = list_segments(*tables())
    matching = match_listed(segments, 0.5)
    predictions = segments[segments["score"].notna()].sort_values("place").index
    assert segments["start_sec"].is_monotonic_increasing
    assert segments.loc[predictions, "score"].tolist() == [row[3] for row in PREDICTED]
    assert [KINDS[kind] for kind in matching["kind"][predictions]] == EXPECTED
    partners = matching["partner"][predictions].tolist()
    onsets = [segments["start_sec"][row] if row >= 0 else None for row in partners]
    assert onsets == [0, 0, 20, 40, 20, None]
    assert matching["tiou"][predictions].to_numpy() == pytest.approx([1, 0.9, 1, 6 / 14, 4 / 16, 0])
    truth = segments[segments["score"].isna()].index
    assert [KINDS[kind] for kind in matching["kind"][truth]] == ["ground truth", "miss", "miss"]
    assert matching["partner"][truth[0]] == predictions[0] and matching["tiou"][truth[0]] == 1
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 4)  # one prediction at a time
    pd.testing.assert_frame_equal(match_listed(segments, 0.5), matching)
    facts = np.frombuffer(pack_facts(segments, np.array([0, 1])), "<f8").reshape(5, -1)
    assert (facts[0] == segments["start_sec"]).all() and (facts[2] == segments["label"]).all()
    assert (np.isnan(facts[3]) == segments["score"].isna()).all()
    other = list_segments(*tables([(0, 1, 70)], []))
    assert np.frombuffer(pack_facts(other, np.array([3, 70])), "<f8")[2] == 1, "labels are packed as positions"


@pytest.mark.parametrize("pairs_at_once", [4, 1_000_000])
def test_of_equal_neighbours_that_of_its_own_class_judges_then_the_last(pairs_at_once, monkeypatch):
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", pairs_at_once)
    gt = [(4, 8, 0), (0, 4, 1), (0, 4, 0)]
    segments = list_segments(*tables(gt, [(2, 6, 1, 0.9), (2, 6, 0, 0.8), (2, 6, 2, 0.7)]))
    matching = match_listed(segments, 0.9)
    found = segments[segments["score"].notna()]
    judges = segments.loc[matching["partner"][found.index], "place"].tolist()
    assert dict(zip(found["label"].tolist(), judges, strict=True)) == {1: 1, 0: 2, 2: 2}


def test_all_videos_are_packed_one_after_the_other_each_as_alone():
    draws = np.random.default_rng(0)
    parts = [tables([(t, t + 2, t % 3) for t in draws.integers(0, 50, n)], [], v) for v, n in (("b", 5), ("a", 3))]
    gt = pd.concat([truth for truth, _ in parts], ignore_index=True).sample(frac=1, random_state=1)
    predictions = gt.sample(frac=1, random_state=2).assign(score=draws.integers(0, 3, len(gt)) / 4)
    run = Inspected(gt, predictions, {}, {"empty": 9.0, "a": None, "b": None})
    alone = [list_segments(*run.of_video(video)) for video in run.videos]
    together = list_segments(gt, predictions, run.videos)
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))
    assert pack_run(run) == pack_facts(together, run.labels)


def test_equal_scores_are_matched_in_the_order_of_the_table():
    predicted = [(3, 10, 0, 0.5), (0, 10, 0, 0.5)]  # the later one begins earlier and lies better
    assert kinds_of([(0, 10, 0)], predicted) == ["ground truth", "double detection", "hit"]


rows = st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(0, 2))


@given(st.lists(rows, min_size=1, max_size=8), st.lists(rows, max_size=10), st.sampled_from([0.3, 0.5, 0.75]))
def test_kinds_are_those_of_the_diagnosis_of_errors(gt, found, tiou):
    gt = [(start, start + length, label) for start, length, label in gt]
    found = [(start, start + length, label, 1 - i / 20) for i, (start, length, label) in enumerate(found)]
    truth, predictions = tables(gt, found)
    segments = list_segments(truth, predictions)
    kinds = match_listed(segments, tiou)["kind"]
    expected = false_positives(truth, predictions, tiou)["kind"].replace("true positive", "hit").tolist()
    ours = [KINDS[kinds[row]] for row in segments[segments["score"].notna()].sort_values("place").index]
    assert all(kind == theirs for kind, theirs in zip(ours, expected, strict=True) if theirs != "outside")


def test_a_video_may_lack_either_side_and_segments_their_length():
    assert kinds_of([], []) == [] and kinds_of(GT[:1], []) == ["miss"] and kinds_of([], PREDICTED[:1]) == ["background"]
    odd = kinds_of([(5, 5, 0)], [(5, 5, 0, 0.9), (3, 2, 0, 0.8)])
    assert odd.count("miss") == 1 and odd.count("background") == 2


def test_videos_are_listed_with_ap_and_errors_those_without_segments_too():
    gt, predictions = tables()
    inspected = Inspected(gt, predictions, {0: "a"}, {"empty": 30.0, "v": None}, "run")
    table = list_videos(inspected, 0.5, 0.5)
    assert table.index.tolist() == ["empty", "v"]
    assert table["duration_sec"].tolist() == [30, 70], "an unknown duration is the end of the last segment"
    assert table["errors"].tolist() == [0, 2 + 4] and table["predictions"].tolist() == [0, 6]
    assert np.isnan(table["ap"]["empty"]) and 0 < table["ap"]["v"] < 1
    assert inspected.names() == ["a", "class 1"]


def test_a_run_is_read_with_the_data_that_it_names(tmp_path):
    gt = write_test_data(tmp_path / "data")
    folder = write_scored_run(tmp_path / "results" / "tiny" / "seed1", gt, 2, "data")
    inspected = read_inspected(folder)
    assert inspected.title == "tiny/seed1" and inspected.remark == ""
    assert len(inspected.gt) == 12 and len(inspected.predictions) == 4
    assert inspected.label_names[0] == NAMES[0] and inspected.duration_sec("video5") == 60


def test_scores_begin_where_03_eval_chose(tmp_path):
    gt = write_test_data(tmp_path / "data")
    folder = write_scored_run(tmp_path / "results" / "tiny" / "seed1", gt, 2, "data")
    content = read_json(folder / "eval.json") if (folder / "eval.json").is_file() else {}
    for threshold, expected in ((0.4567, 0.45), (None, None), (float("inf"), None), ("high", None)):
        point = {"one_threshold": {"threshold": threshold}}
        (folder / "eval.json").write_text(json.dumps(content | {"operating_point": point}))
        assert read_inspected(folder).operating_score == expected
    (folder / "eval.json").write_text("[]")
    assert read_inspected(folder).operating_score is None


def test_a_run_without_predictions_is_shown_with_a_remark(tmp_path):
    write_test_data(tmp_path / "data")
    stages = {"03_eval": {"status": "running"}, "04_visualize": {"status": "done"}}
    folder = write_run(tmp_path / "seed1", data_root=tmp_path / "data", stages=stages)
    inspected = read_inspected(folder)
    assert inspected.predictions.empty and len(inspected.gt) == 12
    assert inspected.remark == "This run has no predictions yet: 03_eval is running."
    assert list_videos(inspected, 0.5, 0.2)["errors"].tolist() == [2] * 6


def test_what_is_no_run_or_lacks_its_data_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run\.json"):
        read_inspected(tmp_path)
    folder = write_run(tmp_path / "seed1", data_root=tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"nowhere.* does not exist; name the folder of the run's data"):
        read_inspected(folder)
    data = {"annotations": "a.json", "test_subsets": ["test"], "num_classes": 3}
    for wrong in ({"test_subsets": [1]}, {"num_classes": "three"}, {"annotations": ["a.json"]}):
        write_json(folder / "run.json", {"recipe": {"data": data | wrong}, "data_root": str(tmp_path)})
        with pytest.raises(ValueError, match=r"run\.json names no data"):
            read_inspected(folder)
    (folder / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="names no data"):
        read_inspected(folder)
