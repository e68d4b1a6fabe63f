"""What the tests of this folder tried, counted for docs/reliability.md: AFKIT_TALLY names a folder for the counts."""

import json
import os
from pathlib import Path

import pytest
from hostile import in_child

PRINTABLE = ("annotations", "names of videos", "predictions", "imported annotations")
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


@pytest.fixture
def hostile(tally):
    """hostile(row): one more file that ended as it should."""
    zeros = {"code_run": 0, "other_exceptions": 0}
    return lambda row, refused=1: tally("Hostile and broken files", row, cases=1, refused=refused, **zeros)


@pytest.fixture
def refused(hostile):
    """refused(row, read, path, match): a sentence names the file, after little memory and time; nothing appears."""

    def check(row, read, path, match, grown_mb=50):
        def attempt():
            with pytest.raises(ValueError, match=match) as caught:
                read(path)
            message = str(caught.value)
            assert type(caught.value) is ValueError, repr(caught.value)
            assert path.stem in message and len(message) < 2000, message
            assert "\n" not in message or row == "imported annotations", "one sentence; an import lists all problems"
            assert message.replace("\n", "").isprintable() or row not in PRINTABLE, message

        before = sorted(path.parent.rglob("*"))
        ended = in_child(attempt, seconds=20)
        assert ended.end == "done" and ended.memory_mb < grown_mb, ended
        assert sorted(path.parent.rglob("*")) == before
        hostile(row)

    return check


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
