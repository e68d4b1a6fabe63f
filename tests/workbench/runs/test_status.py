"""How far runs are, from run folders written by hand."""

import itertools
import json
import time

import pytest
from run_folders import change_json, write_run

from afkit.__main__ import main
from afkit.files import LOCK, locked, write_text
from afkit.workbench.runs import pipeline
from afkit.workbench.runs.opened import OUTDATED
from afkit.workbench.runs.provenance import stage_code
from afkit.workbench.runs.status import CLEAR, RunStatus, folders_of, run_status, show_status, status_table

HEADING = "step,epoch,learning_rate,loss_cls,loss_reg,loss_total,grad_norm,seconds\n"


def write_training(folder, steps, seconds=0.5, per_epoch=10, **stage):
    """A run in its training: `steps` steps are done, of 4 epochs (1 of them the warm-up)."""
    stages = {"02_train": {"status": "running", "started": "2026-01-01T10:00:00"} | stage}
    write_run(folder, stages=stages | {"03_eval": {}, "04_visualize": {}})
    change_json(folder / "run.json", recipe={"optim": {"epochs": 3, "warmup_epochs": 1}})
    rows = [f"{step},{step // per_epoch},1e-4,1,1,2,1,{seconds}\n" for step in range(steps)]
    write_text(folder / "metrics.csv", HEADING + "".join(rows))
    return folder


def status_at_work(folder):
    with locked(folder / LOCK):
        return run_status(folder, "a")


def test_a_finished_run_has_its_map(tmp_path):
    folder = write_run(tmp_path / "a", 0.25)
    assert run_status(folder, "a") == RunStatus("a", "done", "", 3, 3, None, 25.0, "")
    assert run_status(tmp_path / "none", "a") == RunStatus("a", "waiting")


def test_a_training_tells_its_epoch_and_the_time_that_is_left(tmp_path):
    folder = write_training(tmp_path / "a", 25)
    found = status_at_work(folder)
    assert found[:5] == ("a", "running", "02_train", 3, 4)
    assert found.left_sec == pytest.approx((40 - 25) * 0.5)
    write_text(folder / "validation.csv", "epoch,average_map\n0,0.125\n1,0.5\n")
    found = run_status(folder, "a")
    assert (found.state, found.stage, found.left_sec, found.map_percent) == ("unfinished", "02_train", None, 50)
    change_json(folder / "run.json", recipe={"optim": {}})
    assert status_at_work(folder)[:6] == ("a", "running", "02_train", None, None, None)


def test_the_end_of_a_long_metrics_file_is_enough(tmp_path):
    folder = write_training(tmp_path / "a", 3001, seconds=2, per_epoch=1000)
    found = status_at_work(folder)
    assert (found.epoch, found.left_sec) == (4, pytest.approx((4000 - 3001) * 2))
    write_text(folder / "metrics.csv", HEADING + "9" * 9000)  # a line without end, as of a disk that is full
    assert run_status(folder, "a").epoch == 0


def test_in_the_first_epoch_nobody_knows_how_long_it_takes(tmp_path):
    folder = write_training(tmp_path / "a", 5)
    assert status_at_work(folder)[3:6] == (1, 4, None)
    write_text(folder / "metrics.csv", HEADING)
    assert run_status(folder, "a")[3:6] == (0, 4, None)


def test_a_failure_has_its_reason_without_paths_until_it_runs_again(tmp_path):
    folder = write_training(tmp_path / "a", 25, status="failed", error=f"ValueError:\n{tmp_path}/x.npy is broken")
    assert run_status(folder, "a")[1:3] == ("failed", "02_train")
    assert run_status(folder, "a").reason == "ValueError: …/x.npy is broken"
    assert status_at_work(folder)[1::6] == ("running", "")


FAILED = {"status": "failed", "started": "2026-01-02T10:00:00", "error": "why"}
RUNNING = {"status": "running", "started": "2026-01-03T10:00:00"}


@pytest.mark.parametrize(
    ("stages", "stage"),
    [
        ({"01_data": {}, "02_train": {}, "03_eval": FAILED}, "03_eval"),
        ({"01_data": {"status": "running"}, "02_train": FAILED, "03_eval": FAILED}, "02_train"),
        ({"03_eval-training": FAILED}, "03_eval-training"),
    ],
)
def test_a_failed_stage_is_seen_whatever_stages_came_before_it(tmp_path, stages, stage):
    """An empty entry is that of a stage that nobody asked for."""
    folder = write_run(tmp_path / "a", stages=stages | {"04_visualize": {}})
    assert run_status(folder, "a")[1:3] == ("failed", stage) and run_status(folder, "a").reason == "why"
    assert status_at_work(folder).state == "running"


def test_the_stage_at_work_is_the_one_that_began_last(tmp_path):
    write_training(tmp_path / "a", 25, **RUNNING)
    stages = json.loads((tmp_path / "a" / "run.json").read_text())["stages"]
    interrupted = RUNNING | {"started": "2026-01-02T10:00:00"}
    for others in ({"01_data": {}}, {"01_data": interrupted}, {"03_eval": interrupted}):
        change_json(tmp_path / "a" / "run.json", stages=stages | others)
        found = status_at_work(tmp_path / "a")
        assert (found.state, found.stage, found.epoch) == ("running", "02_train", 3) and found.left_sec > 0
        assert run_status(tmp_path / "a", "a").state == "unfinished"


def test_the_map_is_that_of_the_evaluation_where_no_training_came_after_it(tmp_path):
    weights_of_others = write_run(tmp_path / "a", 0.25, stages={"01_data": {}, "02_train": {}})
    assert run_status(weights_of_others, "a").map_percent == 25
    for training in (RUNNING, FAILED):
        assert run_status(write_run(tmp_path / "b", 0.25, stages={"02_train": training}), "b").map_percent is None


def test_the_table_begins_with_what_needs_attention():
    rows = [
        RunStatus("one", "done", "", 4, 4, None, 66.8333),
        RunStatus("two", "failed", "02_train", 2, 4, None, None, "x" * 100),
        RunStatus("three", "running", "02_train", 2, 4, 90.0),
        RunStatus("four", "waiting"),
    ]
    lines = status_table(rows).splitlines()
    assert lines[0].split() == ["run", "state", "stage", "epoch", "left", "mAP", "[%]", "why"]
    assert lines[1].split() == ["three", "running", "02_train", "2", "of", "4", "90", "s"]
    assert lines[2].split() == ["two", "failed", "02_train", "2", "of", "4", "x" * 60 + "…"]
    assert lines[3].split() == ["four", "waiting"]
    assert lines[4].split() == ["one", "done", "4", "of", "4", "66.83"]
    assert lines[5] == "1 running, 1 failed, 1 waiting, 1 done"


def test_the_command_takes_a_sweep_file_or_a_folder(tmp_path, capsys):
    pytest.importorskip("papermill", reason="the parameters of notebooks are read by papermill")
    (tmp_path / "mine.yaml").write_text(f"recipes: [watch]\nseeds: [1, 2]\nresults: {tmp_path}/results\n")
    write_run(tmp_path / "results" / "watch" / "seed1", 0.5)
    assert main(["status", str(tmp_path / "mine.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 waiting, 1 done"
    assert main(["status", str(tmp_path / "results")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 done"
    assert list(folders_of(tmp_path / "results")) == ["watch/seed1"]
    assert main(["status", str(tmp_path / "empty")]) == 2
    assert "there is no run in" in capsys.readouterr().err


def test_watching_draws_again_until_it_is_interrupted(tmp_path, monkeypatch):
    write_run(tmp_path / "tiny" / "seed1")
    said, turns = [], itertools.count()

    def sleep(seconds):
        if next(turns) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        show_status(tmp_path, watch=True, say=said.append)
    assert len(said) == 3 and all(text.startswith(CLEAR) and "tiny/seed1" in text for text in said)


def test_a_run_of_other_code_says_so(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "a", 0.5)
    stages = json.loads((folder / "run.json").read_text())["stages"]
    stages["03_eval"]["code"] = stage_code("03_eval") | {"detect": "another"}
    change_json(folder / "run.json", stages=stages)
    row = run_status(folder, "a")
    assert (row.state, row.reason) == ("done", "03_eval was done with other code: afkit/detect")
    stages["03_eval"]["code"] = "of another kind"
    change_json(folder / "run.json", stages=stages)
    assert run_status(folder, "a").reason == ""


def test_a_score_of_other_weights_than_those_of_the_last_training_is_none(tmp_path):
    read = {"status": "done", "made_from": {"ema": "a"}}
    folder = write_run(tmp_path / "a", stages={"02_train": {"status": "done", "sha256": {"ema": "b"}}, "03_eval": read})
    assert run_status(folder, "a")[1:3] == ("unfinished", "03_eval") and run_status(folder, "a").map_percent is None


def test_a_command_that_trained_anew_does_not_show_the_scores_of_before(tmp_path, monkeypatch, capsys):
    read = {"status": "done", "made_from": {"metrics.csv": "of before"}}
    folder = write_run(tmp_path / "a", stages={"03_eval": read})
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: folder)
    main(["run", "watch", "--stages", "02"])
    assert capsys.readouterr().out == f"{OUTDATED}\n{folder}\n"
