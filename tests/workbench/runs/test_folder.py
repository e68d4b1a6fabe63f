"""The run folder: names, run.json, and which stages count as done."""

import hashlib

import pytest

from afkit.files import read_json, write_json, write_text
from afkit.recipes import recipe as named_recipe
from afkit.workbench.runs import folder as runs
from afkit.workbench.runs import provenance
from afkit.workbench.runs.folder import (
    STAGE_FILES,
    Run,
    changed_since,
    check_data,
    check_same_run,
    fail_stage,
    finish_stage,
    is_done,
    note_stage,
    project_root,
    start_stage,
)
from afkit.workbench.runs.opened import read_run
from afkit.workbench.runs.paths import run_folder, split_suffix
from afkit.workbench.survey.facts import fingerprint


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


def write_recipe(tmp_path, windows):
    (tmp_path / "mine.yaml").write_text(f"base: watch\nmodel: {{windows: {windows}}}\n")
    return str(tmp_path / "mine.yaml")


def test_a_run_of_a_changed_recipe_file_is_another_run(tmp_path):
    first = run_folder(write_recipe(tmp_path, 5), 7, {})
    assert first.parent == project_root() / "results" / "mine" and first.name.startswith("seed7-")
    assert run_folder(write_recipe(tmp_path, 5), 7, {}) == first != run_folder(write_recipe(tmp_path, 7), 7, {})
    assert run_folder(write_recipe(tmp_path, 5), 7, {"optim.epochs": 2}) != first


@pytest.mark.parametrize("name", ["../../escape", "/escape", "a/b", "..", "x" * 300])
def test_a_run_stays_in_the_folder_of_its_recipe(name):
    with pytest.raises(ValueError, match="the run cannot be called "):
        run_folder("watch", 7, {}, "elsewhere", name)


def test_run_json_says_what_is_needed_to_repeat_the_run(run):
    facts = read_run(run.folder)
    assert facts["recipe"] == run.recipe.model_dump(mode="json")
    assert facts["recipe"]["optim"]["epochs"] == 2
    assert (facts["seed"], facts["overrides"]) == (1, {"optim.epochs": 2})
    assert set(facts["git"]) == {"commit", "dirty"}
    assert facts["versions"]["torch"] and facts["versions"]["python"]
    assert facts["stages"]["01_data"]["status"] == "running"
    assert "device" not in facts and "recipe_file" not in facts, "01_data computes nothing"
    start_stage("02_train", "watch", 1, {"optim.epochs": 2}, run_dir=str(run.folder))
    assert read_run(run.folder)["device"]["threads"] >= 1


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


@pytest.fixture
def split_data(tmp_path):
    """An annotation file of `watch` with three subsets, and its data root."""
    subsets = {"a": "training", "b": "Training", "c": "test", "d": "Un/labelled"}
    database = {name: {"subset": subset, "duration": 9, "fps": 50} for name, subset in subsets.items()}
    write_json(tmp_path / "data" / "watch" / "annotations" / "watch.json", {"database": database})
    return tmp_path / "data"


def test_the_files_of_another_split_have_its_name(split_data, tmp_path):
    watch = named_recipe("watch")
    assert [split_suffix(watch, split_data, split) for split in ("", "test", "TEST")] == ["", "", ""]
    assert split_suffix(watch, split_data, "Training") == split_suffix(watch, split_data, "training") == "-training"
    assert split_suffix(watch, split_data, "un/labelled").startswith("-un_labelled-"), "it can be a file name"
    assert split_suffix(watch, tmp_path, "any") == "-any", "nothing is prepared yet"
    assert split_suffix(named_recipe("watch", {"data.test_subsets": ["Test"]}), split_data, "test") == ""
    both = named_recipe("watch", {"data.test_subsets": ["training", "test"]})
    assert split_suffix(both, split_data, "test") == "-test", "a part of the recipe's own is another"


def test_an_unknown_split_is_answered_with_those_there_are_and_nothing_is_written(split_data, tmp_path):
    there = r"no split 'trianing'; choose one of \(with their numbers of videos\): 'test' \(1\), 'training' \(2\)"
    with pytest.raises(ValueError, match=there):
        start_stage("03_eval", "watch", 1, {}, str(split_data), str(tmp_path / "run"), "trianing")
    assert not (tmp_path / "run").exists()


def test_another_split_leaves_the_headline_entries_of_run_json_alone(split_data, tmp_path, monkeypatch):
    folder = str(tmp_path / "run")
    headline = start_stage("03_eval", "watch", 1, {}, str(split_data), folder)
    finish_stage(headline, files=["predictions.json.gz"], nms_backend="torch")
    assert not is_done(headline.folder, "03_eval", {})
    write_text(headline.folder / "predictions.json.gz", "")
    assert is_done(headline.folder, "03_eval", {}), "which can be less than all its files"
    (headline.folder / "predictions.json.gz").unlink()
    before = read_run(headline.folder)
    monkeypatch.setattr(runs, "provenance", lambda computes: {"git": {"commit": "a later one"}})
    run = start_stage("03_eval", "watch", 1, {}, str(split_data), folder, "Training")
    assert (run.suffix, run.recipe.data.test_subsets) == ("-training", ["training"])
    assert headline.suffix == "" and headline.recipe == run.recipe.model_copy(update={"data": headline.recipe.data})
    finish_stage(run, nms_backend="cpp")
    after = read_run(run.folder)
    entry = after["stages"].pop("03_eval-training")
    assert after == before
    assert (entry["status"], entry["nms_backend"], entry["git"]) == ("done", "cpp", {"commit": "a later one"})
    assert entry["files"] == ["predictions-training.json.gz", "eval-training.json", "per_class-training.csv"]
    for name in entry["files"]:
        assert not is_done(run.folder, "03_eval", {}, "-training")
        write_text(run.folder / name, "")
    assert is_done(run.folder, "03_eval", {}, "-training") and not is_done(run.folder, "03_eval", {})


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


def test_a_run_that_was_begun_with_the_old_recipe_file_is_not_gone_on_with(tmp_path):
    place = ("data", str(tmp_path / "run"))
    start_stage("01_data", write_recipe(tmp_path, 5), 1, {}, *place)
    facts = read_run(tmp_path / "run")
    assert (facts["recipe"]["name"], facts["recipe"]["model"]["windows"]) == ("mine", 5)
    assert len(facts["recipe_file"]) == 8 and "base" not in facts["recipe"]
    start_stage("02_train", write_recipe(tmp_path, 5), 1, {}, *place)
    message = r"holds a run with another recipe\.model\.windows \(there 5, here 7\)"
    with pytest.raises(ValueError, match=message):
        start_stage("02_train", write_recipe(tmp_path, 7), 1, {}, *place)


def test_a_run_of_a_version_with_fewer_settings_is_gone_on_with(run):
    facts = read_run(run.folder)
    del facts["recipe"]["data"]["max_missing"]
    write_json(run.folder / "run.json", facts)
    check_same_run(run.folder, run.recipe, run.seed)
    facts["recipe"]["data"]["max_seq_len"] += 1
    write_json(run.folder / "run.json", facts)
    with pytest.raises(ValueError, match=r"another recipe\.data\.max_seq_len"):
        check_same_run(run.folder, run.recipe, run.seed)


# ---- what has changed since


@pytest.fixture
def trained(split_data, tmp_path):
    """A finished training, whose run has noted the data's fingerprint."""
    first = start_stage("01_data", "watch", 1, {}, str(split_data), str(tmp_path / "run"))
    finish_stage(first, data={"fingerprint": fingerprint(first.recipe.data, split_data)})
    run = start_stage("02_train", "watch", 1, {}, str(split_data), str(tmp_path / "run"))
    for name in STAGE_FILES["02_train"]:
        write_text(run.folder / name, "weights")
    finish_stage(run)
    return run


def change_code(monkeypatch, *rooms):
    """Let the given rooms have other digests."""
    real = provenance._room_digest
    monkeypatch.setattr(provenance, "_room_digest", lambda room: "changed" if room in rooms else real(room))


def test_each_stage_notes_its_code_versions_and_the_digests_of_its_files(trained):
    entry = read_run(trained.folder)["stages"]["02_train"]
    assert entry["code"] == provenance.stage_code("02_train") and entry["git"] == provenance.git_state()
    assert entry["versions"]["torch"] and entry["device"]["threads"] >= 1
    assert list(entry["sha256"]) == ["checkpoints/ema.safetensors", "checkpoints/raw.safetensors"]
    assert set(entry["sha256"].values()) == {hashlib.sha256(b"weights").hexdigest()}


def test_code_that_changed_is_named_and_throws_nothing_away(trained, monkeypatch):
    assert changed_since(trained.folder, "02_train") == ""
    change_code(monkeypatch, "train", "view")
    assert changed_since(trained.folder, "02_train") == "with other code: afkit/train has changed since"
    assert is_done(trained.folder, "02_train", {}), "it may be a comment"
    git = {"commit": "f" * 40, "dirty": True}
    monkeypatch.setattr(provenance, "git_state", lambda: git)
    note_stage(trained.folder, "02_train", git={"commit": "a" * 40, "dirty": False})
    assert changed_since(trained.folder, "02_train").endswith(" since (commit aaaaaaa, now fffffff with changes)")
    note_stage(trained.folder, "02_train", git=git)
    assert changed_since(trained.folder, "02_train").endswith(" has changed since")
    note_stage(trained.folder, "02_train", code={})
    assert changed_since(trained.folder, "02_train") == "", "an older version has noted nothing"


def test_a_stage_says_what_the_stage_before_it_was_made_with(trained, split_data, monkeypatch, capsys):
    arguments = ("03_eval", "watch", 1, {}, str(split_data), str(trained.folder))
    start_stage(*arguments)
    assert capsys.readouterr().out == ""
    change_code(monkeypatch, "model")
    start_stage(*arguments)
    assert capsys.readouterr().out == "02_train was done with other code: afkit/model has changed since\n"


@pytest.mark.parametrize("stage", ["02_train", "03_eval", "04_visualize"])
def test_every_stage_refuses_data_that_has_changed_and_writes_nothing(trained, split_data, stage):
    path = split_data / "watch" / "annotations" / "watch.json"
    write_json(path, {"database": read_json(path)["database"] | {"e": {"subset": "test", "duration": 9, "fps": 50}}})
    before = (trained.folder / "run.json").read_bytes()
    began = read_run(trained.folder)["data"]["fingerprint"][:8]
    with pytest.raises(
        ValueError, match=rf"the data has changed since .* \(fingerprint {began}, now .{{8}}\); give the"
    ):
        start_stage(stage, "watch", 1, {}, str(split_data), str(trained.folder))
    assert (trained.folder / "run.json").read_bytes() == before


def test_another_split_may_have_got_labels_since(trained, split_data, capsys):
    path = split_data / "watch" / "annotations" / "watch.json"
    write_json(path, {"database": read_json(path)["database"] | {"e": {"subset": "new", "duration": 9, "fps": 50}}})
    start_stage("03_eval", "watch", 1, {}, str(split_data), str(trained.folder), "new")
    said = capsys.readouterr().out
    assert said.startswith("split 'new': the data has changed since the run in") and said.count("\n") == 1


def test_data_that_is_gone_or_was_never_noted_is_somebody_elses_message(trained, split_data, tmp_path):
    recipe = named_recipe("watch")
    check_data(Run(tmp_path / "none", "02_train", recipe, 1, split_data))
    (split_data / "watch" / "annotations" / "watch.json").unlink()
    check_data(trained)
