"""Where built libraries are kept. Loading one runs its code, so that nobody else may be able to write it."""

import functools
import os
import stat
import sys
import tempfile
from pathlib import Path

from afkit.files import home_folder

OTHERS = stat.S_IWGRP | stat.S_IWOTH


class BuildError(RuntimeError):
    """The operator cannot be built or loaded here; the message says why, in a few words."""


def cache_folder() -> Path:
    """The folder for libraries: `AFKIT_CACHE`, or afkit/ in the user's cache folder.

    Where others could write to that, or there is none, it is a private folder in the system's temporary one, and a line
    says once why.

    Raises:
        BuildError: others could write to that one, too.
    """
    named, xdg, home = os.environ.get("AFKIT_CACHE"), os.environ.get("XDG_CACHE_HOME"), home_folder()
    private = (Path(tempfile.gettempdir()) / f"afkit-{_user()}").resolve()
    caches = Path(xdg) if xdg else home and home / ".cache"
    usual = Path(named).resolve() if named else caches and (caches / "afkit").resolve()
    reason = why_not(usual) if usual else "this user has no home folder"
    if usual and not reason and not named:
        reason = _why_not_made(usual)
    if usual and not reason:
        return usual
    if again := why_not(private):
        raise BuildError(f"{reason}, and {again}; set AFKIT_CACHE to a folder of your own")
    _say(f"{reason}, so built libraries are kept in {private}; AFKIT_CACHE names another folder")
    return private


def why_not(path: Path) -> str:
    """Why something that lies there may be another user's; "" where only this user, or root, can have written it.

    That holds for the folders above it, too; in one with the sticky bit, as that of temporary files, others can neither
    remove nor rename what is not theirs.
    """
    for place in (path, *path.parents):
        try:
            state = place.lstat()
        except OSError:  # it is to be made
            continue
        if state.st_uid not in (_user(), 0):
            return f"{place} belongs to another user"
        if state.st_mode & OTHERS and not (place != path and state.st_mode & stat.S_ISVTX):
            return f"others can write to {place} (chmod go-w forbids it)"
    return ""


def _why_not_made(folder: Path) -> str:
    above = next(place for place in (folder, *folder.parents) if place.exists())
    return "" if above == folder or os.access(above, os.W_OK) else f"{above} cannot be written to"


@functools.cache
def _say(text: str) -> None:
    """Print a line, once in a process."""
    print(f"afkit: {text}", file=sys.stderr, flush=True)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
