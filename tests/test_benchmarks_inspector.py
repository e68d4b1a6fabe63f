"""The inspector's benchmark measures a page with as many segments as asked for. No timing is judged here."""

import numpy as np
import pytest

from benchmarks import inspector
from benchmarks.timing import read_csv


def test_the_page_has_the_segments_asked_for():
    made = inspector.many_segments(1000)
    assert (len(made.gt), len(made.predictions)) == (100, 900)
    assert made.gt["label"].nunique() == inspector.NUM_CLASSES
    for table in (made.gt, made.predictions):
        assert np.isfinite(table[["start_sec", "end_sec"]].to_numpy()).all()
        assert (table["start_sec"] < table["end_sec"]).all() and table["start_sec"].min() >= 0


@pytest.mark.slow
def test_the_inspectors_benchmark_runs(tmp_path, capsys):
    pytest.importorskip("playwright", reason="the browser is driven by playwright")
    if inspector.find_chromium() is None:
        pytest.skip("there is no chromium")
    path = tmp_path / "inspector.csv"
    inspector.main(["--segments", "400", "--frames", "5", "--csv", str(path)])
    found = read_csv(path)
    assert len(found) == 20 and {row["segments"] for row in found} == {"400"}
    assert all(float(row["value"]) >= 0 for row in found)
    for row in found:
        if row["wanted"]:
            assert row["enough"] == str(
                (float(row["value"]) <= float(row["wanted"])) if row["unit"] == "ms" else float(row["value"]) >= 30
            )
    assert str(path) in capsys.readouterr().out
