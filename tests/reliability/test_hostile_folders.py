"""Folders of strangers: pipes on which reading waits, links through which writing reaches a file of the user."""

import os
import shutil
import sys

import pytest
from hostile import in_child
from run_folders import write_trained
from tiny_data import tiny_recipe, write_tiny_data

from afkit.__main__ import main
from afkit.data.features import open_features
from afkit.files import LOCK, read_json, write_json, write_text
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights, read_original
from afkit.train.checkpoints import Checkpoints
from afkit.train.execution import Execution
from afkit.workbench.runs.differences import compare_results
from afkit.workbench.runs.launch import train_on_devices
from afkit.workbench.runs.opened import read_metrics
from afkit.workbench.runs.pages import write_notebooks
from afkit.workbench.runs.pipeline import StageError, execute
from afkit.workbench.runs.predicting import LOG

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")
SECTION, ROW = "Hostile and broken files", "folders of strangers"
RECIPE = tiny_recipe(model__embed_dim=8, model__branch_layers=0, model__regression_ranges=[(0, 10000)])
PRECIOUS = "a file of the user"


@pytest.fixture
def run(tmp_path):
    """A trained run, its data, and features of a new recording, by a stranger."""
    write_tiny_data(tmp_path / "data", training=1, test=1)
    stages = {stage: {"status": "done"} for stage in ("01_data", "02_train", "03_eval")}
    run = write_trained(tmp_path / "results" / "tiny" / "run", tmp_path / "data", RECIPE, stages=stages)
    write_json(run / "eval.json", {"average_map": 0.5})
    write_text(run / "metrics.csv", "step,epoch,loss_total,seconds\n0,0,2.5,0.5\n")
    write_text(run / "validation.csv", "epoch,average_map\n0,0.5\n")
    (tmp_path / "new").mkdir()
    shutil.copy(tmp_path / "data" / "tiny" / "features" / "video0.npy", tmp_path / "new" / "day1.npy")
    (tmp_path / "precious").write_text(PRECIOUS)
    return run


@pytest.fixture
def count(tally):
    """count(): one more case that ended as it should."""
    return lambda refused=1: tally(SECTION, ROW, cases=1, refused=refused, code_run=0, other_exceptions=0)


def put(path, kind, precious):
    """A pipe or a link in the place of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "hard link":
        path.hardlink_to(precious)
    else:
        path.symlink_to(precious if kind == "link" else precious.with_name("not there"))
    return path


def command(capfd, *arguments):
    """The exit status of a command that must not wait for ever, and what it said; the tests' own are not its errors."""
    ended = in_child(lambda: main([str(argument) for argument in arguments]), memory_mb=4096)
    said = capfd.readouterr()
    assert ended.end == "done", f"{ended}: {said.err}"
    return ended.said, said.out, said.err


def one_sentence(said, path):
    assert said.startswith("afkit: ") and said.count("\n") == 1 and str(path) in said, said


@pytest.mark.parametrize("name", ["run.json", "eval.json", "metrics.csv", "validation.csv", LOCK])
def test_status_does_not_wait_for_a_pipe(run, name, tmp_path, capfd, count):
    put(run / name, "pipe", tmp_path / "precious")
    if name in ("metrics.csv", "validation.csv"):  # looked at while it trains
        write_json(run / "run.json", read_json(run / "run.json") | {"stages": {"02_train": {"status": "running"}}})
    status, out, err = command(capfd, "status", tmp_path / "results")
    assert status == 0 and "tiny/run" in out and not err
    assert ("run.json cannot be read" in out) == (name == "run.json")
    count()


@pytest.mark.parametrize("name", ["run.json", "eval.json", "checkpoints/ema.safetensors", f"predicted/{LOCK}"])
def test_predict_names_a_pipe_in_the_run(run, name, tmp_path, capfd, count):
    path = put(run / name, "pipe", tmp_path / "precious")
    status, _, err = command(capfd, "predict", run, tmp_path / "new")
    assert status == 2
    one_sentence(err, path)
    count()


@pytest.mark.parametrize("name", ["day2.npy", "day2.npz", "day2.hdf5", "day2.safetensors", "day2.csv"])
def test_predict_names_a_pipe_among_the_recordings(run, name, tmp_path, capfd, count):
    path = put(tmp_path / "new" / name, "pipe", tmp_path / "precious")
    status, out, err = command(capfd, "predict", run, tmp_path / "new")
    assert status == 2 and f"{path} is not a readable feature file for video 'day2': " in err and "pipe" in err
    assert "1 recordings predicted" in out and (run / "predicted" / "day1.csv").is_file(), "the others are done"
    count()


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe"])
@pytest.mark.parametrize("name", [LOCK, LOG, f".{LOG}.tmp", "day1.csv", ".day1.csv.tmp"])
def test_predict_writes_nothing_through_a_link(run, name, kind, tmp_path, capfd, count):
    path = put(run / "predicted" / name, kind, tmp_path / "precious")
    status, _, err = command(capfd, "predict", run, tmp_path / "new")
    assert (tmp_path / "precious").read_text() == PRECIOUS and not (tmp_path / "not there").exists()
    if name in (LOCK, "day1.csv"):
        assert status == 2
        one_sentence(err, path)
    else:
        assert status == 0 and not err
        names = {path.name for path in (run / "predicted").iterdir()}
        assert names == {LOG, "day1.csv"} and not any(path.is_symlink() for path in (run / "predicted").iterdir())
    count(refused=int(name in (LOCK, "day1.csv")))


@pytest.mark.parametrize(
    ("name", "kind"), [*((LOCK, kind) for kind in ("link", "dangling link", "hard link", "pipe")), ("run.json", "pipe")]
)
def test_a_run_writes_nothing_through_the_lock_and_names_a_pipe(tmp_path, name, kind, capfd, count):
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    (tmp_path / "precious").write_text(PRECIOUS)
    path = put(tmp_path / "runs" / "watch" / "seed1" / name, kind, tmp_path / "precious")
    arguments = ("run", "watch", "--seed", 1, "--results", tmp_path / "runs", "--data-root", tmp_path / "data")
    status, _, err = command(capfd, *arguments)
    assert status == 2 and (tmp_path / "precious").read_text() == PRECIOUS and not (tmp_path / "not there").exists()
    one_sentence(err, path)
    count()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_an_executed_notebook_is_not_written_through_a_link(tmp_path, kind, count):
    """That papermill does, which opens the file itself."""
    (tmp_path / "precious").write_text(PRECIOUS)
    path = put(tmp_path / "run" / "01_data.ipynb", kind, tmp_path / "precious")
    arguments = {"recipe": "no such recipe", "run_dir": str(tmp_path / "run")}
    with pytest.raises(StageError, match="no such recipe"):
        execute("01_data", path, arguments)
    assert (tmp_path / "precious").read_text() == PRECIOUS
    assert path.is_file() and not path.is_symlink()
    count(refused=0)


@pytest.mark.slow
def test_what_processes_of_devices_say_is_not_written_through_a_link(run, tmp_path, count):
    put(run / "train_job.log", "link", tmp_path / "precious")
    wrong = RECIPE.model_copy(update={"optim": RECIPE.optim.model_copy(update={"batch_size": 2})})
    with pytest.raises((ValueError, RuntimeError)):
        train_on_devices(wrong, tmp_path / "nowhere", run, 1, Execution(devices=2))
    assert (tmp_path / "precious").read_text() == PRECIOUS
    count(refused=0)


READERS = {  # a file of a folder: what reads it
    "run.json": lambda folder: read_json(folder / "run.json"),
    "metrics.csv": read_metrics,
    "a.pth.tar": lambda folder: read_original(folder / "a.pth.tar"),
    "a.safetensors": lambda folder: load_weights(build_model(RECIPE), folder / "a.safetensors"),
    "step1.pt": lambda folder: Checkpoints(folder, RECIPE, 1, Execution()).load(None),
    "01_data.ipynb": write_notebooks,
    "data/tiny/features/video0.npy": lambda folder: open_features(RECIPE.data, folder / "data", "video0"),
}


@pytest.mark.parametrize("name", READERS)
def test_readers_do_not_wait_for_a_pipe(run, name, tmp_path, count):
    path = put(run / name, "pipe", tmp_path / "precious")
    ended = in_child(lambda: len(READERS[name](run)), memory_mb=4096)
    if name == "metrics.csv":
        assert (ended.end, ended.said) == ("done", 0), "it counts as broken"
    else:
        assert ended.end == "ValueError" and str(path) in ended.said, ended
    count()


@pytest.mark.parametrize("name", ["metrics.csv", "eval.json", "checkpoints/ema.safetensors", "predictions.json.gz"])
def test_a_comparison_of_results_does_not_wait_for_a_pipe(run, name, tmp_path, count):
    other = shutil.copytree(run, tmp_path / "other")
    put(other / name, "pipe", tmp_path / "precious")
    ended = in_child(lambda: [row.what for row in compare_results(run, other)], memory_mb=4096)
    assert ended.end == "done" and len(ended.said) == 5, ended
    count()
