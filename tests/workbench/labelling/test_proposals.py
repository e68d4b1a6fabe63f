"""What a run proposes to label: its own predictions, else those that predict makes."""

import pandas as pd
import pytest
from run_folders import NAMES, write_scored_run, write_test_data

from afkit.workbench.labelling.labelled import collect_labelled
from afkit.workbench.labelling.proposals import proposals_of
from afkit.workbench.runs import predicting


@pytest.fixture
def run(tmp_path):
    gt = write_test_data(tmp_path / "data")
    return write_scored_run(tmp_path / "results" / "tiny" / "seed1", gt, 3, tmp_path / "data")


def test_a_run_proposes_what_it_predicted_also_of_classes_that_the_labels_lack(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "video1.csv").write_text("time,x\n" + "".join(f"{k / 10},{k % 3}\n" for k in range(600)))
    labelled = collect_labelled(["video1.csv"], ["throw"], run=run, data_root=tmp_path / "data")
    inspected = labelled.inspected
    assert inspected.label_names == {0: "throw", 1: "jump"} and set(inspected.predictions["video"]) == {"video1"}
    found, names = proposals_of(run, [], ["video1", "video2"], tmp_path / "data")
    assert names == list(NAMES.values()) and set(found["video"]) == {"video1", "video2"}
    own = found[found["video"] == "video1"]
    assert inspected.predictions["label"].map(inspected.label_names).tolist() == own["name"].tolist()


def test_recordings_that_the_run_has_not_seen_are_predicted(run, tmp_path, monkeypatch):
    asked = {}

    def predict(folder, files, form, out, **how):
        asked.update(how, files=files, form=form)
        out.mkdir(parents=True)
        row = {"video": "new", "start_sec": 1.5, "end_sec": 2, "label": 1, "name": "throw", "score": 0.7}
        pd.DataFrame([row]).to_csv(out / "new.csv", index=False)
        return out

    monkeypatch.setattr(predicting, "predict_recordings", predict)
    found, _ = proposals_of(run, [tmp_path / "new.csv"], ["new"], tmp_path / "data")
    assert found.to_dict("records") == [{"video": "new", "start_sec": 1.5, "end_sec": 2, "name": "throw", "score": 0.7}]
    assert asked["signal"] and asked["form"] == "csv"
