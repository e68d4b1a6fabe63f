"""The benchmark of growing data sets, in small."""

import pytest

from benchmarks import growth, timing


@pytest.mark.slow
def test_each_stage_of_each_size_is_measured_and_the_twins_go(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "in_child", growth.carry_out)  # as of a child, but for the peak of its memory
    monkeypatch.setattr(growth, "STEPS", 1)
    arguments = ["--recipe", "anet_tsp", "--videos", "16", "--times", "1", "2", "--root", str(tmp_path / "twins")]
    growth.main([*arguments, "--csv", str(tmp_path / "growth.csv")])
    rows = timing.read_csv(tmp_path / "growth.csv")
    assert [(row["times"], row["stage"]) for row in rows] == [
        (times, stage) for times in "12" for stage in growth.STAGES
    ]
    assert [row["videos"] for row in rows if row["stage"] == "prepare"] == ["32", "64"]
    assert rows[2]["said"] == "1 steps" and rows[4]["said"].split()[0] == rows[3]["said"].split()[0] != "0"
    assert not any((tmp_path / "twins").iterdir())
