"""What the tests of this folder tried, counted for docs/reliability.md: AFKIT_TALLY names a folder for the counts."""

import json
import os
from pathlib import Path

import pytest

COUNTS = pytest.StashKey[dict]()


def pytest_configure(config):
    config.stash[COUNTS] = {}


@pytest.fixture
def tally(request):
    """tally(section, row, **counts) adds to a row of a table; the columns are the counts' names with blanks for _."""
    file = request.path.relative_to(request.config.rootpath).as_posix()

    def add(section, row, **counts):
        entry = request.config.stash[COUNTS].setdefault((section, row, file), {})
        for column, count in counts.items():
            entry[column] = entry.get(column, 0) + count

    return add


def pytest_sessionfinish(session):
    counts, folder = session.config.stash[COUNTS], os.environ.get("AFKIT_TALLY")
    if folder and counts:
        rows = [
            {"section": section, "row": row, "file": file, "counts": entry}
            for (section, row, file), entry in counts.items()
        ]
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / f"{os.getpid()}-{os.urandom(4).hex()}.json"
        path.write_text(json.dumps({"exit": int(session.exitstatus), "rows": rows}, indent=1), encoding="utf-8")
