"""Common to the tests of training."""

import pytest
from tiny_data import write_tiny_data
from trainings import start

from afkit.train import record


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A data root with the tiny data set."""
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root)
    return root


@pytest.fixture(scope="session")
def finished(data, tmp_path_factory):
    """An uninterrupted training with seed 1: (folder, metrics)."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, start(data, folder)


@pytest.fixture
def told_each_step(monkeypatch):
    """on_progress is called after every step."""
    monkeypatch.setattr(record, "PROGRESS_SEC", 0)
