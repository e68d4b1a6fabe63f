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


def test_the_project_goes_and_home_is_a_tilde(project):
    text = f"{project}/data/a.json is not like {project.parent}/data/b.json, see {project} and {project.parent}"
    assert hide_places(text) == "data/a.json is not like ~/data/b.json, see . and ~"


def test_only_whole_folders_are_shortened(project):
    text = f"{project}2/a and {project}-old and /elsewhere{project}/b"
    assert hide_places(text) == f"~/project2/a and ~/project-old and /elsewhere{project}/b"


def test_folders_in_a_coloured_traceback_are_shortened(project):
    assert hide_places(f"\x1b[32m{project}/a.py:3\x1b[39m") == "\x1b[32ma.py:3\x1b[39m"


def test_python_and_afkit_are_named():
    root = Path(afkit.__file__).parents[1]
    assert hide_places(f"File {root}/afkit/data/checks.py:65") == "File <afkit>/afkit/data/checks.py:65"
    assert hide_places(f"{sys.prefix}/lib/site.py").startswith("<python>/")


def test_other_texts_stay(project):
    text = "3/4 of data/watch, https://archive.ics.uci.edu/dataset/341 </td>"
    assert hide_places(text) == text
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
