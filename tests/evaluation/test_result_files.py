"""Predictions on disk: what is written comes back, foreign spellings are read, bad files are named."""

import json

import numpy as np
import pandas as pd
import pytest
from random_tables import random_predictions

from afkit.evaluation.result_files import read_predictions, write_predictions

NAMES = {3: "Jump", 7: "Läufer", 20: "20-metre run", 21: "Swim"}
COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]


@pytest.mark.parametrize("name", ["p.json", "p.json.gz"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_round_trip_is_exact(tmp_path, name, dtype):
    predictions = random_predictions(0).astype({"start_sec": dtype, "end_sec": dtype, "score": dtype})
    write_predictions(tmp_path / name, predictions, NAMES)
    back = read_predictions(tmp_path / name, NAMES)
    order = predictions["video"].drop_duplicates().tolist()
    expected = pd.concat([predictions[predictions["video"] == video] for video in order], ignore_index=True)
    for column in COLUMNS:
        assert back[column].tolist() == expected[column].tolist()
    assert back.columns.tolist() == COLUMNS
    assert back.dtypes[["start_sec", "end_sec", "label", "score"]].tolist() == [
        "float64",
        "float64",
        "int64",
        "float64",
    ]
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


@pytest.mark.parametrize("ending", ["json", "json.gz"])
def test_same_table_same_bytes(tmp_path, ending):
    for name in ("first", "second"):
        write_predictions(tmp_path / f"{name}.{ending}", random_predictions(1), NAMES)
    assert (tmp_path / f"first.{ending}").read_bytes() == (tmp_path / f"second.{ending}").read_bytes()


def test_an_empty_table_comes_back_empty(tmp_path):
    write_predictions(tmp_path / "p.json", random_predictions(0, 0), NAMES)
    back = read_predictions(tmp_path / "p.json", NAMES)
    assert len(back) == 0
    assert back["label"].dtype == np.int64
    assert back["score"].dtype == np.float64


def write_results(path, *entries):
    path.write_text(json.dumps({"results": {"v": list(entries)}}))
    return path


@pytest.mark.parametrize("label", ["Swim", 21, "21"])
def test_labels_as_names_or_ids_and_numbers_as_text(tmp_path, label):
    path = write_results(tmp_path / "p.json", {"label": label, "score": "0.5", "segment": ["1e1", 12]})
    assert read_predictions(path, NAMES).to_dict("records") == [
        {"video": "v", "start_sec": 10.0, "end_sec": 12.0, "label": 21, "score": 0.5}
    ]


def test_a_name_that_looks_like_an_id_is_a_name(tmp_path):
    names = {1: "2", 2: "1"}
    path = write_results(tmp_path / "p.json", *({"label": x, "score": 1, "segment": [0, 1]} for x in ("1", 1)))
    assert read_predictions(path, names)["label"].tolist() == [2, 1]


GOOD = {"label": "Jump", "score": 0.5, "segment": [0, 1]}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**GOOD, "label": "Jmup"}, "label 'Jmup' is neither"),
        ({**GOOD, "label": 4}, "label 4 is neither"),
        ({**GOOD, "label": ["Jump"]}, "is neither"),
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
        ('{"results": []}', "holds no predictions"),
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
