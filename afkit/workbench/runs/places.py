"""Texts without the folders of this machine: what a run leaves is passed on to people with other ones."""

import os
import re
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import afkit
from afkit.opening import home_folder
from afkit.workbench.trust import project_root


def relative_to_project(path: str | Path) -> str:
    """A folder as notebooks and run.json name it: as it leads there from the project, where their kernels start."""
    return Path(os.path.relpath(project_root() / path, project_root())).as_posix()


def portable(value: Any) -> Any:
    """A notebook parameter that is an absolute path as it leads there from the project; any other as it is."""
    return relative_to_project(value) if isinstance(value, str) and Path(value).is_absolute() else value


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
        _home(): "~",
    }
    text = str(text)
    there = [place for place in places.items() if str(place[0]) in text]  # quick, for pictures are long texts
    for folder, name in sorted(there, key=lambda place: -len(str(place[0]))):
        whole = rf"(?:(?<![\w.-])|(?<=\dm)){re.escape(str(folder))}(?![\w-])"  # `32m` ends a colour of a traceback
        text = re.sub(f"{whole}/", f"{name}/" if name else "", text)
        text = re.sub(whole, name or ".", text)
    return text


def without_paths(text: object) -> str:
    """A one-line message with all absolute paths cut down to their last part, those of other machines, too.

    Not for pages and notebooks, whose markup looks like paths; `hide_places` knows which folders it looks for.
    """
    return re.sub(r"(?<![\w/:])/(?:[^/\s'\"]+/)+", "…/", str(text).replace(str(_home()), "~"))


def _home() -> Path:
    """The user's home folder; without one, or where it is the root of all folders, what stands in no text."""
    home = home_folder()
    return home if home is not None and home != Path(home.anchor) else Path("\0")
