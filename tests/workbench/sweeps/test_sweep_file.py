"""Sweep files: what they mean, and one sentence with the line for everything that is wrong."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

import afkit
from afkit.files import write_json
from afkit.workbench.published import published
from afkit.workbench.runs.paths import run_folder

pytest.importorskip("papermill", reason="the parameters of notebooks are read by papermill")
from afkit.workbench.sweeps import sweep_file
from afkit.workbench.sweeps.sweep_file import WEIGHT_BYTES, line_of, missing_data, missing_space, read_sweep
from benchmarks import folds

SWEEPS = Path(__file__).parents[3] / "sweeps"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_what_is_not_in_the_file_is_at_the_line_of_what_would_hold_it():
    tree = yaml.compose("seeds: [1]\noverrides:\n\n  a: 1\nruns:\n- recipe: watch\n")
    places = (["overrides", "a"], ["overrides", "b", "c"], ["runs", 0, "seed"], ["runs", 7], ["else"])
    assert [line_of(tree, place) for place in places] == [4, 2, 6, 5, 1]


def test_a_grid_is_every_combination_and_seeds_come_last(tmp_path):
    text = "recipes: [watch, ego4d_s]\nseeds: [3, 4]\noverrides: {model.windows: [5, 7], optim.epochs: [1]}\n"
    plan = read_sweep(write(tmp_path, text))
    found = [(cell.recipe, cell.overrides["model.windows"], cell.seed) for cell in plan.cells]
    assert found == [(r, w, s) for r in ("watch", "ego4d_s") for w in (5, 7) for s in (3, 4)]
    assert plan.cells[0].folder == run_folder("watch", 3, {"model.windows": 5, "optim.epochs": 1}, "results/mine")
    assert plan.cells[0].name == f"watch/{plan.cells[0].folder.name}" and plan.results == "results/mine"
    assert plan.cells[2].resolved.model.windows == 7


def test_a_list_of_runs_has_seeds_and_overrides_of_its_own(tmp_path):
    text = "seeds: [1]\nresults: there\nruns:\n- recipe: watch\n  overrides: &a {optim.epochs: 2}\n"
    text += "- recipe: ego4d_s\n  seeds: [5, 6]\n  overrides: {<<: *a, model.windows: 7}\n"
    plan = read_sweep(write(tmp_path, text))
    second = {"optim.epochs": 2, "model.windows": 7}
    assert [cell[2:5] for cell in plan.cells] == [
        ("watch", 1, {"optim.epochs": 2}),
        ("ego4d_s", 5, second),
        ("ego4d_s", 6, second),
    ]
    assert [cell.line for cell in plan.cells] == [4, 6, 6] and plan.results == "there"


def test_numbers_and_the_parameter_epochs_are_those_of_a_single_run(tmp_path):
    text = "recipes: [watch]\nseeds: [2]\noverrides: {optim.learning_rate: [1e-3, 2E+1, .5, 1.5e3]}\n"
    cells = read_sweep(write(tmp_path, text + "parameters: {epochs: 3}\n")).cells
    assert [cell.overrides["optim.learning_rate"] for cell in cells] == [0.001, 20.0, 0.5, 1500.0]
    overrides = {"optim.learning_rate": 1e-3, "optim.epochs": 3}
    assert cells[0].folder == run_folder("watch", 2, overrides, "results/mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipes: [watch]\nseed: [1]", "line 2: a sweep has no 'seed'; did you mean 'seeds'?"),
        ("runs:\n- recipe: watch\n  override: {}", "line 3: a sweep has no 'runs.0.override'; did you mean"),
        ("runs:\n- seeds: [1]", "line 2: 'runs.0.recipe' is missing"),
        ("seeds: [1]\nrecipes:\n- watch\n- wach", "line 4: there is no recipe 'wach'; did you mean 'watch'?"),
        ("recipes: [watch]\noverrides:\n  model.heads: [4]\n  optim.epoch: [1]", "line 4: no recipe has the parameter"),
        ("recipes: [watch]\noverrides:\n  optim.epochs: [few]", "line 3: recipe 'watch', parameter 'optim.epochs'"),
        ("runs:\n- recipe: watch\n  overrides:\n    model.branch_layers: 2", "line 2: recipe 'watch': model.regr"),
        ("recipes: [watch]\noverrides: {optim.epochs: 3}", "line 2: 'overrides.optim.epochs' = 3: input should be a"),
        ("recipes: [watch]\n\nparameters:\n  weigths: raw", "line 4: no notebook of"),
        ("recipes: [watch]\nparameters:\n  resume: 'no'", "line 3: parameter 'resume' takes bool, e.g. True, not 'no'"),
        ("recipes: [watch]\nparameters: {seed: 3}", "line 2: 'seed' is not set as a notebook parameter"),
        ("recipes: [watch]\nseeds: [1, 2, 1]", "line 1: the run 'watch/seed1' comes twice; remove one"),
        ("runs:\n- {recipe: watch}\n- {recipe: watch}", "lines 2 and 3: the run 'watch/seed1234567891' comes twice"),
        ("recipes: [watch]\nseeds: [1, -1]", "line 2: 'seeds.1' = -1: input should be greater than or equal to 0"),
        (f"recipes: [watch]\nseeds: [{2**64}]", f"line 2: 'seeds.0' = {2**64}: input should be less than {2**64}"),
        ("recipes: [watch]\noverrides:\n  optim.clip_norm: [1, 1.0]", "comes twice; remove one"),
        ("recipes: [watch]\nparameters: {epochs: 2}\noverrides: {optim.epochs: [3]}", "line 3: the parameter epochs"),
        ("recipes: [watch]\nseeds: []", "line 2: 'seeds' = []: list should have at least 1 item"),
        ("recipes: [watch]\noverrides:\n  model.windows: []", "line 1: there is no run in it"),
        ("seeds: [1]", "line 1: give either 'recipes' (a grid) or 'runs' (a list), and not both"),
        ("runs:\n- recipe: watch\noverrides: {optim.epochs: [1]}", "line 3: 'overrides' belongs to a grid"),
        ("recipes: [watch]\n seeds: [1]", "line 2: not YAML: "),
        ("- watch", "line 1: a sweep is a mapping"),
        ("recipes: [watch]\ndata: fake", "line 2: 'data' = 'fake': input should be 'real' or 'twin'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_its_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as error:
        read_sweep(path)
    assert f"{path}, " in str(error.value) and message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture
def people(monkeypatch, tmp_path):
    """Thirty people, each a subset, as `prepare hapt` writes them, in a project."""
    names = [f"person{number:02d}" for number in range(1, 31)]
    database = {name: {"subset": name, "group": name, "annotations": []} for name in names}
    write_json(tmp_path / "data" / "hapt" / "annotations" / "people.json", {"database": database})
    monkeypatch.setattr(sweep_file, "project_root", lambda: tmp_path)
    return names


def test_the_folds_of_hapt_leave_one_person_out_each(people):
    cells = read_sweep(SWEEPS / "hapt_loso.yaml").cells
    folds = [cell.resolved.data for cell in cells]
    assert cells[0].folder.name.startswith("person01-seed1234567891-")
    assert [fold.test_subsets for fold in folds] == [[person] for person in people]
    for fold in folds:
        assert sorted([*fold.train_subsets, *fold.test_subsets]) == people
        assert fold.annotations == "hapt/annotations/people.json"


def test_the_benchmark_of_folds_has_the_networks_of_the_sweep(people):
    cells = [cell for cell in read_sweep(SWEEPS / "networks.yaml").cells if cell.recipe == "hapt"][::3]  # a seed each
    assert len(cells) == len(folds.NETWORKS) == 3
    for cell, network in zip(cells, folds.NETWORKS, strict=True):
        ours = folds.fold_recipe(network, "small", "person01", people)
        assert (ours.model, ours.loss, ours.optim, ours.decode) == (
            cell.resolved.model, cell.resolved.loss, cell.resolved.optim, cell.resolved.decode,
        )  # fmt: skip
        assert ours.data.crop_margin is cell.resolved.data.crop_margin


def test_a_recipe_file_makes_runs_like_a_built_in_one(tmp_path):
    (tmp_path / "own.yaml").write_text("base: watch\noptim: {epochs: 3}\n")
    text = f"recipes: [{tmp_path}/own.yaml]\nseeds: [1]\noverrides: {{model.windows: [5, 7]}}\n"
    cells = read_sweep(write(tmp_path, text)).cells
    assert [cell.resolved.model.windows for cell in cells] == [5, 7]
    assert {cell.resolved.optim.epochs for cell in cells} == {3}
    assert [cell.name for cell in cells] == [f"own/{cell.folder.name}" for cell in cells]
    (tmp_path / "own.yaml").write_text("base: watch\noptim: {epoch: 3}\n")
    with pytest.raises(ValueError, match=r"mine\.yaml, line 1: .*own\.yaml: no recipe has the parameter 'optim.epoch'"):
        read_sweep(write(tmp_path, text))


def test_the_sweeps_of_the_repository_are_right(people):
    plans = {path.stem: read_sweep(path) for path in SWEEPS.glob("*.yaml")}
    assert {name: len(plan.cells) for name, plan in plans.items()} == {
        "published": 60, "networks": 18, "ablation_window": 15, "ablation_levels": 18, "twins": 23, "watch": 6,
        "hapt_loso": 30, "hapt_choices": 18, "hapt_gyroscope": 6,
        "epic_actions": 6, "bf16": 6,
    }  # fmt: skip
    assert all(plan.results == f"results/{name}" for name, plan in plans.items())
    experiments = [name for name in afkit.recipe_names() if published(name)]
    assert [cell.recipe for cell in plans["twins"].cells] == afkit.recipe_names()[2:]  # all but the real data
    assert [(cell.recipe, cell.overrides) for cell in plans["published"].cells[::3]] == [(n, {}) for n in experiments]
    windows = [cell.resolved.model.windows for cell in plans["ablation_window"].cells[::3]]
    levels = [cell.resolved.model.num_levels for cell in plans["ablation_levels"].cells[::3]]
    assert (windows, levels) == ([9, 19, 25, 37, -1], [1, 3, 4, 5, 6, 7])
    with pytest.raises(ValueError, match=r"none\.yaml does not exist; the sweeps of the repository are in sweeps/"):
        read_sweep(SWEEPS / "none.yaml")


def test_missing_data_is_said_with_the_line_unless_it_is_generated(tmp_path):
    text = f"data_root: {tmp_path}\nrecipes:\n- watch\n- epic_verb\n"
    plan = read_sweep(write(tmp_path, text))
    message = missing_data(plan, plan.cells)
    assert message.startswith(f"{plan.path}, line 4: the data of 'epic_verb' is not at {tmp_path}")
    assert missing_data(plan, plan.cells[:1]) == ""
    twins = read_sweep(write(tmp_path, text + "data: twin\n"))
    assert missing_data(twins, twins.cells) == ""


def test_a_disk_that_is_too_small_for_all_checkpoints_is_said_with_both_numbers(tmp_path, monkeypatch):
    text = f"results: {tmp_path}/not/there\nseeds: [1, 2]\nruns:\n- recipe: watch\n"
    plan = read_sweep(write(tmp_path, text + "- {recipe: watch, overrides: {model.embed_dim: 64}}\n"))
    recipes = [afkit.recipe("watch"), afkit.recipe("watch", {"model.embed_dim": 64})]
    weights = [sum(part.numel() for part in afkit.build_model(recipe).parameters()) for recipe in recipes]
    needed = WEIGHT_BYTES * 2 * sum(weights)
    usage, asked = namedtuple("Usage", "total used free"), []

    def with_free(free):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: asked.append(folder) or usage(0, 0, free))
        return missing_space(plan, plan.cells)

    assert with_free(needed) == ""
    message = with_free(needed - 1)
    assert message.startswith(f"the 4 runs need about {needed / 1e9:.1f} GB for checkpoints, and {tmp_path} has ")
    assert set(asked) == {tmp_path}
