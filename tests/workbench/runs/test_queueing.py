"""The queue of a run: from its detections in unlabelled recordings; what is for the test never enters it."""

import numpy as np
import pandas as pd
import pytest
from run_folders import write_trained
from tiny_data import CHANNELS, change_video, tiny_recipe, write_tiny_data

from afkit.__main__ import main
from afkit.files import write_json
from afkit.workbench.runs.queueing import queue_recordings

RECIPE = tiny_recipe(model__class_prior=0.3)


@pytest.fixture
def root(tmp_path):
    """Videos 0 and 1 are for the training, 2 and 3 for the test; new0 and new1 are features alone."""
    write_tiny_data(tmp_path / "data", training=2, test=2)
    for number in range(2):
        values = np.random.default_rng(number).normal(size=(30 + 30 * number, CHANNELS)).astype(np.float32)
        np.save(tmp_path / "data" / "tiny" / "features" / f"new{number}.npy", values)
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path, root):
    return write_trained(tmp_path / "run", root, RECIPE)


def test_neither_test_recordings_nor_those_it_was_trained_on_enter_the_queue(run, root):
    said = []
    found = queue_recordings(run, say=said.append)
    assert sorted(found["recording"]) == ["new0", "new1"]
    assert said[0] == "left out: 2 recordings of the test, 2 recordings trained on"
    pd.testing.assert_frame_equal(pd.read_csv(run / "next.csv"), found)
    steps = found.set_index("recording")["minutes"] * 60 * 10 / 4  # 10 frames per second, 4 to a step
    assert steps.to_dict() == pytest.approx({"new0": 31, "new1": 61})
    assert (found[["doubt", "diversity"]] > 0).all(axis=None)
    change_video(root, "video2", subset="unlabelled", annotations=[])
    assert sorted(queue_recordings(run, say=said.append)["recording"]) == ["new0", "new1", "video2"]


def test_thresholds_that_the_evaluation_chose_decide_what_is_near(run):
    before = queue_recordings(run, say=print)
    rows = {f"action {label}": {"threshold": threshold} for label, threshold in enumerate((0.9, 0.95, None))}
    point = {"by_class": rows, "one_threshold": {"threshold": None}}
    write_json(run / "eval.json", {"weights": "ema", "operating_point": point})
    after = queue_recordings(run, say=print)
    doubt = [table.set_index("recording")["doubt"].sort_index() for table in (before, after)]
    assert (doubt[0] != doubt[1]).all()
    assert after["doubt"].notna().all(), "a class without a useful threshold has that of the others"


def test_the_command_writes_the_table_where_it_is_told(run, root, tmp_path, capsys):
    features = root / "tiny" / "features"
    assert main(["next", str(run), str(features / "new1.npy"), "--out", str(tmp_path / "queue.csv")]) in (0, None)
    assert pd.read_csv(tmp_path / "queue.csv")["recording"].tolist() == ["new1"]
    assert "new1" in capsys.readouterr().out
    with pytest.raises(ValueError, match="all 1 recordings are of the run's test or training subsets; name some that"):
        queue_recordings(run, [features / "video3.npy"])
