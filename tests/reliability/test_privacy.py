"""What a run leaves behind can be passed on: no folder, user or secret of this machine stands in it."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("papermill", reason="the runs are made by papermill")
pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
USER, SECRET = "zacharias", "s3cr3t-0f-this-t3st"
SHORT = ["--set", "optim.epochs=1", "--set", "optim.warmup_epochs=1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home folder of a user: a project with a finished run, a failed run, a comparison, a page and predictions.

    The data lies outside the project, and is named by its absolute path.
    """
    home = tmp_path_factory.mktemp("home") / USER
    project, data = home / "project", home / "recordings"
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOME": str(home), "USER": USER}
    environment |= {"LOGNAME": USER, "AFKIT_CACHE": os.environ.get("AFKIT_CACHE", str(Path.home() / ".cache/afkit"))}
    environment |= {"SERVICE_TOKEN": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "JUPYTER_TOKEN": SECRET}

    def afkit(*arguments, status=0):
        command = [sys.executable, "-m", "afkit", *map(str, arguments)]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr

    afkit("run", "watch", *SHORT, "--data-root", data, "--name", "done", "--html")
    features = sorted((data / "watch" / "features").iterdir())
    features[0].write_bytes(b"no features")
    afkit("run", "watch", *SHORT, "--data-root", data, "--name", "failed", "--html", status=1)
    afkit("compare", project / "results" / "watch" / "done")
    afkit("view", project / "results" / "watch" / "done", "--html", project / "results" / "page.html")
    afkit("predict", project / "results" / "watch" / "done", features[1], "--format", "json")
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
    wanted = {"run.json", "04_visualize.ipynb", "04_visualize.html", "05_compare.ipynb", "report.html", "page.html"}
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
