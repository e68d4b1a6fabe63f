"""Where the data of a run are, and its recipe, by the same rule for all who ask."""

import pytest
from tiny_data import tiny_recipe, write_tiny_data

from afkit.workbench.runs.opened import OpenedRun, RunFile, data_root_of

FILE = "tiny/annotations.json"


def test_a_run_that_was_passed_on_with_its_data_is_found_wherever_it_lies(tmp_path, monkeypatch):
    write_tiny_data(tmp_path / "away" / "data")
    folder = tmp_path / "away" / "results" / "tiny" / "seed1"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert data_root_of({"data_root": "data"}, FILE, folder) == tmp_path / "away" / "data"
    assert data_root_of({}, FILE, folder) == tmp_path / "away" / "data", "run.json of an older version"


def test_what_the_user_gives_begins_where_the_user_is(tmp_path, monkeypatch):
    write_tiny_data(tmp_path / "mine")
    write_tiny_data(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    facts, folder = {"data_root": "data"}, tmp_path / "results" / "run"
    assert data_root_of(facts, FILE, folder, "mine") == tmp_path / "mine"
    assert data_root_of(facts, FILE, folder, str(tmp_path / "mine")) == tmp_path / "mine"
    with pytest.raises(ValueError, match=r"nowhere/tiny/annotations\.json does not exist; name the folder"):
        data_root_of(facts, FILE, folder, "nowhere")


def test_a_recipe_gets_the_defaults_of_settings_that_its_version_did_not_have(tmp_path):
    def opened(recipe):
        return OpenedRun(tmp_path, RunFile.model_validate({"recipe": recipe})).recipe

    recipe = tiny_recipe()
    older = recipe.model_dump(mode="json")
    del older["optim"]["extra_epochs"], older["data"]["max_missing"]
    assert opened(older) == recipe
    with pytest.raises(ValueError, match=r"run\.json holds a recipe that this version does not know: .*nonsense"):
        opened(older | {"nonsense": {}})
    with pytest.raises(ValueError, match="is no run folder"):
        opened({})
