"""A report that grows cell by cell: each part is shown in the notebook at once, and kept for a page."""

import textwrap
from pathlib import Path

import pandas as pd

from afkit.workbench.view.page import Picture, Section, write_page
from afkit.workbench.view.style import show
from afkit.workbench.view.tables import show_table

LINE = 100  # letters


class Report:
    """The sections of a page, in the order in which cells have added them."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.sections: list[Section] = []

    def add(self, heading: str, *parts: str | pd.DataFrame | Picture) -> None:
        """Show texts, tables and pictures, and keep them as a section of the page, but for tables without rows."""
        kept = [part for part in parts if not (isinstance(part, pd.DataFrame) and part.empty)]
        for part in kept:
            if isinstance(part, str):
                print(textwrap.fill(part, LINE))  # a notebook would break words
            elif isinstance(part, Picture):
                show(part.figure)
            else:
                show_table(part, index=False)
        self.sections.append(Section(heading, kept))

    def write(self, path: str | Path) -> None:
        """Write the page, see `write_page`."""
        write_page(path, self.title, self.sections)
