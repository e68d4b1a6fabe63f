"""The user's own folders, and whether somebody else can write to them."""

import os
import stat
import tempfile
from pathlib import Path

OTHERS = stat.S_IWGRP | stat.S_IWOTH


def home_folder() -> Path | None:
    """The user's home folder; None where the system knows neither it nor the user, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def private_folder() -> Path:
    """A folder of this user alone in the system's folder for temporary files, made if missing; always the same.

    Raises:
        ValueError: somebody else has made it, or could write to it.
        OSError: it cannot be made.
    """
    folder = (Path(tempfile.gettempdir()).resolve()) / f"afkit-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if reason := why_not(folder):
        raise ValueError(reason)
    return folder


def why_not(path: Path) -> str:
    """Why something that lies there may be another user's; "" where only this user, or root, can have written it.

    That holds for the folders above it, too; in one with the sticky bit, as that of temporary files, others can neither
    remove nor rename what is not theirs.

    Args:
        path: a file, or a folder that need not exist, without links on the way.
    """
    for place in (path, *path.parents):
        try:
            state = place.lstat()
        except OSError:  # it is to be made
            continue
        if state.st_uid not in (_user(), 0):
            return f"{place} belongs to another user"
        if stat.S_ISLNK(state.st_mode):
            return f"{place} is a link"
        if state.st_mode & OTHERS and not (place != path and state.st_mode & stat.S_ISVTX):
            return f"others can write to {place} (chmod go-w forbids it)"
    return ""


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
