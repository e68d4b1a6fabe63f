"""What is checked before any notebook starts."""

import nbformat
import pytest
from stage_results import do_stage, write_data

from afkit.workbench.runs import notebooks, pipeline, provenance
from afkit.workbench.runs.opened import read_run
from afkit.workbench.runs.pipeline import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "wach"}, "there is no recipe 'wach'; did you mean 'watch'?"),
        ({"recipe": "watch", "overrides": {"optim.epoch": 1}}, "did you mean 'optim.epochs'?"),
        ({"recipe": "watch", "overrides": {"optim.epochs": "x"}}, "'optim.epochs' = 'x'"),
        ({"recipe": "watch", "parameters": {"color": 1}}, "has the parameter 'color'"),
        ({"recipe": "watch", "stages": ["05"]}, "there is no stage '05'"),
        ({"recipe": "watch", "again": ["05"]}, "there is no stage '05'"),
        (
            {"recipe": "watch", "stages": ["03"], "again": ["02"]},
            "stage 02_train is to be done again, but is not among those to run; add it",
        ),
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


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Data, and stages that are done at once; their names as they are, of a training after the checkpoints it met."""
    done = []

    def execute(stage, output, parameters, inherited):
        common = {name: parameters.pop(name) for name in notebooks.COMMON}
        if stage == "02_train":
            done.append(sorted(path.name for path in (tmp_path / "run" / "checkpoints").glob("*")))
        done.append(stage)
        do_stage(stage, **common, values=parameters)
        return 1.0

    monkeypatch.setattr(pipeline, "execute", execute)
    write_data(tmp_path / "data")
    return done


def start(root, **arguments):
    """Run the three stages that compute; what is said."""
    said = []
    arguments = {"stages": ["01", "02", "03"]} | arguments
    run("watch", 5, data_root=str(root / "data"), folder=root / "run", say=said.append, **arguments)
    return said


def change_code(monkeypatch, room):
    real = provenance._room_digest
    monkeypatch.setattr(provenance, "_room_digest", lambda name: "changed" if name == room else real(name))


def test_a_finished_stage_of_other_code_is_kept_and_named(tmp_path, executed, monkeypatch):
    start(tmp_path)
    executed.clear()
    assert start(tmp_path) == [f"{stage:<14} already done" for stage in ("01_data", "02_train", "03_eval")]
    change_code(monkeypatch, "train")
    said = start(tmp_path)
    assert executed == []
    assert said[0] == "01_data        already done" and said[2] == "03_eval        already done"
    change = "with other code: afkit/train has changed since"
    assert said[1].startswith(f"02_train       already done, {change}") and said[1].endswith("; --again 02 repeats it")


def test_again_trains_from_the_beginning_and_makes_the_later_stages_new(tmp_path, executed, monkeypatch):
    start(tmp_path)
    (tmp_path / "run" / "checkpoints" / "step000000009.pt").touch()
    executed.clear()
    change_code(monkeypatch, "train")
    start(tmp_path, again=["02"])
    assert executed == [["ema.safetensors", "raw.safetensors"], "02_train", "03_eval"]
    assert start(tmp_path)[1] == "02_train       already done", "its code is on record now"
    executed.clear()
    (tmp_path / "run" / "checkpoints" / "step000000009.pt").touch()
    start(tmp_path, again=["03_eval"])
    assert executed == ["03_eval"] and (tmp_path / "run" / "checkpoints" / "step000000009.pt").exists()


def test_data_that_has_changed_and_another_run_are_refused_although_all_is_done(tmp_path, executed):
    start(tmp_path)
    write_data(tmp_path / "data", videos=3)
    executed.clear()
    before = read_run(tmp_path / "run")
    for stages in (["01", "02", "03"], ["02"], ["03"]):
        with pytest.raises(ValueError, match=r"the data has changed since the run in .*; give the new run another"):
            start(tmp_path, stages=stages)
    with pytest.raises(ValueError, match=r"holds a run with another recipe\.optim\.epochs"):
        start(tmp_path, overrides={"optim.epochs": 3})
    assert executed == [] and read_run(tmp_path / "run") == before


@pytest.mark.slow
@pytest.mark.parametrize(("place", "imports"), [("notebooks", True), ("installed", False)])
def test_modules_of_the_working_directory_are_for_the_notebooks_of_a_project(tmp_path, monkeypatch, place, imports):
    """Those that were installed are also executed where anybody may have put modules."""
    source = "import importlib.util\nassert (importlib.util.find_spec('stranger') is not None) is found"
    cells = [nbformat.v4.new_code_cell("found = None", metadata={"tags": ["parameters"]})]
    cells.append(nbformat.v4.new_code_cell(source))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    (tmp_path / place).mkdir()
    nbformat.write(notebook, tmp_path / place / "03_eval.ipynb")
    (tmp_path / "stranger.py").write_text("")
    monkeypatch.setattr(pipeline, "notebook_path", lambda stage: tmp_path / place / f"{stage}.ipynb")
    monkeypatch.chdir(tmp_path)
    pipeline.execute("03_eval", tmp_path / "run" / "03_eval.ipynb", {"found": imports})
