"""Tables in a notebook: as people read them, and literally."""

import html
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import display
from pandas.io.formats.style import Styler

MOST_ROWS = 60  # that are shown


def show_table(
    table: pd.DataFrame, nothing: str = "", digits: int | None = 2, index: bool = True, caption: str = ""
) -> None:
    """Display a table, of a long one its beginning; where it has no rows, print the sentence `nothing`.

    The other arguments are those of `literal_table`, but for the caption, which stands above.
    """
    if table.empty:
        print(nothing)
        return
    if len(table) > MOST_ROWS:
        caption += f"{': ' if caption else ''}the first {MOST_ROWS} of {len(table)} rows"
    styled = literal_table(table.head(MOST_ROWS), digits, index)
    display(styled.set_caption(html.escape(caption)) if caption else styled)


def literal_table(table: pd.DataFrame, digits: int | None = 2, index: bool = True) -> Styler:
    """A table whose cells and headings a notebook shows as they are, also where they look like HTML or a formula.

    Whole numbers have gaps between the thousands from 10 000 on, others `digits` decimals or, where that is None, as
    many as they need; what is missing is blank. Numbers stand to the right, text to the left, and headings over them.
    Without `index` rows have no names.
    """
    shown = table.astype(object).map(lambda value: _cell(value, digits))
    if not isinstance(table.index, pd.MultiIndex):  # both names in the corner, in one line
        shown = shown.rename_axis(index=None, columns=table.columns.name or table.index.name)
    styled = shown.style.format(escape="html").format_index(escape="html").format_index(escape="html", axis="columns")
    styled.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')  # names with two dollars are no formula
    sides = ["right" if column.map(_is_number).all() else "left" for _, column in table.items()]
    styles = [
        {"selector": f".col{place}", "props": f"text-align: {side} !important"} for place, side in enumerate(sides)
    ]
    styles.append({"selector": "td", "props": "white-space: normal"})
    styles.append({"selector": "caption", "props": "text-align: left; caption-side: top; padding: 0 0 4px"})
    styles.append({"selector": ".row_heading, .index_name", "props": "text-align: left !important"})
    styled.set_table_styles(styles)
    return styled if index else styled.hide(axis="index")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number or value is None or value is pd.NA


def _cell(value: Any, digits: int | None) -> str:
    if isinstance(value, float | np.floating):
        text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
        return "" if np.isnan(value) else text.replace("-", "\N{MINUS SIGN}")
    if isinstance(value, list | tuple):  # a setting
        return ", ".join(f"({_cell(one, digits)})" if isinstance(one, list | tuple) else str(one) for one in value)
    if isinstance(value, int | np.integer) and abs(int(value)) >= 10_000:
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return "" if value is None or value is pd.NA else str(value)
