"""Common to the tests of pictures."""

import matplotlib
import pytest

from afkit.workbench.view.style import use_style


@pytest.fixture(autouse=True)
def style():
    """The common look, and matplotlib's defaults again afterwards."""
    with matplotlib.rc_context():
        use_style()
        yield
