"""Folders of this machine are shortened in texts, the longest first, and paths lead from the project."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import afkit
from afkit.workbench.runs.paths import hide_places, relative_to_project, without_paths


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in the home folder, as the working directory."""
    project = tmp_path / "anna" / "project"
    (project / "notebooks").mkdir(parents=True)
    (project / "notebooks" / "01_data.ipynb").write_text("{}")
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(tmp_path / "anna"))
    return project


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{0}/data/a.json is not like {1}/b.json, see {0} and {1}", "data/a.json is not like ~/b.json, see . and ~"),
        ("{0}2/a and {0}-old and /elsewhere{0}/b", "~/project2/a and ~/project-old and /elsewhere{0}/b"),
        ("\x1b[32m{0}/a.py:3\x1b[39m", "\x1b[32ma.py:3\x1b[39m"),  # of a coloured traceback
        ("3/4 of data/watch, https://host/dataset/341 </td>", "3/4 of data/watch, https://host/dataset/341 </td>"),
        (f"File {Path(afkit.__file__).parent}/data/checks.py:65", "File <afkit>/afkit/data/checks.py:65"),
        (f"{sys.prefix}/lib/site.py", "<python>/lib/site.py"),
    ],
)
def test_whole_folders_of_this_machine_are_shortened(project, text, shown):
    assert hide_places(text.format(project, project.parent)) == shown.format(project)
    assert hide_places(ValueError("no label")) == "no label"


def test_a_folder_leads_from_the_project(project, monkeypatch):
    for folder, named in (("data", "data"), ("./data/", "data"), ("../recordings", "../recordings"), ("", ".")):
        assert relative_to_project(folder) == named
    assert relative_to_project(project / "results" / "x") == "results/x"
    assert relative_to_project(project.parent / "recordings") == "../recordings"
    monkeypatch.chdir(project / "notebooks")
    assert relative_to_project("data") == "data" and hide_places(f"{project}/data") == "data"


def test_absolute_paths_are_cut_down(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere/me")
    said = "ValueError: '/data/big/a/b.json', /x/y/z.npy; mAP/recall, a/b, http://host/page/1, at /somewhere/me"
    assert without_paths(said) == "ValueError: '…/b.json', …/z.npy; mAP/recall, a/b, http://host/page/1, at ~"


@given(st.lists(st.text("abcdef._-", min_size=1), min_size=2, max_size=5), st.sampled_from(["", " at ", "'", '"', "("]))
def test_no_folder_of_an_absolute_path_is_left(parts, before):
    assert without_paths(f"{before}/{'/'.join(parts)}") == f"{before}…/{parts[-1]}"
