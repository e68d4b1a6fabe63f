"""Whose notebooks are executed: those of a folder that another user can change only where the user names the folder."""

import os
import shlex
import stat
from pathlib import Path


def check_trusted(project: Path, *paths: Path) -> None:
    """Refuse a project of which somebody else can change what is executed, in the manner of git's `safe.directory`.

    Trusted are the user's own files and root's, unless everybody may write to them; the checkout that this code runs
    from; and projects that `AFKIT_TRUST` names, each exactly.

    Args:
        project: its folder, absolute.
        paths: files and folders to look at.

    Raises:
        ValueError: one of the paths can be changed by others; the message names it, and how to trust the project.
    """
    named = [part for part in os.environ.get("AFKIT_TRUST", "").split(os.pathsep) if part]
    has_owners = hasattr(os, "geteuid")  # not on Windows
    if not has_owners or project in map(Path, named) or project == Path(__file__).resolve().parents[1]:
        return
    for path in paths:
        if others := is_of_another(path) or _open_to_all(path):
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


def is_common(folder: Path) -> bool:
    """Whether it is a folder for everybody's files, such as that for temporary ones: no project lies there."""
    sticky_and_open = stat.S_ISVTX | stat.S_IWOTH
    return folder.stat().st_mode & sticky_and_open == sticky_and_open


def _open_to_all(path: Path) -> str:
    return "may be written to by everybody" if path.stat().st_mode & stat.S_IWOTH else ""
