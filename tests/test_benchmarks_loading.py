"""The loading benchmark: the plain loop loads what afkit's stream loads, and it runs. No timing is judged here."""

import pytest
import torch

from benchmarks import loading
from benchmarks.synthetic import sized
from benchmarks.timing import read_csv

METHODS = ["whole files", "mapped", "mapped, 1 workers", "cache", "cache, 1 workers"]


def test_all_methods_load_the_same_batches(tmp_path):
    recipe = sized("thumos_i3d", "tiny")
    bytes_written = loading.write_data(tmp_path, recipe, videos=5)
    files = list((tmp_path / recipe.data.features[0]).iterdir())
    assert len(files) == 5
    assert 0 <= sum(path.stat().st_size for path in files) - bytes_written <= 5 * 256  # the heads of .npy files
    plain, *streams = [start() for start in loading.methods(tmp_path, recipe, workers=1).values()]
    for _ in range(4):  # two epochs
        expected = next(plain)
        assert expected.abs().sum() > 0
        for stream in streams:
            features = next(stream).features  # (B, C, T), no longer than needed
            steps = features.shape[2]
            assert torch.equal(features, expected[..., :steps]) and not expected[..., steps:].any()
    for stream in streams:
        stream.close()


@pytest.mark.slow
def test_the_loading_benchmark_runs(tmp_path, capsys):
    path = tmp_path / "new" / "loading.csv"
    arguments = ["--videos", "3", "--batches", "2", "--rounds", "1", "--workers", "1", "--csv", str(path)]
    loading.main([*arguments, "--folder", str(tmp_path)])
    found = read_csv(path)
    assert [row["method"] for row in found] == METHODS
    assert all(row.keys() >= {*loading.SHOWN, "videos", "feature_mb", "cold", "processor", "torch"} for row in found)
    for row in found:
        assert min(float(row[name]) for name in ("batches_per_sec", "first_batch_sec", "wait_ms")) > 0
        assert row["enough"] == str(float(row["times_needed"]) >= 1)
        assert (float(row["cached_mb"]) > 0) == row["method"].startswith("cache")
    assert list(tmp_path.iterdir()) == [path.parent], "the temporary folder is left behind"
    assert str(path) in capsys.readouterr().out
