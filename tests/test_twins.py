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

IN_KERNELS = ["ego4d_s_o_e"]  # as a user runs them, with scores of both kinds
INLINE = ["thumos_i3d", "anet_tsp", "epic_verb", "ego4d_e"]  # others differ in widths alone, or in one number
INLINE += ["tridet_thumos", "tridet_anet", "tridet_hacs_slowfast", "tridet_hacs_i3d"]
INLINE += ["temporalmaxer_thumos", "temporalmaxer_multithumos"]


def run_here(name: str, data_root: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The code of the notebooks in this process, which is several times as fast as a kernel for each."""
    for place in ("IPython.display", "afkit.workbench.view.live"):
        patch.setattr(f"{place}.display", MagicMock())
    patch.setattr("afkit.workbench.view.style.save_figure", lambda figure, _: figure)  # most of the time
    given = {"recipe": name, "seed": 1, "overrides": OVERRIDES[name], "data_root": str(data_root)}
    given |= {"run_dir": str(folder), "display": MagicMock()}
    for stage in STAGES:
        cells = read_json(shipped(NOTEBOOKS) / f"{stage}.ipynb")["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        names = {}
        exec(code[0], names)
        exec("\n".join(code[1:]), names | given)
        plt.close("all")


@pytest.mark.parametrize("name", IN_KERNELS + INLINE)
def test_an_experiment_runs_on_its_twin(name, tmp_path, monkeypatch, capsys):
    recipe, root, folder = afkit.recipe(name, OVERRIDES[name]), tmp_path / "data", tmp_path / "run"
    write_twin(recipe, root, videos_per_subset=4)
    if name in IN_KERNELS:
        run(name, 1, OVERRIDES[name], data_root=str(root), folder=folder)
        said = json.dumps(read_json(folder / "03_eval.ipynb"))
    else:
        run_here(name, root, folder, monkeypatch)
        said = capsys.readouterr().out
    assert "The data is generated (a twin)" in said
    facts, scores = (read_json(folder / f"{file}.json") for file in ("run", "eval"))
    assert {stage: facts["stages"][stage]["status"] for stage in STAGES} == dict.fromkeys(STAGES, "done")
    assert facts["data"]["generated"] is scores["generated"] is True
    assert [float(tiou) for tiou in scores["map"]] == recipe.data.tious and 0 <= scores["average_map"] <= 1
    assert ("average mAP" in scores["published"]) == (published(name) is not None)
    assert ("average Recall@1x" in scores["published"]) == name.startswith("ego4d")
    assert len(pd.read_csv(folder / "metrics.csv")) == 2 * 2
