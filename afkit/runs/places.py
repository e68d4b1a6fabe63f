"""Texts without the folders of this machine: what a run leaves is passed on to people with other ones."""

import os
import re
import sys
import sysconfig
import tempfile
from pathlib import Path

import afkit
from afkit.files import project_root


def relative_to_project(path: str | Path) -> str:
    """A folder as notebooks and run.json name it: as it leads there from the project, where their kernels start."""
    return Path(os.path.relpath(project_root() / path, project_root())).as_posix()


def hide_places(text: object) -> str:
    """A text in which the folders that only this machine has are shortened.

    Those of the project go, so that a file is named as commands name it; home becomes "~", and what belongs to the
    Python installation, to afkit and to temporary files "<python>", "<afkit>" and "<tmp>".
    """
    places = {
        project_root(): "",
        Path(afkit.__file__).parents[1]: "<afkit>",
        Path(sys.prefix): "<python>",
        Path(sysconfig.get_path("stdlib")): "<python>",
        Path(tempfile.gettempdir()): "<tmp>",
        Path.home(): "~",
    }
    text = str(text)
    for folder, name in sorted(places.items(), key=lambda place: -len(str(place[0]))):
        whole = rf"(?:(?<![\w.-])|(?<=\dm)){re.escape(str(folder))}(?![\w-])"  # `32m` ends a colour of a traceback
        text = re.sub(f"{whole}/", f"{name}/" if name else "", text)
        text = re.sub(whole, name or ".", text)
    return text
