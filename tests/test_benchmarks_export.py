"""The benchmark of exported networks, in small."""

import pytest

from benchmarks import export, timing


@pytest.mark.slow
def test_an_exported_network_is_compared_and_timed(tmp_path):
    path = tmp_path / "export.csv"
    export.main(["--recipes", "temporalmaxer_thumos", "--size", "tiny", "--repeats", "1", "--csv", str(path)])
    (row,) = timing.read_csv(path)
    assert row["length"] == "any" and row["compared"].count("+") == 5 and 0 < float(row["worst"]) <= 1
    assert float(row["torch_ms"]) > 0 and float(row["onnx_ms"]) > 0 and int(row["parameters"]) > 1000
