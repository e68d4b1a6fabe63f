"""README.md says what is true: its commands are run as they stand, in a copy of what git holds."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import afkit
from afkit.files import read_json
from afkit.workbench.published import published

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.M | re.S))  # one of each language
INSTALLED = Path(sys.prefix) / ".installed"
ADDRESS = re.compile(r"open (http://127\.0\.0\.1:\d+/\?token=\S+) in a browser")
PERCENT = r"(\d+\.\d+)"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of what git holds, with the packages of this environment as `make install` would have put them there."""
    if not INSTALLED.is_file():
        pytest.skip("this environment was not made by make install")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("what git holds is not known here")
    folder = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("pyproject.toml", "constraints.txt"):  # older than the installation: nothing is installed anew
        os.utime(folder / name, (0, 0))
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def start(number, clone):
    """One of the commands in the copy, whose package is the one that it imports."""
    surroundings = os.environ | {"PYTHONPATH": str(clone), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    words = BLOCKS["sh"].splitlines()[number].split()
    return subprocess.Popen(words, cwd=clone, env=surroundings, process_group=0, **pipes)


@pytest.fixture(scope="module")
def printed(clone):
    """What the first command prints."""
    pytest.importorskip("papermill", reason="notebooks are run by papermill")
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    process = start(0, clone)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said


def table(text):
    """{row: its numbers in percent} of the table of mAP by tIoU."""
    rows = text.partition("mAP [%] at tIoU")[2].splitlines()[1:4]
    return {row[:32].strip(): [float(number) for number in re.findall(PERCENT, row[32:])] for row in rows}


@pytest.mark.slow
def test_the_first_command_ends_with_the_table_that_is_shown(clone, printed):
    subsets = read_json(clone / "results" / "watch" / "seed1234567891" / "run.json")["data"]["subsets"]
    assert (subsets["training"]["actions"], subsets["test"]["actions"]) == (70, 30)
    shown, found = table(BLOCKS["text"]), table(printed)
    assert shown.keys() == found.keys() and len(shown) == 3
    assert found["class frequencies and durations"] == shown["class frequencies and durations"]
    for row in ("ActionFormer", "frame classifier with smoothing"):  # processors round differently
        assert len(found[row]) == 6 and abs(found[row][-1] - shown[row][-1]) < 8
    refused = "no interval of the average: an interval needs at least 5 test groups, there are 3"
    assert refused in printed and refused in BLOCKS["text"]


@pytest.mark.slow
def test_the_second_command_opens_the_inspector(clone, printed):
    process = start(1, clone)
    try:
        address = next(found[1] for line in process.stdout if (found := ADDRESS.search(line)))
        while process.poll() is None:
            with suppress(urllib.error.URLError):  # it begins to listen after it has said where
                page = urllib.request.urlopen(address).read().decode()
                break
            time.sleep(0.3)
        assert "afkit.workbench.inspector.widget.Inspector" in page
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.mark.slow
def test_the_lines_of_python_find_actions(clone, printed, monkeypatch, capsys):
    monkeypatch.chdir(clone)
    names = {}
    exec(compile(BLOCKS["python"], "README.md", "exec"), names)
    detections = names["detections"]
    assert list(detections) == ["video", "start_sec", "end_sec", "label", "score"] and len(detections) > 0
    assert names["features"].shape[1] == 30 and detections["end_sec"].max() < len(names["features"])
    assert isinstance(names["model"], torch.nn.Module)


def test_the_published_experiments_are_those_of_the_package():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+\.\d+) \|$", TEXT, re.M)
    names = [name for name in afkit.recipe_names() if published(name)]
    assert [name for name, _ in rows] == names and len(names) == 20
    for name, value in rows:
        assert float(value) == published(name).average_map


def test_the_tree_names_what_there_is():
    tree = TEXT.partition("## The tree")[2].partition("```\n")[2].partition("```")[0]
    top = set(re.findall(r"^([\w.]+)/?(?: |$)", tree, re.M)) | {"results", "constraints.txt"}
    assert all((ROOT / name).exists() for name in top - {"data", "results"})
    assert {path.parent.name for path in ROOT.glob("[a-z]*/README.md")} <= top
    assert {path.parent.name for path in ROOT.glob("*/*.py")} - {"tests"} <= top
    rooms = set(re.findall(r"^ {2,4}(\w+)/ ", tree, re.M))
    assert rooms == {path.parent.name for path in (ROOT / "afkit").rglob("*/__init__.py")} - {"afkit"}
    modules = set(re.findall(r"(\w+\.py) ", tree))
    assert modules == {path.name for path in (ROOT / "afkit").glob("*.py")} - {"__init__.py", "__main__.py"}
