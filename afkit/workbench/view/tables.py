"""Tables of text in a notebook: to the left, in as many lines as needed, and literally."""

import pandas as pd
from pandas.io.formats.style import Styler


def literal_table(table: pd.DataFrame) -> Styler:
    """A table whose cells and headings a notebook shows as they are, also where they look like HTML or a formula."""
    shown = table.astype(object).map(lambda value: value if isinstance(value, int | float) else str(value))
    styled = shown.style.format(escape="html").format_index(escape="html").format_index(escape="html", axis="columns")
    styled.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')  # names with two dollars are no formula
    return styled.set_properties(**{"text-align": "left", "white-space": "normal"})
