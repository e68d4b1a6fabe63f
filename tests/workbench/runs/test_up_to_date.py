"""Whether results are of the files that are there now, whatever clocks say."""

import hashlib
import os

import pytest
from run_folders import change_json, write_run
from stage_results import write_results, write_training

from afkit.files import write_json
from afkit.workbench.runs.folder import finish_stage, is_done, note_input, note_stage, start_stage
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.opened import open_run, read_run, read_runs
from afkit.workbench.runs.pipeline import run as run_stages

WEIGHTS = "checkpoints/ema.safetensors"


@pytest.fixture
def folder(tmp_path):
    """A run of which all stages are done, and have noted what they read."""
    folder = tmp_path / "run"
    for stage, read in zip(STAGES, ("", "", WEIGHTS, "predictions.json.gz"), strict=True):
        run = start_stage(stage, "watch", 1, {}, str(tmp_path / "data"), str(folder))
        if stage == "02_train":
            write_results(folder, 7)
            write_json(folder / "data_report.json", {})
            write_json(folder / "figures" / "timelines.json", [])
        if read:
            note_input(run, folder / read)
        finish_stage(run)
    return folder


def done(folder):
    """The stages that are done and up to date."""
    return [stage for stage in STAGES if is_done(folder, stage, {})]


def set_times(folder, **times):
    """Let each of some stages have begun and ended at an hour."""
    for stage, hour in times.items():
        time = f"2026-01-01T{hour:02}:00:00.000+00:00"
        note_stage(folder, f"0{stage[1:]}", started=time, finished=time)


def test_a_stage_notes_the_digest_of_what_it_reads_before_it_is_done(folder):
    stages = read_run(folder)["stages"]
    assert stages["03_eval"]["made_from"] == {WEIGHTS: stages["02_train"]["sha256"][WEIGHTS]}
    assert stages["04_visualize"]["made_from"] == stages["03_eval"]["sha256"]
    run = start_stage("03_eval", "watch", 1, {}, "data", str(folder))
    assert read_run(folder)["stages"]["03_eval"]["made_from"] == {}, "what was read before counts no more"
    assert note_input(run, folder / "none") == "" and not read_run(folder)["stages"]["03_eval"]["made_from"]


@pytest.mark.parametrize("hours", [(1, 2, 3), (3, 2, 1), (2, 2, 2), (2, 1, 3)])
def test_clocks_decide_nothing(folder, hours):
    """They may go wrong, and copying changes times of files."""
    set_times(folder, **dict(zip(("s2_train", "s3_eval", "s4_visualize"), hours, strict=True)))
    for path in folder.rglob("*.*"):
        os.utime(path, (hours[0], hours[0]))
    assert done(folder) == list(STAGES)
    (before,) = read_runs([folder])
    assert before.state == "done"
    write_training(folder, 8)  # other weights
    os.utime(folder / WEIGHTS, (0, 0))
    assert done(folder) == ["01_data", "02_train", "04_visualize"]
    (folder / "predictions.json.gz").write_bytes(b"others")
    assert done(folder) == ["01_data", "02_train"]
    (after,) = read_runs([folder])
    assert after.state == "the weights have changed since their evaluation; run 03_eval again" and after.scores == {}
    write_training(folder, 7)  # the same again
    assert is_done(folder, "03_eval", {})


def test_weights_that_were_deleted_are_those_that_the_training_noted(folder):
    (folder / WEIGHTS).unlink()
    assert open_run(folder).up_to_date("03_eval")
    note_stage(folder, "02_train", sha256={WEIGHTS: "0" * 64})
    assert not open_run(folder).up_to_date("03_eval")
    note_stage(folder, "02_train", sha256={})
    assert open_run(folder).up_to_date("03_eval"), "nothing says that they are others"


def test_a_checkpoint_from_elsewhere_is_what_counts_where_it_was_evaluated(folder, tmp_path):
    path = tmp_path / "published.pth.tar"
    path.write_bytes(b"published")
    run = start_stage("03_eval", "watch", 1, {}, "data", str(folder))
    assert note_input(run, path) == hashlib.sha256(b"published").hexdigest()
    finish_stage(run)
    assert list(read_run(folder)["stages"]["03_eval"]["made_from"]) == ["../published.pth.tar"]
    write_training(folder, 8)
    set_times(folder, s2_train=23, s3_eval=1)
    assert is_done(folder, "03_eval", {}), "the run's own weights were not evaluated"
    path.write_bytes(b"another")
    assert not is_done(folder, "03_eval", {})


def test_a_split_has_an_input_of_its_own(folder):
    facts = read_run(folder)
    facts["stages"]["03_eval-training"] = facts["stages"]["03_eval"] | {"made_from": {WEIGHTS: "0" * 64}}
    write_json(folder / "run.json", facts)
    assert not is_done(folder, "03_eval", {}, "-training") and is_done(folder, "03_eval", {})
    note_stage(folder, "03_eval-training", made_from={}, started="2026-01-01T00:00:00.000+00:00")
    assert not is_done(folder, "03_eval", {}, "-training"), "of an older version, and before the training"


@pytest.mark.parametrize("later", [False, True])
def test_a_run_of_an_older_version_is_told_by_its_times_and_that_is_said(tmp_path, folder, later):
    facts = read_run(folder)
    for entry in facts["stages"].values():
        del entry["made_from"]
    write_json(folder / "run.json", facts)
    set_times(folder, s2_train=9 if later else 1, s3_eval=2, s4_visualize=3)
    assert done(folder) == [stage for stage in STAGES if not (later and stage == "03_eval")]
    assert open_run(folder).told_by_time("03_eval")
    (found,) = read_runs([folder])
    assert (found.state == "done") is not later
    if not later:
        said = []
        run_stages("watch", 1, data_root=str(tmp_path / "data"), folder=folder, stages=["03_eval"], say=said.append)
        (line,) = said
        assert line.endswith("already done, by its time alone: an older version has noted no digest of what it read")


def test_the_pictures_notebook_says_that_its_detections_are_of_other_weights(folder, capsys):
    start_stage("04_visualize", "watch", 1, {}, "data", str(folder))
    assert capsys.readouterr().out == ""
    write_training(folder, 8)
    start_stage("04_visualize", "watch", 1, {}, "data", str(folder))
    assert capsys.readouterr().out == "03_eval was done with other files than those that are there now; run it again\n"


@pytest.mark.parametrize(
    "entry",
    [{"made_from": 3}, {"made_from": [1]}, {"made_from": {"": "x"}}, {"made_from": {"\0": "x"}}, {"made_from": None}],
)
def test_what_a_stranger_noted_is_no_error(tmp_path, entry):
    folder = write_run(tmp_path / "a", stages={"03_eval": {"status": "done"} | entry})
    (found,) = read_runs([folder])
    assert found.state in ("done", "the weights have changed since their evaluation; run 03_eval again")
    change_json(folder / "run.json", stages={"02_train": 3, "03_eval": {"status": "done"} | entry})
    read_runs([folder])
