"""A data root with the tiny data set."""

import pytest
from tiny_data import write_tiny_data


@pytest.fixture
def root(tmp_path):
    """A data root with the tiny data set, to be changed."""
    write_tiny_data(tmp_path)
    return tmp_path
