"""Runs that die at any write go on: a training to the same bits, a stage to the truth, predictions without gaps."""

import itertools
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
from faults import attempt, copied, listing
from run_folders import write_trained
from tiny_data import tiny_recipe, training_set, write_tiny_data

import afkit
from afkit.files import LOCK, holder, locked, read_json, write_json
from afkit.train import record
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.datasets.prepare import missing_parts
from afkit.workbench.runs import folder as folders
from afkit.workbench.runs import predicting
from afkit.workbench.runs.folder import finish_stage, is_done, note_stage, start_stage
from afkit.workbench.runs.opened import read_metrics, read_run
from afkit.workbench.runs.predicting import LOG, predict_recordings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
SECTION = "Runs killed at any write, then started again"
RECIPE = tiny_recipe(optim__epochs=1, model__embed_dim=8, model__branch_layers=0, model__regression_ranges=[(0, 10000)])
STAGE = "01_data"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Without waiting for the disk, which no crash of a process needs, and with each step written at once."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(record, "PROGRESS_SEC", 0)
    # event files of a killed process stay beside the new
    monkeypatch.setattr(record.EventLog, "__init__", lambda log, *_: setattr(log, "writers", {}))
    monkeypatch.setattr(record.EventLog, "add", lambda *_: None)


@pytest.fixture
def count(tally):
    """count(row, crash points): that many crashes without a loss."""
    return lambda row, points: tally(SECTION, row, crash_points=points, wrong_ends=0, untrue_notes=0, done_twice=0)


def crashes(action, base, folder, step=1):
    """Each place in turn at which an action has died in a fresh copy of `base`, until it goes through.

    `make reliability` tries every place, also where `step` leaves some out.
    """
    for place in itertools.count(1, 1 if "AFKIT_TALLY" in os.environ else step):
        copied(base, folder)
        ended = attempt(action, folder, place)
        if ended.end != "crashed":
            assert ended.end == "done" and place > 3, ended
            return
        yield place


# ---- a training


def train_tiny(root, folder):
    execution = Execution(checkpoint_minutes=0, evaluate_every=1)  # checkpoints after 3 and 6 steps
    train(RECIPE, training_set(root, RECIPE, seed=1), folder, 1, execution, evaluate=lambda model: 0.5)


def without_seconds(folder):
    """All files; metrics.csv without the time of the steps, of the checkpoints, which hold it, only the last's name.

    The one before the last may be gone, where the last was written twice.
    """
    found = {name: content for name, content in listing(folder).items() if "step" not in name}
    found["last"] = (folder / "checkpoints" / "step000000006.pt").exists()
    found["metrics.csv"] = pd.read_csv(folder / "metrics.csv").drop(columns="seconds").to_csv()
    return found


@pytest.mark.slow
def test_a_training_killed_at_any_write_ends_with_the_same_bits(tmp_path, count):
    base, folder = tmp_path / "base", tmp_path / "run"
    base.mkdir()
    write_tiny_data(tmp_path)
    train_tiny(tmp_path, tmp_path / "whole")
    expected, place = without_seconds(tmp_path / "whole"), 0
    for place in crashes(lambda: train_tiny(tmp_path, folder), base, folder, step=4):
        weights = [folder / "checkpoints" / f"{name}.safetensors" for name in ("ema", "raw")]
        for path in weights:
            name = path.relative_to(folder).as_posix()
            assert not path.exists() or path.read_bytes() == expected[name], "weights appear whole"
        assert len(read_metrics(folder)) <= 6
        assert len([path for path in folder.rglob(".*") if path.is_file()]) <= 1
        train_tiny(tmp_path, folder)
        assert without_seconds(folder) == expected, place
    count("training", place)


# ---- a stage


def stage(folder):
    """What the pipeline and a notebook write for a stage."""
    note_stage(folder, STAGE, status="running", parameters={})
    run = start_stage(STAGE, "watch", 1, {}, "data", str(folder))
    write_json(run.folder / "data_report.json", {"videos": 3})
    finish_stage(run, data={"fingerprint": "f"})


@pytest.mark.parametrize("again", [False, True])
def test_a_stage_killed_at_any_write_is_not_taken_for_done(again, tmp_path, monkeypatch, count):
    monkeypatch.setattr(folders, "provenance", lambda computing: {"git": {"commit": "0"}})
    monkeypatch.setattr(folders, "_now", lambda: "2026-01-01T10:00:00+00:00")
    base, folder, place = tmp_path / "base", tmp_path / "run", 0
    base.mkdir()
    if again:
        stage(base)
    stage(copied(base, folder))
    expected = listing(folder)
    assert is_done(folder, STAGE, {})
    for place in crashes(lambda: stage(folder), base, folder):
        facts = read_run(folder)
        status = facts.get("stages", {}).get(STAGE, {}).get("status")
        assert is_done(folder, STAGE, {}) == (status == "done"), "done with its files, or not done"
        if status == "done":
            assert facts["data"] == {"fingerprint": "f"} and read_json(folder / "data_report.json") == {"videos": 3}
        stage(folder)
        assert listing(folder) == expected, place
    count(f"stage{' again' if again else ''}", place)


# ---- the lock


def test_a_lock_killed_at_any_write_is_free(tmp_path, count):
    base, folder, place = tmp_path / "base", tmp_path / "run", 0
    base.mkdir()

    def work():
        with locked(folder / LOCK):
            write_json(folder / "a.json", 1)

    for place in crashes(work, base, folder):
        assert holder(folder) == ""
        with locked(folder / LOCK, 0):
            assert holder(folder).startswith(f"process {os.getpid()} on ")
        work()
        assert set(listing(folder)) == {"a.json"}, place
    count("lock", place)


# ---- predictions


@pytest.fixture
def predict(tmp_path, monkeypatch):
    """predict(folder, min_score) of three recordings, whose detections depend on their names alone."""
    write_tiny_data(tmp_path / "data", training=1, test=2)
    run = write_trained(tmp_path / "trained", tmp_path / "data", RECIPE)
    new = tmp_path / "data" / "tiny" / "features"

    def detect(trained, recording, say):
        predict.calls.append(recording.name)
        row = {"video": recording.name, "start_sec": 1.0, "end_sec": 2.0, "label": 0, "score": predict.min_score}
        return pd.DataFrame([row])

    def predict(folder, min_score):
        predict.min_score = min_score
        predict_recordings(run, [new], out=folder, min_score=min_score, say=str)

    predict.calls = []
    monkeypatch.setattr(predicting, "detect", detect)
    return predict


def tables(folder):
    return {name: content for name, content in listing(folder).items() if name.endswith(".csv")}


@pytest.mark.slow
def test_predictions_killed_at_any_write_go_on_where_they_were(predict, tmp_path, count):
    base, folder, place = tmp_path / "base", tmp_path / "out", 0
    base.mkdir()
    predict(copied(base, folder), 0.5)
    expected = listing(folder)
    for place in crashes(lambda: predict(folder, 0.5), base, folder, step=2):
        done = tables(folder)
        assert all(content == expected[name] for name, content in done.items())
        predict.calls.clear()
        predict(folder, 0.5)
        assert listing(folder) == expected, place
        assert len(predict.calls) - (3 - len(done)) in (0, 1), "at most the one that was being noted comes again"
    count("predictions", place)


@pytest.mark.slow
def test_predictions_with_other_settings_killed_at_any_write_are_not_taken_for_the_old_ones(predict, tmp_path, count):
    base, folder, place = tmp_path / "base", tmp_path / "out", 0
    base.mkdir()
    predict(base, 0.5)
    old = tables(base)
    predict(copied(base, folder), 0.25)
    new = tables(folder)
    for place in crashes(lambda: predict(folder, 0.25), base, folder, step=3):
        crashed = copied(folder, tmp_path / "crashed")
        predict(folder, 0.25)
        assert tables(folder) == new, place
        predict(crashed, 0.5)
        assert tables(crashed) == old, place
        assert sorted(path.name for path in crashed.iterdir()) == sorted([LOG, *old])
    count("predictions with other settings", place)


# ---- the data of a sweep


@pytest.mark.slow
def test_a_sweeps_data_killed_at_any_write_is_made_by_the_next(tmp_path, count):
    pytest.importorskip("distributed", reason="sweeps are made by dask")
    from afkit.workbench.sweeps.sweep_file import read_sweep
    from afkit.workbench.sweeps.work import prepare_data

    base, folder, place = tmp_path / "base", tmp_path / "data", 0
    base.mkdir()
    text = f"recipes: [thumos_i3d]\nseeds: [1]\ndata: twin\ntwin_videos: 2\ndata_root: {folder}\n"
    (tmp_path / "mine.yaml").write_text(f"{text}results: {tmp_path}/r\n")
    settings = read_sweep(tmp_path / "mine.yaml").settings
    recipe = afkit.recipe("thumos_i3d", {"data.input_dims": [4], "data.max_seq_len": 64})

    def prepare():
        outcome = prepare_data(str(Path.cwd()), settings, [recipe])
        assert outcome.state == "done", outcome

    copied(base, folder)
    prepare()
    expected = listing(folder)
    for place in crashes(prepare, base, folder, step=4):
        assert missing_parts(recipe.data, folder) == [] or not (folder / "thumos").exists()
        prepare()
        assert listing(folder) == expected, place
    count("data of a sweep", place)
