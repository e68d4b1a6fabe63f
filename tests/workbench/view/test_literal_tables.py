"""Names in the tables of notebooks are shown, not interpreted."""

import json

import pandas as pd
import pytest
from IPython.core.formatters import HTMLFormatter

from afkit.workbench.runs.notebooks import STAGES, notebook_path
from afkit.workbench.view.style import use_style
from afkit.workbench.view.tables import literal_table

MARKUP = "<script>alert('$x$')</script>"


def test_cells_lists_and_headings_are_literal():
    table = pd.DataFrame({MARKUP: [MARKUP, [MARKUP], None, 1, 0.25, True]}, index=[*"abcde", MARKUP])
    html = literal_table(table)._repr_html_()
    assert "<script>" not in html
    assert html.count("&lt;script&gt;alert(") == 4
    for shown in (">1<", ">0.250000<", ">None<", ">True<"):
        assert shown in html
    assert "tex2jax_ignore mathjax_ignore" in html


def test_a_plain_table_is_literal():
    use_style()
    html = HTMLFormatter()(pd.DataFrame({MARKUP: [MARKUP]}, index=[MARKUP]))
    assert "<script>" not in html and html.count("&lt;script&gt;") == 3
    assert "tex2jax_ignore" in html


@pytest.mark.parametrize("name", [*STAGES, "05_compare"])
def test_notebooks_style_tables_literally(name):
    cells = json.loads(notebook_path(name).read_text())["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for interpreted in (".style", "HTML(", "Markdown(", "Latex("):
        assert interpreted not in source.replace("afkit.workbench.view.style", ""), "see afkit.workbench.view.tables"
