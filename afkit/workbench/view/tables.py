"""Tables in a notebook: as people read them, and literally."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import display

MOST_ROWS = 60  # that are shown
TABLE = '<table class="tex2jax_ignore mathjax_ignore">{}<thead>{}</thead><tbody>{}</tbody></table>'  # $ is no formula
CAPTION = '<caption style="text-align: left; caption-side: top">{}</caption>'
CELL = '<{0} style="text-align: {1}; white-space: normal">{2}</{0}>'  # JupyterLab drops style sheets of others


def show_table(
    table: pd.DataFrame, nothing: str = "", digits: int | None = 2, index: bool = True, caption: str = ""
) -> None:
    """Display a table, of a long one its beginning; where it has no rows, print the sentence `nothing`.

    The other arguments are those of `table_as_html`.
    """
    if table.empty:
        print(nothing)
        return
    if len(table) > MOST_ROWS:
        caption += f"{': ' if caption else ''}the first {MOST_ROWS} of {len(table)} rows"
    shown = table.head(MOST_ROWS)
    text = shown.to_string(index=index)
    display({"text/html": table_as_html(shown, digits, index, caption), "text/plain": text}, raw=True)


def table_as_html(table: pd.DataFrame, digits: int | None = 2, index: bool = True, caption: str = "") -> str:
    """A table whose cells, headings and caption are shown as they are, also where they look like HTML or a formula.

    Whole numbers have gaps between the thousands from 10 000 on, others `digits` decimals or, where that is None, as
    many as they need; what is missing is blank. Numbers stand to the right, text to the left, and headings over them.
    Without `index` rows have no names.
    """
    sides = ["left"] * index + ["right" if is_number(column) else "left" for _, column in table.items()]
    corner = table.columns.name or table.index.name or ""

    def row(name: object, cells: Sequence[object], tag: str) -> str:
        tags = ["th"] * index + [tag] * len(cells)
        texts = [str(name)] * index + [cell(value, digits) for value in cells]
        return f"<tr>{''.join(map(CELL.format, tags, sides, map(html.escape, texts)))}</tr>"

    rows = "".join(row(name, cells, "td") for name, *cells in table.itertuples(name=None))
    above = CAPTION.format(html.escape(caption)) if caption else ""
    return TABLE.format(above, row(corner, [*table.columns], "th"), rows)


def is_number(column: pd.Series) -> bool:
    """Whether a column holds numbers alone, but for what is missing; truth values are none."""
    kinds = {type(value) for value in column if not (value is None or value is pd.NA)}
    return all(issubclass(kind, int | float | np.number) and kind is not bool for kind in kinds)


def cell(value: Any, digits: int | None = 2) -> str:
    """A value as text, see `table_as_html`."""
    if isinstance(value, float | np.floating):
        text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
        return "" if np.isnan(value) else text.replace("-", "\N{MINUS SIGN}")
    if isinstance(value, list | tuple):  # a setting
        return ", ".join(f"({cell(one, digits)})" if isinstance(one, list | tuple) else str(one) for one in value)
    if isinstance(value, int | np.integer) and abs(int(value)) >= 10_000:
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return "" if value is None or value is pd.NA else str(value)
