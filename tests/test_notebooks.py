"""The four notebooks, executed as users execute them; what they leave in the run folder; interruption and failure."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from run_folders import outputs_of, pages_of
from tiny_data import change_video, read_database, tiny_recipe, write_tiny_data, write_tiny_recipe

import afkit
from afkit.data.annotations import leave_out_ignored, read_annotations
from afkit.files import read_json
from afkit.workbench.analysis import matching, operating_point
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.runs.folder import STAGE_FILES
from afkit.workbench.runs.notebooks import COMMON, STAGES, notebook_parameters, notebook_path
from afkit.workbench.runs.opened import sha256_of
from afkit.workbench.runs.pipeline import StageError, run

pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytestmark = pytest.mark.slow

NAMES = {0: "action 0", 1: "action 1", 2: "action 2", 3: "label 3"}  # no annotation has the last
STEPS = 21 * 3
STEP_SEC = 0.1  # so that a signal comes before the end on a fast machine, too
SLOWER = f"""
import time
from afkit.train import loop
step = loop.train_step
loop.train_step = lambda *arguments: (time.sleep({STEP_SEC}), step(*arguments))[1]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A small data set and a recipe.

    One of 8 training and one of 4 test videos have no features; of one more test video a part was not labelled.
    """
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root, training=8, test=4)
    _, end = read_database(root)["video8"]["annotations"][0]["segment"]
    change_video(root, "video8", ignored=[0, end])
    for video in ("video2", "video9"):
        (root / "tiny" / "features" / f"{video}.npy").unlink()
    learning = {"optim__epochs": 20, "optim__learning_rate": 5e-3, "optim__ema_warmup": True}
    write_tiny_recipe(root, data__num_classes=4, data__max_missing=0.25, loss__init_loss_norm=20, **learning)
    return root


def start(root: Path, results: Path, *options: str, **environment: str) -> subprocess.Popen:
    """The command that runs the notebooks."""
    command = [sys.executable, "-m", "afkit", "run", str(root / "tiny.yaml"), "--seed", "5", *options]
    command += ["--data-root", str(root), "--results", str(results)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, **pipes, start_new_session=True, env=os.environ | environment)


@pytest.fixture(scope="module")
def first(root, tmp_path_factory) -> tuple[Path, str]:
    """The folder of a finished run, and what was said."""
    process = start(root, tmp_path_factory.mktemp("results"), "-p", "evaluate_every=7")
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return Path(said.splitlines()[-1]), said


@pytest.fixture(scope="module")
def finished(first) -> Path:
    return first[0]


def test_every_stage_is_done_and_its_files_and_settings_are_on_record(finished):
    facts = read_json(finished / "run.json")
    for stage in STAGES:
        noted = facts["stages"][stage]
        assert noted["status"] == "done" and noted["seconds"] > 0
        assert set(noted["values"]) == set(notebook_parameters(stage)) - set(COMMON)
        assert all((finished / name).is_file() for name in STAGE_FILES[stage])
    assert facts["data"]["subsets"]["test"]["videos"] == 4
    assert len(facts["data"]["fingerprint"]) == 64
    assert not list(finished.rglob("*.tmp"))
    how = facts["execution"]
    assert how["evaluate_every"] == 7 and how["precision"] == "fp32" and how["pad_to_batch"] is True
    values = [facts["stages"][stage]["values"] for stage in STAGES]
    assert values[1]["evaluate_every"] == 7 and values[2]["weights"] == "ema"


def test_the_numbers_in_the_files_belong_together(finished, root):
    scores = read_json(finished / "eval.json")
    gt = afkit.load_annotations(root / "tiny" / "annotations.json", "test")
    predictions = read_predictions(finished / "predictions.json.gz", NAMES)
    videos = read_annotations(root / "tiny" / "annotations.json").of_subsets(["test"])
    assert len(leave_out_ignored(predictions, videos)) == len(predictions) == scores["counts"]["predictions"]
    assert len(gt) == sum(len(video.segments_sec) for video in videos) - 1
    again = afkit.evaluate(gt, predictions, tiny_recipe().data.tious)
    assert scores["average_map"] == pytest.approx(again.average_map, abs=1e-12)
    assert list(scores["map"]) == ["0.30", "0.40", "0.50", "0.60", "0.70"]
    assert scores["counts"]["ground_truths"] == len(gt)
    assert scores["average_map"] > 2 * scores["baseline"]["average_map"], "it has learned something"
    per_class = pd.read_csv(finished / "per_class.csv")
    assert per_class["name"].tolist() == list(NAMES.values())[:3]
    assert per_class["ap_average"].mean() == pytest.approx(scores["average_map"], abs=1e-9)
    metrics = pd.read_csv(finished / "metrics.csv")
    assert len(metrics) == STEPS
    assert metrics["loss_total"].iloc[-3:].mean() < metrics["loss_total"].iloc[:3].mean()
    validation = pd.read_csv(finished / "validation.csv")
    assert validation["epoch"].tolist() == [6, 13, 20]
    assert validation["average_map"].iloc[-1] == pytest.approx(scores["average_map"], abs=1e-12)
    stages = read_json(finished / "run.json")["stages"]
    assert scores["weights_sha256"] == sha256_of(finished / "checkpoints" / "ema.safetensors")
    assert stages["03_eval"]["made_from"] == {"checkpoints/ema.safetensors": scores["weights_sha256"]}
    assert stages["04_visualize"]["made_from"] == stages["03_eval"]["sha256"]


def test_what_is_left_out_is_said_on_the_terminal(first):
    assert "1 of 8 videos of training have no features: left out" in first[1]
    assert "1 of 4 videos of test have no features: left out" in first[1]
    assert "7 videos (1 more have no features and are left out), 3 steps per epoch" in first[1]
    assert "predictions in 3 videos (1 more have no features and are left out), " in first[1]


def test_progress_of_the_training_is_one_picture_and_about_ten_lines(finished):
    cells = {cell["id"]: cell for cell in read_json(finished / "02_train.ipynb")["cells"]}
    outputs = cells["02-13"]["outputs"]
    pictures = [output for output in outputs if output["output_type"] == "display_data"]
    assert len(pictures) == 1 and "image/png" in pictures[0]["data"]
    lines = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream").splitlines()
    assert len([line for line in lines if line.startswith("step ")]) <= 10
    assert lines[-1].startswith(f"step {STEPS}/{STEPS}, epoch 21/21, ")


@pytest.mark.parametrize("stage", STAGES)
def test_a_notebook_opens_with_what_it_found_and_links_to_the_others(finished, stage):
    score = f"Average mAP {100 * read_json(finished / 'eval.json')['average_map']:.2f} %, "
    counts = {"01_data": "12 recordings, ", "02_train": "Loss 0.", "03_eval": score}
    first = pages_of(finished / f"{stage}.ipynb")[0]
    assert (f">{counts[stage]}" if stage in counts else score) in first and "Not finished" not in first
    assert "without interval" in first if stage == "03_eval" else True, "of four recordings there is none"
    assert re.findall(r'href="(0[1-4].*?)"', first) == [f"{name}.ipynb" for name in STAGES if name != stage]
    assert f"Run tiny/{finished.name}, begun " in first
    assert ("evaluate_every=7" in first) == (stage == "02_train"), "what was changed"


@pytest.mark.parametrize("stage", STAGES)
def test_tables_have_rows_and_no_output_is_red(finished, stage):
    assert all("<td" in page for page in pages_of(finished / f"{stage}.ipynb") if "<table" in page)
    assert not [output for output in outputs_of(finished / f"{stage}.ipynb") if output.get("name") == "stderr"]
    folded = [cell["metadata"].get("jupyter", {}) for cell in read_json(finished / f"{stage}.ipynb")["cells"]]
    assert [bool(one.get("source_hidden")) for one in folded[:5]] == [False, True, True, True, True]


def test_executed_notebooks_hold_pictures_and_no_path_of_the_machine_in_their_metadata(finished):
    pictures = {}
    for stage in STAGES:
        notebook, outputs = read_json(finished / f"{stage}.ipynb"), outputs_of(finished / f"{stage}.ipynb")
        assert not [output for output in outputs if output["output_type"] == "error"]
        pictures[stage] = sum("image/png" in output.get("data", {}) for output in outputs)
        assert notebook["metadata"]["papermill"]["output_path"] == f"{stage}.ipynb"
    assert pictures == {"01_data": 4, "02_train": 3, "03_eval": 12, "04_visualize": 6}
    drawn = read_json(finished / "figures" / "timelines.json")
    assert len(drawn) == 3
    assert all((finished / "figures" / entry["file"]).stat().st_size > 5000 for entry in drawn)


def test_a_second_call_skips_everything_and_changes_nothing(finished, root):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    said = []
    given = {"data_root": str(root), "results": str(finished.parents[1]), "say": said.append}
    assert run(str(root / "tiny.yaml"), 5, {}, {"evaluate_every": 7}, **given) == finished
    assert [line.split(maxsplit=1)[1] for line in said] == ["already done"] * 4
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()} == before


def wait_for(process: subprocess.Popen, happened) -> None:
    """Until something has happened in a process that goes on meanwhile."""
    while not happened():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


@pytest.mark.skipif("AFKIT_TIMES" not in os.environ, reason="takes a minute or two; make reliability does it")
def test_a_training_that_is_killed_and_interrupted_goes_on_and_ends_with_the_same_numbers(finished, root, tmp_path):
    """The same seed also gives the same weights and metrics in two runs: one interrupted, the other evaluated."""
    folder = tmp_path / "tiny" / finished.name
    (tmp_path / "profile_default" / "startup").mkdir(parents=True)
    (tmp_path / "profile_default" / "startup" / "slower.py").write_text(SLOWER)
    only = ("--stages", "01,02")

    def saved() -> int:
        return max((int(path.stem[4:]) for path in folder.glob("checkpoints/step*.pt")), default=0)

    def slow_start(minutes: float) -> subprocess.Popen:
        return start(root, tmp_path, *only, "-p", f"checkpoint_minutes={minutes}", IPYTHONDIR=str(tmp_path))

    process = slow_start(0.002)
    wait_for(process, saved)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout
    for pid in [process.pid, *map(int, children.split())]:  # the kernel lives in a session of its own
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert read_json(folder / "run.json")["stages"]["02_train"]["status"] == "running"
    reached = [saved()]
    seconds = pd.read_csv(folder / "metrics.csv")["seconds"][: reached[0]]

    process = slow_start(60)
    wait_for(process, lambda: len((folder / "metrics.csv").read_text().splitlines()) > reached[-1] + 2)
    assert saved() == reached[-1]
    os.killpg(process.pid, signal.SIGTERM)  # the kernel is in a group of its own; of Ctrl-C, see the tests of sweeps
    said = process.communicate()[0]
    reached.append(saved())
    assert process.returncode == 130
    assert said.strip().endswith(f"interrupted; the same command goes on with 02_train after step {reached[-1]}")
    assert 0 < reached[0] < reached[1] < STEPS

    said = start(root, tmp_path, *only).communicate()[0]
    assert "01_data        already done" in said and said.strip().splitlines()[-1] == str(folder)
    for name in ("checkpoints/ema.safetensors", "checkpoints/raw.safetensors"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes()
    tables = [pd.read_csv(place / "metrics.csv") for place in (folder, finished)]
    assert (tables[0]["seconds"][: reached[0]] == seconds).all(), "steps before the checkpoint were not done again"
    pd.testing.assert_frame_equal(*(table.drop(columns="seconds") for table in tables), check_exact=True)


def test_too_much_that_is_left_out_stops_the_run_and_the_notebook_is_kept_and_named(root, tmp_path):
    with pytest.raises(StageError) as error:
        run(str(root / "tiny.yaml"), 5, {"data.max_missing": 0.1}, {}, str(root), str(tmp_path), name="failing")
    folder, reason = tmp_path / "tiny" / "failing", "1 of 8 videos of training have "
    assert "01_data failed in cell" in str(error.value) and str(folder / "01_data.ipynb") in str(error.value)
    assert reason in str(error.value) and "set data.max_missing=0.13" in str(error.value)
    outputs = outputs_of(folder / "01_data.ipynb")
    assert [output["ename"] for output in outputs if output["output_type"] == "error"] == ["ValueError"]
    assert "Not finished" in pages_of(folder / "01_data.ipynb")[0]
    noted = read_json(folder / "run.json")["stages"]["01_data"]
    assert noted["status"] == "failed" and noted["error"].startswith("ValueError: ") and reason in noted["error"]


def test_a_video_to_draw_that_is_not_in_the_test_is_named(finished):
    (cell,) = (cell for cell in read_json(finished / "04_visualize.ipynb")["cells"] if cell["id"] == "04-05")
    gt = pd.DataFrame([("video8", 0.0, 9.0, 0)], columns=["video", "start_sec", "end_sec", "label"])
    names = {"gt": gt, "predictions": gt.assign(score=0.5), "tiou": 0.5, "min_score": -1}
    names |= {"videos": ["video8", "video99"], "config": tiny_recipe().data}
    names |= {"matching": matching, "operating_point": operating_point}
    with pytest.raises(ValueError, match="no ground truth for the video 'video99' in test"):
        exec("".join(cell["source"]), names)


@pytest.mark.parametrize("name", [*STAGES, "05_compare"])
def test_a_notebook_has_at_most_twenty_cells_of_twenty_lines(name):
    cells = [cell["source"] for cell in read_json(notebook_path(name))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) <= 20 and max(map(len, cells)) <= 20
