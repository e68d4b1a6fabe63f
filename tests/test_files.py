"""Files appear whole or not at all, and the same value gives the same bytes."""

import gzip
import json
import os
import time

import pytest

from afkit.files import atomic_open, read_json, write_json, write_json_gz, write_text


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


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, [1])

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (write_json, write_json_gz):
        with pytest.raises(OSError, match="No space left"):
            write(path, [2])
    assert read_json(path) == [1]
    assert names(tmp_path) == ["a.json"]


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


def test_a_folder_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError):
        write_json(tmp_path / "a.json", 1)
    assert names(tmp_path) == ["a.json"]


VALUE = {"text": "Ünïcode 影片", "numbers": [1, 2.5, -1e-9], "none": None, "deep": {"a": [True, {}]}}


@pytest.mark.parametrize("write, name", [(write_json, "a.json"), (write_json_gz, "a.json.gz")])
def test_json_there_and_back(tmp_path, write, name):
    write(tmp_path / name, VALUE)
    assert read_json(tmp_path / name) == read_json(str(tmp_path / name)) == VALUE


def test_json_is_readable(tmp_path):
    write_json(tmp_path / "a.json", VALUE)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Ünïcode 影片" in text
    assert text.endswith("}\n")
    assert len(text.splitlines()) > 5


def test_packed_json_is_plain_gzip_and_repeats_its_bytes(tmp_path, monkeypatch):
    write_json_gz(tmp_path / "a.json.gz", VALUE)
    first = (tmp_path / "a.json.gz").read_bytes()
    assert json.loads(gzip.decompress(first)) == VALUE
    monkeypatch.setattr(time, "time", lambda: 1e9)
    write_json_gz(tmp_path / "other.gz", VALUE)
    assert (tmp_path / "other.gz").read_bytes() == first


@pytest.mark.parametrize("write", [write_json, write_json_gz])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused(tmp_path, write, value):
    write(tmp_path / "a.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write(tmp_path / "a.json", [value])
    assert names(tmp_path) == ["a.json"]


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "Ü\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\x9c\n"


def broken_contents():
    """Contents of a .json.gz that cannot be read."""
    packed = gzip.compress(json.dumps(list(range(5000))).encode())
    yield from (b"", b"not gzip", packed[: len(packed) // 2], packed[:-3])
    for place in range(10, len(packed) - 60, 900):
        yield packed[:place] + b"\xff" * 60 + packed[place + 60 :]
    yield gzip.compress(b"[1, 2")
    yield gzip.compress(b"\xff\xfe\xff")


@pytest.mark.parametrize("content", list(broken_contents()))
def test_broken_packed_files_are_named(tmp_path, content):
    path = tmp_path / "a.json.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json\.gz is not a readable JSON file"):
        read_json(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000])
def test_broken_files_are_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json is not a readable JSON file"):
        read_json(path)


def test_a_missing_file_is_named(tmp_path):
    for name in ("a.json", "a.json.gz"):
        with pytest.raises(ValueError, match=f"{name} does not exist"):
            read_json(tmp_path / name)
    with pytest.raises(ValueError, match="is not a readable JSON file"):
        read_json(tmp_path)
