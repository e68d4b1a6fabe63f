"""The run folder: names, run.json, and which stages count as done."""

import json

import pytest

from afkit.files import read_json, write_text
from afkit.runs import folder as runs
from afkit.runs.folder import (
    STAGE_FILES,
    STAGES,
    check_same_data,
    fail_stage,
    finish_stage,
    is_done,
    project_root,
    read_run,
    run_folder,
    start_stage,
)


@pytest.fixture
def run(tmp_path):
    return start_stage("01_data", "watch", 1, {"optim.epochs": 2}, "data", str(tmp_path / "run"))


def test_the_folder_is_named_after_recipe_seed_and_overrides():
    plain = run_folder("watch", 7, {})
    assert plain == project_root() / "results" / "watch" / "seed7"
    changed = run_folder("watch", 7, {"optim.epochs": 2, "model.heads": 2})
    assert changed.name.startswith("seed7-")
    assert changed == run_folder("watch", 7, {"model.heads": 2, "optim.epochs": 2}), "the order must not matter"
    assert changed != run_folder("watch", 7, {"optim.epochs": 3})
    assert run_folder("watch", 7, {"optim.epochs": 2}, "elsewhere", "mine").parts[-3:] == ("elsewhere", "watch", "mine")


def test_run_json_says_what_is_needed_to_repeat_the_run(run):
    facts = read_run(run.folder)
    assert facts["recipe"] == run.recipe.model_dump(mode="json")
    assert facts["recipe"]["optim"]["epochs"] == 2
    assert (facts["seed"], facts["overrides"]) == (1, {"optim.epochs": 2})
    assert set(facts["git"]) == {"commit", "dirty"}
    assert facts["versions"]["torch"] and facts["versions"]["python"]
    assert facts["device"]["threads"] >= 1
    assert facts["stages"]["01_data"]["status"] == "running"


def test_a_finished_stage_has_times_and_is_done_only_with_its_files(run):
    finish_stage(run, data={"fingerprint": "f"})
    facts = read_run(run.folder)
    assert facts["data"] == {"fingerprint": "f"}
    assert facts["stages"]["01_data"]["seconds"] >= 0
    assert not is_done(run.folder, "01_data", {}), "data_report.json is missing"
    write_text(run.folder / "data_report.json", "{}")
    assert is_done(run.folder, "01_data", {})
    assert not is_done(run.folder, "01_data", {"tiou": 0.7}), "other notebook parameters"
    assert not is_done(run.folder, "02_train", {})


def test_a_failed_stage_keeps_its_reason_until_it_is_started_again(run):
    fail_stage(run.folder, "01_data", "ValueError: no")
    assert read_run(run.folder)["stages"]["01_data"]["error"] == "ValueError: no"
    again = start_stage("01_data", "watch", 1, {"optim.epochs": 2}, "data", str(run.folder))
    entry = read_run(again.folder)["stages"]["01_data"]
    assert (entry["status"], entry["error"]) == ("running", None)


def test_a_folder_with_another_run_is_refused_and_left_alone(run):
    before = (run.folder / "run.json").read_bytes()
    with pytest.raises(ValueError, match=r"recipe\.optim\.epochs \(there 2, here 3\)"):
        start_stage("02_train", "watch", 1, {"optim.epochs": 3}, "data", str(run.folder))
    with pytest.raises(ValueError, match=r"another seed \(there 1, here 2\)"):
        start_stage("02_train", "watch", 2, {"optim.epochs": 2}, "data", str(run.folder))
    assert (run.folder / "run.json").read_bytes() == before


def test_data_that_changed_since_the_run_began_is_named(run):
    check_same_data(run, "a" * 64)
    finish_stage(run, data={"fingerprint": "a" * 64})
    check_same_data(run, "a" * 64)
    with pytest.raises(ValueError, match=r"the data has changed .* \(fingerprint aaaaaaaa, now bbbbbbbb\); give"):
        check_same_data(run, "b" * 64)


def test_nothing_is_written_for_a_wrong_recipe_or_override(tmp_path):
    for recipe, overrides in (("wotch", {}), ("watch", {"optim.epoch": 3}), ("watch", {"optim.epochs": "many"})):
        with pytest.raises(ValueError):
            start_stage("01_data", recipe, 1, overrides, "data", str(tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_every_stage_has_files_and_a_notebook():
    assert set(STAGE_FILES) == set(STAGES)
    for stage in STAGES:
        notebook = read_json(project_root() / "notebooks" / f"{stage}.ipynb")
        assert json.dumps(notebook).count(f'start_stage(\\"{stage}\\"') == 1


def test_the_project_is_found_from_its_notebooks_folder(monkeypatch):
    root = project_root()
    monkeypatch.chdir(root / "notebooks")
    assert runs.project_root() == root
