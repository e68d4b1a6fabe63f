"""Folders of the user alone: which are, which are not, and what is used without a home."""

import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from other_users import as_nobody, give_away, needs_root
from run_folders import write_trained
from tiny_data import tiny_recipe, write_tiny_data

from afkit.__main__ import main
from afkit.opening import home_folder, private_folder, why_not

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no users with numbers")
UNKNOWN = 23456  # a user


@pytest.fixture
def unknown_user(monkeypatch):
    """As in a container that was started with any number for its user."""

    def getpwuid(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    monkeypatch.delenv("HOME", raising=False)


def test_a_user_whom_the_system_does_not_know_has_no_home_folder(unknown_user):
    assert home_folder() is None


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
    give_away(place)
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
    from afkit.workbench.runs.paths import hide_places, without_paths

    for home in (None, "/"):
        if home:
            monkeypatch.setenv("HOME", home)
        assert hide_places("<br /> /a/b and //c") == "<br /> /a/b and //c"
        assert without_paths("a/b in /c/d") == "a/b in …/d"


@pytest.mark.parametrize("home", ["", "missing"])
def test_a_command_takes_a_private_folder_for_the_home_that_there_is_not(
    unknown_user, tmp_path, home, monkeypatch, capsys
):
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


@pytest.fixture
def common():
    """A folder to which every user can write, as the one for temporary files."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def as_unknown_user(action):
    """What an action gives in a process of a user whom the system does not know, without a home folder."""

    def without_home():
        os.environ.pop("HOME", None)
        return action()

    return as_nobody(without_home, UNKNOWN)


@needs_root
def test_a_user_whom_the_system_does_not_know_prepares_and_predicts(common, monkeypatch):
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    from afkit.detect.operator import cache_folder

    monkeypatch.setattr(tempfile, "tempdir", str(common))
    for name in ("AFKIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    recipe = tiny_recipe(model__embed_dim=8)
    write_tiny_data(common / "data", training=1, test=1)
    write_trained(common / "run", common / "data", recipe)

    def work(folder):
        features = str(common / "data" / "tiny" / "features")
        prepared = main(["prepare", "watch", "--data-root", str(folder / "data")])
        return prepared, main(["predict", str(common / "run"), features, "--out", str(folder / "out")])

    (common / "root").mkdir()
    assert work(common / "root") == (0, 0), "after which no module has to be imported"
    assert as_unknown_user(lambda: work(common / "unknown")) == (0, 0)
    assert as_unknown_user(lambda: str(cache_folder())) == str(common / f"afkit-{UNKNOWN}")
    left = [path for path in (common / "unknown").rglob("*") if path.is_file()]
    assert {path.stat().st_uid for path in left} == {UNKNOWN} and len(left) == 42 + 3
