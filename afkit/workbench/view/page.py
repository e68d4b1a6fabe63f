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
        OSError: the folder cannot be written to.
    """
    if Path(path).suffix != ".html":
        raise ValueError(f"a page's name ends in .html, not as in '{Path(path).name}'")
    shown = [(section.heading, [_shown(part) for part in section.parts]) for section in sections]
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_TEMPLATE)
    write_text(path, page.render(title=title, sections=shown, style=_STYLE))


def _shown(part: str | pd.DataFrame | Picture) -> dict:
    """A part as the template takes it."""
    if isinstance(part, Picture):
        return {"kind": "picture", "data": _svg(part.figure), "text": part.caption}
    if isinstance(part, pd.DataFrame):
        columns = [(str(name), _is_number(column)) for name, column in part.items()]
        rows = list(zip(*(_cells(column) for _, column in part.items()), strict=True))
        return {"kind": "table", "columns": columns, "rows": rows}
    return {"kind": "text", "text": str(part)}


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _cells(column: pd.Series) -> list[str]:
    if pd.api.types.is_bool_dtype(column):
        return ["yes" if value else "no" for value in column]
    form = "{:.2f}" if pd.api.types.is_float_dtype(column) else "{}"
    shown = ["" if pd.isna(value) else form.format(value) for value in column]
    return [text.replace("-", "\N{MINUS SIGN}") for text in shown] if _is_number(column) else shown


def _svg(figure: Figure) -> str:
    """A picture as base64; as an image of its own, so that names inside it cannot meet those of another."""
    buffer = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "afkit"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return base64.b64encode(buffer.getvalue()).decode()


_STYLE = """
:root { color-scheme: light dark; --ink: #222; --quiet: #5c5c5c; --paper: #fff; --line: #d8d8d8; --band: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --quiet: #a8a8a8; --paper: #16181b; --line: #3b4046; --band: #202429; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1.5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); }
p { max-width: 44rem; margin: .6rem 0; }
nav { columns: 14rem; margin-bottom: 1rem; }
nav a { display: block; color: inherit; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { background: var(--band); vertical-align: bottom; }
td { max-width: 34rem; }
.number { text-align: right; white-space: nowrap; }
figure { margin: 1.2rem 0; max-width: 44rem; break-inside: avoid; }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { color: var(--quiet); font-size: .875rem; margin-top: .4rem; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .table { overflow: visible; } table { font-size: 8pt; } th, td { padding: .1rem .3rem; }
  figure { max-width: 18cm; } h2 { break-after: avoid; } nav { display: none; }
}
"""

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
<h1>{{ title }}</h1>
<nav aria-label="Sections">
{% for heading, _ in sections %}
<a href="#section{{ loop.index }}">{{ heading }}</a>
{% endfor %}
</nav>
{% for heading, parts in sections %}
<section>
<h2 id="section{{ loop.index }}">{{ heading }}</h2>
{% for part in parts %}
{% if part.kind == "text" %}
<p>{{ part.text }}</p>
{% elif part.kind == "table" %}
<div class="table" tabindex="0" role="region" aria-label="Table: {{ heading }}"><table>
<thead><tr>
{% for name, is_number in part.columns %}<th scope="col"{% if is_number %} class="number"{% endif %}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in part.rows %}
<tr>
{% for cell in row %}<td{% if part.columns[loop.index0][1] %} class="number"{% endif %}>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
{% else %}
<figure><img alt="{{ part.text }}" src="data:image/svg+xml;base64,{{ part.data }}">
<figcaption>{{ part.text }}</figcaption></figure>
{% endif %}
{% endfor %}
</section>
{% endfor %}
</body>
</html>
"""
