"""A data set with a video of each odd sort in training and test, through all notebooks and commands."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from run_folders import pages_of
from tiny_data import (
    CHANNELS,
    FPS,
    NUM_FRAMES,
    STRIDE,
    read_database,
    seconds_of,
    write_annotations,
    write_tiny_data,
    write_tiny_recipe,
)

from afkit.__main__ import main
from afkit.data.annotations import load_annotations
from afkit.evaluation.scores import evaluate
from afkit.files import read_json
from afkit.workbench.analysis.result_files import read_predictions

pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytestmark = pytest.mark.slow

ODD = ["no annotation", "one vector", "no duration", "no features", "none of them"]


def write_odd_videos(root):
    """Whole videos, and before them in the file those of each sort, in training and in test."""
    write_tiny_data(root, training=10, test=6)
    odd, draws = {}, np.random.default_rng(1)
    for subset in ("training", "test"):
        for sort in ODD:
            name, steps = f"{sort}, {subset} <b>", 1 if sort == "one vector" else 50
            span = [seconds_of(0.4), seconds_of(0.6)] if steps == 1 else [seconds_of(10), seconds_of(20)]
            rows = [{"segment": span, "label": "action 1", "label_id": 1}]
            odd[name] = {"subset": subset, "duration": ((steps - 1) * STRIDE + NUM_FRAMES) / FPS, "fps": FPS}
            odd[name]["annotations"] = [] if sort in ("no annotation", "none of them") else rows
            if sort in ("no duration", "none of them"):
                del odd[name]["duration"]
            if sort not in ("no features", "none of them"):
                features = draws.normal(size=(steps, CHANNELS)).astype(np.float32)
                np.save(root / "tiny" / "features" / f"{name}.npy", features)
    write_annotations(root, odd | read_database(root))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of a run and of its copy, and beside them their comparison."""
    root = tmp_path_factory.mktemp("odd")
    write_odd_videos(root / "data")
    recipe = write_tiny_recipe(root, optim__epochs=1, data__tious=[0.1, 0.3], data__max_missing=0.3)
    results = ["--results", str(root / "results")]
    one, other = (root / "results" / "tiny" / name for name in ("one", "other"))
    assert main(["run", recipe, "--name", "one", "--data-root", str(root / "data"), *results]) == 0
    shutil.copytree(one, other)
    assert main(["compare", *results]) == 0
    return [one, other]


def test_names_with_markup_are_shown_and_not_interpreted(runs):
    seen = 0
    for notebook in [*runs[0].glob("*.ipynb"), *runs[0].parents[1].glob("*.ipynb")]:
        pages = pages_of(notebook)
        assert not any("test <b>" in page or "training <b>" in page for page in pages), notebook.name
        seen += sum("&lt;b&gt;" in page for page in pages)
    assert seen >= 3
    assert "test <b>" not in (runs[0].parents[1] / "report.html").read_text()


def test_actions_of_a_video_without_features_count_as_missed(runs):
    annotations = runs[0].parents[2] / "data" / "tiny" / "annotations.json"
    gt = load_annotations(annotations, "test")
    predictions = read_predictions(runs[0] / "predictions.json.gz", {i: f"action {i}" for i in range(3)})
    scores = read_json(runs[0] / "eval.json")
    assert scores["average_map"] == pytest.approx(evaluate(gt, predictions, [0.1, 0.3]).average_map, abs=1e-12)
    assert scores["counts"]["ground_truths"] == len(gt)
    assert scores["counts"]["videos"] == gt["video"].nunique() == 9
    assert scores["not_searched"] == {"videos": 2, "ground_truths": 1}
    assert not set(predictions["video"]) & {"no features, test <b>", "none of them, test <b>"}
    assert scores["diagnosis"]["counts"]["videos_no_duration"] == 0  # the features tell that of the one without


def test_durations_come_from_features_and_the_baseline_is_not_zero(runs):
    scores, facts = read_json(runs[0] / "eval.json"), read_json(runs[0] / "run.json")
    assert scores["baseline"]["average_map"] > 0
    data_root = runs[0].parents[2] / "data"
    seconds = [
        ((len(np.load(data_root / "tiny" / "features" / f"{name}.npy")) - 1) * STRIDE + NUM_FRAMES) / FPS
        for name, video in read_database(data_root).items()
        if video["subset"] == "test" and not name.startswith(("no features", "none of them"))
    ]
    point = scores["operating_point"]["one_threshold"]
    assert point["false_alarms_per_hour"] == pytest.approx(point["false_alarms"] / sum(seconds) * 3600)
    subset = facts["data"]["subsets"]["test"]
    assert (subset["videos"], subset["videos_without_features"], subset["videos_without_duration"]) == (11, 2, 1)
    no_features_sec = (49 * STRIDE + NUM_FRAMES) / FPS
    assert subset["hours"] == pytest.approx((sum(seconds) + no_features_sec) / 3600, abs=1e-3)


def test_the_comparison_of_two_runs_ends(runs):
    table = pd.read_csv(runs[0].parents[1] / "summary.csv")
    assert table["average_map_percent"].notna().sum() == 2
    assert "tiny/one and tiny/other score the same average mAP." in (runs[0].parents[1] / "report.html").read_text()


def test_pages_of_one_and_of_both_are_written(runs, capsys):
    assert main(["view", str(runs[0]), "--html", "--curves"]) == 0
    assert main(["view", *map(str, runs), "--html"]) == 0
    page = (runs[0] / "inspector.html").read_text()
    for sort in ODD:
        assert json.dumps(f"{sort}, test <b>")[1:-1].replace("<", "\\u003c") in page


def test_detections_of_all_recordings_with_features(runs):
    features = runs[0].parents[2] / "data" / "tiny" / "features"
    assert main(["predict", str(runs[0]), str(features), "--fps", str(FPS)]) == 0
    written = {path.stem for path in (runs[0] / "predicted").glob("*.csv")}
    assert len(written) == len(list(features.iterdir()))
