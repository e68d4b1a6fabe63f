"""What is checked before any notebook starts."""

import pytest

from afkit.files import write_json
from afkit.runs.folder import STAGES
from afkit.runs.pipeline import COMMON, choose_stages, notebook_parameters, parameters_by_stage, run


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
    ("parameters", "message"),
    [
        ({"wieghts": "raw"}, "has the parameter 'wieghts'; did you mean 'weights'?"),
        ({"resume": "yes"}, "parameter 'resume' takes bool, e.g. True, not 'yes'"),
        ({"epochs": True}, "parameter 'epochs' takes int, e.g. 0, not True"),
        ({"seed": 3}, "'seed' is not set as a notebook parameter"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(ValueError) as error:
        parameters_by_stage(STAGES, parameters)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "wach"}, "there is no recipe 'wach'; did you mean 'watch'?"),
        ({"recipe": "watch", "overrides": {"optim.epoch": 1}}, "did you mean 'optim.epochs'?"),
        ({"recipe": "watch", "overrides": {"optim.epochs": "x"}}, "'optim.epochs' = 'x'"),
        ({"recipe": "watch", "parameters": {"color": 1}}, "has the parameter 'color'"),
        ({"recipe": "watch", "stages": ["05"]}, "there is no stage '05'"),
        (
            {"recipe": "thumos_i3d"},
            "thumos14.json; name its folder with --data-root, or prepare it with: python -m afkit prepare",
        ),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(ValueError) as error:
        run(**arguments, data_root=str(tmp_path / "data"), results=str(tmp_path / "results"))
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_another_run_is_refused_and_left_alone(tmp_path):
    folder = tmp_path / "results" / "watch" / "mine"
    write_json(folder / "run.json", {"seed": 1, "stages": {}})
    before = (folder / "run.json").read_bytes()
    with pytest.raises(ValueError, match=r"holds a run with another seed \(there 1, here 2\)"):
        run("watch", 2, data_root=str(tmp_path / "data"), results=str(tmp_path / "results"), name="mine")
    assert (folder / "run.json").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["run.json"]
