"""Two runs compared number by number, from files written by hand."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file
from stage_results import write_results

from afkit.files import write_json, write_text, write_texts
from afkit.workbench.runs.differences import compare_results
from afkit.workbench.runs.folder import note_stage
from afkit.workbench.runs.opened import sha256_of

RESULTS = ["losses", "weights (ema)", "weights (raw)", "detections", "scores"]


@pytest.fixture
def folders(tmp_path):
    """Two run folders with the same results."""
    for name in ("before", "now"):
        write_results(tmp_path / name, 3)
    return tmp_path / "before", tmp_path / "now"


def compared(folders):
    return {row.what: (row.same, row.detail) for row in compare_results(*folders)}


def test_the_same_results_are_the_same(folders):
    assert compared(folders) == {
        "losses": (True, "3 steps"),
        "weights (ema)": (True, "2 tensors"),
        "weights (raw)": (True, "2 tensors"),
        "detections": (True, "1 in 2 videos"),
        "scores": (True, "average mAP 3.00 %"),
    }


def test_of_other_results_the_largest_difference_is_told(folders):
    write_results(folders[1], 5)
    assert compared(folders) == {
        "losses": (False, "from step 1 of 3 on, by 2 at most"),
        "weights (ema)": (False, "1 of 2 tensors, by 2 at most, e.g. b"),
        "weights (raw)": (False, "1 of 2 tensors, by 2 at most, e.g. b"),
        "detections": (False, "in 1 of 2 videos, 1, now 1; by 2 s and 0 of the score at most"),
        "scores": (False, "average mAP 3.00 %, now 5.00 %; most at 0.50: 2 points"),
    }


def test_a_single_bit_of_a_weight_is_a_difference(folders):
    value = np.nextafter(np.float32(1), np.float32(2))
    for name in ("ema", "raw"):  # -0.0 equals 0.0, but is another bit
        b = np.array([value if name == "ema" else 1, 3], np.float32)
        a = np.array([0, 0 if name == "ema" else -0.0], np.float32)
        save_file({"a": a, "b": b}, folders[1] / "checkpoints" / f"{name}.safetensors")
    assert compared(folders)["weights (ema)"] == (False, "1 of 2 tensors, by 1.2e-07 at most, e.g. b")
    assert compared(folders)["weights (raw)"] == (False, "1 of 2 tensors, by 0 at most, e.g. a")


def test_other_tensors_steps_detections_and_thresholds_are_differences(folders):
    _, now = folders
    save_file({"a": np.zeros(3, np.float32), "b": np.zeros(2, np.float32)}, now / "checkpoints" / "ema.safetensors")
    write_text(now / "metrics.csv", "".join((now / "metrics.csv").read_text().splitlines(keepends=True)[:-1]))
    rows = [{"label": label, "segment": [1.0, 2.0], "score": 0.5} for label in ("jump", "throw")]
    write_texts(now / "predictions.json.gz", [json.dumps({"results": {"v0": rows}})])
    write_json(now / "eval.json", {"map": {"0.50": 0.03}, "average_map": 0.03})
    found = compared(folders)
    assert found["weights (ema)"] == (False, "other tensors")
    assert found["losses"] == (False, "3 steps, now 2")
    assert found["detections"] == (False, "in 2 of 2 videos, 1, now 2")
    assert found["scores"] == (False, "at tIoU 0.50, 0.70, average, now 0.50, average")


def test_files_that_are_gone_are_compared_by_their_digests(folders):
    before, _ = folders
    names = ["checkpoints/ema.safetensors", "predictions.json.gz"]
    digests = {name: sha256_of(before / name) for name in names}
    for path in list(before.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    note_stage(before, "02_train", sha256={names[0]: digests[names[0]]})
    note_stage(before, "03_eval", sha256={names[1]: "0" * 64})
    found = compared(folders)
    assert found["weights (ema)"] == (True, "by the digest in run.json, since checkpoints/ema.safetensors is gone")
    assert found["detections"] == (False, "by the digest in run.json, since predictions.json.gz is gone")
    assert found["scores"] == (None, "the run has no eval.json any more")
    assert found["weights (raw)"][0] is None and found["losses"][0] is None


def test_what_was_not_made_or_cannot_be_read_is_said(folders):
    before, now = folders
    (now / "eval.json").unlink()
    write_text(before / "metrics.csv", "step\n1\n")
    (before / "predictions.json.gz").write_bytes(b"broken")
    write_text(before / "checkpoints" / "ema.safetensors", json.dumps({}))
    found = compared(folders)
    assert found["scores"] == (None, "the stage that makes them was not done")
    assert [found[what][0] for what in RESULTS] == [None, None, True, None, None]
    assert found["losses"][1].startswith("metrics.csv cannot be read (")
