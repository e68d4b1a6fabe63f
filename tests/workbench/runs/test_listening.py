"""What takes connections while several processes work, and what another user of the machine can do with that."""

import os
import pickle
import socket
import stat
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from job_processes import listening, processes
from other_users import as_nobody, needs_root
from tiny_data import tiny_recipe, write_tiny_data
from trainings import LostMachineError

from afkit.files import read_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.train.execution import Execution
from afkit.workbench.runs.launch import predict_on_devices, train_on_devices

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="sockets are looked up in /proc")]

RECIPE = tiny_recipe(optim__epochs=5000)
WAITING = """
import os, sys, time
from pathlib import Path

here = Path(__file__).parent

def wait(event, arguments):
    if event == "open" and str(arguments[0]).endswith("annotations.json"):
        (here / f"at{os.environ['RANK']}").touch()
        while not (here / "go").exists():
            time.sleep(0.01)

sys.addaudithook(wait)
"""


class Touch:
    """Makes a file where somebody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mknod, (str(self.path),)


class Look:
    """An on_progress that looks at the processes of a training, lets a stranger at them, and sees them work on."""

    def __init__(self, root):
        self.root, self.calls = root, 0

    def __call__(self, table):
        self.calls += 1
        if self.calls == 3:  # with steps that were made after the first
            raise LostMachineError
        if self.calls == 1:
            self.look()

    def look(self):
        """What is listened at, and where the processes meet."""
        folder = self.root / "run"
        self.sockets = [at for process in processes(folder) for at in listening(process)]
        self.meet = Path(read_json(folder / "train_job.json")["meet"])
        self.mode, self.owner = self.meet.parent.stat().st_mode, self.meet.parent.stat().st_uid
        if os.geteuid() == 0:
            as_nobody(self.intrude)  # raises what goes wrong

    def intrude(self):
        """What another user of the machine can do: no more than connect."""
        with pytest.raises(PermissionError):
            list(self.meet.parent.iterdir())
        with pytest.raises(PermissionError):
            self.meet.read_bytes()
        lies = [pickle.dumps(Touch(self.root / "touched")), b"GET / HTTP/1.1\r\n\r\n", b"", b"\xff" * 4096]
        lies += [struct.pack("<q", peer) + lie for peer in range(3) for lie in lies]
        kept = []
        for address, port in self.sockets:
            for lie in lies:
                kept.append(socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6))
                kept[-1].connect((str(address), port))
                with suppress(ConnectionError):  # some are turned away
                    kept[-1].sendall(lie)


@pytest.fixture(scope="module")
def looked(tmp_path_factory, on_the_processor):
    """What has been seen of a training."""
    root = tmp_path_factory.mktemp("looked")
    write_tiny_data(root)
    look = Look(root)
    with pytest.raises(LostMachineError):
        train_on_devices(RECIPE, root, root / "run", 1, Execution(devices=2), on_progress=look)
    return look


def test_in_training_nothing_is_reached_from_other_machines(looked):
    assert len(looked.sockets) == 2 and all(address.is_loopback for address, _ in looked.sockets), looked.sockets


def test_the_processes_meet_in_a_folder_of_their_owner_that_goes(looked):
    assert stat.S_IMODE(looked.mode) == 0o700 and looked.owner == os.geteuid()
    assert not looked.meet.parent.exists()


@needs_root
def test_another_user_of_the_machine_neither_reads_nor_runs_nor_changes_anything(looked):
    assert not (looked.root / "touched").exists()


def test_in_detection_nothing_is_reached_from_other_machines(root, on_the_processor, monkeypatch):
    (root / "sitecustomize.py").write_text(WAITING)
    monkeypatch.setenv("PYTHONPATH", str(root))
    save_weights(build_model(RECIPE), root / "weights.safetensors", "ema")
    sockets, ended = [], threading.Event()

    def look():
        while not ((root / "at0").exists() and (root / "at1").exists()) and not ended.wait(0.01):
            pass
        sockets.extend(at for process in processes(root / "run") for at in listening(process))
        (root / "go").touch()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        predict_on_devices(RECIPE, root, root / "run", root / "weights.safetensors", devices=2, backend="torch")
    finally:
        ended.set()
        thread.join()
    assert len(sockets) == 2 and all(address.is_loopback for address, _ in sockets), sockets


def test_several_machines_need_an_address(root, monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match=r"num_nodes is 2, and MASTER_ADDR is not set; set it to this machine's addr"):
        train_on_devices(RECIPE, root, root / "run", 1, Execution(num_nodes=2))
    assert not (root / "run").exists()
