"""Executed notebooks as pages that need no kernel, in which the inspector is alive."""

import html
from dataclasses import replace
from pathlib import Path
from typing import Any

from afkit.files import write_text
from afkit.opening import check_plain
from afkit.workbench.progress import progress
from afkit.workbench.runs.interrupts import temporary_folder

FETCHED = ("require_js_url", "mathjax_url", "mermaid_js_url", "mermaid_layout_elk_js_url")  # of pages: none is needed
WIDGET = "application/vnd.jupyter.widget-view+json"
MOST_BYTES = 30 * 10**6  # of an inspector within a page; a larger one stays a picture
FRAME = '<iframe title="inspector" style="width: 100%; height: 56em; border: 0" srcdoc="{}"></iframe>'


def write_pages(folder: Path) -> list[Path]:
    """Write an .html page, which needs no kernel, beside each notebook of a run; a ValueError names a broken one."""
    import nbformat  # these take a second
    from nbconvert import HTMLExporter

    # templates run code, and nbconvert would look for them in the working directory first
    exporter = HTMLExporter(embed_images=True, extra_template_basedirs=[], **dict.fromkeys(FETCHED, ""))
    pages = []
    for path in progress(sorted(folder.glob("*.ipynb")), "pages"):
        try:
            check_plain(path)
            notebook = nbformat.read(path, as_version=4)
            _revive_inspectors(notebook, folder)
            text, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        except Exception as error:  # nbformat, nbconvert and jinja have errors of their own
            raise ValueError(f"{path} cannot be made a page: {error}") from None
        pages.append(path.with_suffix(".html"))
        write_text(pages[-1], text)
    return pages


def drop_widgets(notebook: Any) -> None:
    """Leave out of an executed notebook, whose kernel is gone, widgets for which a picture stands.

    Pages that other tools make of it would prefer the widget, and show nothing.
    """
    for output in _outputs(notebook):
        if "image/png" in output.get("data", {}):
            output.data.pop(WIDGET, None)


def _revive_inspectors(notebook: Any, folder: Path) -> None:
    """Put the inspector of the run in the place of its picture."""
    for output in _outputs(notebook):
        shown = output.get("metadata", {}).get("afkit_inspector", {})
        if shown.get("title") == f"{folder.parent.name}/{folder.name}":
            page = _inspector(folder, float(shown["tiou"]), float(shown["min_score"]))
            if len(page) <= MOST_BYTES:
                output.data = {"text/html": FRAME.format(html.escape(page))}


def _inspector(folder: Path, tiou: float, min_score: float) -> str:
    """The page of `afkit view --html`."""
    from afkit.workbench.inspector.page import write_inspector  # with what draws, which takes a second
    from afkit.workbench.runs.run_inspector import collect_inspected

    inspected = collect_inspected(folder)
    tracks = replace(inspected.tracks, curves=None)
    with temporary_folder() as place:
        write_inspector(place / "inspector.html", replace(inspected, tracks=tracks), tiou=tiou, min_score=min_score)
        return (place / "inspector.html").read_text(encoding="utf-8")


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]
