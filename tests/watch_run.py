"""A short run of `watch` with all notebooks, made once for all test files that look at one, in whichever process."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
USER, SECRET = "zacharias", "s3cr3t-0f-this-t3st"


def afkit_of(home: Path, *arguments: object, status: int = 0) -> None:
    """The command as a user types it in the folder `project` of a home folder."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOME": str(home), "USER": USER}
    environment |= {"LOGNAME": USER, "AFKIT_CACHE": os.environ.get("AFKIT_CACHE", str(Path.home() / ".cache/afkit"))}
    environment |= {"SERVICE_TOKEN": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET, "JUPYTER_TOKEN": SECRET}
    command = [sys.executable, "-m", "afkit", *map(str, arguments)]
    done = subprocess.run(command, cwd=home / "project", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr


def home_with_run(tmp_path_factory) -> Path:
    """The home folder of a user, with project/results/watch/done, its data in `recordings`, outside the project.

    What is there must stay as it is; other files may come beside it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes, whose own folders lie side by side
        shared = shared.parent
    home = shared / "home" / USER
    home.parent.mkdir(exist_ok=True)
    with (shared / "home" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "made").exists():
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(ROOT / "notebooks", home / "project" / "notebooks")
            given = ["--set", "optim.epochs=1", "--data-root", home / "recordings"]
            afkit_of(home, "run", "watch", "--seed", 1, *given, "--name", "done", "--html")
            (home / "made").touch()
    return home
