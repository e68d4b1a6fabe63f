"""Corrections of the ground truth: what they must be, what they give, and how they are counted and saved."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afkit.data.annotations import read_annotations, to_frame
from afkit.workbench.inspector.corrections import apply_corrections, check_corrections, save_corrected
from afkit.workbench.inspector.inspected import Inspected

COLUMNS = ["video", "start_sec", "end_sec", "label"]
GT = [("a", 0.0, 5.0, 0), ("b", 10.0, 20.0, 1), ("b", 0.0, 5.0, 0), ("z", 4.0, 4.0, 0)]


def inspected(gt=GT, annotations=None, names=None):
    truth = pd.DataFrame(gt, columns=COLUMNS)
    predictions = truth.assign(score=0.5).iloc[:0]
    names = {0: "jump", 1: "throw", 7: "run"} if names is None else names
    return Inspected(truth, predictions, names, {"a": 30.0, "b": 30.0, "z": None}, "run", annotations=annotations)


def test_segments_come_by_onset_and_a_video_as_it_was_is_left_out():
    rows = {"a": [[0, 5, 0]], "b": [[10, 20, 1], [1.5, 5, np.int64(7)]], "z": [[4, 4, 0]]}
    checked = check_corrections(inspected(), rows)
    assert checked == {"b": [[1.5, 5.0, 7], [10.0, 20.0, 1]]}
    assert json.loads(json.dumps(checked)) == checked


def test_segments_that_were_there_may_be_odd_new_ones_may_not():
    assert check_corrections(inspected(), {"z": [[4, 4, 0], [1, 2, 1]]}) == {"z": [[1, 2, 1], [4, 4, 0]]}
    wrong = {
        "it must end 0.001 s after its start": [[3, 3, 0]],
        "from 5 to 3 s: it must end": [[5, 3, 0]],
        "from 0 to 30 s": [[29, 31, 0]],
        "lie within the video": [[-1, 2, 0]],
        "9 is the label id of no class": [[1, 2, 9]],
        "-1 is the label id of no class": [[1, 2, -1]],
        "must end": [[float("nan"), 2, 0]],
        "rows of start_sec, end_sec, label id": [[1, 2]],
        "corrections of 'a' must be rows": [[1, 2, 0.5]],
    }
    for message, rows in wrong.items():
        with pytest.raises(ValueError, match=message):
            check_corrections(inspected(), {"a": rows})
    with pytest.raises(ValueError, match="there is no video 'c' in run to correct"):
        check_corrections(inspected(), {"c": []})
    with pytest.raises(ValueError, match="lie within"):
        check_corrections(inspected(), {"z": [[4, float("inf"), 0]]})


def test_a_prediction_of_an_unknown_class_is_no_annotation():
    truth = pd.DataFrame(GT, columns=COLUMNS)
    with_unknown = Inspected(truth, truth.assign(score=0.5, label=-1), {0: "jump", -1: "unknown label"})
    with pytest.raises(ValueError, match="-1 is the label id of no class"):
        check_corrections(with_unknown, {"a": [[0, 5, -1]]})


def test_the_segments_of_corrected_videos_are_replaced():
    table = apply_corrections(inspected(), {"b": [[1.5, 5.0, 7]]})
    assert table.to_numpy().tolist() == [["a", 0, 5, 0, "jump"], ["z", 4, 4, 0, "jump"], ["b", 1.5, 5, 7, "run"]]
    assert table["start_sec"].dtype == np.float64 and table["label"].dtype == np.int64
    assert apply_corrections(inspected(), {"a": [], "b": [], "z": []}).empty
    assert apply_corrections(inspected(), {}).drop(columns="name").equals(inspected().gt)


def write_old(folder, gt, names):
    database = {"other": {"subset": "Training", "annotations": [], "kept": 1}}
    for video in "abz":
        rows = [row[1:] for row in gt if row[0] == video]
        entries = [{"label": names[label], "segment": [start, end], "label_id": label} for start, end, label in rows]
        database[video] = {"subset": "Test", "annotations": entries}
    (folder / "old.json").write_text(json.dumps({"database": database}))
    return read_annotations(folder / "old.json")


times = st.floats(0, 28.9, allow_subnormal=False)
rows = st.tuples(times, st.floats(0.001, 1), st.integers(0, 2)).map(
    lambda row: [row[0], row[0] + row[1] + 1e-6, row[2]]
)


@given(st.dictionaries(st.sampled_from("ab"), st.lists(rows, max_size=6)), st.lists(rows, max_size=4))
def test_a_saved_file_gives_the_corrected_segments_when_it_is_read(corrections, before):
    names = {0: "jump", 1: '<b>"throw"</b>', 2: "läuft"}
    gt = [("a", *row) for row in before]
    with tempfile.TemporaryDirectory() as name:
        ours = inspected(gt, write_old(Path(name), gt, names), names)
        checked = check_corrections(ours, corrections)
        if not checked:
            return
        save_corrected(Path(name) / "new.json", ours, checked)
        again = read_annotations(Path(name) / "new.json")
        assert json.loads((Path(name) / "new.json").read_text())["database"]["other"]["kept"] == 1
    table = to_frame(again.videos.values(), clean=False)
    expected = apply_corrections(ours, checked)
    for video in "ab":
        parts = [part[part["video"] == video][COLUMNS[1:]].to_numpy().tolist() for part in (table, expected)]
        assert parts[0] == parts[1] and (video not in checked or parts[0] == checked[video])
    assert all(again.label_names[label] == names[label] for label in again.label_names)


def test_what_cannot_be_saved_is_said(tmp_path):
    with pytest.raises(ValueError, match="no correction to save"):
        save_corrected(tmp_path / "new.json", inspected(), {})
    with pytest.raises(ValueError, match="not known which annotation file to correct"):
        save_corrected(tmp_path / "new.json", inspected(), {"a": []})
    ours = inspected(annotations=write_old(tmp_path, GT, inspected().label_names))
    (tmp_path / "old.json").unlink()
    with pytest.raises(ValueError, match=r"old\.json does not exist"):
        save_corrected(tmp_path / "new.json", ours, {"a": []})
    assert list(tmp_path.iterdir()) == []
