"""Each built-in experiment runs through all four notebooks on a generated twin in its own on-disk format."""

import json
from pathlib import Path
from unittest.mock import MagicMock

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import afkit
from afkit.files import read_json
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.published import published
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.pipeline import run
from afkit.workbench.shipped import NOTEBOOKS, shipped
from afkit.workbench.sweeps.sweep_file import read_sweep

pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytestmark = pytest.mark.slow

OVERRIDES = {cell.recipe: cell.overrides for cell in read_sweep(Path(__file__).parents[1] / "sweeps/twins.yaml").cells}


FIRST = ["thumos_i3d", "anet_tsp", "epic_verb", "ego4d_s_o_e"]  # of each data set, through all notebooks
FIRST += ["tridet_hacs_slowfast", "temporalmaxer_multithumos"]  # and of each network
INLINE = [name for name in OVERRIDES if name.startswith(("tridet", "temporalmaxer")) or name.endswith("_tuned")]
SECOND = ["anet_i3d", "epic_noun", "ego4d_e"]  # the rest of Ego4D differs from these in widths alone


@pytest.mark.parametrize("name", [*FIRST, *SECOND])
def test_an_experiment_runs_on_its_twin(name, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    overrides, stages = OVERRIDES[name], STAGES if name in FIRST else ("01_data", "02_train", "03_eval")
    recipe = afkit.recipe(name, overrides)
    write_twin(recipe, tmp_path / "data", videos_per_subset=4)
    roots = {"data_root": str(tmp_path / "data"), "results": str(tmp_path / "results")}
    folder = run(name, 1, overrides, stages=stages, **roots)
    facts = read_json(folder / "run.json")
    assert {stage: facts["stages"][stage]["status"] for stage in stages} == dict.fromkeys(stages, "done")
    assert facts["data"]["generated"] is True
    scores = read_json(folder / "eval.json")
    assert scores["generated"] is True
    assert [float(tiou) for tiou in scores["map"]] == recipe.data.tious
    assert 0 <= scores["average_map"] <= 1
    assert "average mAP" in scores["published"]
    assert ("average Recall@1x" in scores["published"]) == name.startswith("ego4d")
    assert len(pd.read_csv(folder / "metrics.csv")) == 2 * 2
    text = json.dumps(read_json(folder / "03_eval.ipynb"))
    assert "The data is generated (a twin)" in text


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize("name", [name for name in INLINE if name not in FIRST])
def test_the_code_of_the_notebooks_runs_on_the_twin_of_a_recipe_that_shares_its_data(
    name, shared_root, tmp_path, monkeypatch
):
    """In this process, which is several times as fast as a kernel for each notebook."""
    for place in ("IPython.display", "afkit.workbench.view.live"):
        monkeypatch.setattr(f"{place}.display", MagicMock())
    monkeypatch.setattr("afkit.workbench.view.style.save_figure", lambda figure, _: figure)  # most of the time
    write_twin(afkit.recipe(name, OVERRIDES[name]), shared_root, videos_per_subset=4)
    given = {"recipe": name, "seed": 1, "overrides": OVERRIDES[name], "data_root": str(shared_root)}
    given |= {"run_dir": str(tmp_path / "run"), "display": MagicMock()}
    for stage in STAGES:
        cells = read_json(shipped(NOTEBOOKS) / f"{stage}.ipynb")["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        names = {}
        exec(code[0], names)
        exec("\n".join(code[1:]), names | given)
        plt.close("all")
    facts, scores = (read_json(tmp_path / "run" / f"{file}.json") for file in ("run", "eval"))
    assert {stage: facts["stages"][stage]["status"] for stage in STAGES} == dict.fromkeys(STAGES, "done")
    assert facts["data"]["generated"] is scores["generated"] is True
    assert ("average mAP" in scores["published"]) == (published(name) is not None)
