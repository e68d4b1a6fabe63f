"""Submission files: read as the challenges' own evaluation reads them, by rules written anew here."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import random_predictions, tiou_by_definition

from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.analysis.submissions import (
    combine_verbs_and_nouns,
    write_activitynet_submission,
    write_ego4d_submission,
    write_epic_submission,
)

NAMES = {3: "Jump", 7: "Läufer", 20: "20-metre run", 21: "Swim"}
COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]
ACTION_COLUMNS = ["video", "start_sec", "end_sec", "verb", "noun", "score"]


def as_set(table):
    """Rows as tuples, in any order."""
    return sorted(map(tuple, table.astype({"video": str})[COLUMNS].to_numpy().tolist()))


def falls(entries):
    scores = [entry["score"] for entry in entries]
    return scores == sorted(scores, reverse=True)


def test_activitynet(tmp_path):
    predictions = random_predictions(0).query("end_sec >= start_sec")
    predictions["video"] = "v_" + predictions["video"] * 11  # YouTube ids have 11 letters
    path = tmp_path / "submission.json"
    write_activitynet_submission(path, predictions, NAMES, "Kinetics-400 pre-training", videos=["v_" + "z" * 11, "v_z"])
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["version", "results", "external_data"]
    assert content["version"] == "VERSION 1.3"
    assert content["external_data"] == {"used": True, "details": "Kinetics-400 pre-training"}
    assert list(content["results"])[:2] == ["z" * 11, "v_z"]  # the second is no prefix: too short an id
    assert content["results"]["v_z"] == []
    assert all(map(falls, content["results"].values()))
    without_prefix = predictions.assign(video=predictions["video"].str.removeprefix("v_"))
    assert as_set(read_predictions(path, NAMES)) == as_set(without_prefix)
    write_activitynet_submission(path, predictions, NAMES)
    assert json.loads(path.read_text())["external_data"] == {"used": False, "details": ""}


def test_ego4d(tmp_path):
    predictions, path = random_predictions(1).query("end_sec >= start_sec"), tmp_path / "submission.json"
    write_ego4d_submission(path, predictions, NAMES, clips=["none", "c", "a"])
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["version", "challenge", "detect_results", "retrieve_results"]
    assert (content["version"], content["challenge"]) == ("1.0", "ego4d_moment_queries")
    assert content["detect_results"] == content["retrieve_results"]
    assert list(content["detect_results"])[:3] == ["none", "c", "a"]
    assert content["detect_results"]["none"] == []
    assert all(map(falls, content["retrieve_results"].values()))
    assert set(content["detect_results"]["a"][0]) == {"label", "score", "segment"}
    assert as_set(read_predictions(path, NAMES)) == as_set(predictions)


def test_ego4d_times_count_from_the_official_start(tmp_path):
    path = tmp_path / "submission.json"
    rows = [("a", 1.0, 2.0, 3, 0.5), ("a", 0.25, 0.75, 3, 0.4), ("b", 1.0, 2.0, 3, 0.5)]
    predictions = pd.DataFrame(rows, columns=COLUMNS)
    before = predictions.copy()
    write_ego4d_submission(path, predictions, NAMES, lead_sec={"a": 0.5, "b": 0.0, "other": 1.0})
    results = json.loads(path.read_text())["detect_results"]
    assert [entry["segment"] for entry in results["a"]] == [[0.5, 1.5], [0.0, 0.25]]
    assert results["b"][0]["segment"] == [1.0, 2.0]
    pd.testing.assert_frame_equal(predictions, before)
    write_ego4d_submission(path, predictions, NAMES, lead_sec={"a": 0.75, "b": 2.0})
    results = json.loads(path.read_text())["detect_results"]
    assert [entry["segment"] for entry in results["a"]] == [[0.25, 1.25]] and "b" not in results, "no [0, 0]"
    with pytest.raises(ValueError, match="lead_sec lacks clip 'b'"):
        write_ego4d_submission(path, predictions, NAMES, lead_sec={"a": 0.5})


@pytest.mark.parametrize("write", [write_activitynet_submission, write_ego4d_submission])
@pytest.mark.parametrize(
    ("row", "told"),
    [(("b", 2.0, 1.0, 3, 0.5), "ends before it starts"), (("b", 1.0, 2.0, 3, -0.5), "has a negative score")],
)
def test_reversed_segments_and_negative_scores_are_not_submitted(tmp_path, write, row, told):
    predictions = pd.DataFrame([("a", 1.0, 2.0, 3, 0.5), row], columns=COLUMNS, index=[5, 7])
    with pytest.raises(ValueError, match=rf"^row 7 of predictions {told}; leave such rows out$"):
        write(tmp_path / "submission.json", predictions, NAMES)
    assert not list(tmp_path.iterdir())


def some_actions():
    rows = [("P01_11", 0.5, 2.0, 0, 299, 0.25), ("P01_12", 1.0, 3.0, 96, 0, 0.5), ("P01_11", 4.0, 5.0, 7, 13, 0.75)]
    return pd.DataFrame(rows, columns=ACTION_COLUMNS)


def read_epic(path):
    """(video, start, end, verb, noun, score) rows, after the checks of the challenge's evaluation code."""
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["version"] == "0.2"
    assert content["challenge"] == "action_detection"
    assert all(0 <= content[level] <= 5 for level in ("sls_pt", "sls_tl", "sls_td"))
    rows = []
    for video, entries in content["results"].items():
        assert falls(entries)
        for entry in entries:
            assert set(entry) == {"verb", "noun", "action", "score", "segment"}
            verb, noun = (int(part) for part in entry["action"].split(","))
            assert (entry["verb"], entry["noun"]) == (verb, noun)
            assert verb in range(97) and noun in range(300)
            rows.append((video, *entry["segment"], verb, noun, entry["score"]))
    return rows


def test_epic(tmp_path):
    path = tmp_path / "test.json"
    write_epic_submission(path, some_actions(), 2, 3, 4, videos=["P01_15", "P01_12"])
    assert read_epic(path) == [tuple(some_actions().loc[i]) for i in (1, 2, 0)]
    content = json.loads(path.read_text())
    assert [content[level] for level in ("sls_pt", "sls_tl", "sls_td")] == [2, 3, 4]
    assert content["results"]["P01_15"] == []


def test_epic_checks_what_the_challenge_checks(tmp_path):
    path = tmp_path / "test.json"
    for levels in ((6, 0, 0), (0, -1, 0), (0, 0, 1.5)):
        with pytest.raises(ValueError, match=r"supervision level sls_.. is .*; the scale goes from 0 to 5"):
            write_epic_submission(path, some_actions(), *levels)
    for change, message in (({"verb": 97}, "verb 97; .* 0 to 96"), ({"noun": 300}, "noun 300; .* 0 to 299"),
                            ({"noun": -1}, "noun -1; .* 0 to 299"), ({"verb": 0.5}, "a whole number")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            write_epic_submission(path, some_actions().assign(**change), 0, 0, 0)
    with pytest.raises(ValueError, match="row 0 of predictions has score nan"):
        write_epic_submission(path, some_actions().assign(score=np.nan), 0, 0, 0)
    with pytest.raises(ValueError, match="actions lacks the columns noun"):
        write_epic_submission(path, some_actions().drop(columns="noun"), 0, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_empty_tables_are_written(tmp_path):
    empty = random_predictions(0, 0)
    write_activitynet_submission(tmp_path / "a.json", empty, NAMES)
    write_ego4d_submission(tmp_path / "e.json", empty, NAMES, ["c"], {})
    write_epic_submission(tmp_path / "k.json", combine_verbs_and_nouns(empty, empty), 0, 0, 0)
    assert json.loads((tmp_path / "a.json").read_text())["results"] == {}
    assert json.loads((tmp_path / "e.json").read_text())["retrieve_results"] == {"c": []}
    assert read_epic(tmp_path / "k.json") == []


def combine_by_loops(verbs, nouns, min_tiou, max_per_video):
    """All pairs, one by one."""
    rows = []
    for video in dict.fromkeys(verbs["video"]):
        pairs = []
        for v in verbs[verbs["video"] == video].itertuples():
            for n in nouns[nouns["video"] == video].itertuples():
                if tiou_by_definition(v, n) >= min_tiou:
                    segment = (v.start_sec + n.start_sec) / 2, (v.end_sec + n.end_sec) / 2
                    pairs.append((video, *segment, v.label, n.label, (v.score * n.score) ** 0.5))
        rows += sorted(pairs, key=lambda pair: -pair[-1])[:max_per_video]
    return rows


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([1, 3, 1000]))
def test_verbs_and_nouns_are_paired_as_by_plain_loops(seed, min_tiou, max_per_video):
    verbs, nouns = random_predictions(seed, 60), random_predictions(seed + 1, 60)
    verbs, nouns = (table[table["end_sec"] > table["start_sec"]] for table in (verbs, nouns))
    nouns = nouns[nouns["video"] != "a"]
    actions = combine_verbs_and_nouns(verbs, nouns, min_tiou, max_per_video)
    expected = combine_by_loops(verbs, nouns, min_tiou, max_per_video)
    assert actions.columns.tolist() == ACTION_COLUMNS
    assert actions["video"].tolist() == [row[0] for row in expected]
    numbers = np.array([row[1:] for row in expected]).reshape(-1, 5)
    np.testing.assert_allclose(actions[ACTION_COLUMNS[1:]].to_numpy(float), numbers, rtol=0, atol=1e-12)


def test_bad_pairs_are_named():
    verbs = random_predictions(0)
    for min_tiou in (0, 1.5):
        with pytest.raises(ValueError, match="give min_tiou above 0 and at most 1"):
            combine_verbs_and_nouns(verbs, verbs, min_tiou)
    with pytest.raises(ValueError, match="row 0 of nouns has a negative score"):
        combine_verbs_and_nouns(verbs, verbs.assign(score=-0.5))
    with pytest.raises(ValueError, match="verbs lacks the columns label"):
        combine_verbs_and_nouns(verbs.drop(columns="label"), verbs)


@pytest.mark.parametrize("write", [write_activitynet_submission, write_ego4d_submission])
def test_bad_predictions_are_not_written(tmp_path, write):
    with pytest.raises(ValueError, match="no name for label 21"):
        write(tmp_path / "s.json", random_predictions(0), {3: "a", 7: "b", 20: "c"})
    with pytest.raises(ValueError, match="predictions lacks the columns score"):
        write(tmp_path / "s.json", random_predictions(0).drop(columns="score"), NAMES)
    assert list(tmp_path.iterdir()) == []
