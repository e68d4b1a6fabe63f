"""What has the name of a file is opened only where it is one, and as a zip only with few members; names as files."""

import hashlib
import io
import os
import re
import socket
import struct
import tracemalloc
import unicodedata
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afkit.data.feature_formats import open_array
from afkit.opening import (
    MAX_PARTS,
    NotPlainError,
    TooManyError,
    check_plain,
    check_stored,
    inner_path,
    make_way,
    open_to_read,
    open_to_write,
    open_zip,
    plain_name,
    read_bytes,
    read_text,
    safe_names,
    zip_members,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
UNLIKE = ("pipe", "socket", "device")


def put(path, kind):
    """Something of this kind that has the name of a file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")  # which never ends
    elif kind == "folder":
        path.mkdir()
    else:
        other = path.with_name("of the user")
        if kind != "dangling link":
            other.write_bytes(b"precious")
        path.hardlink_to(other) if kind == "hard link" else path.symlink_to(other)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder whose names are short enough for a socket."""
    monkeypatch.chdir(tmp_path)
    return tmp_path.relative_to(tmp_path)


@pytest.mark.parametrize("kind", UNLIKE)
@pytest.mark.parametrize("read", [open_to_read, read_bytes, read_text, check_plain])
def test_what_is_no_file_is_not_read(folder, kind, read):
    path = put(folder / "x", kind)
    with pytest.raises(OSError) as caught:
        read(path)
    assert str(caught.value.filename) == "x"


def test_the_reason_is_told_in_words(folder):
    for kind, words in (("pipe", "Is a pipe and no file"), ("device", "Is a device and no file")):
        with pytest.raises(NotPlainError, match=words):
            open_to_read(put(folder / kind, kind))


def test_folders_and_what_is_missing_are_what_they_always_were(folder):
    for read in (open_to_read, check_plain):
        with pytest.raises(IsADirectoryError):
            read(folder)
        with pytest.raises(FileNotFoundError):
            read(folder / "missing")


def test_a_link_to_a_file_is_read(folder):
    path = put(folder / "x", "link")
    assert read_bytes(path) == b"precious" and read_text(str(path)) == "precious"
    check_plain(path)
    with open_to_read(path) as file:
        assert (file.read(3), file.read()) == (b"pre", b"cious")


def test_text_has_one_kind_of_line_ends_and_an_encoding(folder):
    (folder / "x").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\xff")
    assert read_text(folder / "x", "utf-8-sig", errors="replace") == "a\nb\nc\n\N{REPLACEMENT CHARACTER}"
    with pytest.raises(UnicodeDecodeError):
        read_text(folder / "x")


@pytest.mark.parametrize("kind", [*UNLIKE, "link", "dangling link", "hard link"])
def test_what_is_no_file_of_its_own_is_not_written(folder, kind):
    path = put(folder / "x", kind)
    names = sorted(folder.iterdir())
    with pytest.raises(NotPlainError) as caught:
        open_to_write(path)
    assert str(caught.value.filename) == "x" and caught.value.strerror.startswith(("Is a ", "Has a second name"))
    assert sorted(folder.iterdir()) == names, "nothing is made behind a link"
    assert kind in (*UNLIKE, "dangling link") or (folder / "of the user").read_bytes() == b"precious"


def test_a_file_is_made_or_kept_and_a_folder_is_refused(folder):
    for content in (b"", b"before"):
        (folder / "x").write_bytes(content) if content else None
        os.close(open_to_write(folder / "x"))
        assert (folder / "x").read_bytes() == content
    with pytest.raises(IsADirectoryError):
        open_to_write(put(folder / "y", "folder"))


@pytest.mark.parametrize("kind", [*UNLIKE, "link", "dangling link", "hard link"])
def test_a_name_is_freed_and_what_it_led_to_stays(folder, kind):
    path = put(folder / "x", kind)
    make_way(path)
    assert not os.path.lexists(path)
    assert kind in (*UNLIKE, "dangling link") or (folder / "of the user").read_bytes() == b"precious"


def test_files_and_folders_need_not_make_way(folder):
    (folder / "x").write_bytes(b"mine")
    for path in (folder / "x", put(folder / "y", "folder"), folder / "missing"):
        make_way(path)
    assert (folder / "x").read_bytes() == b"mine" and (folder / "y").is_dir()


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


LEADING_OUT = ["", ".", "..", "/", "/etc/x", "../x", "a/b", "a/../../x", "a\\b", "..\\x", "x\0", "a\nb", "\ud800"]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_name_that_leads_elsewhere_or_cannot_be_shown_is_refused(name):
    with pytest.raises(ValueError) as error:
        plain_name("the run", name)
    said = str(error.value)
    assert said.startswith("the run cannot be called ") and said.isascii() and said.isprintable()


@pytest.mark.parametrize("name", ["x" * 201, "\u65e5" * 67])
def test_a_name_is_as_long_as_a_file_may_bear(name):
    with pytest.raises(ValueError, match="the name is too long for a file"):
        plain_name("the run", name)
    assert plain_name("the run", name[:-1]) == name[:-1]


def test_the_names_of_a_videos_files_are_counted_in_bytes(tmp_path):
    (tmp_path / inner_path("\u65e5" * 85, "x")).write_text("as long as the system allows")
    with pytest.raises(ValueError, match="too long for a file"):
        inner_path("\u65e5" * 86, "\u65e5" * 82)


ODD_IDS = ["v_a", "P01_11", "a b.mp4", "Läufer", "läufer", "a/b", "a_b", "../../etc", "", ".", "..", "CON", "con.mp4",
           "nul", "x", "X", "a:b", "a?b", "end. ", "end", "-rf", "x" * 400, "x" * 401, "\u65e5" * 200, "a\x00b", "a\nb",
           "\uac01", "\u1100\u1161\u11a8", ".hidden", "COM1.x", "hidden"]  # fmt: skip


def test_file_names_are_safe_and_differ(tmp_path):
    names = safe_names(ODD_IDS)
    assert list(names) == ODD_IDS
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in names.values()}) == len(ODD_IDS)
    for video, name in names.items():
        assert not re.search(r'[/\\:*?"<>|\x00-\x1f]', name)
        assert name == name.strip(" .") and not name.startswith(".")
        assert name.split(".")[0].upper() not in {"CON", "NUL", "COM1"}
        assert len(name.encode()) <= 140
        (tmp_path / f"{name}.txt").write_text(video.replace("\x00", ""))
    assert {video: names[video] for video in ("v_a", "P01_11", "a b.mp4", "a_b", "end", "hidden")} == {
        video: video for video in ("v_a", "P01_11", "a b.mp4", "a_b", "end", "hidden")
    }
    assert safe_names(["x"]) == {"x": "x"}
    assert names["x"] != "x" and re.fullmatch("x-[0-9a-f]{8}", names["x"])  # "X" is there, too
    assert safe_names(reversed(ODD_IDS)) == {video: names[video] for video in reversed(ODD_IDS)}


@settings(max_examples=100)
@given(st.lists(st.text(max_size=30), unique=True, max_size=10))
def test_file_names_differ_for_any_ids(ids):
    names = safe_names(ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert all(name and "/" not in name and "\x00" not in name for name in names.values())


def test_an_id_that_is_the_name_of_another_gets_a_name_of_its_own():
    names = safe_names(["a/b", "a_b-C14cddc0", "x"])
    assert len({name.casefold() for name in names.values()}) == 3 and names["x"] == "x"
    assert names["a/b"] == "a_b-" + hashlib.sha256(b"a/b").hexdigest()


def test_ids_that_somebody_made_to_share_a_name_are_refused():
    whole = "a_b-" + hashlib.sha256(b"a/b").hexdigest()  # what "a/b" is called once "a_b-c14cddc0" is there
    twice = ["a/b", "a_b-c14cddc0", whole]
    with pytest.raises(ValueError, match=r"the files of 'a/b' and 'a_b-.*' would have one name; rename one"):
        safe_names(twice)
