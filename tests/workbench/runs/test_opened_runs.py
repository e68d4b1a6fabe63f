"""Runs on disk: which are found, where their data are, and what is said of broken, unfinished or old ones."""

from dataclasses import replace

import pytest
from run_folders import change_json, write_run
from tiny_data import tiny_recipe, write_tiny_data

from afkit.files import write_json, write_text
from afkit.workbench.runs.opened import OpenedRun, RunFile, choose_runs, dictionary, open_run, read_metrics, read_runs


def test_runs_are_found_below_results_by_folder_or_together(tmp_path):
    one, two, mine = (write_run(tmp_path / name) for name in ("watch/seed1", "watch/seed2", "tiny/mine"))
    (tmp_path / "gallery").mkdir()
    assert choose_runs([], tmp_path) == [mine, one, two]
    assert choose_runs(["tiny/mine"], tmp_path) == choose_runs([str(mine)], "results") == [mine]
    assert choose_runs(["watch/seed2", "watch"], tmp_path) == [two, one], "each once, the one that was named first"
    (tmp_path / "link").symlink_to("watch")
    assert choose_runs(["watch/seed2", "link/seed2"], tmp_path) == [two]


def test_an_unknown_run_is_named_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"^there is no run in 'watch/sed1'; nor is there any in "):
        choose_runs(["watch/sed1"], tmp_path)
    with pytest.raises(ValueError, match=r"^there is no run in .*; make one with: python -m afkit run watch$"):
        choose_runs([], tmp_path)
    write_run(tmp_path / "watch" / "seed1")
    with pytest.raises(ValueError, match=r"^there is no run in 'watch/sed1'; did you mean 'watch/seed1'\?$"):
        choose_runs(["watch/sed1"], tmp_path)


def test_a_finished_run_has_its_numbers_and_a_name_of_its_own(tmp_path):
    inside = write_run(tmp_path / "results" / "watch" / "seed1", 0.5)
    outside = [write_run(tmp_path / place / "watch" / "seed1") for place in ("a", "b")]
    runs = read_runs([inside, *outside], tmp_path / "results")
    assert [run.name for run in runs] == ["watch/seed1", "watch/seed1 (2)", "watch/seed1 (3)"]
    assert (runs[0].state, runs[0].scores["average_map"], runs[0].facts.seed) == ("done", 0.5, 1)


def test_a_run_that_is_not_finished_says_how_far_it_came(tmp_path):
    unfinished = {
        "failed": {"02_train": {"status": "failed", "error": f"ValueError: no\n  {tmp_path}/file"}},
        "alone": {"01_data": {"status": "running"}, "02_train": {"status": "failed", "error": "why"}},
        "running": {"03_eval": {"status": "running"}},
        "trained": {"03_eval": {}},
        "again": {"02_train": {"status": "done", "finished": "2026-01-01T13:00:00"}},
    }
    for name, stages in unfinished.items():
        write_run(tmp_path / name, stages=stages)
    assert {run.name: run.state for run in read_runs(choose_runs([], tmp_path), tmp_path)} == {
        "failed": "02_train failed: ValueError: no …/file",
        "alone": "02_train failed: why",
        "running": "03_eval is running, or was interrupted",
        "trained": "not evaluated yet",
        "again": "the weights (or class scores) have changed since their evaluation; run 03_eval again",
    }
    assert all(run.scores == {} for run in read_runs(choose_runs([], tmp_path), tmp_path)), "the old ones do not count"


def test_pictures_that_failed_leave_the_numbers(tmp_path):
    write_run(tmp_path / "a", stages={"04_visualize": {"status": "failed", "error": "x" * 400}})
    (run,) = read_runs([tmp_path / "a"], tmp_path)
    assert run.state == "04_visualize failed: " + 300 * "x" + "…" and run.scores["average_map"] == 0.5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", '{"stages": ', "run.json is not a readable JSON file: "),
        ("run.json", "[1]", "run.json is not what a run writes"),
        ("eval.json", "[1]", "eval.json holds no average_map"),
        ("eval.json", '{"average_map": 0.', "eval.json is not a readable JSON file: "),
        ("eval.json", '{"average_map": null}', "eval.json holds no average_map; run 03_eval again"),
        ("eval.json", None, "eval.json does not exist"),
    ],
)
def test_a_broken_file_is_named_and_the_others_are_read(tmp_path, name, content, message):
    write_run(tmp_path / "broken")
    write_run(tmp_path / "whole")
    if content is None:
        (tmp_path / "broken" / name).unlink()
    else:
        write_text(tmp_path / "broken" / name, content)
    broken, whole = read_runs(choose_runs([], tmp_path), tmp_path)
    assert broken.state.startswith(message) and str(tmp_path) not in broken.state
    assert broken.scores == {} and whole.scores
    for other in ([], 3, {"stages": []}, {"stages": {"01_data": "done"}}):
        write_json(tmp_path / "broken" / "run.json", other)
        with pytest.raises(
            ValueError, match=r"run\.json is not what a run writes; put the right file there, or delete"
        ):
            open_run(tmp_path / "broken")


def test_what_is_missing_or_of_a_wrong_kind_has_its_default():
    wrong = {"seed": "one", "overrides": [1], "stages": {"02_train": 3, "03_eval": {"status": 1, "code": "x"}}}
    facts = RunFile.model_validate(wrong | {"device": None, "data": 7, "of_a_later_version": 1})
    assert facts.stages.keys() == {"02_train", "03_eval"} and not facts.stages["03_eval"].code
    assert (facts.seed, facts.overrides, facts.device, facts.data) == (None, {}, {}, {})
    assert dictionary({"a": {"b": 1}}, "a") == {"b": 1} and dictionary({"c": [2]}, "c") == dictionary({}, "z") == {}


def test_generated_data_and_subsets_are_known_from_either_file(tmp_path):
    old = write_run(tmp_path / "old", generated=None, subsets=None)
    change_json(old / "run.json", data={"generated": True})
    twin = write_run(tmp_path / "twin", generated=True, subsets=["val"])
    runs = read_runs([old, twin, write_run(tmp_path / "real")], tmp_path)
    assert [run.generated for run in runs] == [True, True, False]
    assert [run.subsets for run in runs] == [["test"], ["val"], ["test"]]


@pytest.mark.parametrize(
    ("changes", "epochs"), [({}, 35), ({"extra_epochs": -23}, 12), ({"epochs": "many"}, None), ({"epochs": None}, None)]
)
def test_epochs_are_planned_by_three_settings_of_which_older_files_lack_one(changes, epochs):
    optim = {"epochs": 30, "warmup_epochs": 5}
    assert RunFile.model_validate({"recipe": {"optim": optim | changes}}).planned_epochs == epochs
    assert RunFile().planned_epochs is None


def test_metrics_that_cannot_be_read_are_empty(tmp_path):
    folder = write_run(tmp_path / "a")
    expected = {"epoch": [0, 0, 1], "loss_total": [2.5, 2.0, 1.5], "seconds": [0.5, 0.25, 0.25]}
    assert read_metrics(folder).to_dict("list") == expected
    for broken in ("", "step,epoch\n0,0\n", "epoch,loss_total,seconds\n0,1,x\n"):
        write_text(folder / "metrics.csv", broken)
        assert read_metrics(folder).empty and list(read_metrics(folder)) == list(expected)
    (folder / "metrics.csv").unlink()
    assert read_metrics(folder).empty


def test_data_are_found_where_the_user_or_the_run_says(tmp_path, monkeypatch):
    """A run that was passed on with its data is found wherever it lies; a given folder begins where the user is."""
    for place in ("away/data", "mine", "data"):
        write_tiny_data(tmp_path / place)
    run = open_run(write_run(tmp_path / "away" / "results" / "tiny" / "seed1"))
    older = replace(run, facts=run.facts.model_copy(update={"data_root": None}))
    monkeypatch.chdir(tmp_path / "mine")
    assert run.data_root() == older.data_root() == tmp_path / "away" / "data"
    monkeypatch.chdir(tmp_path)
    assert run.data_root("mine") == run.data_root(str(tmp_path / "mine")) == tmp_path / "mine"
    with pytest.raises(ValueError, match=r"nowhere/tiny/annotations\.json does not exist; name the folder"):
        run.data_root("nowhere")


def test_a_recipe_gets_the_defaults_of_settings_that_its_version_did_not_have(tmp_path):
    def opened(recipe):
        return OpenedRun(tmp_path, RunFile.model_validate({"recipe": recipe})).recipe

    recipe = tiny_recipe()
    older = recipe.model_dump(mode="json")
    del older["optim"]["extra_epochs"], older["data"]["max_missing"]
    assert opened(older) == recipe
    with pytest.raises(ValueError, match=r"run\.json holds a recipe that this version does not know: .*nonsense"):
        opened(older | {"nonsense": {}})
    with pytest.raises(ValueError, match="holds no run"):
        opened({})
