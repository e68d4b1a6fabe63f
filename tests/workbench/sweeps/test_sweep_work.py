"""What a worker does: its own errors are outcomes, a folder in use is busy, and a kernel holds the lock of its run."""

import os
from pathlib import Path

import nbformat
import pytest

from afkit.files import read_json, write_json

pytest.importorskip("papermill", reason="runs are made by papermill")
from afkit.files import LOCK, holder, locked
from afkit.workbench.runs import pipeline
from afkit.workbench.runs.pipeline import StageError, execute, run
from afkit.workbench.sweeps.sweep_file import read_sweep
from afkit.workbench.sweeps.work import Outcome, give_up, run_cell


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        f"recipes: [watch]\nseeds: [1]\nresults: {tmp_path}/r\ndata_root: {tmp_path}/d\n"
    )
    return read_sweep(tmp_path / "mine.yaml")


def outcome(plan, html: bool = False) -> Outcome:
    return run_cell(str(Path.cwd()), plan.settings, plan.results, plan.cells[0], html)


def test_a_folder_in_use_is_busy_and_stays_as_it_is(plan, monkeypatch):
    monkeypatch.setattr(pipeline, "locked", lambda path: locked(path, 0.1))
    folder = plan.cells[0].folder
    with locked(folder / LOCK):
        found = outcome(plan)
        assert found.state == "busy" and found.reason.startswith(f"{folder} is in use by process {os.getpid()} on ")
        with pytest.raises(ValueError, match="in use by process"):
            run("watch", 1, data_root=plan.settings.data_root, results=plan.results)
        assert [path.name for path in folder.iterdir()] == [LOCK]


@pytest.mark.parametrize("error", [ValueError("no data"), OSError("no space"), StageError("it failed", "why")])
def test_its_own_error_is_the_outcome_and_is_noted_where_a_stage_was_running(plan, monkeypatch, error):
    def fail(*arguments, name):
        raise error

    monkeypatch.setattr(pipeline, "run", fail)
    write_json(
        plan.cells[0].folder / "run.json",
        {"stages": {"01_data": {"status": "done"}, "02_train": {"status": "running"}}},
    )
    found = outcome(plan)
    assert (found.state, found.reason) == ("failed", str(error))
    stages = read_json(plan.cells[0].folder / "run.json")["stages"]
    assert stages["01_data"] == {"status": "done"}
    assert stages["02_train"]["status"] == "failed" and str(error) in stages["02_train"]["error"]


def test_what_a_run_prints_is_not_shown_and_pages_are_written_where_wanted(plan, monkeypatch, capsys):
    def made(*arguments, name):
        print("a line of a notebook")
        nbformat.write(nbformat.v4.new_notebook(), plan.cells[0].folder / "01_data.ipynb")

    plan.cells[0].folder.mkdir(parents=True)
    monkeypatch.setattr(pipeline, "run", made)
    assert outcome(plan).state == "done" and capsys.readouterr().out == ""
    assert not list(plan.cells[0].folder.glob("*.html"))
    assert outcome(plan, html=True).state == "done" and list(plan.cells[0].folder.glob("*.html"))


def test_a_kernel_holds_the_lock_of_its_run_and_its_notebook_is_saved_on_the_way(tmp_path, monkeypatch):
    notebook, note = nbformat.v4.new_notebook(), tmp_path / "note"
    look = f"""
import os
from pathlib import Path
files = [Path(f"/proc/self/fd/{{number}}") for number in os.listdir("/proc/self/fd")]
opened = [os.readlink(file) for file in files if file.exists()]
Path({str(note)!r}).write_text(str(opened) + Path({str(tmp_path / "out.ipynb")!r}).read_text())
"""
    notebook.cells = [nbformat.v4.new_code_cell("'the first cell' * 2"), nbformat.v4.new_code_cell(look)]
    notebook.cells += [nbformat.v4.new_code_cell("raise KeyError('here')")]
    nbformat.write(notebook, tmp_path / "in.ipynb")
    monkeypatch.setattr(pipeline, "notebook_path", lambda name: tmp_path / "in.ipynb")
    with locked(tmp_path / LOCK) as lock, pytest.raises(StageError, match="KeyError: 'here'"):
        execute("any", tmp_path / "out.ipynb", {}, [lock])
    assert str(tmp_path / LOCK) in note.read_text(), "the descriptor is open in the kernel"
    assert "the first cellthe first cell" in note.read_text(), "the cell before is in the file already"
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert 'href="#papermill-error-cell"' in saved[0].source
    assert all(cell.metadata.papermill.duration is not None for cell in saved if cell.cell_type == "code")
    assert holder(tmp_path) == ""


def test_a_recipe_file_that_changed_since_the_sweep_began_makes_no_run(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "run", lambda *arguments, **named: pytest.fail("it must not begin"))
    (tmp_path / "own.yaml").write_text("base: watch\n")
    (tmp_path / "sweep.yaml").write_text(f"recipes: [{tmp_path}/own.yaml]\nseeds: [1]\nresults: {tmp_path}/r\n")
    plan = read_sweep(tmp_path / "sweep.yaml")
    (tmp_path / "own.yaml").write_text("base: watch\noptim: {epochs: 3}\n")
    found = outcome(plan)
    assert found.state == "failed" and found.reason.endswith("has changed; start the sweep again")
    give_up(tmp_path / "r", "why")  # a run that never began
    assert not (tmp_path / "r").exists()
