"""Which version of the code wrote a data set that the project writes itself, so that an old one is recognised."""

from pathlib import Path

import afkit
from afkit.files import read_json, write_json
from afkit.workbench.datasets.archives import MARKER

VERSIONS = {"watch": 1, "hapt": 1, "twin": 1}  # to be raised when other files, or other numbers, are written
STAMP = "prepared.json"  # in the data set's folder


def write_stamp(folder: Path, writer: str) -> None:
    """Note in a data set's folder what has written it: {"writer", "version", "afkit"}."""
    write_json(folder / STAMP, {"writer": writer, "version": VERSIONS[writer], "afkit": afkit.__version__})


def stale(folder: Path, recipe: str) -> str:
    """How to renew a data set that an older version wrote, in a sentence; "" where it is up to date, or not ours.

    Args:
        folder: of the data set; a twin is told by its marker.
        recipe: name of the built-in recipe whose data set it is.

    Raises:
        ValueError: prepared.json is damaged.
    """
    writer = "twin" if (folder / MARKER).is_file() else recipe
    if writer not in VERSIONS or not folder.is_dir() or (writer == recipe and folder.name != recipe):
        return ""
    note = read_json(folder / STAMP) if (folder / STAMP).is_file() else {}
    version = note.get("version", 0) if isinstance(note, dict) else 0
    if version == VERSIONS[writer]:
        return ""
    command = {"watch": "prepare watch", "hapt": "prepare hapt ARCHIVE"}.get(writer, f"twin {recipe}")
    which = f"version {version} of its format; now: {VERSIONS[writer]}" if version else "which left no note of itself"
    other = "a newer" if isinstance(version, int) and version > VERSIONS[writer] else "an older"
    return (
        f"{folder} was written by {other} version of afkit ({which}); to renew it, delete it and run: python -m afkit "
        f"{command} (a run that has used it is then another one)"
    )
