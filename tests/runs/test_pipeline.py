"""What is checked before any notebook starts."""

import pytest

from afkit.files import write_json
from afkit.runs.pipeline import run


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
