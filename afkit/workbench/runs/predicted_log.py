"""The log of a folder of predictions: which files `predict` wrote there, from what; others it does not write over.

An entry is {"recording": its name, "file": name of the file, "key": digest of all that the file follows from}. From
before the file is written until it is whole, the key is empty.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from afkit.files import write_text

Entries = dict[str, dict[str, str]]  # by file, the last of each


def read_log(path: Path) -> Entries:
    """The entries, without what an interruption has left of a line."""
    entries: Entries = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            entry = json.loads(line)
            entries[entry["file"]] = {name: str(entry[name]) for name in ("recording", "file", "key")}
    return entries


def write_log(path: Path, entries: Entries) -> None:
    """Write the entries anew, atomically; what else has the log's name, as a link, goes."""
    write_text(path, "".join(map(_line, entries.values())))


def append_entry(lines: IO[str], entry: Mapping[str, str]) -> None:
    """Append an entry to the open log, at once."""
    lines.write(_line(entry))
    lines.flush()


def _line(entry: Mapping[str, str]) -> str:
    return json.dumps(entry) + "\n"
