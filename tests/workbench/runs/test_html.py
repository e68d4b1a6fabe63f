"""Executed notebooks as pages that need no kernel and fetch nothing."""

import re

import nbformat
import pytest

pytest.importorskip("nbconvert", reason="pages are made by nbconvert")
from afkit.workbench.runs.notebooks import write_pages


def test_each_notebook_becomes_a_page_with_its_outputs(tmp_path):
    text = nbformat.v4.new_output("display_data", {"text/html": "<b>a table</b>", "image/png": "aGVsbG8="})
    cells = [
        nbformat.v4.new_markdown_cell("# A heading"),
        nbformat.v4.new_code_cell("print(1)", outputs=[nbformat.v4.new_output("stream", text="said"), text]),
    ]
    for name in ("01_data", "02_train"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    assert [path.name for path in write_pages(tmp_path)] == ["01_data.html", "02_train.html"]
    page = (tmp_path / "02_train.html").read_text()
    assert "A heading" in page and "said" in page and "<b>a table</b>" in page
    assert re.findall(r"<(?:script|link)[^>]*https?://[^>]*>", page) == []
    assert "https://cdn" not in page


def test_templates_in_the_working_directory_are_not_used(tmp_path, monkeypatch):
    """They can run any code, and a working directory may be anybody's."""
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")]), tmp_path / "01_data.ipynb")
    (tmp_path / "here" / "lab").mkdir(parents=True)
    (tmp_path / "here" / "lab" / "index.html.j2").write_text("{{ cycler.__init__.__globals__.os.getcwd() }}")
    monkeypatch.chdir(tmp_path / "here")
    (page,) = write_pages(tmp_path)
    assert "<html" in page.read_text()


def test_a_broken_notebook_is_named(tmp_path):
    (tmp_path / "01_data.ipynb").write_text("{")
    with pytest.raises(ValueError, match=r"01_data\.ipynb cannot be made a page: ") as error:
        write_pages(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "01_data.html").exists()
