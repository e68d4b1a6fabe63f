"""A report that grows cell by cell: each part is shown in the notebook at once, and kept for a page."""

import html
from pathlib import Path

import pandas as pd
from IPython.display import display

from afkit.workbench.view.page import Picture, Section, write_page
from afkit.workbench.view.style import show
from afkit.workbench.view.tables import show_table


class Report:
    """The sections of a page, in the order in which cells have added them."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.sections: list[Section] = []

    def add(self, heading: str, *parts: str | pd.DataFrame | Picture) -> None:
        """Show texts, tables and pictures, and keep them as a section of the page."""
        for part in parts:
            if isinstance(part, str):
                display({"text/html": f"<p>{html.escape(part)}</p>", "text/plain": part}, raw=True)
            elif isinstance(part, Picture):
                show(part.figure)
            else:
                show_table(part, index=False)
        self.sections.append(Section(heading, parts))

    def write(self, path: str | Path) -> None:
        """Write the page, see `write_page`."""
        write_page(path, self.title, self.sections)
