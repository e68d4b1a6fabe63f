"""The benchmark of the evaluation runs, its plain loop gives the same numbers, and a wrong result is not met."""

import numpy as np
import pandas as pd
import pytest

from afkit.evaluation.scores import evaluate
from benchmarks import evaluate as benchmark
from benchmarks.timing import read_csv


def test_it_runs_and_writes(tmp_path, capsys):
    benchmark.main(["--quick", "--csv", str(tmp_path / "deep" / "evaluate.csv")])
    found = read_csv(tmp_path / "deep" / "evaluate.csv")
    assert len(found) == 3
    assert [row["same_numbers"] for row in found] == ["True", "", "True"]
    assert float(found[0]["ratio"]) == pytest.approx(float(found[0]["plain_s"]) / float(found[0]["ours_s"]))
    assert all(float(row["ours_s"]) > 0 for row in found)
    assert {"processor", "cores", "threads"} <= found[0].keys()
    printed = capsys.readouterr().out
    assert "mAP and recall, 5 videos x 200 predictions x 20 classes" in printed
    assert "10 resamples of the first" in printed


def test_the_plain_loop_gives_the_same_numbers():
    case = benchmark.Case(12, 30, 3, (0.2, 0.5, 0.8))
    gt, predictions = benchmark.make(case)
    scores = evaluate(gt, predictions, case.tious)
    np.testing.assert_allclose(benchmark.plain_ap(gt, predictions, case.tious), scores.ap, rtol=0, atol=1e-12)
    for k in (1, 5):
        plain = benchmark.plain_recall(gt, predictions, case.tious, k)
        np.testing.assert_allclose(plain, scores.recall[k], rtol=0, atol=1e-12)
    assert 0.05 < scores.average_map < 0.95  # neither is trivial


def test_the_sizes_are_those_of_the_task():
    gt, predictions = benchmark.make(benchmark.FIRST._replace(videos=20))
    assert (gt["video"].nunique(), len(predictions)) == (20, 20 * 200)
    assert predictions["label"].nunique() == 20
    assert benchmark.FIRST[:3] == (1000, 200, 20)
    assert benchmark.LARGE[:3] == (5000, 100, 200)
    assert len(benchmark.LARGE.tious) == 10
    assert benchmark.RESAMPLES == 1000
    pd.testing.assert_frame_equal(gt, benchmark.make(benchmark.FIRST._replace(videos=20))[0])


@pytest.mark.parametrize(
    ("ours_s", "plain_s", "target_ratio", "same", "met"),
    [
        (0.5, 200, 200, True, True),
        (0.5, 99, 200, True, False),
        (1.5, 900, 200, True, False),
        (0.5, 200, 200, False, False),
        (0.5, None, None, None, True),
        (0.5, None, None, False, False),
    ],
)
def test_when_a_row_is_met(ours_s, plain_s, target_ratio, same, met):
    row = benchmark.row("x", benchmark.FIRST, ours_s, 1, plain_s, target_ratio, same)
    assert row["met"] is met


@pytest.mark.parametrize("name", ["plain_ap", "plain_recall"])
def test_a_difference_is_seen(monkeypatch, name):
    case = benchmark.Case(4, 20, 2, (0.3,))
    assert benchmark.measure("x", case, 1, 60, 0.1)["same_numbers"] is True
    correct = getattr(benchmark, name)
    monkeypatch.setattr(benchmark, name, lambda *arguments: correct(*arguments) + 1e-6)
    assert benchmark.measure("x", case, 1, 60, 0.1)["same_numbers"] is False
