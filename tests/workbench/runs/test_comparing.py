"""05_compare over run folders: the table, the page and what is said, for many, for few and for broken runs."""

import json
from pathlib import Path

import pandas as pd
import pytest
from run_folders import change_json, outputs_of, write_run, write_scored_run, write_test_data

from afkit.__main__ import main
from afkit.files import write_text
from afkit.workbench.runs import comparing
from afkit.workbench.runs.comparing import NOTEBOOK, compare, short_table
from afkit.workbench.runs.folder import project_root
from afkit.workbench.runs.notebooks import notebook_parameters
from afkit.workbench.runs.opened import read_runs
from afkit.workbench.runs.summary import summarise_runs

pytest.importorskip("papermill", reason="notebooks are run by papermill")


def write_many(tmp_path: Path) -> Path:
    """Runs of all kinds: three with predictions, a twin, one of an older version, one that failed, one broken."""
    gt, results = write_test_data(tmp_path / "data"), tmp_path / "results"
    for seed, right in ((1, 6), (2, 4)):
        write_scored_run(results / "tiny" / f"seed{seed}", gt, right, tmp_path / "data", seed=seed)
    write_scored_run(results / "tiny" / "wide", gt, 3, tmp_path / "data", overrides={"model.embed_dim": 8})
    write_run(results / "thumos_i3d" / "twin", 0.7, name="thumos_i3d", generated=True)
    write_run(results / "thumos_i3d" / "twin2", 0.6, name="thumos_i3d", generated=True, data_root=tmp_path / "none")
    old = write_run(results / "watch" / "old", 0.4, name="watch", confidence=None, predict_seconds=None)
    change_json(old / "run.json", device=None, execution=None)
    failed = {"02_train": {"status": "failed", "error": f"ValueError: {tmp_path}/data/x.npy <b>is</b> broken"}}
    write_run(results / "watch" / "failed", name="watch", stages=failed)
    write_text(results / "watch" / "broken" / "run.json", '{"stages": ')
    return results


@pytest.mark.slow
def test_runs_of_all_kinds_end_in_one_page(tmp_path, capfd):
    results = write_many(tmp_path)
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert main(["compare", "--results", str(results), "--out", str(tmp_path / "out"), "-p", "resamples=200"]) == 0
    assert {path: path.read_bytes() for path in before} == before, "runs are only read"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"summary.csv", "report.html", "05_compare.ipynb"}
    said = capfd.readouterr().out
    assert "2. tiny/seed1 is ahead of tiny/wide by 50.00 points" in said
    assert "1. Not tested: …/predictions.json.gz does not exist" in said
    assert "twin: thumos_i3d/twin " in said and "run.json is not a readable JSON file" in said
    assert said.splitlines()[-2:] == [str(tmp_path / "out" / name) for name in ("summary.csv", "report.html")]

    summary = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("run")
    assert len(summary) == 8
    assert summary.loc["tiny/seed1", "average_map_percent"] == 100
    assert summary.loc["thumos_i3d/twin", "published_percent"] == 66.83 and summary.loc["thumos_i3d/twin", "generated"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "2. tiny/seed1 is ahead of tiny/wide by 50.00 points" in page
    assert "Runs marked as twin used generated data:" in page and "6 of 8 runs have scores." in page
    assert "02_train failed: ValueError: …/x.npy &lt;b&gt;is&lt;/b&gt; broken" in page
    assert page.count("<figure>") == 8  # published, seeds, differences, 1 of classes, 3 of losses, cost
    for text in (page, (tmp_path / "out" / "summary.csv").read_text()):
        assert str(tmp_path) not in text and str(project_root()) not in text and str(Path.home()) not in text


@pytest.mark.slow
def test_a_named_pair_is_the_one_that_is_tested(tmp_path, capfd):
    results, pair = write_many(tmp_path), ["tiny/wide", "tiny/seed2"]
    (tmp_path / "data").rename(tmp_path / "moved")
    compare(["tiny"], str(results), "", str(tmp_path / "moved"), {"pair": pair, "resamples": 50})
    said = capfd.readouterr().out
    assert "1. tiny/seed2 is ahead of tiny/wide by 16.67 points" in said and "\n2. " not in said
    assert len(pd.read_csv(results / "summary.csv")) == 3
    captions = [line for line in (results / "report.html").read_text().splitlines() if "<figcaption>" in line]
    assert "1. AP of tiny/wide less AP of tiny/seed2, by class." in "".join(captions)


@pytest.mark.slow
def test_a_single_run_is_a_page_too(tmp_path, capfd):
    write_run(tmp_path / "tiny" / "seed1", stages={"03_eval": {"status": "running"}})
    compare(results=str(tmp_path), out=str(tmp_path / "out"))
    said = capfd.readouterr().out
    assert "There are no two runs of the same recipe and test to compare." in said
    assert "0 of 1 runs have scores." in said
    assert "03_eval is running, or was interrupted" in (tmp_path / "out" / "report.html").read_text()
    notebook = json.loads((tmp_path / "out" / "05_compare.ipynb").read_text())
    assert notebook["metadata"]["papermill"]["output_path"] == "05_compare.ipynb"
    outputs = outputs_of(tmp_path / "out" / "05_compare.ipynb")
    assert all(output["output_type"] != "error" for output in outputs)


def test_the_notebook_gets_no_path_of_the_machine_where_it_needs_none(tmp_path, monkeypatch):
    assert set(comparing.COMMON) <= notebook_parameters(NOTEBOOK).keys()
    got = {}
    monkeypatch.setattr(comparing, "execute", lambda name, output, parameters: got.update(parameters, output=output))
    write_run(tmp_path / "tiny" / "seed1")
    monkeypatch.chdir(tmp_path)  # no project is above it, so relative folders begin here
    folder = project_root() / "some" / "place"
    assert compare([], str(tmp_path), "some/place", say=lambda text: None) == folder
    assert (got["out_dir"], got["output"]) == ("some/place", folder / "05_compare.ipynb")
    assert got["runs"] == [] and not any(folder.iterdir())


def test_the_short_table_has_a_state_only_where_something_is_not_done(tmp_path):
    folders = [write_run(tmp_path / "a", 0.5), write_run(tmp_path / "b", 0.4, generated=True)]
    lines = short_table(summarise_runs(read_runs(folders, tmp_path))).splitlines()
    assert lines[0].split() == ["run", "mAP", "[%]", "from", "to", "training", "[s]"]
    assert [line.split() for line in lines[1:]] == [
        ["a", "50.00", "45.00", "54.00", "1.00"],
        ["twin:", "b", "40.00", "35.00", "44.00", "1.00"],
    ]
    folders.append(write_run(tmp_path / "c", stages={"03_eval": {"status": "failed", "error": 100 * "x"}}))
    lines = short_table(summarise_runs(read_runs(folders, tmp_path))).splitlines()
    assert lines[0].split()[-1] == "state" and lines[-1].split()[-1] == 24 * "x"
