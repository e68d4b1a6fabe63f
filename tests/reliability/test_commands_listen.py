"""Commands listen on loopback addresses alone. Trainings of several devices and sweeps have tests of their own."""

import ipaddress
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from run_folders import write_scored_run, write_test_data
from tiny_data import tiny_recipe, write_tiny_data

psutil = pytest.importorskip("psutil", reason="it says who listens")
pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE_SEC = 240


def run_arguments(root):
    """Arguments of Python that check a small data set in a notebook's kernel."""
    write_tiny_data(root / "data")
    recipe = tiny_recipe().model_dump(mode="json")
    del recipe["name"]
    (root / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    places = ["--data-root", str(root / "data"), "--results", str(root / "results")]
    return ["-m", "afkit", "run", str(root / "tiny.yaml"), "--stages", "01", *places]


def view_arguments(root):
    """Arguments of Python that serve the inspector."""
    pytest.importorskip("voila", reason="it serves the inspector")
    run = write_scored_run(root / "results" / "tiny" / "seed1", write_test_data(root / "data"), 3, root / "data")
    return ["-m", "afkit", "view", str(run), "--data-root", str(root / "data")]


def lab_arguments(root):
    """Arguments of Python that start JupyterLab as `make lab` does."""
    pytest.importorskip("jupyterlab", reason="make lab starts it")
    command = re.search(r"^lab:.*\n\t\S+python (.*?) \$\(if", (ROOT / "Makefile").read_text(), re.M)[1]
    return [*command.split(), "--allow-root", "--no-browser"]


def listening(process):
    """Host and port of all that a process and those that it started listen on."""
    found = set()
    for one in (process, *process.children(recursive=True)):
        try:
            found |= {entry.laddr for entry in one.net_connections("tcp") if entry.status == psutil.CONN_LISTEN}
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize(
    ("command", "least"),
    [(run_arguments, 5), (view_arguments, 1), (lab_arguments, 1)],  # a kernel has five ports
    ids=["run", "view", "lab"],
)
def test_a_command_listens_on_loopback_alone(command, least, tmp_path, tally):
    arguments = command(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(tmp_path)}
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    seen, until = set(), time.monotonic() + PATIENCE_SEC
    try:
        while len(seen) < least:
            assert process.poll() is None and time.monotonic() < until, (tmp_path / "said").read_text()
            seen |= listening(psutil.Process(process.pid))
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # by Ctrl-C, JupyterLab asks whether it is meant
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    outside = [place for place in seen if not ipaddress.ip_address(place[0]).is_loopback]
    assert not outside
    tally("What listens", arguments[2] if arguments[1] == "afkit" else "make lab", ports=len(seen), others_can_reach=0)
