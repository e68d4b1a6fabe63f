"""For the reference pages: the comment behind a field of a class is its description."""

from pathlib import Path
from typing import Any

import griffe


class CommentsAsDocstrings(griffe.Extension):
    """Give each field of a class that has no docstring the comment at the end of its line."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Look at a field that griffe has found."""
        if attr.docstring or not attr.lineno or not attr.parent.is_class or not isinstance(attr.filepath, Path):
            return
        line = attr.filepath.read_text(encoding="utf-8").splitlines()[attr.lineno - 1]
        comment = line.partition("  # ")[2].strip()  # the formatter puts two blanks before a comment
        if comment and not comment.startswith("noqa"):
            attr.docstring = griffe.Docstring(comment, lineno=attr.lineno, parent=attr)
