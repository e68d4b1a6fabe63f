"""What a run leaves behind can be passed on: no folder, user or secret of this machine stands in it."""

import gzip
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from watch_run import SECRET, USER, afkit_of, home_with_run

pytest.importorskip("papermill", reason="the runs are made by papermill")
pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home folder of a user: a project with a finished run, a failed run, a comparison, a page and predictions.

    The data lies outside the project, and is named by its absolute path.
    """
    home = home_with_run(tmp_path_factory)
    done, broken = home / "project" / "results" / "watch" / "done", home / "broken"
    shutil.copytree(home / "recordings", broken)
    features = sorted((broken / "watch" / "features").iterdir())
    features[0].write_bytes(b"no features")
    afkit_of(home, "run", "watch", "--data-root", broken, "--name", "failed", "--html", status=1)
    afkit_of(home, "compare", done)
    afkit_of(home, "view", done, "--html", home / "project" / "results" / "page.html")
    afkit_of(home, "predict", done, features[1], "--format", "json")
    return home


def written(home):
    """{file of the results: its content, unpacked}."""
    files = [path for path in (home / "project" / "results").rglob("*") if path.is_file()]
    return {
        path.relative_to(home / "project"): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in files
    }


def found_in(home, *needles):
    """Files with one of some words, and what stands around it."""
    pattern = re.compile(b"|".join(re.escape(str(needle).encode()) for needle in needles))
    return {
        str(name): content[max(0, match.start() - 60) : match.end() + 60]
        for name, content in written(home).items()
        if (match := pattern.search(content))
    }


def test_the_files_to_look_at_are_there(home):
    names = {path.name for path in written(home)}
    wanted = {"run.json", "04_visualize.ipynb", "watch-done.html", "05_compare.ipynb", "report.html", "page.html"}
    assert wanted | {"predictions.json.gz", "eval.json", "summary.csv", "metrics.csv"} <= names
    assert json.loads((home / "project/results/watch/failed/run.json").read_text())["stages"]["01_data"]["error"]


WORDS = {
    "user name, home folder": lambda home: (USER, home, home.parent),
    "folders of Python and afkit": lambda home: (ROOT, sys.prefix, sys.base_prefix + "/lib", Path.home()),
    "secrets in the environment": lambda home: (SECRET,),
    "temporary folders": lambda home: ("/tmp/", os.environ.get("TMPDIR", "/tmp/")),
}


@pytest.mark.parametrize("what", WORDS)
def test_nothing_of_this_machine_stands_in_a_file(home, tally, what):
    found = found_in(home, *WORDS[what](home))
    tally("What files give away", what, files_searched=len(written(home)), found=len(found))
    assert found == {}
