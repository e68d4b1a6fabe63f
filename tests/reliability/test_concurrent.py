"""Many processes that do the same at once: nothing is lost or mixed up, and who cannot work says why."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from faults import listing
from run_folders import write_scored_run, write_test_data
from tiny_data import tiny_recipe, write_tiny_data
from together import at_once

from afkit.files import read_json, write_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.recipes import recipe
from afkit.workbench.datasets.prepare import prepare
from afkit.workbench.runs.predicting import predict_recordings

pytest.importorskip("papermill", reason="runs are made by papermill")
pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")]
ROOT = Path(__file__).parents[2]
SECTION, MANY = "Many processes at once", 8
BUSY = r"afkit: (\S+) is in use by process \d+ on \S+; wait for it, or end it\n"
SHORT = ["--set", "optim.epochs=1", "--set", "optim.warmup_epochs=1"]
RESULTS = ("checkpoints/ema.safetensors", "checkpoints/raw.safetensors", "predictions.json.gz", "per_class.csv")


@pytest.fixture
def count(tally):
    """count(row, processes, times): that many processes at once, so often, without a loss."""

    def add(row, processes, times=1):
        zeros = dict.fromkeys(("files_missing", "other_results", "unclear_ends", "litter"), 0)
        tally(SECTION, row, processes=processes * times, **zeros)

    return add


def commands_at_once(*arguments) -> list[tuple[int, str, str]]:
    """Exit status and what was said of the same command in many processes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command, pipes = [sys.executable, "-m", "afkit", *map(str, arguments)], {"stdout": -1, "stderr": -1, "text": True}
    started = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(MANY)]
    said = [process.communicate(timeout=560) for process in started]
    return [(process.returncode, *both) for process, both in zip(started, said, strict=True)]


def done_or_busy(ended, folder) -> None:
    """Some have done it; each of the others says in one sentence who is at it."""
    assert any(status == 0 for status, _, _ in ended), ended
    for status, _, err in ended:
        found = re.fullmatch(BUSY, err)
        assert status == 0 or (status == 2 and found and Path(found[1]) == folder), err


def hidden(folder) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_a_data_set_is_complete_however_many_prepare_it(tmp_path, count):
    prepare(recipe("watch"), tmp_path / "alone", say=str)
    expected, times = listing(tmp_path / "alone" / "watch"), 20
    for time in range(times):
        root = tmp_path / str(time)

        def work(_, root=root):
            prepare(recipe("watch"), root, say=str)
            return listing(root / "watch") == expected

        assert at_once(MANY, work) == MANY * [True]
        assert listing(root / "watch") == expected and [path.name for path in root.iterdir()] == ["watch"]
    count("prepare", MANY, times)


def test_the_same_run_is_made_by_one_and_the_others_say_so(tmp_path, count):
    arguments = ("run", "watch", "--seed", 1, *SHORT, "--stages", "01,02,03", "--name", "x")
    places = [("--data-root", tmp_path / f"data{i}", "--results", tmp_path / f"results{i}") for i in range(2)]
    done_or_busy(commands_at_once(*arguments, *places[0]), tmp_path / "results0" / "watch" / "x")
    folder = tmp_path / "results0" / "watch" / "x"
    assert {entry["status"] for entry in read_json(folder / "run.json")["stages"].values()} == {"done"}
    assert not hidden(tmp_path / "results0") and not hidden(tmp_path / "data0")
    command = [sys.executable, "-m", "afkit", *map(str, (*arguments, *places[1]))]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    for name in RESULTS:
        assert (folder / name).read_bytes() == (tmp_path / "results1" / "watch" / "x" / name).read_bytes(), name
    again = commands_at_once(*arguments, *places[0])
    done_or_busy(again, folder)
    assert all(out.count("already done") == 3 for status, out, _ in again if status == 0)
    count("run", MANY, 2)


def test_the_same_recordings_are_predicted_as_by_one(tmp_path, count):
    settings = tiny_recipe(model__embed_dim=8)
    write_tiny_data(tmp_path / "data", training=1, test=5)
    run = tmp_path / "run"
    save_weights(build_model(settings), run / "checkpoints" / "ema.safetensors", "ema")
    facts = {"recipe": settings.model_dump(mode="json"), "seed": 1, "data_root": str(tmp_path / "data")}
    write_json(run / "run.json", facts)
    new = tmp_path / "data" / "tiny" / "features"
    predict_recordings(run, [new], out=tmp_path / "alone", min_score=0.001, say=str)
    arguments = ("predict", run, new, "--out", tmp_path / "out", "--min-score", 0.001)
    done_or_busy(commands_at_once(*arguments), tmp_path / "out")
    assert listing(tmp_path / "out") == listing(tmp_path / "alone")
    count("predict", MANY)


def test_a_comparison_waits_for_another_into_the_same_folder(tmp_path, count):
    gt, results = write_test_data(tmp_path / "data"), tmp_path / "results"
    for seed, right in ((1, 6), (2, 4)):
        write_scored_run(results / "tiny" / f"seed{seed}", gt, right, tmp_path / "data", seed=seed)
    before = listing(results)
    ended = commands_at_once("compare", "--results", results, "-p", "resamples=50")
    assert [(status, err) for status, _, err in ended] == MANY * [(0, "")], ended
    assert any(f"which writes {results / '05_compare'}" in out for _, out, _ in ended)
    notebook = nbformat.read(results / "05_compare.ipynb", as_version=4)
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")
    written = {"05_compare.ipynb", "report.html", "summary.csv"}
    after = listing(results)
    assert after.keys() - before.keys() == written and all(after[name] == before[name] for name in before)
    assert b"</html>" in after["report.html"]
    count("compare", MANY)
