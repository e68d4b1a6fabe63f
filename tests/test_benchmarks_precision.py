"""Trainings in both precisions, paired by their seeds."""

import pytest
from run_folders import write_scored_run, write_test_data

from afkit.files import read_json, write_json
from afkit.workbench.runs.opened import open_run
from benchmarks.precision import compare_trained


@pytest.fixture
def trained(tmp_path):
    """A run of a seed and precision that finds so many of six videos."""
    gt = write_test_data(tmp_path / "data")

    def make(seed, precision, right):
        folder = write_scored_run(tmp_path / f"{precision}{seed}", gt, right, tmp_path / "data", seed=seed)
        facts = read_json(folder / "run.json")
        write_json(folder / "run.json", facts | {"execution": {"precision": precision}})
        return open_run(folder)

    return make


def test_seeds_are_paired_and_their_means_compared(trained):
    runs = [trained(1, "fp32", 6), trained(2, "bf16", 2), trained(2, "fp32", 4), trained(1, "bf16", 5)]
    one, two, both = compare_trained([*runs, trained(3, "fp32", 1)])  # the third has nobody to be paired with
    assert [row["seed"] for row in (one, two, both)] == [1, 2, "all"]
    assert [row["fp32_map_percent"] for row in (one, two, both)] == pytest.approx([100, 400 / 6, 500 / 6])
    assert [row["difference_value"] for row in (one, two, both)] == pytest.approx([-100 / 6, -200 / 6, -25])
    assert both["difference_low"] < -25 < both["difference_high"]


def test_without_a_pair_both_are_asked_for(trained):
    with pytest.raises(SystemExit, match="no seed was trained in both precisions; name the folders of both"):
        compare_trained([trained(1, "fp32", 6), trained(2, "bf16", 6)])
