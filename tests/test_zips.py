"""Zips are refused by the number of members they list, before a list is made."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from afkit.data.feature_formats import open_array
from afkit.opening import MAX_PARTS, TooManyError, check_stored, open_zip, zip_members


def write_zip(path, number, content=b""):
    with zipfile.ZipFile(path, "w") as packed:
        for name in range(number):
            packed.writestr(f"{name}", content)
    return path


def claim(path, number):
    """Let a zip say that it has another number of members than it lists."""
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 8 : end + 12] = struct.pack("<HH", number, number)
    path.write_bytes(data)


def test_as_many_as_allowed_are_listed(tmp_path):
    path = write_zip(tmp_path / "a.zip", 30, b"content")
    with path.open("rb") as file, open_zip(file, 30) as packed:
        assert len(packed.infolist()) == 30 and packed.read("7") == b"content"
    assert [info.filename for info in zip_members(path)] == [str(name) for name in range(30)]


@pytest.mark.parametrize("said", [31, 1])
def test_more_than_allowed_are_not_whatever_the_zip_says(tmp_path, said):
    path = write_zip(tmp_path / "a.zip", 31)
    claim(path, said)
    with path.open("rb") as file, pytest.raises(TooManyError, match="lists more than 30 members"):
        open_zip(file, 30)


def test_a_long_list_is_refused_before_it_takes_memory(tmp_path):
    """Two hundred thousand members: a list of them would take a hundred megabytes, their table takes ten."""
    path = write_zip(tmp_path / "a.zip", 1)
    data = path.read_bytes()
    entry = data[data.index(b"PK\x01\x02") : data.index(b"PK\x05\x06")]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 200_000 * len(entry), data.index(entry), 0)
    path.write_bytes(data[: data.index(entry)] + 200_000 * entry + end)
    tracemalloc.start()
    try:
        for read in (zip_members, check_stored):
            with pytest.raises(TooManyError):
                read(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_members_may_hold_what_begins_an_entry(tmp_path):
    """As a zip in a zip does, which is stored as it is."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        for name in range(50):
            packed.writestr(f"{name}", b"")
    path = write_zip(tmp_path / "a.zip", 1, inner.getvalue())
    with path.open("rb") as file, open_zip(file, 30) as packed:
        assert packed.read("0") == inner.getvalue()


def test_what_is_no_zip_has_no_members(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"something else")
    assert zip_members(tmp_path / "a.pt") == []
    check_stored(tmp_path / "a.pt")


def test_numbers_that_look_like_the_end_of_a_zip_are_none(tmp_path):
    """Of many files of random numbers, one ends so by chance."""
    data = np.zeros((100, 4), np.float32)
    data.view(np.uint8).reshape(-1)[-100:-96] = list(b"PK\x05\x06")
    np.save(tmp_path / "a.npy", data)
    assert zipfile.is_zipfile(tmp_path / "a.npy") and zip_members(tmp_path / "a.npy") == []
    assert open_array(tmp_path / "a.npy", "a", "a").shape == (100, 4)


def test_a_checkpoint_may_have_as_many_parts_as_any_has(tmp_path):
    check_stored(write_zip(tmp_path / "a.pt", 3000))
    assert MAX_PARTS > 3000
