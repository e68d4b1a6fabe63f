"""Predictions on disk: what is written comes back, foreign spellings are read, bad files are named."""

import gzip
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from random_tables import random_predictions

from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis.result_files import read_predictions, write_predictions
from afkit.workbench.analysis.submissions import write_epic_submission

NAMES = {3: "Jump", 7: "Läufer", 20: "20-metre run", 21: "Swim"}
COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]
GOOD = {"label": "Jump", "score": 0.5, "segment": [0, 1]}


@pytest.mark.parametrize("rows", [120, 0])
@pytest.mark.parametrize("name", ["p.json", "p.json.gz"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_round_trip_is_exact(tmp_path, name, dtype, rows):
    predictions = random_predictions(0, rows).astype({"start_sec": dtype, "end_sec": dtype, "score": dtype})
    for written in (name, f"again.{name}"):
        write_predictions(tmp_path / written, predictions, NAMES)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again.{name}").read_bytes()
    back = read_predictions(tmp_path / name, NAMES)
    codes, _ = pd.factorize(predictions["video"])
    expected = predictions.iloc[np.argsort(codes, kind="stable")]  # videos by their first rows
    for column in COLUMNS:
        assert back[column].tolist() == expected[column].tolist()
    assert back.columns.tolist() == COLUMNS
    assert back.dtypes[COLUMNS[1:]].tolist() == ["float64", "float64", "int64", "float64"]
    assert pd.api.types.is_string_dtype(back["video"])


def test_the_file_is_in_the_activitynet_format(tmp_path):
    rows = [("b", 1.0, 2.5, 3, 0.5), ("a", 0.0, 1.0, 7, 0.25), ("b", 0.0, 1.0, 7, 0.75)]
    write_predictions(tmp_path / "p.json", pd.DataFrame(rows, columns=COLUMNS), NAMES)
    content = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert list(content) == ["version", "results", "external_data"]
    assert content["external_data"] == {}
    assert list(content["results"]) == ["b", "a"]
    assert content["results"]["b"] == [
        {"label": "Jump", "score": 0.5, "segment": [1.0, 2.5]},
        {"label": "Läufer", "score": 0.75, "segment": [0.0, 1.0]},
    ]


@pytest.mark.parametrize("videos", [[], ["{}", "a"]])
@pytest.mark.parametrize("rows", [0, 1, 50])
def test_the_file_is_the_json_of_the_whole(tmp_path, rows, videos):
    table = random_predictions(1, rows)
    results = {video: [] for video in videos}
    for row in table.itertuples():
        entry = {"label": NAMES[row.label], "score": row.score, "segment": [row.start_sec, row.end_sec]}
        results.setdefault(row.video, []).append(entry)
    whole = {"version": "VERSION 1.3", "results": results, "external_data": {}}
    for name, indent, end in (("p.json", 2, "\n"), ("p.json.gz", None, "")):
        write_predictions(tmp_path / name, table, NAMES, videos)
        data = (tmp_path / name).read_bytes()
        data = gzip.decompress(data) if indent is None else data
        assert data.decode() == json.dumps(whole, indent=indent, ensure_ascii=False) + end


def test_what_looks_like_a_prediction_elsewhere_is_none(tmp_path):
    inner = {**GOOD, "score": 0.9}
    path = write_results(tmp_path / "p.json", {**GOOD, "seen_with": inner}, {**GOOD, "label": "Swim", "more": [inner]})
    content = json.loads(path.read_text()) | {"last": [inner], "retrieve_results": {"v": [inner]}}
    path.write_text(json.dumps(content))
    found = read_predictions(path, NAMES)
    assert (found["label"].tolist(), found["score"].tolist()) == ([3, 21], [0.5, 0.5])


def write_results(path, *entries):
    path.write_text(json.dumps({"results": {"v": list(entries)}}))
    return path


@pytest.mark.parametrize("label", ["Swim", 21, "21", 21.0])  # the last has gone through a table
def test_labels_as_names_or_ids_and_numbers_as_text(tmp_path, label):
    path = write_results(tmp_path / "p.json", {"label": label, "score": "0.5", "segment": ["1e1", 12]})
    assert read_predictions(path, NAMES).to_dict("records") == [
        {"video": "v", "start_sec": 10.0, "end_sec": 12.0, "label": 21, "score": 0.5}
    ]


NUMBERS = {0: "1", 1: "2", 2: "3"}  # ids and names of classes


@pytest.mark.parametrize("spell", [str, int, float])
@pytest.mark.parametrize(
    ("labels", "labels_are", "ids"),
    [
        ([1, 0, 2], "", [1, 0, 2]),  # 0 is no name
        ([1, 3, 2], "", [0, 2, 1]),  # 3 is no id
        ([1, 3, 2, 9], "", [0, 2, 1, -1]),  # 9 is neither
        ([1, 0, 9], "", [1, 0, 9]),
        ([1, 2], "ids", [1, 2]),
        ([1, 2], "names", [0, 1]),
        ([1, 0], "names", [0, -1]),
        ([1, 3], "ids", [1, 3]),
    ],
)
def test_classes_named_by_numbers_are_read_as_what_all_labels_can_be(tmp_path, spell, labels, labels_are, ids):
    path = write_results(
        tmp_path / "p.json", *({**GOOD, "label": spell(label)} for label in labels if spell is not str)
    )
    if spell is str:
        path = tmp_path / "p.csv"
        pd.DataFrame([("v", 0, 1, label, 0.5) for label in labels], columns=COLUMNS).to_csv(path, index=False)
    assert read_predictions(path, NUMBERS, "keep", labels_are)["label"].tolist() == ids
    (tmp_path / "unclear").mkdir()
    other = write_results(tmp_path / "unclear" / "p.json", {**GOOD, "label": 1})
    both = read_predictions([path, other], NUMBERS, "keep", labels_are)["label"].tolist()
    assert both == [*ids, ids[0]], "several files are one result"


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1, 2], NUMBERS),
        (["1", "2"], NUMBERS),
        ([1, 0, 3], NUMBERS),  # some can only be ids, some only names
        ([9, "1"], NUMBERS),
        (["1", 1], {1: "2", 2: "1"}),
    ],
)
def test_what_labels_are_is_asked_where_nothing_tells(tmp_path, labels, names):
    path = write_results(tmp_path / "p.json", *({**GOOD, "label": label} for label in labels))
    question = (
        "label '1' is the name of the class with id ., and the id of the class '2'; say which is meant: --labels-"
    )
    with pytest.raises(ValueError, match=rf"p\.json, video 'v', row .: {question}"):
        read_predictions(path, names, "keep")
    with pytest.raises(ValueError, match="labels_are is 'number'; choose names or ids"):
        read_predictions(path, names, labels_are="number")


@pytest.mark.parametrize(("column", "ids"), [("name", [0, 1]), ("label_id", [1, 2]), ("label", None)])
def test_a_column_may_say_what_labels_are(tmp_path, column, ids):
    table = pd.DataFrame([("v", 0, 1, 1, 0.5), ("v", 0, 1, 2, 0.5)], columns=[*COLUMNS[:3], column, "score"])
    table.to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "p.pkl").write_bytes(pickle.dumps({name: table[name].tolist() for name in table}))
    if ids:
        assert read_predictions(tmp_path / "p.csv", NUMBERS)["label"].tolist() == ids
    else:
        assert read_predictions(tmp_path / "p.pkl", NUMBERS)["label"].tolist() == [1, 2], "the original's has ids"
        with pytest.raises(ValueError, match=r"p\.csv, row 2: label '1' is the name"):
            read_predictions(tmp_path / "p.csv", NUMBERS)


def test_names_and_ids_in_one_file_are_read_where_each_can_be_one_only(tmp_path):
    path = write_results(tmp_path / "p.json", *({**GOOD, "label": label} for label in ("Jump", 7, "20", "41")))
    assert read_predictions(path, NAMES | {41: "41"})["label"].tolist() == [3, 7, 20, 41]


def test_a_file_of_actions_for_the_server_of_epic_kitchens_is_named(tmp_path):
    actions = pd.DataFrame([("v", 0.0, 1.0, 3, 4, 0.5)], columns=[*COLUMNS[:3], "verb", "noun", "score"])
    write_epic_submission(tmp_path / "test.json", actions, 2, 4, 3)
    with pytest.raises(
        ValueError, match=r"row 0: an action of EPIC-Kitchens \(verb and noun\) has no label; `actions` "
    ):
        read_predictions(tmp_path / "test.json", NAMES)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda videos: {"version": "0.1", "results": videos},
        lambda videos: {"challenge": "ego4d_moment_queries", "detect_results": videos, "retrieve_results": {"u": []}},
        lambda videos: videos,
    ],
    ids=["ActivityNet", "Ego4D", "bare"],
)
def test_videos_may_stand_in_several_places(tmp_path, wrap):
    (tmp_path / "p.json").write_text(json.dumps(wrap({"v": [GOOD], "w": []})))
    back = read_predictions(tmp_path / "p.json", NAMES)
    assert back.to_dict("records") == [{"video": "v", "start_sec": 0.0, "end_sec": 1.0, "label": 3, "score": 0.5}]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        ("2:03.5", 123.5),
        ("1:02:03.25", 3723.25),
        ("00:00:00", 0),
        ("0:01,5", 1.5),
        ("1,5", 1.5),
        ("100:00:00", 360_000),
    ],
)
def test_times_may_be_clock_times(tmp_path, text, seconds):
    path = write_results(tmp_path / "p.json", {**GOOD, "segment": [text, 1e6]})
    assert read_predictions(path, NAMES)["start_sec"].tolist() == [seconds]


def test_unknown_labels_may_be_kept_and_are_counted(tmp_path):
    labels = ["Jump", "Jmup", 4, "4", "21", 10**30, "-7", "", 4.0]
    path = write_results(tmp_path / "p.json", *({**GOOD, "label": label} for label in labels))
    back = read_predictions(path, NAMES, unknown_labels="keep")
    assert back["label"].tolist() == [3, -1, 4, 4, 21, -1, -1, -1, 4]
    gt = pd.DataFrame([("v", 0.0, 1.0, 3)], columns=COLUMNS[:4])
    assert evaluate(gt, back, [0.5]).counts["predictions_unknown_label"] == 8
    with pytest.raises(ValueError, match="row 1: label 'Jmup' is neither"):
        read_predictions(path, NAMES)
    for label in (["Jump"], True):
        path = write_results(tmp_path / "p.json", {**GOOD, "label": label})
        with pytest.raises(ValueError, match=r"row 0: label .* is neither"):
            read_predictions(path, {1: "Run"}, unknown_labels="keep")
    with pytest.raises(ValueError, match="unknown_labels is 'drop'; choose refuse or keep"):
        read_predictions(path, NAMES, unknown_labels="drop")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**GOOD, "label": "Jmup"}, "label 'Jmup' is neither"),
        ({**GOOD, "label": 4}, "label 4 is neither"),
        ({**GOOD, "label": True}, "label True is neither"),
        ({**GOOD, "label": ["Jump"]}, "is neither"),
        ({**GOOD, "label": 3.5}, "label 3.5 is neither"),
        ({**GOOD, "segment": ["1:2:3:4", 9]}, "'1:2:3:4' is not a clock time"),
        ({**GOOD, "segment": ["a:2", 9]}, "'a:2' is not a clock time"),
        ({**GOOD, "segment": ["1:", 9]}, "'1:' is not a clock time"),
        ({**GOOD, "segment": ["0:75", 99]}, "'0:75' is not a clock time"),  # frames, perhaps
        ({**GOOD, "score": "0:30"}, "'0:30' is not a finite number"),
        ({**GOOD, "score": "high"}, "'high' is not a finite number"),
        ({**GOOD, "score": None}, "None is not a finite number"),
        ({**GOOD, "score": float("nan")}, "nan is not a finite number"),
        ({**GOOD, "segment": [0]}, "is not .start, end."),
        ({**GOOD, "segment": 3}, "is not .start, end."),
        ({"label": "Jump", "segment": [0, 1]}, "expected a prediction with label, score and segment"),
        ("Jump", "expected a prediction with label, score and segment"),
    ],
)
def test_a_bad_row_is_named(tmp_path, entry, message):
    path = write_results(tmp_path / "p.json", GOOD, entry)
    with pytest.raises(ValueError, match=rf"p\.json, video 'v', row 1: .*{message}"):
        read_predictions(path, NAMES)


def test_a_bad_file_is_named(tmp_path):
    path = tmp_path / "p.json"
    with pytest.raises(ValueError, match=r"p\.json does not exist"):
        read_predictions(path, NAMES)
    for text, message in [
        ("{", "not a readable JSON file"),
        ("[]", "holds no predictions"),
        ("{}", "holds no predictions"),
        ('{"version": "1"}', "holds no predictions"),
        ('{"results": []}', "holds no predictions"),
        ('{"detect_results": [], "v": []}', "holds no predictions"),
        ('{"results": {"v": {}}}', "video 'v': expected a list"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"p\.json.*{message}"):
            read_predictions(path, NAMES)


def test_bad_predictions_are_not_written(tmp_path):
    predictions = random_predictions(0)
    with pytest.raises(ValueError, match=r"must end in \.json or \.json\.gz"):
        write_predictions(tmp_path / "p.csv", predictions, NAMES)
    with pytest.raises(ValueError, match="no name for label 21"):
        write_predictions(tmp_path / "p.json", predictions, {3: "a", 7: "b", 20: "c"})
    with pytest.raises(ValueError, match="one name to two labels"):
        write_predictions(tmp_path / "p.json", predictions, dict.fromkeys(NAMES, "same"))
    with pytest.raises(ValueError, match="row 0 of predictions has score nan"):
        write_predictions(tmp_path / "p.json", predictions.assign(score=np.nan), NAMES)
    with pytest.raises(ValueError, match="lacks the columns score"):
        write_predictions(tmp_path / "p.json", predictions.drop(columns="score"), NAMES)
    assert list(tmp_path.iterdir()) == []
