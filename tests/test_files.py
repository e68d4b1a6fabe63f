"""Files appear whole or not at all, and the same value gives the same bytes."""

import fcntl
import gzip
import json
import os
import random
import resource
import signal
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from refusals import full, without_locks

from afkit.files import atomic_open, read_json, write_array, write_json, write_text, write_texts


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_name_at_the_end(tmp_path):
    path = tmp_path / "new" / "deep" / "a.bin"
    with atomic_open(str(path)) as file:
        file.write(b"abc")
        assert not path.exists()
    assert path.read_bytes() == b"abc"
    assert names(path.parent) == ["a.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_open(path) as file:
        file.write(b"half of the new")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]
    with pytest.raises(error), atomic_open(tmp_path / "b.bin"):
        raise error
    assert names(tmp_path) == ["a.bin"]


def test_many_small_files_need_not_wait_for_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write_text(tmp_path / "a.txt", "one", sync=False)
    assert synced == []
    write_text(tmp_path / "b.txt", "two")
    assert len(synced) == 1
    assert names(tmp_path) == ["a.txt", "b.txt"]
    with pytest.raises(RuntimeError), atomic_open(tmp_path / "a.txt", sync=False) as file:
        file.write(b"half of the new")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_bytes() == b"one"
    assert names(tmp_path) == ["a.txt", "b.txt"]


VALUE = {"text": "Ünïcode 影片", "numbers": [1, 2.5, -1e-9], "none": None, "deep": {"a": [True, {}]}}


def test_json_there_and_back(tmp_path):
    write_json(tmp_path / "a.json", VALUE)
    write_texts(tmp_path / "b.json", json.dumps(VALUE))
    write_texts(tmp_path / "c.json.gz", json.dumps(VALUE))
    for name in ("a.json", "b.json", "c.json.gz"):
        assert read_json(tmp_path / name) == read_json(str(tmp_path / name)) == VALUE


def test_objects_of_a_json_file_may_become_something_else(tmp_path):
    write_json(tmp_path / "a.json", [{"a": 1}, {"b": {"a": 2}}])
    assert read_json(tmp_path / "a.json", lambda entries: entries.get("a", entries)) == [1, {"b": 2}]


def test_packed_json_is_plain_gzip_and_repeats_its_bytes(tmp_path, monkeypatch):
    write_texts(tmp_path / "a.json.gz", [json.dumps(VALUE)])
    first = (tmp_path / "a.json.gz").read_bytes()
    assert json.loads(gzip.decompress(first)) == VALUE
    monkeypatch.setattr(time, "time", lambda: 1e9)
    write_texts(tmp_path / "other.gz", json.dumps(VALUE))  # letter by letter
    assert (tmp_path / "other.gz").read_bytes() == first


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused(tmp_path, value):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", [value])
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_texts_that_end_in_an_error_leave_the_older_file(tmp_path, name):
    write_texts(tmp_path / name, ["1"])
    with pytest.raises(ZeroDivisionError):
        write_texts(tmp_path / name, (str(1 / (2 - i)) for i in range(3)))
    assert read_json(tmp_path / name) == 1
    assert names(tmp_path) == [name]


def test_a_packed_file_takes_memory_for_what_is_in_it_not_for_what_could_be(tmp_path):
    write_texts(tmp_path / "a.json.gz", ['"', random.Random(0).randbytes(2**20).hex(), '"'])  # 1.2 MB, packed
    tracemalloc.start()
    try:
        assert len(read_json(tmp_path / "a.json.gz")) == 2**21
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def broken_contents():
    """Contents of a .json.gz that cannot be read."""
    packed = gzip.compress(json.dumps(list(range(5000))).encode(), mtime=0)
    yield from (b"", b"not gzip", packed[: len(packed) // 2], packed[:-3])
    for place in range(10, len(packed) - 60, 900):
        yield packed[:place] + b"\xff" * 60 + packed[place + 60 :]
    yield from (gzip.compress(content, mtime=0) for content in (b"[1, 2", b"\xff\xfe\xff"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("a.json.gz", content) for content in broken_contents()),
        *(("a.json", content) for content in (b"", b"{", b"\xff\xfe\xff", b"[" * 100_000)),
    ],
)
def test_broken_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is not a readable JSON file"):
        read_json(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    for name in ("a.json", "a.json.gz"):
        with pytest.raises(ValueError, match=f"{name} does not exist"):
            read_json(tmp_path / name)
    with pytest.raises(ValueError, match="is not a readable JSON file"):
        read_json(tmp_path)


# ---- killed processes, and several at once


def test_what_a_killed_process_left_is_written_over(tmp_path):
    (tmp_path / ".a.bin.tmp").write_bytes(b"half of a file that was longer")
    with atomic_open(tmp_path / "a.bin") as file:
        file.write(b"whole")
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert names(tmp_path) == ["a.bin"]


def test_two_who_write_the_same_file_do_not_meet(tmp_path):
    path = tmp_path / "a.bin"
    with atomic_open(path) as first:
        first.write(b"the first")
        with atomic_open(path) as second:
            second.write(b"the second, longer")
        assert path.read_bytes() == b"the second, longer"
    assert path.read_bytes() == b"the first"
    assert names(tmp_path) == ["a.bin"]


def test_one_who_opened_the_temporary_file_too_late_does_not_touch_the_finished_one(tmp_path, monkeypatch):
    path, real = tmp_path / "a.bin", fcntl.flock
    with ExitStack() as other:
        other.enter_context(atomic_open(path)).write(b"of another")

        def lock_late(file, how):
            monkeypatch.setattr(fcntl, "flock", real)
            other.close()  # which takes its name between our opening and locking
            real(file, how)

        monkeypatch.setattr(fcntl, "flock", lock_late)
        with pytest.raises(RuntimeError), atomic_open(path):
            raise RuntimeError
    assert path.read_bytes() == b"of another"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe"])
@pytest.mark.parametrize("locks", [True, False])
def test_what_a_stranger_put_in_the_place_of_the_temporary_file_leads_nowhere(tmp_path, monkeypatch, kind, locks):
    mine, path = tmp_path / "mine", tmp_path / ".a.json.tmp"
    if kind != "dangling link":
        mine.write_text("mine")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "hard link":
        path.hardlink_to(mine)
    else:
        path.symlink_to(mine)
    if not locks:
        monkeypatch.setattr(fcntl, "flock", without_locks)
    write_json(tmp_path / "a.json", 1)
    assert names(tmp_path) == (["a.json"] if kind == "dangling link" else ["a.json", "mine"])
    assert kind == "dangling link" or mine.read_text() == "mine"
    assert read_json(tmp_path / "a.json") == 1 and not (tmp_path / "a.json").is_symlink()


def test_a_link_in_the_place_of_the_file_itself_goes_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a.json").symlink_to(tmp_path / "mine")
    write_json(tmp_path / "a.json", 1)
    assert (tmp_path / "mine").read_text() == "mine" and not (tmp_path / "a.json").is_symlink()


def test_threads_that_write_the_same_file_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", without_locks)
    contents = [str(number) * 200_000 for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda content: write_text(tmp_path / "a.txt", content, sync=False), contents))
    assert (tmp_path / "a.txt").read_text() in contents
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_pipe_is_no_json_and_nobody_waits_for_it(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} is not a readable JSON file: .*Is a pipe and no file"):
        read_json(tmp_path / name)


# ---- errors of the system


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path, monkeypatch):
    with monkeypatch.context() as patches, pytest.raises(OSError) as caught:
        patches.setattr(os, "fsync", full)
        write_json(tmp_path / "a.json", 1)
    assert str(caught.value) == f"[Errno 28] No space left on device: '{tmp_path / 'a.json'}'"
    (tmp_path / "b.json").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_json(tmp_path / "b.json", 1)
    assert str(caught.value) == f"[Errno 21] Is a directory: '{tmp_path / 'b.json'}'"


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"), atomic_open(tmp_path / "a.bin") as file:
        file.write((tmp_path / "missing").read_bytes())
    assert names(tmp_path) == []


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.zeros((0, 4), "f4")])
def test_arrays_are_written_as_numpy_does(tmp_path, array):
    write_array(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_an_array_that_does_not_fit_on_the_disk_says_why(tmp_path):
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_array(tmp_path / "a.npy", np.zeros(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.filename == str(tmp_path / "a.npy")
    assert names(tmp_path) == []
