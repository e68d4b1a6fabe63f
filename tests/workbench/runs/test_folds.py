"""Mean and spread over folds, from run folders written by hand."""

import pytest
from run_folders import change_json, write_run

from afkit.workbench.runs.opened import read_runs
from afkit.workbench.runs.summary import FOLD_COLUMNS, summarise_folds

PEOPLE = ["p1", "p2", "p3", "p4"]


def fold(folder, person, average_map, seed=1, **changes):
    """A run that leaves one person out."""
    split = {"data.train_subsets": [p for p in PEOPLE if p != person], "data.test_subsets": [person]}
    overrides = split | changes.pop("overrides", {})
    path = write_run(folder, average_map, seed, overrides=overrides, subsets=[person], **changes)
    change_json(
        path / "run.json", data={"fingerprint": changes.get("fingerprint", "f"), "subsets": dict.fromkeys(PEOPLE)}
    )
    return path


def summary(tmp_path, *folders):
    return summarise_folds(read_runs(folders, tmp_path))


def test_folds_have_mean_and_spread(tmp_path):
    folders = [fold(tmp_path / person, person, value) for person, value in zip(PEOPLE, (0.6, 0.7, 0.8), strict=False)]
    table = summary(tmp_path, *folders)
    assert list(table) == FOLD_COLUMNS and len(table) == 1
    row = table.iloc[0]
    assert (row["setting"], row["folds"], row["of_subsets"], row["runs"]) == ("tiny", 3, 4, 3)
    assert row["mean_percent"] == pytest.approx(70) and row["standard_deviation"] == pytest.approx(10)
    assert (row["lowest_percent"], row["highest_percent"]) == pytest.approx((60, 80))
    assert row["tested"] == "p1; p2; p3"


def test_a_fold_with_more_seeds_counts_once(tmp_path):
    folders = [fold(tmp_path / f"a{seed}", "p1", value, seed) for seed, value in ((1, 0.5), (2, 0.7))]
    folders.append(fold(tmp_path / "b", "p2", 0.9))
    row = summary(tmp_path, *folders).iloc[0]
    assert (row["folds"], row["runs"], row["mean_percent"]) == (2, 3, pytest.approx(75))  # of 60 and 90


def test_experiments_are_kept_apart(tmp_path):
    folders = []
    for i, changes in enumerate(
        (
            {},
            {"overrides": {"optim.epochs": 2}},
            {"name": "watch"},
            {"weights": "raw"},
            {"label_remap": "official"},
            {"generated": True},
            {"fingerprint": "0"},
        )
    ):
        folders += [fold(tmp_path / f"{i}{person}", person, 0.1 * i + 0.1, **changes) for person in ("p1", "p2")]
    table = summary(tmp_path, *folders)
    assert table["folds"].tolist() == [2] * 7 and table["standard_deviation"].tolist() == pytest.approx(
        [0] * 7, abs=1e-9
    )
    assert table["setting"].tolist()[:3] == ["tiny", "tiny, optim.epochs=2", "watch"]
    assert table["setting"][5] == "twin: tiny"


def test_runs_with_the_same_test_or_a_shared_one_are_no_folds(tmp_path):
    same = [write_run(tmp_path / f"s{seed}", seed=seed) for seed in (1, 2)]
    assert summary(tmp_path, *same).empty
    shared = [write_run(tmp_path / "one", subsets=["p1"]), write_run(tmp_path / "two", subsets=["p1", "p2"])]
    assert summary(tmp_path, *shared).empty
    assert list(summary(tmp_path, *shared)) == FOLD_COLUMNS
    apart = [write_run(tmp_path / "x", subsets=["p1", "p3"]), write_run(tmp_path / "y", subsets=["p2"])]
    assert summary(tmp_path, *apart)["tested"].tolist() == ["p1, p3; p2"]


def test_runs_without_scores_are_left_out(tmp_path):
    folders = [fold(tmp_path / person, person, 0.5) for person in ("p1", "p2", "p3")]
    (folders[2] / "eval.json").unlink()
    assert summary(tmp_path, *folders)["folds"].tolist() == [2]
