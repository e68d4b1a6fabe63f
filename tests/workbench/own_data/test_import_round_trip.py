"""What the project writes comes back by import: predictions in each format, and corrected annotations."""

import json

import numpy as np
import pandas as pd
import pytest
from imported import segments

from afkit.data.annotations import read_annotations
from afkit.workbench.analysis.exports import FORMATS, export_detections, write_recording
from afkit.workbench.own_data.corrected import write_corrected
from afkit.workbench.own_data.importing import describe, import_annotations

NAMES = {0: "Jump", 3: "Läufer & <b>Co</b>", 7: "a, b; c", 8: "12", 20: 'say "hi" (twice)', 21: "0:01 --> 0:02"}
ROWS = [
    ("day 1", 0.0, 1.25, 0, 0.913),
    ("day 1", 1.0, 2.5, 3, 0.5),
    ("day 1", 1.5, 2.75, 3, 0.25),  # overlaps one of its class
    ("day 1", 3599.5, 3601.001, 7, 1.0),
    ("b", 2.0, 3.0, 8, 0.001),
    ("b", 4.125, 5.0, 20, 0.0),
    ("b", 6.0, 7.0, 21, 0.3),
]
COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]
ONE_FILE = {"csv": "detections.csv", "json": "detections.json"}


@pytest.fixture
def predictions():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def expected():
    return {
        video: [(start, end, NAMES[label]) for v, start, end, label, _ in ROWS if v == video]
        for video in ("b", "day 1")
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("told", [True, False], ids=["named", "by content"])
def test_predictions_come_back_with_their_names_and_times(tmp_path, predictions, form, told):
    export_detections(tmp_path / "out", predictions, NAMES, [form])
    source = tmp_path / "out" / ONE_FILE.get(form, form)
    report = import_annotations(source, tmp_path / "a.json", form=form if told else "", allow_overlaps=True)
    file = read_annotations(tmp_path / "a.json")
    assert dict(sorted(segments(file).items())) == expected()
    text = describe(report)
    assert "scores" in text and "left out" in text
    if form == "csv":
        assert file.label_names == NAMES
    else:
        assert sorted(file.label_names.values()) == sorted(NAMES.values()) and "ids of labels come from csv" in text


@pytest.mark.parametrize("form", ["eaf", "raven", "labelstudio"])
def test_predictions_of_one_recording_come_back_from_labelling_tools(tmp_path, predictions, form):
    path = write_recording(tmp_path, "b", "b", predictions[predictions["video"] == "b"], NAMES, form)
    (tmp_path / "r.csv").write_text("video,subset\nb,test\n")
    report = import_annotations(path, tmp_path / "a.json", recordings=tmp_path / "r.csv")
    assert segments(read_annotations(tmp_path / "a.json")) == {"b": expected()["b"]}
    assert ("0.001" in path.read_text()) == (form != "eaf"), "ELAN has no place for scores"
    assert form != "raven" or "the scores in 'Score' are left out" in describe(report)


def test_detections_corrected_in_elan_have_labels_with_and_without_scores(bring):
    text = "walk\t\t00:00:01.000\t00:00:02.500\t{}\nwalk [2]\t\t00:00:02.000\t00:00:03.000\trun\n"
    file = bring({"a.txt": text.format("walk (0.913)"), "b.txt": text.format("walk")}, "folder", form="elan")
    assert segments(file)["a"] == segments(file)["b"] == [(1.0, 2.5, "walk"), (2.0, 3.0, "run")]


def test_corrected_annotations_are_annotations_to_import(tmp_path):
    entries = [{"label": "sit", "segment": [1.5, 4], "label_id": 2, "by": "Ann", "segment(frames)": [45, 120]}]
    entries += [{"label": "run", "segment": [5, 6.5], "label_id": 5, "segment(frames)": [150, 195]}]
    video = {"duration": 20.0, "fps": 30.0, "url": None, "annotations": entries}
    content = {"version": 3, "database": {"a": video | {"subset": "Test"}, "b": video | {"subset": "Training"}}}
    (tmp_path / "old.json").write_text(json.dumps(content))
    moved = pd.DataFrame([("a", 2.0, 4.5, 2, "sit")], columns=["video", "start_sec", "end_sec", "label", "name"])
    write_corrected(tmp_path / "new.json", tmp_path / "old.json", ["a"], moved)
    import_annotations(tmp_path / "new.json", tmp_path / "mine.json")
    new, mine = read_annotations(tmp_path / "new.json"), read_annotations(tmp_path / "mine.json")
    assert mine.label_names == new.label_names == {2: "sit", 5: "run"}
    assert segments(mine) == segments(new)
    assert {v.name: (v.duration_sec, v.fps, v.subset) for v in mine.videos.values()} == {
        "a": (20.0, 30.0, "test"),
        "b": (20.0, 30.0, "training"),
    }
    np.testing.assert_array_equal(mine.videos["a"].segments_sec, [[2.0, 4.5]])
    import_annotations(tmp_path / "mine.json", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "mine.json").read_text()
    assert "null" not in (tmp_path / "again.json").read_text(), "what is not known is left out"
