"""One HTML file that holds everything: text, tables, pictures. It opens without a server and without a network."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from jinja2 import Environment
from matplotlib.figure import Figure

from afkit.files import write_text
from afkit.workbench.view.style import in_words
from afkit.workbench.view.tables import cell, is_number

TEMPLATE = Path(__file__).with_name("page.html")


class Picture(NamedTuple):
    """A figure and what it shows, in a sentence: its caption, which is also read aloud instead of it."""

    figure: Figure  # drawn as SVG
    caption: str  # one sentence


class Section(NamedTuple):
    """A part of a page, with a heading of its own; text becomes a paragraph."""

    heading: str  # plain text
    parts: Sequence[str | pd.DataFrame | Picture]  # paragraphs, tables and pictures, in their order


def write_page(path: str | Path, title: str, sections: Sequence[Section]) -> None:
    """Write a page whole or not at all.

    All text is shown literally, not taken for HTML. Tables show their columns and not their index; a missing value is
    blank, and a float has two digits. Pictures are SVG inside the file. There are no scripts and no references.

    Args:
        path: ends in .html.

    Raises:
        ValueError: another ending.
    """
    if Path(path).suffix != ".html":
        raise ValueError(f"a page's name ends in .html, not as in '{Path(path).name}'")
    shown = [(section.heading, [_shown(part) for part in section.parts]) for section in sections]
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    write_text(path, page.render(title=title, sections=shown))


def _shown(part: str | pd.DataFrame | Picture) -> dict:
    """A part as the template takes it."""
    if isinstance(part, Picture) and not part.figure.get_label():
        return {"kind": "picture", "data": _svg(part.figure), "text": part.caption}
    if isinstance(part, pd.DataFrame):
        columns = [(str(name), is_number(column)) for name, column in part.items()]
        rows = [[cell(value) for value in row] for row in part.itertuples(index=False, name=None)]
        return {"kind": "table", "columns": columns, "rows": rows}
    return {"kind": "text", "text": in_words(part.figure) if isinstance(part, Picture) else str(part)}


def _svg(figure: Figure) -> str:
    """A picture as base64; as an image of its own, so that names inside it cannot meet those of another."""
    buffer = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "afkit"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return base64.b64encode(buffer.getvalue()).decode()
