"""The benchmark of a cluster: every recording is predicted once, and alike by any number of workers."""

import pytest
from run_folders import write_trained
from tiny_data import tiny_recipe, write_tiny_data

pytest.importorskip("distributed", reason="workers are those of dask")

from benchmarks import cluster
from benchmarks.timing import read_csv


@pytest.mark.slow
def test_workers_share_the_recordings_and_find_the_same(tmp_path, monkeypatch):
    write_tiny_data(tmp_path, training=1, test=2)
    run = write_trained(tmp_path / "run", tmp_path, tiny_recipe(model__class_prior=0.3))
    monkeypatch.setattr(cluster, "SHARD", 2)
    monkeypatch.setattr(cluster, "STEPS", (20, 40))
    cluster.main([str(run), "--recordings", "5", "--csv", str(tmp_path / "cluster.csv")])
    one, two = read_csv(tmp_path / "cluster.csv")
    assert (one["workers"], two["workers"]) == ("1", "2")
    assert (one["recordings"], two["recordings"]) == ("5", "5") and two["same_files"] == "True"
