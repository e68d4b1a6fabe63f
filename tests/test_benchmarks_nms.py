"""The NMS benchmark: its baseline is right, it notices wrong picks, and it runs. No timing is judged here."""

import pytest
import torch

from afkit.detect.operator import unavailable
from afkit.detect.suppression import nms
from benchmarks import nms as benchmark
from benchmarks import textbook
from benchmarks.candidates import PATTERNS, patterned, realistic
from benchmarks.timing import read_csv

REASON = unavailable("cpp")  # the baseline needs the same tools
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REASON), reason=REASON)]

COLUMNS = (
    "name backend method pattern candidates classes kept videos textbook_ms ours_ms speedup target_speedup target_ms "
    "met same_picks processor cores threads torch"
)
SETTINGS = [
    {"method": "soft"},
    {"method": "soft", "max_segments": 1000, "min_score": 0.01},
    {"method": "linear", "iou_threshold": 0.3},
    {"method": "hard"},
    {"method": "hard", "min_score": 0.1, "iou_threshold": 0.5},
    {"multiclass": False, "sigma": 0.75, "max_segments": 50, "voting_threshold": 0.7},
]


@pytest.fixture(scope="module", autouse=True)
def baseline():
    textbook.build()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("pattern", ["realistic", *PATTERNS])
def test_the_textbook_gives_the_picks_of_the_reference(pattern, settings):
    for seed in range(2):
        given = realistic(300, 4, seed=seed) if pattern == "realistic" else patterned(pattern, 200, 4, seed=seed)
        theirs = textbook.nms(*given[:3], **settings)
        assert textbook.agree(nms(*given[:3], **settings, backend="torch"), theirs)


@pytest.mark.parametrize("what", ["segment", "score", "label", "count"])
def test_other_picks_are_noticed(what):
    theirs = textbook.nms(*realistic(300, 4)[:3])
    segments, scores, labels = (column.clone() for column in theirs)
    assert textbook.agree((segments, scores, labels), theirs)
    if what == "segment":
        segments[5, 1] += 0.1
    elif what == "score":
        scores[5] += 1e-5
    elif what == "label":
        labels[5] += 1
    else:
        segments, scores, labels = segments[:-1], scores[:-1], labels[:-1]
    assert not textbook.agree((segments, scores, labels), theirs)


def test_ties_may_come_in_any_order():
    segments, labels = torch.tensor([[0.0, 1], [2, 3], [4, 5]]), torch.tensor([0, 0, 0])
    scores = torch.tensor([0.5, 0.5, 0.25])
    assert textbook.agree((segments, scores, labels), (segments[[1, 0, 2]], scores, labels))
    assert not textbook.agree((segments, scores, labels), (segments[[2, 1, 0]], scores, labels))


def test_it_runs_and_writes_what_it_measured(tmp_path, capsys):
    path = tmp_path / "folder" / "nms.csv"
    benchmark.main(["--quick", "--csv", str(path)])
    found = read_csv(path)
    assert list(found[0]) == COLUMNS.split()
    assert len(found) == len(benchmark.CASES) + len(benchmark.grid(benchmark.SIZES[:2]))
    assert {row["same_picks"] for row in found} == {"True"}
    assert all(float(row["ours_ms"]) > 0 and float(row["textbook_ms"]) > 0 for row in found)
    printed = capsys.readouterr().out
    assert "Worst: " in printed
    assert str(path) in printed
