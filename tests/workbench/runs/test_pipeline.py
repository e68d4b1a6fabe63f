"""Which notebooks are executed; what is refused before any starts, test_command_line asks."""

import re

import nbformat
import pytest
from stage_results import Executed, change_code, write_data

from afkit.workbench.progress import EVERY
from afkit.workbench.runs import pipeline
from afkit.workbench.runs.opened import read_run
from afkit.workbench.runs.pipeline import run


@pytest.mark.parametrize("seed", [-1, 2**64, "1", 1.0, True])
def test_a_seed_out_of_range_is_refused_before_anything_is_written(tmp_path, seed):
    with pytest.raises(ValueError, match=f"seed is {seed!r}; give a whole number, 0 or more"):
        run("watch", seed, data_root=str(tmp_path / "data"), results=str(tmp_path / "results"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Data, and stages that are done at once; which they were."""
    monkeypatch.setattr(pipeline, "execute", executed := Executed())
    write_data(tmp_path / "data")
    start(tmp_path)
    executed.clear()
    return executed


def start(root, **arguments):
    """Run the three stages that compute; what is said."""
    said = []
    arguments = {"stages": ["01", "02", "03"]} | arguments
    run("watch", 5, data_root=str(root / "data"), folder=root / "run", say=said.append, **arguments)
    return said


def test_a_finished_stage_of_other_code_is_kept_and_named(tmp_path, executed, monkeypatch):
    assert start(tmp_path) == [f"{stage:<14} already done" for stage in ("01_data", "02_train", "03_eval")]
    change_code(monkeypatch, "train")
    said = start(tmp_path)
    assert executed == []
    assert said[0] == "01_data        already done" and said[2] == "03_eval        already done"
    change = "with other code: afkit/train has changed since"
    assert said[1].startswith(f"02_train       already done, {change}") and said[1].endswith("; --again 02 repeats it")


@pytest.mark.parametrize("error", [pipeline.StageError("it failed", "why"), OSError("no space"), ValueError("no JSON")])
def test_a_stage_that_cannot_be_executed_has_failed_whatever_the_reason(tmp_path, executed, monkeypatch, error):
    monkeypatch.setattr(pipeline, "execute", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(type(error), match=str(error)):
        start(tmp_path, stages=["01"], again=["01"])
    noted = read_run(tmp_path / "run")["stages"]["01_data"]
    assert (noted["status"], noted["error"]) == ("failed", getattr(error, "reason", str(error)))


def test_what_settings_do_not_do_is_said_at_the_start(tmp_path, executed):
    said, overrides = [], {"data.test_subsets": ["Training"], "optim.schedule_epochs": [3]}
    run("watch", 5, overrides, {}, str(tmp_path / "data"), stages=["01"], folder=tmp_path / "own", say=said.append)
    assert said[0].startswith("note: data.test_subsets has 'training', which is trained on, too")
    assert said[1].startswith("note: optim.schedule_epochs [3] do nothing with a cosine")


def test_again_trains_from_the_beginning_and_makes_the_later_stages_new(tmp_path, executed, monkeypatch):
    state = tmp_path / "run" / "checkpoints" / "step000000009.pt"
    state.touch()
    change_code(monkeypatch, "train")
    start(tmp_path, again=["02"])
    assert executed.stages == ["02_train", "03_eval"] and not state.exists()
    assert start(tmp_path)[1] == "02_train       already done", "its code is on record now"
    executed.clear()
    state.touch()
    start(tmp_path, again=["03_eval"])
    assert executed.stages == ["03_eval"] and state.exists()


def test_data_that_has_changed_and_another_run_are_refused_although_all_is_done(tmp_path, executed):
    write_data(tmp_path / "data", videos=3)
    before = read_run(tmp_path / "run")
    for stages in (["01", "02", "03"], ["02"], ["03"]):
        with pytest.raises(ValueError, match=r"the data has changed since the run in .*; give the new run another"):
            start(tmp_path, stages=stages)
    with pytest.raises(ValueError, match=r"holds a run with another recipe\.optim\.epochs"):
        start(tmp_path, overrides={"optim.epochs": 3})
    assert executed == [] and read_run(tmp_path / "run") == before


def find_notebook(monkeypatch, path, *texts):
    """A notebook of these cells, the first of parameters, is what `execute` finds."""
    cells = [nbformat.v4.new_code_cell(text) for text in texts]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), path)
    monkeypatch.setattr(pipeline, "notebook_path", lambda stage: path)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "imports"), [("notebooks", True), ("installed", False)])
def test_modules_of_the_working_directory_are_for_the_notebooks_of_a_project(tmp_path, monkeypatch, place, imports):
    """Those that were installed are also executed where anybody may have put modules."""
    source = "import importlib.util\nassert (importlib.util.find_spec('stranger') is not None) is found"
    (tmp_path / place).mkdir()
    find_notebook(monkeypatch, tmp_path / place / "03_eval.ipynb", "found = None", source)
    (tmp_path / "stranger.py").write_text("")
    monkeypatch.chdir(tmp_path)
    pipeline.execute("03_eval", tmp_path / "run" / "03_eval.ipynb", {"found": imports})


@pytest.mark.slow
def test_lines_of_progress_are_shown_while_a_notebook_works_and_are_not_kept(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv(EVERY, "0.1")
    waits = "import time\nfrom afkit.workbench.progress import progress\nfor _ in progress(range(9), 'wait'):"
    label = "display({'text/html': 'lift, 5 s left\\n'}, raw=True)"  # in a table anything may stand
    find_notebook(monkeypatch, tmp_path / "waits.ipynb", f"{waits} time.sleep(0.3)", "print('done')", label)
    pipeline.execute("waits", tmp_path / "executed.ipynb", {})
    assert re.search(r"^wait: \d of 9, \d s left$", capfd.readouterr().out, re.MULTILINE)
    kept = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
    texts = [[output.get("text") or output.data["text/html"] for output in cell.outputs] for cell in kept]
    assert texts == [[], ["done\n"], ["lift, 5 s left\n"]]


@pytest.mark.slow
def test_what_a_kernel_says_beside_its_notebook_is_shown_where_it_dies(tmp_path, monkeypatch, capfd):
    says = "import os\nos.write(2, b'in a library\\n')\nif dies: os._exit(1)"
    find_notebook(monkeypatch, tmp_path / "says.ipynb", "dies = 0", says)
    pipeline.execute("says", tmp_path / "executed.ipynb", {})
    assert capfd.readouterr().err == ""
    with pytest.raises(pipeline.StageError, match=r"stopped: Kernel died: in a library; the notebook is"):
        pipeline.execute("says", tmp_path / "executed.ipynb", {"dies": 1})
    (tmp_path / "ipykernel_launcher.py").write_text("raise ImportError('no libzmq')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(pipeline.StageError, match=r"stopped: Kernel died .*: ImportError: no libzmq; the notebook is"):
        pipeline.execute("says", tmp_path / "executed.ipynb", {})
