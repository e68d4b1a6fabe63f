"""A process that dies at any place while it writes leaves the old file or the new one, and the next start ends well."""

import os
import sys
from contextlib import contextmanager
from itertools import count

import pytest

pytest.importorskip("nbconvert", reason="notebooks become pages by nbconvert")
from faults import attempt, check_whole, copied, listing, litter, prepared
from written import KINDS

from afkit.files import LOCK

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")]


@contextmanager
def refusal_of_what_is_complete(folder, after):
    """A folder that must not exist may be complete already when the process dies."""
    complete = listing(folder).items() >= after.items()
    try:
        yield
    except ValueError as error:
        assert complete and "exists" in str(error)


@pytest.mark.parametrize("name, over", [(name, over) for name, kind in KINDS.items() for over in kind.cases])
def test_a_crash_at_any_place_leaves_old_or_new_and_is_made_good(name, over, tmp_path, tally, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # it takes long, and no crash of a process needs it
    kind, base, folder = KINDS[name], tmp_path / "base", tmp_path / "work"
    before, after = prepared(kind, tmp_path, over)
    # `make reliability` tries every place; the harder case is that over what is there, where both are tried
    step = 1 if "AFKIT_TALLY" in os.environ else 3 if over == kind.cases[-1] else 7
    crashed = 0
    for place in count(1, step):
        copied(base, folder)
        ended = attempt(lambda: kind.write(folder, 2), folder, place)
        if ended.end != "crashed":
            break
        crashed += 1
        left = litter(check_whole(kind, folder, before, after), before, after)
        assert len([name for name in left if not name.endswith(LOCK)]) <= 1, "one unfinished thing, beside its lock"
        with refusal_of_what_is_complete(folder, after):
            kind.write(folder, 2)
        assert listing(folder) == after
    assert ended.end == "done" and place > 3
    zeros = dict.fromkeys(("files_half_written", "old_files_lost", "not_made_good", "piles_of_litter"), 0)
    tally("Interrupted writes", name, crash_points=crashed, **zeros)
