"""Folders of the user alone: which are, which are not, and what is used without a home."""

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

from afkit.home import home_folder, private_folder, why_not

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no users with numbers")
OTHER = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")


@pytest.fixture
def unknown_user(monkeypatch):
    """As in a container that was started with any number for its user."""

    def getpwuid(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    monkeypatch.delenv("HOME", raising=False)


def test_a_user_whom_the_system_does_not_know_has_no_home_folder(unknown_user):
    assert home_folder() is None


def test_the_home_folder_is_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/x/y")
    assert home_folder() == Path("/x/y")


def test_what_is_ours_and_what_is_not_there_is_no_danger(tmp_path):
    (tmp_path / "file").touch(mode=0o644)
    for path in (tmp_path, tmp_path / "file", tmp_path / "missing" / "deep", Path("/")):
        assert why_not(path) == ""


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_what_others_can_write_to_is_one(tmp_path, mode):
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(mode)
    assert why_not(place) == f"others can write to {place} (chmod go-w forbids it)"
    below = place / "ours"
    below.mkdir(mode=0o700)
    expected = "" if mode == 0o1777 else f"others can write to {place} (chmod go-w forbids it)"
    assert why_not(below) == why_not(below / "missing") == expected, "of the sticky bit, only what lies below is safe"


def test_a_link_is_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert why_not(tmp_path / "link") == f"{tmp_path / 'link'} is a link"


@needs_root
def test_what_belongs_to_another_user_is_one(tmp_path):
    place = tmp_path / "theirs"
    (place / "ours").mkdir(parents=True)
    os.chown(place, OTHER, OTHER)
    assert why_not(place) == why_not(place / "ours") == f"{place} belongs to another user"


def test_the_private_folder_is_ours_alone_and_the_same_again(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = private_folder()
    assert folder == private_folder() and folder.parent == tmp_path and str(os.getuid()) in folder.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_private_folder_that_somebody_could_have_filled_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = private_folder()
    folder.chmod(0o777)
    with pytest.raises(ValueError, match="others can write to"):
        private_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ValueError, match="is a link"):
        private_folder()


# ---- without a home


def test_texts_are_hidden_without_a_home_too(unknown_user, tmp_path, monkeypatch):
    from afkit.runs.places import hide_places, without_paths

    for home in (None, "/"):
        if home:
            monkeypatch.setenv("HOME", home)
        assert hide_places("<br /> /a/b and //c") == "<br /> /a/b and //c"
        assert without_paths("a/b in /c/d") == "a/b in …/d"


@pytest.mark.parametrize("home", ["", "missing"])
def test_a_command_takes_a_private_folder_for_the_home_that_there_is_not(
    unknown_user, tmp_path, home, monkeypatch, capsys
):
    from afkit.__main__ import main

    if home:
        monkeypatch.setenv("HOME", str(tmp_path / home))
    else:
        monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["status", str(tmp_path)]) == 2  # there is no run
    said = capsys.readouterr().err.splitlines()
    private = tmp_path / f"afkit-{os.getuid()}"
    assert said[0] == f"afkit: this user has no home folder to write to; {private} is taken for it"
    assert len(said) == 2 and os.environ["HOME"] == str(private) and home_folder() == private
