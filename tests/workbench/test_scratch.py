"""Folders that appear whole: one process at a time makes them, the others wait, and what killed ones left goes."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import full, without_locks

from afkit.files import LOCK, locked, write_json
from afkit.workbench.scratch import alone, clear_scratch, scratch_folder

ROOT = Path(__file__).parents[2]
MAKE = """
import sys, time
from pathlib import Path
from afkit.workbench.scratch import scratch_folder
final = Path(sys.argv[1])
with scratch_folder(final) as part:
    (part / "half").touch()
    print("begun", flush=True)
    sys.stdin.readline()
    part.rename(final)
"""


@pytest.fixture
def make():
    """make(folder): a process that has begun to make it, and ends when it is told something."""
    processes = []

    def start(folder):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([sys.executable, "-c", MAKE, str(folder)], cwd=ROOT, **pipes))
        assert processes[-1].stdout.readline() == "begun\n"
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_takes_its_name_at_the_end_and_nothing_else_stays(tmp_path):
    final = tmp_path / "new" / "set"
    with scratch_folder(final) as part:
        assert part.parent == final.parent and list(part.iterdir()) == [] and not final.exists()
        part.rename(final)
    assert names(final.parent) == ["set"]
    with scratch_folder(final):
        assert final.is_dir(), "it is left as it is"
    assert names(final.parent) == ["set"]


@pytest.mark.parametrize("call", ["fsync", "ftruncate"])  # of a file in it, and of the lock
def test_an_error_in_a_scratch_folder_names_the_final_one_and_of_another_file_that(tmp_path, monkeypatch, call):
    with pytest.raises(FileNotFoundError, match="missing"), scratch_folder(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError) as caught, scratch_folder(tmp_path / "new" / "set") as part:
        write_json(part / "deep" / "a.json", 1)
    assert caught.value.filename == str(tmp_path / "new" / "set")
    assert names(tmp_path) == []


def test_a_second_one_waits_says_for_whom_and_finds_it_done(tmp_path, make):
    first, said = make(tmp_path / "set"), []

    def say(line):
        said.append(line)
        assert not (tmp_path / "set").exists()
        first.communicate("go on\n")

    with scratch_folder(tmp_path / "set", say) as part:
        assert names(tmp_path / "set") == ["half"] and list(part.iterdir()) == []
    assert said == [f"waiting for process {first.pid} on {socket.gethostname()}, which writes {tmp_path / 'set'}"]
    assert names(tmp_path) == ["set"]


def test_what_killed_processes_left_goes(tmp_path, make):
    (tmp_path / ".set.part").mkdir()  # of an older version
    (tmp_path / ".set.1.part").symlink_to(tmp_path / "mine", target_is_directory=True)
    for folder in (".settle.7.part", ".set.more.7.part", "mine"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    process = make(tmp_path / "set")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {f".set.{process.pid}.part", f".set{LOCK}"} < set(names(tmp_path))
    with scratch_folder(tmp_path / "set", pytest.fail) as part:
        assert list(part.iterdir()) == []
    assert names(tmp_path) == [".set.more.7.part", ".settle.7.part", "mine"], "those of others stay"
    assert names(tmp_path / "mine") == ["file"]


def test_what_was_left_beside_a_complete_folder_goes_but_not_what_is_in_use(tmp_path, make):
    clear_scratch(tmp_path / "set")
    process = make(tmp_path / "set")
    before = names(tmp_path)
    clear_scratch(tmp_path / "set")
    assert names(tmp_path) == before, "somebody works there"
    process.kill()
    process.wait()
    (tmp_path / "set").mkdir()
    clear_scratch(tmp_path / "set")
    assert names(tmp_path) == ["set"]


def test_where_there_are_no_locks_each_has_a_folder_of_its_own(tmp_path, monkeypatch):
    (tmp_path / ".set.1.part").mkdir()  # perhaps of another process, which nobody can tell
    monkeypatch.setattr(fcntl, "flock", without_locks)
    with scratch_folder(tmp_path / "set") as part:
        assert str(os.getpid()) in part.name
        part.rename(tmp_path / "set")
    assert names(tmp_path) == [".set.1.part", "set"]


def test_the_lock_is_that_of_the_folder_and_one_that_is_none_is_named(tmp_path):
    held = alone(tmp_path / "set"), alone(tmp_path / "other", pytest.fail)
    with held[0], held[1], pytest.raises(ValueError, match="in use"), locked(tmp_path / f".set{LOCK}", 0):
        pass
    (tmp_path / f".set{LOCK}").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"\.set\.lock cannot be opened \(Is a symbolic link"), alone(tmp_path / "set"):
        pass
    assert names(tmp_path) == [f".set{LOCK}"]
