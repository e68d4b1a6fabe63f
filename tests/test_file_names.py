"""Names as names of files: nothing leads out of its folder, and no two ids become one file."""

import hashlib
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afkit.opening import inner_path, plain_name, safe_names

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
