"""Whose notebooks are executed: those of a folder that another user can change only where the user names the folder."""

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from afkit.recipe_files import find_project


def project_root() -> Path:
    """`find_project`, trusted: relative paths of notebooks and commands start here.

    ValueError where the checkout, its notebooks, or a folder between it and the working directory are another user's,
    and it is not named as trusted; see `check_trusted`.
    """
    here, folder = Path.cwd(), find_project()
    with suppress(PermissionError):  # what cannot be looked into is no project
        if (folder / "notebooks" / "01_data.ipynb").is_file():
            between = (place for place in (here, *here.parents) if folder in place.parents)
            check_trusted(folder, folder, folder / "notebooks", *filter(is_of_another, between))
    return folder


def check_trusted(project: Path, *paths: Path) -> None:
    """A ValueError for a project of which somebody else can change what is executed, in the manner of git.

    Trusted are the user's own files and root's, unless everybody may write to them; the checkout that this code runs
    from; and projects that `AFKIT_TRUST` names, each exactly, as in git's `safe.directory`.
    """
    named = [part for part in os.environ.get("AFKIT_TRUST", "").split(os.pathsep) if part]
    has_owners = hasattr(os, "geteuid")  # not on Windows
    if not has_owners or project in map(Path, named) or project == Path(__file__).resolve().parents[2]:
        return
    for path in paths:
        for_all = "may be written to by everybody" if path.stat().st_mode & stat.S_IWOTH else ""
        if others := is_of_another(path) or for_all:
            allow = shlex.quote(os.pathsep.join([*named, str(project)]))
            raise ValueError(
                f"{path} {others}, so the notebooks of {project} are not executed; work in another folder, or, if you "
                f"trust all who can change it: export AFKIT_TRUST={allow}"
            )


def is_of_another(path: Path) -> str:
    """That a file belongs to neither the user nor root, in words; "" where it does, or the system has no owners."""
    owner = path.stat().st_uid
    if not hasattr(os, "geteuid") or owner in (os.geteuid(), 0):
        return ""
    return f"belongs to another user (number {owner}; you are {os.geteuid()})"
