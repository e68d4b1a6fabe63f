"""Common to the tests of pictures. A machine without matplotlib (a bare GPU node) collects none of them."""

import importlib.util

import pytest

if importlib.util.find_spec("matplotlib") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import matplotlib

    matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def style():
    """The common look, and matplotlib's defaults again afterwards."""
    from afkit.view.style import use_style

    with matplotlib.rc_context():
        use_style()
        yield
