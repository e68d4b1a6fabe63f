"""Stages and parameters by their names, checked against the notebooks."""

import pytest

from afkit.files import write_json
from afkit.workbench.runs import notebooks
from afkit.workbench.runs.notebooks import COMMON, STAGES, choose_stages, notebook_parameters, parameters_by_stage

SOURCE = ["rate: float = 0.5  # a comment\n", 'names = ["a"]\n', "count: int = -1"]


def test_stages_are_named_in_full_or_by_number_and_keep_their_order():
    assert choose_stages(["04", "02_train"]) == ["02_train", "04_visualize"]
    assert choose_stages(STAGES) == list(STAGES)
    with pytest.raises(ValueError, match=r"there is no stage '03_evil'; did you mean '03_eval'\?"):
        choose_stages(["03_evil"])


def test_all_notebooks_share_the_common_parameters_with_the_same_defaults():
    common = [{name: notebook_parameters(stage)[name] for name in COMMON} for stage in STAGES]
    assert common == [common[0]] * len(STAGES)
    assert common[0]["recipe"] == "watch" and common[0]["seed"] == 1234567891


def test_parameters_reach_the_notebooks_that_have_them():
    chosen = parameters_by_stage(STAGES, {"tiou": 0.7, "weights": "raw"})
    assert chosen == {"01_data": {}, "02_train": {}, "03_eval": {"weights": "raw"}, "04_visualize": {"tiou": 0.7}}
    assert parameters_by_stage(["04_visualize"], {"tiou": 1})["04_visualize"] == {"tiou": 1}, "an int may be a float"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"wieghts": "raw"}, "has the parameter 'wieghts'; did you mean 'weights'?"),
        ({"resume": "yes"}, "parameter 'resume' takes bool, e.g. True, not 'yes'"),
        ({"epochs": True}, "parameter 'epochs' takes int, e.g. 0, not True"),
        ({"seed": 3}, "'seed' is not set as a notebook parameter"),
    ],
)
def test_a_wrong_parameter_is_named(given, message):
    with pytest.raises(ValueError) as error:
        parameters_by_stage(STAGES, given)
    assert message in str(error.value)


def test_parameters_are_read_with_and_without_types(tmp_path, monkeypatch):
    cells = [{"metadata": {}, "source": ["x = 1"]}, {"metadata": {"tags": ["parameters"]}, "source": SOURCE}]
    write_json(tmp_path / "01_data.ipynb", {"cells": cells})
    monkeypatch.setattr(notebooks, "notebook_path", lambda stage: tmp_path / f"{stage}.ipynb")
    assert notebook_parameters("01_data") == {"rate": 0.5, "names": ["a"], "count": -1}
