"""Whose notebooks are executed: not those of a folder that somebody else can change, unless the user names it."""

import os
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from other_users import as_nobody, give_away, needs_root

from afkit.workbench.runs.notebooks import notebook_path
from afkit.workbench.shipped import NOTEBOOKS, shipped
from afkit.workbench.trust import check_trusted, project_root

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(monkeypatch):
    """A checkout with notebooks that everybody may look at, and a folder deep in it to work in."""
    monkeypatch.delenv("AFKIT_TRUST", raising=False)
    with TemporaryDirectory() as folder:
        project = Path(folder).resolve() / "project"
        project.parent.chmod(0o755)
        (project / "a" / "b").mkdir(parents=True)
        (project / "notebooks").mkdir()
        for stage in ("01_data", "02_train"):
            (project / "notebooks" / f"{stage}.ipynb").write_text("{}")
        with monkeypatch.context() as inside:
            inside.chdir(project / "a" / "b")
            yield project


def test_ones_own_project_and_one_that_a_group_shares_are_found_from_any_folder_in_them(project):
    notebook = project / "notebooks" / "02_train.ipynb"
    assert project_root() == project and notebook_path("02_train") == notebook
    for path in (project, project / "notebooks", notebook):
        path.chmod(0o775)
    assert notebook_path("02_train") == notebook
    notebook.chmod(0o666)
    with pytest.raises(ValueError, match=r"02_train\.ipynb may be written to by everybody"):
        notebook_path("02_train")
    assert notebook_path("01_data").is_file()
    project.chmod(0o1777)  # else one stranger's file in /tmp would stop all who work below it
    assert project_root() == project / "a" / "b"


@pytest.mark.parametrize("mode", [0o757, 0o777])
@pytest.mark.parametrize("place", [".", "notebooks"])
def test_a_project_that_everybody_may_change_is_refused(project, place, mode):
    (project / place).chmod(mode)
    with pytest.raises(ValueError, match=r"may be written to by everybody, so the notebooks of .*project are not exec"):
        project_root()


@needs_root
@pytest.mark.parametrize("place", [".", "notebooks", "a"])
def test_a_project_of_another_user_is_refused(project, place):
    give_away(project / place)
    with pytest.raises(ValueError) as error:
        project_root()
    said = str(error.value)
    assert f"{project / place} belongs to another user (number 65534; you are 0)" in said and "\n" not in said


@needs_root
def test_notebooks_that_another_user_can_change_are_refused_where_there_is_no_project(project):
    (project / "notebooks" / "01_data.ipynb").unlink()
    os.chdir(project)
    give_away(project / "notebooks" / "02_train.ipynb")
    assert project_root() == project
    with pytest.raises(ValueError, match=r"02_train\.ipynb belongs to another user"):
        notebook_path("02_train")
    assert notebook_path("03_eval").parent == shipped(NOTEBOOKS)


@needs_root
def test_a_link_to_notebooks_of_another_user_is_refused(project, tmp_path):
    (project / "notebooks").rename(tmp_path / "theirs")
    give_away(tmp_path / "theirs")
    (project / "notebooks").symlink_to(tmp_path / "theirs")
    with pytest.raises(ValueError, match="belongs to another user"):
        project_root()


@needs_root
def test_the_projects_of_root_are_everybodys(project):
    assert as_nobody(lambda: str(project_root())) == str(project)


@pytest.mark.parametrize("before", ["", "/some/where"])
def test_the_command_that_is_named_allows_it(project, monkeypatch, before):
    if before:
        monkeypatch.setenv("AFKIT_TRUST", before)
    odd = project.with_name("it's a project")
    project.rename(odd)
    odd.chmod(0o777)
    with pytest.raises(ValueError) as error:
        project_root()
    command = str(error.value).partition("export ")[2]
    shown = subprocess.run(f"export {command}; printenv AFKIT_TRUST", shell=True, capture_output=True, text=True)
    assert shown.stdout.strip() == (f"{before}:{odd}" if before else str(odd))
    name, _, value = shlex.split(command)[0].partition("=")
    for ending in ("", "/"):
        monkeypatch.setenv(name, value + ending)
        assert project_root() == odd


@pytest.mark.parametrize("named", ["{}/..", "{}/notebooks", "{}*", ".", "*", ""])
def test_only_exactly_that_folder_is_named(project, monkeypatch, named):
    project.chmod(0o777)
    os.chdir(project)
    monkeypatch.setenv("AFKIT_TRUST", named.format(project))
    with pytest.raises(ValueError, match="may be written to by everybody"):
        project_root()


def test_the_checkout_that_runs_is_trusted_whoever_owns_it(tmp_path):
    """As it is where a container has the folder of the machine around it: its code is running already."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    foreign.chmod(0o777)
    check_trusted(ROOT, foreign)
    with pytest.raises(ValueError):
        check_trusted(tmp_path, foreign)


@needs_root
def test_a_parent_that_cannot_be_looked_into_is_no_project(project):
    (project / "a" / "b").chmod(0o777)
    (project / "a").chmod(0o700)
    assert as_nobody(lambda: str(project_root())) == str(project / "a" / "b")
