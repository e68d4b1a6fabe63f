"""Locks: one holder at a time, gone with its holder, inherited by kernels, and nothing but a plain file."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import full, without_locks

from afkit import files as lock
from afkit.files import LOCK, BusyError, holder, locked, try_lock

ROOT = Path(__file__).parents[1]
HOLD = """
import subprocess, sys, time
from pathlib import Path
from afkit.files import locked
with locked(Path(sys.argv[1])) as file:
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2]], pass_fds=[file]) if sys.argv[2:] else None
    print(child.pid if child else 0, flush=True)
    time.sleep(60)
"""
COUNT = """
import sys
from pathlib import Path
from afkit.files import locked
for _ in range(40):
    with locked(Path(sys.argv[1]) / ".lock", 60):
        count = Path(sys.argv[1]) / "count"
        number = int(count.read_text())
        count.write_text(str(number + 1))
"""


def hold(path: Path, *child: str) -> tuple[subprocess.Popen, int]:
    """A process that holds the lock, and the id of its child that inherits it, or 0."""
    command = [sys.executable, "-c", HOLD, str(path), *child]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return process, int(process.stdout.readline())


def kill(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path):
    with locked(tmp_path / LOCK), pytest.raises(BusyError) as error, locked(tmp_path / LOCK, 0.1):
        pass
    assert str(error.value).startswith(f"{tmp_path} is in use by process {os.getpid()} on ")
    assert "\n" not in str(error.value)


def test_the_end_of_the_block_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "new" / LOCK):
        assert holder(tmp_path / "new") == (tmp_path / "new" / LOCK).read_text()
        raise KeyError
    assert list((tmp_path / "new").iterdir()) == []
    assert holder(tmp_path / "new") == holder(tmp_path / "missing") == ""


def test_the_lock_goes_with_a_killed_process(tmp_path):
    process, _ = hold(tmp_path / LOCK)
    assert holder(tmp_path).startswith(f"process {process.pid} on ")
    kill(process)
    assert (tmp_path / LOCK).exists() and holder(tmp_path) == ""
    with locked(tmp_path / LOCK, 0):
        assert holder(tmp_path).startswith(f"process {os.getpid()} on ")


def test_a_child_that_inherits_the_lock_keeps_it_after_the_death_of_its_parent(tmp_path):
    process, child = hold(tmp_path / LOCK, "import time; time.sleep(60)")
    kill(process)
    with pytest.raises(BusyError, match=f"in use by process {process.pid} on "), locked(tmp_path / LOCK, 0.3):
        pass
    os.kill(child, signal.SIGKILL)
    with locked(tmp_path / LOCK, 10):
        pass


def test_no_two_processes_are_inside_at_once(tmp_path):
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "120"


@pytest.mark.parametrize("left", ["", "process 1 on another-machine", "x" * 9999])
def test_a_file_that_nobody_holds_is_no_lock_whatever_it_says(tmp_path, left):
    (tmp_path / LOCK).write_text(left)
    assert holder(tmp_path) == ""
    with locked(tmp_path / LOCK, 0):
        assert holder(tmp_path) == (tmp_path / LOCK).read_text() == f"process {os.getpid()} on {socket.gethostname()}"
    assert not (tmp_path / LOCK).exists()


def test_a_lock_that_says_nothing_is_still_a_lock(tmp_path):
    with locked(tmp_path / LOCK):
        (tmp_path / LOCK).write_text("")
        assert holder(tmp_path) == "another process"
        with pytest.raises(BusyError, match="in use by another process"), locked(tmp_path / LOCK, 0):
            pass


def test_one_who_waits_learns_once_for_whom(tmp_path):
    process, _ = hold(tmp_path / LOCK)
    told = []

    def tell(who):
        told.append(who)
        kill(process)

    patient: list[str] = []
    with pytest.raises(BusyError), locked(tmp_path / LOCK, 0.5, patient.append):
        pass
    assert len(patient) == 1
    with locked(tmp_path / LOCK, 20, tell):
        pass
    assert told == [f"process {process.pid} on {socket.gethostname()}"]
    with locked(tmp_path / LOCK, 20, tell):
        assert len(told) == 1, "nobody is waited for"


def test_a_holder_cannot_command_the_terminal(tmp_path):
    with locked(tmp_path / LOCK):
        (tmp_path / LOCK).write_text("process 1\x1b[2J\nafkit: all is well")
        assert holder(tmp_path) == "process 1 [2J afkit: all is well"


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder"])
def test_what_is_no_lock_is_named_and_leads_nowhere(tmp_path, kind):
    (tmp_path / "run").mkdir()
    mine, path = tmp_path / "mine", tmp_path / "run" / LOCK
    if kind != "dangling link":
        mine.write_text("precious")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "hard link":
        path.hardlink_to(mine)
    else:
        path.symlink_to(mine)
    assert holder(path.parent) == ""
    message = (
        r"\.lock cannot be opened \((Is|Has) a .*\), so nobody knows whether .* is in use; remove it if it is not$"
    )
    with pytest.raises(ValueError, match=message), locked(path):
        pass
    assert os.path.lexists(path) and mine.exists() == (kind != "dangling link")
    assert kind == "dangling link" or mine.read_text() == "precious"


def test_a_folder_that_the_last_one_takes_with_it_is_made_again(tmp_path, monkeypatch):
    path, tries = tmp_path / "new" / LOCK, []

    def take_it_first(path):
        tries.append(path)
        if len(tries) == 1:
            path.parent.rmdir()
        return try_lock(path)

    monkeypatch.setattr(lock, "try_lock", take_it_first)
    with locked(path, 0):
        assert holder(path.parent) and len(tries) == 2


def test_where_there_are_no_locks_that_is_said_and_nothing_left(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", without_locks)
    with pytest.raises(OSError, match="No locks available"), locked(tmp_path / LOCK, 0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_opened_is_named_and_a_folder_that_cannot_be_written_to_too(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"\.lock"), locked(tmp_path / LOCK, 0):
        pass
    (tmp_path / LOCK).write_text("of somebody else")
    assert holder(tmp_path) == ""
    with (
        pytest.raises(ValueError, match=r"cannot be opened \(Permission denied\).*; remove it"),
        locked(tmp_path / LOCK, 0),
    ):
        pass
    assert (tmp_path / LOCK).exists()


def test_a_full_disk_is_named_and_leaves_no_lock(tmp_path, monkeypatch):
    with monkeypatch.context() as patches:
        patches.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left on device") as error, locked(tmp_path / LOCK):
            pass
    assert error.value.filename == str(tmp_path / LOCK)
    with locked(tmp_path / LOCK, 0):
        pass
    assert list(tmp_path.iterdir()) == []
