"""Scores in the run folder: under the names of the split, and as the table that people look at."""

import numpy as np
import pandas as pd
import pytest
from random_tables import random_gt, random_predictions

from afkit.evaluation.scores import evaluate
from afkit.files import read_json
from afkit.workbench.analysis.bootstrap import bootstrap_map
from afkit.workbench.analysis.diagnosis import diagnose, summarise
from afkit.workbench.analysis.report import headline, save_scores, score_in_words, tiou_names

NAMES = {3: "Jump", 7: "Läufer", 20: "20-metre run", 21: "Swim"}


@pytest.fixture
def scores():
    table = random_predictions(0)
    table = table[table["end_sec"] > table["start_sec"]]
    return evaluate(table.drop(columns="score"), table, [0.3, 0.5])


def test_scores_of_another_split_leave_those_of_the_run_alone(tmp_path, scores):
    save_scores(tmp_path, scores, scores, NAMES, weights="ema")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    save_scores(tmp_path, scores, scores, NAMES, "-training", split="training")
    assert {path.name for path in tmp_path.iterdir()} == {
        "eval.json", "per_class.csv", "eval-training.json", "per_class-training.csv"
    }  # fmt: skip
    assert {path: path.read_bytes() for path in before} == before
    assert read_json(tmp_path / "eval-training.json")["split"] == "training"
    both = [pd.read_csv(tmp_path / name) for name in ("per_class.csv", "per_class-training.csv")]
    pd.testing.assert_frame_equal(*both)


def test_the_table_says_which_split_it_is_of(tmp_path, scores):
    save_scores(tmp_path, scores, scores, NAMES)
    save_scores(tmp_path, scores, scores, NAMES, "-training", split="training")
    average = f"{100 * scores.average_map:8.2f}"
    own, other = (headline(tmp_path / name).splitlines() for name in ("eval.json", "eval-training.json"))
    assert own[0] == "mAP [%] at tIoU                       0.30    0.50 average"
    assert other[0] == "mAP [%] of 'training' at tIoU         0.30    0.50 average"
    assert own[1:] == other[1:] and own[1].endswith(average)
    save_scores(tmp_path, scores, scores, NAMES, network="TriDet")
    assert headline(tmp_path / "eval.json").splitlines()[1].startswith("TriDet  ") and own[1].startswith("ActionFormer")


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        (
            {"average_map": {"low": 0.5, "high": 0.75}, "level": 0.9, "resampled": "9 groups"},
            "90 % interval of the average: 50.00 to 75.00 (bootstrap, resampled over 9 groups)",
        ),
        ({"average_map": {"low": -1e-5, "high": 1.02}}, "95 % interval of the average: 0.00 to 100.00 (bootstrap)"),
        ({"refused": "there are 3"}, "no interval of the average: there are 3"),
        (None, ""),
    ],
)
def test_the_table_ends_with_the_interval_or_says_why_there_is_none(tmp_path, scores, confidence, said):
    save_scores(tmp_path, scores, scores, NAMES, confidence=confidence)
    assert headline(tmp_path / "eval.json").splitlines()[3:] == [said] * bool(said)


@pytest.mark.parametrize("refused", [False, True])
def test_a_score_in_words_begins_with_the_number_and_its_interval(tmp_path, scores, refused):
    sure = {"refused": "there are 3"} if refused else {"average_map": {"low": 0.5, "high": 0.75}}
    point = {"tiou": 0.5, "class_thresholds": {"hits": 7, "false_alarms": 2}}
    facts = {"confidence": sure, "operating_point": point, "frame_classifier": {"left_out": "no labels"}}
    facts |= {"network": "TriDet", "subsets": ["test"], "generated": refused}
    save_scores(tmp_path, scores, scores, NAMES, **facts)
    first, *others = score_in_words(read_json(tmp_path / "eval.json"))
    end = "without interval" if refused else "95 % interval 50.00 to 75.00"
    assert first == f"Average mAP {100 * scores.average_map:.2f} %, {end}"
    assert [line.startswith("The data is generated") for line in others] == [refused, *[False] * (2 + refused)]
    what, kept, beside = others[-3:]
    how = "no interval of the average: there are 3." if refused else "interval by bootstrap over recordings."
    assert what.startswith("TriDet on test: ") and what.endswith(f" recordings, tIoU 0.3 to 0.5; {how}")
    assert "7 find an action" in kept and "2 are false alarms" in kept
    assert "frame classifier" not in beside, "where there is none"
    save_scores(tmp_path, scores, scores, NAMES)
    assert len(score_in_words(read_json(tmp_path / "eval.json"))) == 3, "of what an older version has left"


@pytest.mark.parametrize(
    ("tious", "names"),
    [
        (np.linspace(0.5, 0.95, 10), ["0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90", "0.95"]),
        ([0.1 + 0.2, 1], ["0.30", "1.00"]),
        ([0.125, 0.12, 0.501, 0.504], ["0.125", "0.12", "0.501", "0.504"]),
        ([0.5, 0.5 + 2**-52, 2 / 3], ["0.5", "0.5000000000000002", "0.6666666666666666"]),
    ],
)
def test_each_threshold_has_a_name_of_its_own_and_its_numbers_are_kept(tmp_path, tious, names):
    assert tiou_names(tious) == names
    gt, predictions = random_gt(0), random_predictions(0)
    scores = evaluate(gt, predictions, tious)
    save_scores(tmp_path, scores, scores, {}, confidence=bootstrap_map(gt, predictions, tious, 10).facts())
    content = read_json(tmp_path / "eval.json")
    assert list(content["map"].values()) == scores.map.tolist()
    for part in (content["map"], content["recall"]["1"], content["baseline"]["map"], content["confidence"]["map"]):
        assert list(part) == names
    assert list(summarise(diagnose(gt, predictions, tious, {}))["normalised_map"]) == names
    assert all(name in headline(tmp_path / "eval.json") for name in names)
