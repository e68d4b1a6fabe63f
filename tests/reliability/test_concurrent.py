"""Many processes that do the same at once: nothing is lost or mixed up, and who cannot work says why.

AFKIT_PROCESSES says how many, AFKIT_TIMES how often each is repeated; `make reliability` asks for more of both.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from faults import listing
from run_folders import write_scored_run, write_test_data, write_trained
from tiny_data import tiny_recipe, write_tiny_data
from together import at_once

from afkit.files import read_json
from afkit.recipes import recipe
from afkit.workbench.datasets.prepare import prepare
from afkit.workbench.runs.predicting import predict_recordings

pytest.importorskip("papermill", reason="runs are made by papermill")
pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
PROCESSES, TIMES = (int(os.environ.get(f"AFKIT_{name}", usual)) for name, usual in (("PROCESSES", 2), ("TIMES", 1)))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600 * TIMES),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
]
ROOT = Path(__file__).parents[2]
BUSY = r"afkit: (\S+) is in use by process \d+ on \S+; wait for it, or end it\n"
RUN = ("run", "watch", "--seed", 1, "--set", "optim.epochs=1", "--set", "optim.warmup_epochs=1",
       "--stages", "01,02", "--name", "x")  # fmt: skip
RESULTS = ("checkpoints/ema.safetensors", "checkpoints/raw.safetensors", "figures/targets.svg")


@pytest.fixture
def repeated(tally, tmp_path):
    """repeated(row): a fresh folder for each repetition; a row of the table once all of them went well."""

    def repetitions(row, processes=PROCESSES):
        for time in range(TIMES):
            (folder := tmp_path / f"time{time}").mkdir()
            yield folder
        zeros = dict.fromkeys(("files_missing", "other_results", "unclear_ends", "litter"), 0)
        tally("Many processes at once", row, processes=processes * TIMES, **zeros)

    return repetitions


def commands_at_once(*arguments, processes=PROCESSES) -> list[tuple[int, str, str]]:
    """Exit status and what was said of the same command in many processes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command, pipes = [sys.executable, "-m", "afkit", *map(str, arguments)], {"stdout": -1, "stderr": -1, "text": True}
    started = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(processes)]
    said = [process.communicate(timeout=560) for process in started]
    return [(process.returncode, *both) for process, both in zip(started, said, strict=True)]


def done_or_busy(ended, folder) -> None:
    """Some have done it; each of the others says in one sentence who is at it."""
    assert any(status == 0 for status, _, _ in ended), ended
    for status, _, err in ended:
        found = re.fullmatch(BUSY, err)
        assert status == 0 or (status == 2 and found and Path(found[1]) == folder), err


def test_a_data_set_is_complete_however_many_prepare_it(tmp_path, repeated):
    prepare(recipe("watch"), tmp_path / "alone", say=str)
    expected = listing(tmp_path / "alone" / "watch")
    for root in repeated("prepare"):

        def work(_, root=root):
            prepare(recipe("watch"), root, say=str)
            return listing(root / "watch") == expected

        assert at_once(PROCESSES, work) == PROCESSES * [True]
        assert listing(root / "watch") == expected and [path.name for path in root.iterdir()] == ["watch"]


def test_the_same_run_is_made_by_one_and_the_others_say_so(tmp_path, repeated):
    def places(root):
        return "--data-root", root / "data", "--results", root / "results"

    assert [status for status, *_ in commands_at_once(*RUN, *places(tmp_path), processes=1)] == [0]
    alone = tmp_path / "results" / "watch" / "x"
    for root in repeated("run", 2 * PROCESSES):
        folder = root / "results" / "watch" / "x"
        done_or_busy(commands_at_once(*RUN, *places(root)), folder)
        assert {entry["status"] for entry in read_json(folder / "run.json")["stages"].values()} == {"done"}
        assert not [path for path in root.rglob("*") if path.name.startswith(".")]
        for name in RESULTS:
            assert (folder / name).read_bytes() == (alone / name).read_bytes(), name
        again = commands_at_once(*RUN, *places(root))
        done_or_busy(again, folder)
        assert all(out.count("already done") == 2 for status, out, _ in again if status == 0)


def test_the_same_recordings_are_predicted_as_by_one(tmp_path, repeated):
    settings = tiny_recipe(model__embed_dim=8)
    write_tiny_data(tmp_path / "data", training=1, test=5)
    run = write_trained(tmp_path / "run", tmp_path / "data", settings)
    new = tmp_path / "data" / "tiny" / "features"
    predict_recordings(run, [new], out=tmp_path / "alone", min_score=0.001, say=str)
    for root in repeated("predict"):
        done_or_busy(commands_at_once("predict", run, new, "--out", root / "out", "--min-score", 0.001), root / "out")
        assert listing(root / "out") == listing(tmp_path / "alone")


def test_a_comparison_waits_for_another_into_the_same_folder(tmp_path, repeated):
    gt, written = write_test_data(tmp_path / "data"), {"05_compare.ipynb", "report.html", "summary.csv"}
    for results in repeated("compare"):
        for seed, right in ((1, 6), (2, 4)):
            write_scored_run(results / "tiny" / f"seed{seed}", gt, right, tmp_path / "data", seed=seed)
        before = listing(results)
        ended = commands_at_once("compare", "--results", results, "-p", "resamples=50")
        assert [(status, err) for status, _, err in ended if status or err] == []
        assert any(f"which writes {results / '05_compare'}" in out for _, out, _ in ended)
        notebook = nbformat.read(results / "05_compare.ipynb", as_version=4)
        assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")
        after = listing(results)
        assert after.keys() - before.keys() == written and all(after[name] == before[name] for name in before)
        assert b"</html>" in after["report.html"]
