"""The run folder: names, run.json, which stages count as done, and whether results are of the files that are there."""

import hashlib
import os

import pandas as pd
import pytest
from stage_results import WEIGHTS, change_code, write_data, write_results, write_training

from afkit.files import read_json, write_json, write_text
from afkit.recipes import recipe as named_recipe
from afkit.train.execution import Execution
from afkit.workbench.runs import folder as runs
from afkit.workbench.runs import provenance, training
from afkit.workbench.runs.folder import (
    STAGE_FILES,
    changed_since,
    check_same_run,
    check_same_training,
    fail_stage,
    finish_stage,
    is_done,
    note_input,
    note_stage,
    project_root,
    start_stage,
)
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.opened import open_run, read_run, read_runs
from afkit.workbench.runs.paths import run_folder, split_suffix
from afkit.workbench.runs.pipeline import run as run_notebooks
from afkit.workbench.runs.training import finish_training, note_used
from afkit.workbench.survey.facts import fingerprint

LOSSES = ["epoch", "loss_total", "loss_cls", "loss_reg", "seconds"]


@pytest.fixture
def begun(tmp_path):
    """A run whose first stage is running."""
    return start_stage("01_data", "watch", 1, {"optim.epochs": 2}, "data", str(tmp_path / "run"))


def write_recipe(tmp_path, windows):
    (tmp_path / "mine.yaml").write_text(f"base: watch\nmodel: {{windows: {windows}}}\n")
    return str(tmp_path / "mine.yaml")


# ---- names


def test_the_folder_is_named_after_recipe_seed_and_what_was_changed(tmp_path):
    assert run_folder("watch", 7, {}) == project_root() / "results" / "watch" / "seed7"
    changed = run_folder("watch", 7, {"optim.epochs": 2, "model.heads": 2})
    assert changed.name.startswith("seed7-")
    assert changed == run_folder("watch", 7, {"model.heads": 2, "optim.epochs": 2}), "the order must not matter"
    assert changed != run_folder("watch", 7, {"optim.epochs": 3})
    assert run_folder("watch", 7, {"optim.epochs": 2}, "elsewhere", "mine").parts[-3:] == ("elsewhere", "watch", "mine")
    own = run_folder(write_recipe(tmp_path, 5), 7, {})
    assert own.parent == project_root() / "results" / "mine" and own.name.startswith("seed7-")
    assert run_folder(write_recipe(tmp_path, 5), 7, {}) == own != run_folder(write_recipe(tmp_path, 7), 7, {})
    assert run_folder(write_recipe(tmp_path, 5), 7, {"optim.epochs": 2}) != own


@pytest.mark.parametrize("name", ["../../escape", "/escape", "a/b", "..", "x" * 300])
def test_a_run_stays_in_the_folder_of_its_recipe(name):
    with pytest.raises(ValueError, match="the run cannot be called "):
        run_folder("watch", 7, {}, "elsewhere", name)


# ---- run.json


def test_run_json_says_what_is_needed_to_repeat_the_run(begun):
    facts = read_run(begun.folder)
    assert facts["recipe"] == begun.recipe.model_dump(mode="json") and facts["recipe"]["optim"]["epochs"] == 2
    assert (facts["seed"], facts["overrides"]) == (1, {"optim.epochs": 2})
    assert set(facts["git"]) == {"commit", "dirty"} and facts["versions"]["torch"] and facts["versions"]["python"]
    assert facts["stages"]["01_data"]["status"] == "running"
    assert "device" not in facts and "recipe_file" not in facts, "01_data computes nothing"
    start_stage("02_train", "watch", 1, {"optim.epochs": 2}, run_dir=str(begun.folder))
    assert read_run(begun.folder)["device"]["threads"] >= 1


def test_a_finished_stage_has_times_and_is_done_only_with_its_files(begun):
    finish_stage(begun, data={"fingerprint": "f"})
    facts = read_run(begun.folder)
    assert facts["data"] == {"fingerprint": "f"} and facts["stages"]["01_data"]["seconds"] >= 0
    assert not is_done(begun.folder, "01_data", {}), "data_report.json is missing"
    write_text(begun.folder / "data_report.json", "{}")
    assert is_done(begun.folder, "01_data", {}) and not is_done(begun.folder, "02_train", {})
    assert not is_done(begun.folder, "01_data", {"tiou": 0.7}), "other notebook parameters"


def test_a_failed_stage_keeps_its_reason_until_it_is_started_again(begun):
    fail_stage(begun.folder, "01_data", "ValueError: no")
    assert read_run(begun.folder)["stages"]["01_data"]["error"] == "ValueError: no"
    again = start_stage("01_data", "watch", 1, {"optim.epochs": 2}, "data", str(begun.folder))
    entry = read_run(again.folder)["stages"]["01_data"]
    assert (entry["status"], entry["error"]) == ("running", None)


def test_a_folder_with_another_run_is_refused_and_left_alone(begun, tmp_path):
    before = (begun.folder / "run.json").read_bytes()
    with pytest.raises(ValueError, match=r"recipe\.optim\.epochs \(there 2, here 3\)"):
        start_stage("02_train", "watch", 1, {"optim.epochs": 3}, "data", str(begun.folder))
    with pytest.raises(ValueError, match=r"another seed \(there 1, here 2\)"):
        start_stage("02_train", "watch", 2, {"optim.epochs": 2}, "data", str(begun.folder))
    assert (begun.folder / "run.json").read_bytes() == before
    place = ("data", str(tmp_path / "own"))
    start_stage("01_data", write_recipe(tmp_path, 5), 1, {}, *place)
    facts = read_run(tmp_path / "own")
    assert (facts["recipe"]["name"], len(facts["recipe_file"])) == ("mine", 8) and "base" not in facts["recipe"]
    with pytest.raises(ValueError, match=r"holds a run with another recipe\.model\.windows \(there 5, here 7\)"):
        start_stage("02_train", write_recipe(tmp_path, 7), 1, {}, *place)


def test_a_run_of_a_version_with_fewer_settings_is_gone_on_with(begun):
    facts = read_run(begun.folder)
    del facts["recipe"]["data"]["max_missing"]
    write_json(begun.folder / "run.json", facts)
    check_same_run(begun.folder, begun.recipe, begun.seed)
    facts["recipe"]["data"]["max_seq_len"] += 1
    write_json(begun.folder / "run.json", facts)
    with pytest.raises(ValueError, match=r"another recipe\.data\.max_seq_len"):
        check_same_run(begun.folder, begun.recipe, begun.seed)


# ---- splits


@pytest.fixture
def data(tmp_path):
    """A data root with an annotation file of `watch` with three subsets."""
    subsets = {"a": "training", "b": "Training", "c": "test", "d": "Un/labelled"}
    database = {name: {"subset": subset, "duration": 9, "fps": 50} for name, subset in subsets.items()}
    write_json(tmp_path / "data" / "watch" / "annotations" / "watch.json", {"database": database})
    return tmp_path / "data"


def start(stage, data, folder, *split):
    return start_stage(stage, "watch", 1, {}, str(data), str(folder), *split)


def test_the_files_of_another_split_have_its_name(data, tmp_path):
    watch = named_recipe("watch")
    assert [split_suffix(watch, data, split) for split in ("", "test", "TEST")] == ["", "", ""]
    assert split_suffix(watch, data, "Training") == split_suffix(watch, data, "training") == "-training"
    assert split_suffix(watch, data, "un/labelled").startswith("-un_labelled-"), "it can be a file name"
    assert split_suffix(watch, tmp_path, "any") == "-any", "nothing is prepared yet"
    assert split_suffix(named_recipe("watch", {"data.test_subsets": ["Test"]}), data, "test") == ""
    both = named_recipe("watch", {"data.test_subsets": ["training", "test"]})
    assert split_suffix(both, data, "test") == "-test", "a part of the recipe's own is another"


def test_an_unknown_split_is_answered_with_those_there_are_and_nothing_is_written(data, tmp_path):
    there = r"no split 'trianing'; choose one of \(with their numbers of videos\): 'test' \(1\), 'training' \(2\)"
    with pytest.raises(ValueError, match=there):
        start("03_eval", data, tmp_path / "run", "trianing")
    assert not (tmp_path / "run").exists()


def test_another_split_leaves_the_headline_entries_of_run_json_alone(data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    headline = start("03_eval", data, folder)
    finish_stage(headline, files=["predictions.json.gz"], nms_backend="torch")
    assert not is_done(folder, "03_eval", {})
    write_text(folder / "predictions.json.gz", "")
    assert is_done(folder, "03_eval", {}), "which can be less than all its files"
    (folder / "predictions.json.gz").unlink()
    before = read_run(folder)
    monkeypatch.setattr(runs, "provenance", lambda computes: {"git": {"commit": "a later one"}})
    run = start("03_eval", data, folder, "Training")
    assert (run.suffix, run.recipe.data.test_subsets) == ("-training", ["training"])
    assert headline.suffix == "" and headline.recipe == run.recipe.model_copy(update={"data": headline.recipe.data})
    finish_stage(run, nms_backend="cpp")
    after = read_run(folder)
    entry = after["stages"].pop("03_eval-training")
    assert after == before
    assert (entry["status"], entry["nms_backend"], entry["git"]) == ("done", "cpp", {"commit": "a later one"})
    assert entry["files"] == ["predictions-training.json.gz", "eval-training.json", "per_class-training.csv"]
    for name in entry["files"]:
        assert not is_done(folder, "03_eval", {}, "-training")
        write_text(folder / name, "")
    assert is_done(folder, "03_eval", {}, "-training") and not is_done(folder, "03_eval", {})


# ---- code and data that have changed since


@pytest.fixture
def trained(data, tmp_path):
    """The folder of a finished training, whose run has noted the data's fingerprint."""
    first = start("01_data", data, tmp_path / "run")
    finish_stage(first, data={"fingerprint": fingerprint(first.recipe.data, data)})
    run = start("02_train", data, tmp_path / "run")
    for name in STAGE_FILES["02_train"]:
        write_text(run.folder / name, "weights")
    finish_stage(run)
    return run.folder


def test_each_stage_notes_its_code_versions_and_the_digests_of_its_files(trained):
    entry = read_run(trained)["stages"]["02_train"]
    assert entry["code"] == provenance.stage_code("02_train") and entry["git"] == provenance.git_state()
    assert entry["versions"]["torch"] and entry["device"]["threads"] >= 1
    weights = ["checkpoints/ema.safetensors", "checkpoints/raw.safetensors"]
    assert entry["sha256"] == dict.fromkeys(weights, hashlib.sha256(b"weights").hexdigest())


def test_code_that_changed_is_named_and_throws_nothing_away(trained, data, monkeypatch, capsys):
    start("03_eval", data, trained)
    assert changed_since(trained, "02_train") == "" == capsys.readouterr().out
    change_code(monkeypatch, "train", "view")
    assert changed_since(trained, "02_train") == "with other code: afkit/train has changed since"
    assert is_done(trained, "02_train", {}), "it may be a comment"
    start("03_eval", data, trained)
    assert capsys.readouterr().out == "02_train was done with other code: afkit/train has changed since\n"
    git = {"commit": "f" * 40, "dirty": True}
    monkeypatch.setattr(provenance, "git_state", lambda: git)
    note_stage(trained, "02_train", git={"commit": "a" * 40, "dirty": False})
    assert changed_since(trained, "02_train").endswith(" since (commit aaaaaaa, now fffffff with changes)")
    note_stage(trained, "02_train", git=git)
    assert changed_since(trained, "02_train").endswith(" has changed since")
    note_stage(trained, "02_train", code={})
    assert changed_since(trained, "02_train") == "", "an older version has noted nothing"


def add_video(data, subset):
    path = data / "watch" / "annotations" / "watch.json"
    write_json(path, {"database": read_json(path)["database"] | {"e": {"subset": subset, "duration": 9, "fps": 50}}})


@pytest.mark.parametrize("stage", ["02_train", "04_visualize"])
def test_every_stage_refuses_data_that_has_changed_and_writes_nothing(trained, data, stage):
    add_video(data, "test")
    before, began = (trained / "run.json").read_bytes(), read_run(trained)["data"]["fingerprint"][:8]
    message = rf"the data has changed since .* \(fingerprint {began}, now .{{8}}\); give the"
    with pytest.raises(ValueError, match=message):
        start(stage, data, trained)
    assert (trained / "run.json").read_bytes() == before
    (data / "watch" / "annotations" / "watch.json").unlink()
    start(stage, data, trained)  # that it is gone, reading it will say


def test_another_split_may_have_got_labels_since(trained, data, capsys):
    add_video(data, "new")
    start("03_eval", data, trained, "new")
    said = capsys.readouterr().out
    assert said.startswith("split 'new': the data has changed since the run in") and said.count("\n") == 1


# ---- whether results are of the files that are there now, whatever clocks say


@pytest.fixture
def folder(tmp_path):
    """A run of which all stages are done, and have noted what they read."""
    folder = tmp_path / "run"
    for stage, read in zip(STAGES, ("", "", WEIGHTS, "predictions.json.gz"), strict=True):
        run = start(stage, tmp_path / "data", folder)
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


def set_times(folder, *hours):
    """Let the stages after the first have begun and ended at these hours."""
    for stage, hour in zip(STAGES[1:], hours, strict=True):
        time = f"2026-01-01T{hour:02}:00:00.000+00:00"
        note_stage(folder, stage, started=time, finished=time)


def test_a_stage_notes_the_digest_of_what_it_reads_before_it_is_done(folder):
    stages = read_run(folder)["stages"]
    assert stages["03_eval"]["made_from"] == {WEIGHTS: stages["02_train"]["sha256"][WEIGHTS]}
    assert stages["04_visualize"]["made_from"] == stages["03_eval"]["sha256"]
    run = start("03_eval", "data", folder)
    assert read_run(folder)["stages"]["03_eval"]["made_from"] == {}, "what was read before counts no more"
    assert note_input(run, folder / "none") == "" and not read_run(folder)["stages"]["03_eval"]["made_from"]


@pytest.mark.parametrize("hours", [(1, 2, 3), (3, 2, 1)])
def test_clocks_decide_nothing(folder, hours, capsys):
    """They may go wrong, and copying changes times of files."""
    set_times(folder, *hours)
    for path in folder.rglob("*.*"):
        os.utime(path, (hours[0], hours[0]))
    assert done(folder) == list(STAGES)
    (before,) = read_runs([folder])
    assert before.state == "done"
    write_training(folder, 8)  # other weights
    os.utime(folder / WEIGHTS, (0, 0))
    assert done(folder) == ["01_data", "02_train", "04_visualize"]
    (after,) = read_runs([folder])
    said = "the weights (or class scores) have changed since their evaluation; run 03_eval again"
    assert after.state == said and after.scores == {}
    assert capsys.readouterr().out == ""
    start("04_visualize", "data", folder)
    assert capsys.readouterr().out == "03_eval was done with other files than those that are there now; run it again\n"
    (folder / "predictions.json.gz").write_bytes(b"others")
    assert done(folder) == ["01_data", "02_train"]
    write_training(folder, 7)  # the same again
    assert is_done(folder, "03_eval", {})


def test_weights_that_were_deleted_are_those_that_the_training_noted(folder):
    (folder / WEIGHTS).unlink()
    for noted, up_to_date in ((None, True), ({WEIGHTS: "0" * 64}, False), ({}, True)):  # the last: nobody knows
        if noted is not None:
            note_stage(folder, "02_train", sha256=noted)
        assert open_run(folder).up_to_date("03_eval") is up_to_date


def test_a_checkpoint_from_elsewhere_is_what_counts_where_it_was_evaluated(folder, tmp_path):
    path = tmp_path / "published.pth.tar"
    path.write_bytes(b"published")
    run = start("03_eval", "data", folder)
    assert note_input(run, path) == hashlib.sha256(b"published").hexdigest()
    finish_stage(run)
    assert list(read_run(folder)["stages"]["03_eval"]["made_from"]) == ["../published.pth.tar"]
    write_training(folder, 8)
    set_times(folder, 23, 1, 1)
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
    set_times(folder, 9 if later else 1, 2, 3)
    assert done(folder) == [stage for stage in STAGES if not (later and stage == "03_eval")]
    (found,) = read_runs([folder])
    assert (found.state == "done") is not later
    if not later:
        said = []
        run_notebooks("watch", 1, data_root=str(tmp_path / "data"), folder=folder, stages=["03_eval"], say=said.append)
        (line,) = said
        assert line.endswith("already done, by its time alone: an older version has noted no digest of what it read")


def test_what_was_set_by_hand_counts_as_given(folder, monkeypatch):
    monkeypatch.setattr(runs, "values_in_kernel", lambda stage: {"weights": "raw", "devices": 1})
    finish_stage(start("03_eval", "data", folder))
    assert not is_done(folder, "03_eval", {}) and is_done(folder, "03_eval", {"weights": "raw", "split": ""})


def test_a_training_is_kept_only_with_the_parameters_that_it_was_made_with(folder, monkeypatch):
    monkeypatch.setattr(training, "usable_precision", lambda wanted, *_: wanted.replace("auto", "bf16"))
    note_stage(folder, "02_train", used={"precision": "fp32"})
    (folder / "checkpoints" / "step000000009.pt").touch()
    assert check_same_training(folder, {"workers": 2}) == {"precision": "fp32"}
    for changed in ({"precision": "bf16"}, {"start_from": "theirs.pth.tar"}, {"deterministic": True}):
        with pytest.raises(ValueError, match=rf"made with {next(iter(changed))}=.*, and would be kept; for .* anew"):
            check_same_training(folder, changed)
        assert check_same_training(folder, changed | {"resume": False}) == {}
    with monkeypatch.context() as by_hand:
        by_hand.setattr(runs, "values_in_kernel", lambda stage: {"precision": "bf16"})
        with pytest.raises(ValueError, match="made with precision='fp32'"):
            start("02_train", "data", folder)
    note_stage(folder, "02_train", status="running")
    with pytest.raises(ValueError, match="made with start_from=''"):
        check_same_training(folder, {"start_from": "theirs.pth.tar"})
    run = runs.Run(folder, "02_train", named_recipe("watch"), 1, folder)
    for precision in ("fp32", "fp32", "auto"):
        note_used(run, Execution(precision=precision))
        finish_training(run, Execution(precision=precision), pd.DataFrame([dict.fromkeys(LOSSES, 1)]))
    assert read_run(folder)["execution"]["precision"] == "fp32, then bf16"


def test_a_run_that_begins_with_the_training_notes_its_data(tmp_path):
    write_data(tmp_path)
    start("02_train", tmp_path, tmp_path / "run")
    add_video(tmp_path, "test")
    with pytest.raises(ValueError, match=r"the data has changed since the run in .* was begun"):
        start("03_eval", tmp_path, tmp_path / "run")
