"""The four notebooks, executed as users execute them; what they leave in the run folder; interruption and failure."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import afkit
from afkit.files import read_json, write_json
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.runs.folder import STAGE_FILES
from afkit.workbench.runs.notebooks import COMMON, STAGES, notebook_parameters
from afkit.workbench.runs.opened import sha256_of
from afkit.workbench.runs.pipeline import StageError, run

pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytestmark = pytest.mark.slow

CLASSES = ["jump", "throw", "$fall$ <b>"]
TINY = {
    "data.num_classes": 3,
    "data.input_dims": [6],
    "data.max_seq_len": 64,
    "model.embed_dim": 16,
    "model.branch_layers": 2,
    "model.regression_ranges": [[0, 8], [8, 16], [16, 10000]],
    "model.windows": 5,
    "model.heads": 2,
    "loss.init_loss_norm": 20,
    "optim.learning_rate": 1e-3,
    "optim.warmup_epochs": 1,
    "optim.ema_warmup": True,
}


EVALUATED = {"evaluate_every": 7}  # of 21 epochs


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Kernels with one thread: two would wait for each other where tests share the cores with something else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    """A small data set in the layout of THUMOS14, whose features show the class during an action."""
    root = tmp_path_factory.mktemp("data")
    features = root / "thumos" / "i3d_features"
    features.mkdir(parents=True)
    draws = np.random.default_rng(0)
    database = {}
    for index in range(10):
        steps = int(draws.integers(40, 90))
        array = 0.3 * draws.standard_normal((steps, 6)).astype(np.float32)
        annotations = []
        for start in range(5, steps - 14, 18):
            label = int(draws.integers(3))
            array[start : start + 10, label] += 2
            times = [(start * 4 + 8) / 30, ((start + 10) * 4 + 8) / 30]
            annotations.append({"segment": times, "label": CLASSES[label], "label_id": label})
        np.save(features / f"video_{index}.npy", array)
        database[f"video_{index}"] = {
            "subset": "Validation" if index < 6 else "Test",
            "duration": ((steps - 1) * 4 + 16) / 30,
            "fps": 30.0,
            "annotations": annotations,
        }
    write_json(root / "thumos" / "annotations" / "thumos14.json", {"database": database})
    return root


@pytest.fixture(scope="module")
def finished(data_root, tmp_path_factory) -> Path:
    """A finished run on the small data set."""
    results = tmp_path_factory.mktemp("results")
    return run("thumos_i3d", 5, TINY | {"optim.epochs": 20}, EVALUATED, str(data_root), str(results))


def _errors(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return [o["ename"] for cell in cells for o in cell.get("outputs", []) if o["output_type"] == "error"]


def test_every_stage_is_done_and_its_files_are_there(finished):
    facts = read_json(finished / "run.json")
    for stage in STAGES:
        assert facts["stages"][stage]["status"] == "done"
        assert facts["stages"][stage]["seconds"] > 0
        assert _errors(finished / f"{stage}.ipynb") == []
        assert all((finished / name).is_file() for name in STAGE_FILES[stage])
    assert facts["data"]["subsets"]["test"]["videos"] == 4
    assert len(facts["data"]["fingerprint"]) == 64
    assert not list(finished.rglob("*.tmp"))


def test_the_numbers_in_the_files_belong_together(finished, data_root):
    scores = read_json(finished / "eval.json")
    names = dict(enumerate(CLASSES))
    gt = afkit.load_annotations(data_root / "thumos" / "annotations" / "thumos14.json", "test")
    predictions = read_predictions(finished / "predictions.json.gz", names)
    again = afkit.evaluate(gt, predictions, [0.3, 0.4, 0.5, 0.6, 0.7])
    assert scores["average_map"] == pytest.approx(again.average_map, abs=1e-12)
    assert list(scores["map"]) == ["0.30", "0.40", "0.50", "0.60", "0.70"]
    assert scores["counts"]["ground_truths"] == len(gt)
    assert scores["average_map"] > 2 * scores["baseline"]["average_map"], "it has learned something"
    per_class = pd.read_csv(finished / "per_class.csv")
    assert per_class["name"].tolist() == CLASSES
    assert per_class["ap_average"].mean() == pytest.approx(scores["average_map"], abs=1e-9)
    metrics = pd.read_csv(finished / "metrics.csv")
    assert len(metrics) == 21 * 3
    assert scores["weights_sha256"] == sha256_of(finished / "checkpoints" / "ema.safetensors")
    stages = read_json(finished / "run.json")["stages"]
    assert stages["03_eval"]["made_from"] == {"checkpoints/ema.safetensors": scores["weights_sha256"]}
    assert stages["04_visualize"]["made_from"] == stages["03_eval"]["sha256"]
    assert metrics["loss_total"].iloc[-3:].mean() < metrics["loss_total"].iloc[:3].mean()
    validation = pd.read_csv(finished / "validation.csv")
    assert validation["epoch"].tolist() == [6, 13, 20]
    assert validation["average_map"].iloc[-1] == pytest.approx(scores["average_map"], abs=1e-12)


def test_how_it_was_trained_is_on_record(finished):
    facts = read_json(finished / "run.json")["execution"]
    assert facts["evaluate_every"] == 7 and facts["precision"] == "fp32" and facts["pad_to_batch"] is True
    stages = read_json(finished / "run.json")["stages"]
    assert {stage: set(entry["values"]) for stage, entry in stages.items()} == {
        stage: set(notebook_parameters(stage)) - set(COMMON) for stage in STAGES
    }
    assert stages["02_train"]["values"]["evaluate_every"] == 7 and stages["03_eval"]["values"]["weights"] == "ema"


def test_progress_of_the_training_is_one_picture_and_about_ten_lines(finished):
    cells = {cell["id"]: cell for cell in json.loads((finished / "02_train.ipynb").read_text())["cells"]}
    outputs = cells["02-13"]["outputs"]
    pictures = [output for output in outputs if output["output_type"] == "display_data"]
    assert len(pictures) == 1 and "image/png" in pictures[0]["data"]
    lines = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream").splitlines()
    assert len([line for line in lines if line.startswith("step ")]) <= 10
    assert lines[-1].startswith("step 63/63, epoch 21/21, ")


def test_executed_notebooks_hold_pictures_and_no_path_of_the_machine_in_their_metadata(finished):
    pictures = 0
    for stage in STAGES:
        notebook = json.loads((finished / f"{stage}.ipynb").read_text())
        outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
        pictures += sum("image/png" in output.get("data", {}) for output in outputs)
        assert notebook["metadata"]["papermill"]["output_path"] == f"{stage}.ipynb"
    assert pictures >= 10
    drawn = read_json(finished / "figures" / "timelines.json")
    assert len(drawn) == 3
    assert all((finished / "figures" / entry["file"]).stat().st_size > 5000 for entry in drawn)


def test_a_second_call_skips_everything_and_changes_nothing(finished, data_root):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    said = []
    overrides = TINY | {"optim.epochs": 20}
    folder = run(
        "thumos_i3d", 5, overrides, EVALUATED, str(data_root), results=str(finished.parents[1]), say=said.append
    )
    assert folder == finished
    assert [line.split(maxsplit=1)[1] for line in said] == ["already done"] * 4
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()} == before


def _start(data_root: Path, results: Path, minutes: float = 0.002) -> subprocess.Popen:
    overrides = TINY | {"optim.epochs": 20}
    settings = [part for key, value in overrides.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    command = [sys.executable, "-m", "afkit", "run", "thumos_i3d", "--seed", "5", *settings]
    command += ["--data-root", str(data_root), "--results", str(results), "-p", f"checkpoint_minutes={minutes}"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def _kill_with_kernels(process: subprocess.Popen, folder: Path) -> None:
    """SIGKILL to the command and to its kernel, which lives in a session of its own."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout
    for pid in [process.pid, *map(int, children.split())]:
        os.kill(pid, signal.SIGKILL)
    process.wait()


def test_a_killed_training_goes_on_and_ends_with_the_same_numbers(finished, data_root, tmp_path):
    """The same seed also gives the same predictions and metrics in two runs: one interrupted, the other evaluated."""
    process = _start(data_root, tmp_path)
    deadline = time.monotonic() + 600
    table = tmp_path / "thumos_i3d" / finished.name / "metrics.csv"
    while not list(table.parent.glob("checkpoints/step*.pt")):
        assert process.poll() is None and time.monotonic() < deadline, "training did not start"
        time.sleep(0.02)
    _kill_with_kernels(process, table.parent)
    assert read_json(table.parent / "run.json")["stages"]["02_train"]["status"] == "running"
    saved = max(int(path.stem[4:]) for path in table.parent.glob("checkpoints/step*.pt"))
    assert 0 < saved < 21 * 3, "killed too late to show anything"
    seconds = pd.read_csv(table)["seconds"][:saved]

    output, _ = _start(data_root, tmp_path).communicate(timeout=600)
    assert "01_data        already done" in output
    assert output.strip().splitlines()[-1] == str(table.parent)
    for name in ("checkpoints/ema.safetensors", "checkpoints/raw.safetensors"):
        assert (table.parent / name).read_bytes() == (finished / name).read_bytes()
    unpacked = [gzip.decompress((run_dir / "predictions.json.gz").read_bytes()) for run_dir in (table.parent, finished)]
    assert unpacked[0] == unpacked[1]
    first, second = (
        pd.read_csv(run_dir / "metrics.csv").drop(columns="seconds") for run_dir in (table.parent, finished)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert (pd.read_csv(table)["seconds"][:saved] == seconds).all(), "steps before the checkpoint were not done again"
    scores = [read_json(run_dir / "eval.json") for run_dir in (table.parent, finished)]
    assert scores[0]["map"] == scores[1]["map"] and scores[0]["recall"] == scores[1]["recall"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_is_saved_and_says_where_it_goes_on(data_root, tmp_path, number):
    process = _start(data_root, tmp_path, minutes=60)
    deadline = time.monotonic() + 600
    while not any(len(path.read_text().splitlines()) > 2 for path in tmp_path.rglob("metrics.csv")):
        assert process.poll() is None and time.monotonic() < deadline, "training did not start"
        time.sleep(0.02)
    os.killpg(process.pid, number)  # as a terminal does; the kernel is in a group of its own
    output, _ = process.communicate(timeout=600)
    (saved,) = [int(path.stem[4:]) for path in tmp_path.rglob("step*.pt")]
    assert process.returncode == 130
    assert 0 < saved < 21 * 3, "interrupted too late to show anything"
    assert output.strip().endswith(f"interrupted; the same command goes on with 02_train after step {saved}")


def test_a_failing_notebook_is_kept_named_and_marked_and_runs_again(finished, data_root):
    overrides, results = TINY | {"optim.epochs": 20}, str(finished.parents[1])
    with pytest.raises(StageError) as error:
        run("thumos_i3d", 5, overrides, {"videos": ["video_99"]}, str(data_root), results, ["04"])
    assert "04_visualize failed in cell" in str(error.value)
    assert "no ground truth for the video 'video_99'" in str(error.value)
    assert str(finished / "04_visualize.ipynb") in str(error.value)
    assert _errors(finished / "04_visualize.ipynb") == ["ValueError"]
    facts = read_json(finished / "run.json")["stages"]
    assert facts["04_visualize"]["status"] == "failed"
    assert facts["04_visualize"]["error"].startswith("ValueError: no ground truth for the video 'video_99'")
    assert facts["03_eval"]["status"] == "done"
    said = []
    run("thumos_i3d", 5, overrides, EVALUATED, str(data_root), results, say=said.append)
    assert [line.split(maxsplit=1)[1].split(" in ")[0] for line in said] == ["already done"] * 3 + ["running", "done"]


def test_what_is_left_out_is_said_on_the_terminal_and_too_much_of_it_stops_the_run(data_root, tmp_path, capfd):
    shutil.copytree(data_root / "thumos", tmp_path / "data" / "thumos")
    for video in ("video_2", "video_7"):  # of 6 for training, and of 4 for the test
        (tmp_path / "data" / "thumos" / "i3d_features" / f"{video}.npy").unlink()
    arguments = {"data_root": str(tmp_path / "data"), "results": str(tmp_path), "stages": ["01", "02", "03"]}
    short = TINY | {"optim.epochs": 1}
    with pytest.raises(
        StageError, match=r"(?s)01_data .*1 of 6 videos of validation have .*set data\.max_missing=0\.17"
    ):
        run("thumos_i3d", 5, short, **arguments)
    capfd.readouterr()
    run("thumos_i3d", 5, short | {"data.max_missing": 0.25}, **arguments)
    said = capfd.readouterr().out
    assert "1 of 6 videos of validation have no features: left out" in said
    assert "1 of 4 videos of test have no features: left out" in said
    assert "5 videos (1 more have no features and are left out), 2 steps per epoch" in said
    assert "predictions in 3 videos (1 more have no features and are left out), " in said


def test_the_watch_recipe_runs_from_its_recordings(tmp_path):
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    overrides = {"optim.warmup_epochs": 1, "model.embed_dim": 32}
    folder = run(
        "watch", 1, overrides, {"epochs": 2}, data_root=str(tmp_path / "data"), results=str(tmp_path / "results")
    )
    facts = read_json(folder / "run.json")
    assert facts["overrides"] == overrides | {"optim.epochs": 2}
    assert facts["data"]["subsets"]["training"]["actions"] == 70
    assert facts["data"]["subsets"]["test"]["actions"] == 30
    assert len(pd.read_csv(folder / "metrics.csv")) == 3 * 7
    assert 0 <= read_json(folder / "eval.json")["average_map"] <= 1
