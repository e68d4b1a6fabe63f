"""A full disk and a read-only folder: one sentence that names the file, what was there stays, nothing half-written."""

import io
import os
import shutil
import subprocess
import sys
from itertools import chain

import pytest

pytest.importorskip("nbconvert", reason="notebooks become pages by nbconvert")
from faults import attempt, check_whole, copied, listing, litter, prepared
from written import KINDS

from afkit.__main__ import main

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")]
SECTION = "Full disks and read-only folders"
REASONS = {"full": "No space left on device", "read-only": "Read-only file system"}
DISK_BYTES = 8 * 2**20
COUNTED = dict.fromkeys(
    ("full_at", "read_only", "really_full", "old_files_lost", "files_half_written", "without_a_reason"), 0
)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small file system in memory."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = sys.platform == "linux" and not mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder)
    if not mounted:
        pytest.skip("a file system can be mounted by root on Linux alone")
    yield folder
    subprocess.run(["umount", folder], check=True)


def mount(*arguments):
    """The exit status of mount."""
    with_text = [str(argument) for argument in arguments]
    return subprocess.run(["mount", *with_text], capture_output=True).returncode if shutil.which("mount") else 1


@pytest.fixture
def emptied(disk):
    """That file system with nothing on it."""
    for path in disk.iterdir():
        path.unlink() if path.is_file() else shutil.rmtree(path)
    return disk


def fill(disk, left):
    """Leave so many bytes on a disk."""
    with (disk / "filler").open("wb", buffering=0) as file:
        while (free := shutil.disk_usage(disk).free) > left:
            file.write(bytes(min(free - left, 2**20)))


def check_refusal(kind, ended, folder, before, after, how):
    """One sentence with the reason and the place; what was there stays, and nothing else but whole files is left."""
    assert ended.end in ("OSError", "ValueError"), ended
    assert REASONS[how] in ended.message and str(folder) in ended.message and "\n" not in ended.message, ended.message
    assert ".tmp" not in ended.message, "a temporary file is named"
    found = check_whole(kind, folder, before, after)
    assert not {name for name in litter(found, before, after) if found[name] is not None}


@pytest.mark.parametrize("name", KINDS)
def test_a_disk_that_is_full_at_any_place_or_read_only_spares_the_old_file(name, tmp_path, tally):
    kind, base, folder = KINDS[name], tmp_path / "base", tmp_path / "work"
    before, after = prepared(kind, tmp_path, kind.cases[-1])
    refused = 0
    for place in chain(range(1, 5), range(5, 999, 5 if "AFKIT_TALLY" in os.environ else 11)):
        copied(base, folder)
        ended = attempt(lambda: kind.write(folder, 2), folder, place, "full")
        if ended.end == "done":
            break
        check_refusal(kind, ended, folder, before, after, "full")
        refused += 1
    assert refused > 2 and listing(folder) == after
    copied(base, folder)
    ended = attempt(lambda: kind.write(folder, 2), folder, 1, "read-only")
    check_refusal(kind, ended, folder, before, after, "read-only")
    assert listing(folder) == before
    tally(SECTION, name, **COUNTED | {"full_at": refused, "read_only": 1})


@pytest.mark.parametrize("name", KINDS)
def test_a_disk_that_is_really_full_or_read_only_is_named_and_room_is_enough_to_go_on(name, emptied, tally):
    kind, folder = KINDS[name], emptied / "work"
    before, after = prepared(kind, emptied, kind.cases[-1])
    for left in (0, 4096):
        copied(emptied / "base", folder)
        fill(emptied, left)
        ended = attempt(lambda: kind.write(folder, 2), folder)
        (emptied / "filler").unlink()
        if left == 0 or ended.end != "done":
            check_refusal(kind, ended, folder, before, after, "full")
    copied(emptied / "base", folder)
    assert mount("-o", "remount,ro", emptied) == 0
    try:
        ended = attempt(lambda: kind.write(folder, 2), folder)
        check_refusal(kind, ended, folder, before, after, "read-only")
        assert listing(folder) == before
    finally:
        assert mount("-o", "remount,rw", emptied) == 0
    kind.write(folder, 2)
    assert listing(folder) == after
    tally(SECTION, name, **COUNTED | {"read_only": 1, "really_full": 2})


COMMANDS = {
    "imported annotations": ("import", "{source}/table.csv", "{work}/a.json", "--rate", "10"),
    "features of signals": ("signals", "{source}/acc@50", "--out", "{work}/f", "--window", "50", "--stride", "25"),
    "data set watch": ("run", "watch", "--results", "{work}/runs"),  # it comes as far as the lock of the run
    "twin": ("twin", "thumos_i3d", "--data-root", "{work}"),
}


@pytest.mark.parametrize(("how", "places"), [("full", (1, 2, 4, 6)), ("read-only", (1,))])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_one_sentence_and_fails(name, how, places, tmp_path, tally):
    folders = {name: tmp_path / name for name in ("source", "work")}
    for folder in folders.values():
        folder.mkdir()
    KINDS[name].source(folders["source"])
    arguments = [argument.format(**folders) for argument in COMMANDS[name]]

    def command():
        sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
        raise SystemExit(f"{main(arguments)} {sys.stderr.getvalue()}")

    for place in places:
        ended = attempt(command, folders["work"], place, how)
        code, _, said = ended.message.partition(" ")
        assert ended.end == "SystemExit" and code in "12", ended
        assert said.startswith("afkit: ") and said.count("\n") == 1 and REASONS[how] in said, said
        assert str(folders["work"]) in said and not any(listing(folders["work"]).values())
    tally(
        SECTION, f"command {arguments[0]}", **COUNTED | {"read_only" if how == "read-only" else "full_at": len(places)}
    )
