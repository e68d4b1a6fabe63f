"""What has the name of a file is opened only where it is one: no waiting on pipes, no writing through links."""

import os
import socket

import pytest

from afkit.opening import NotPlainError, check_plain, make_way, open_to_read, open_to_write, read_bytes, read_text

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
