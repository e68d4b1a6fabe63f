"""Executed notebooks as pages that a browser shows without a kernel."""

from pathlib import Path

from afkit.files import write_text
from afkit.opening import check_plain

FETCHED = ("require_js_url", "mathjax_url", "mermaid_js_url", "mermaid_layout_elk_js_url")  # none of it is needed


def write_pages(folder: Path) -> list[Path]:
    """Write an .html file beside each notebook of a folder.

    Returns:
        the pages.

    Raises:
        ValueError: a notebook cannot be read.
    """
    from nbconvert import HTMLExporter  # takes a second

    # templates run code, and nbconvert would look for them in the working directory first
    exporter = HTMLExporter(embed_images=True, extra_template_basedirs=[], **dict.fromkeys(FETCHED, ""))
    pages = []
    for notebook in sorted(folder.glob("*.ipynb")):
        try:
            check_plain(notebook)
            text, _ = exporter.from_filename(str(notebook))
        except Exception as error:  # nbformat, nbconvert and jinja have errors of their own
            raise ValueError(f"{notebook} cannot be made a page: {error}") from None
        pages.append(notebook.with_suffix(".html"))
        write_text(pages[-1], text)
    return pages
