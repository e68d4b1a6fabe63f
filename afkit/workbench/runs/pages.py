"""Executed notebooks as a page that needs no kernel, in which the inspector is alive."""

import html
import re
from collections.abc import Sequence
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


def write_notebooks(folder: Path) -> Path:
    """Write the executed notebooks of a run as one page, named like the run, which needs no kernel and no other file.

    Code that a notebook folds is left out. Links lead from notebook to notebook within the page; others become text.

    Raises:
        ValueError: a notebook cannot be read; the message names it.
    """
    import nbformat  # these take a second
    from nbconvert import HTMLExporter

    # templates run code, and nbconvert would look for them in the working directory first
    exporter = HTMLExporter(embed_images=True, extra_template_basedirs=[], **dict.fromkeys(FETCHED, ""))
    paths, page, path = sorted(folder.glob("*.ipynb")), nbformat.v4.new_notebook(), folder
    target = folder / f"{folder.parent.name}-{folder.name}.html"
    try:
        for path in progress(paths, "page"):
            check_plain(path)
            notebook = nbformat.read(path, as_version=4)
            _revive_inspectors(notebook, folder)
            _join_links(notebook, [path.stem for path in paths])
            own = [cell for cell in notebook.cells if _unfolded(cell)]
            for place, cell in enumerate(own):  # links lead to the first
                cell["id"] = f"{path.stem}--{place}" if place else path.stem
            page.cells += own
        text, _ = exporter.from_notebook_node(page, {"metadata": {"name": target.stem}})
    except Exception as error:  # nbformat, nbconvert and jinja have errors of their own
        raise ValueError(f"{path} cannot be made a page: {error}") from None
    write_text(target, text)
    return target


def _unfolded(cell: Any) -> bool:
    """Take out of a cell the code that its notebook folds; False where nothing is left."""
    folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
    cell.metadata["transient"] = {"remove_source": folded}  # nbconvert's word for it
    return not folded or bool(cell.get("outputs"))


def _join_links(notebook: Any, names: Sequence[str]) -> None:
    """Let links to other notebooks lead to their place in the page; those to what is not in it become text."""

    def joined(link: re.Match[str]) -> str:
        return f'<a href="#cell-id={link[1]}">{link[2]}</a>' if link[1] in names else link[2]

    for output in _outputs(notebook):
        if "text/html" in output.get("data", {}):
            output.data["text/html"] = re.sub(r'<a href="([^"]*)\.ipynb">(.*?)</a>', joined, output.data["text/html"])


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
