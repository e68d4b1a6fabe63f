"""Nobody but the sweep reaches its scheduler and workers: other users of the machine, browsers, the network."""

import colorsys
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="sweeps are made by dask")
from distributed import LocalCluster, Security

from afkit.workbench.sweeps.batch_jobs import credentials

psutil = pytest.importorskip("psutil", reason="comes with dask")

ROOT = Path(__file__).parents[3]
WORKERS = 2
SWEEP = f"""
import sys
def found():
    import colorsys
    return colorsys.__file__
from afkit.workbench.sweeps.clusters import open_client
from afkit.workbench.sweeps.sweep_file import SweepFile
if __name__ == "__main__":  # workers import this file again
    with open_client(SweepFile(recipes=["watch"], memory_gb=0.1), workers={WORKERS}) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        print(client.scheduler.address)
        print(found(), client.submit(found).result(), flush=True)
        sys.stdin.read()
"""
STRANGER = """
import os, sys
from distributed import Client, Security
os.setgroups([]), os.setgid(65534), os.setuid(65534)
place = sys.argv[1].partition("://")[2]
for address, security in [("tcp://" + place, None), ("tls://" + place, None), ("tls://" + place, Security.temporary())]:
    try:
        with Client(address, security=security, timeout=5) as client:
            print("ran as", set(client.run(os.getuid).values()), flush=True)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        print("refused", flush=True)
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The process of a sweep with two workers that wait, the address of its scheduler, and what was imported there.

    Another user was first to make the folder in which dask keeps temporary files, and has put a module there.
    """
    folder = tmp_path_factory.mktemp("sweep")
    theirs, script = folder / "dask-scratch-space", folder / "sweep.py"
    theirs.mkdir()
    theirs.chmod(0o777)
    (theirs / "colorsys.py").write_text("")
    script.write_text(SWEEP)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
    )
    yield process, process.stdout.readline().strip(), process.stdout.readline().split()
    process.communicate("")
    assert process.returncode == 0 and {path.name for path in folder.iterdir()} == {"sweep.py", "dask-scratch-space"}


def listening(process) -> list[tuple[str, int]]:
    """Host and port of all that a process and those that it started listen on, as /proc/net has them."""
    own = psutil.Process(process.pid)
    found = [entry for one in (own, *own.children(recursive=True)) for entry in one.net_connections("tcp")]
    return [entry.laddr for entry in found if entry.status == psutil.CONN_LISTEN]


def as_a_stranger(address: str) -> list[str]:
    """What another user of this machine is told who runs code at an address: in plain, encrypted, with a key."""
    done = subprocess.run([sys.executable, "-c", STRANGER, address], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_another_user_runs_nothing_on_the_workers_of_a_sweep(sweep):
    assert as_a_stranger(sweep[1]) == ["refused"] * 3
    own = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(protocol="tcp", host="127.0.0.1", **own) as cluster:  # the same way leads in where it is open
        assert as_a_stranger(cluster.scheduler_address) == ["ran as {0}", "refused", "refused"]


@pytest.mark.slow
def test_nothing_is_imported_from_a_folder_of_others(sweep):
    assert sweep[2] == [colorsys.__file__] * 2


@pytest.mark.slow
def test_a_sweep_listens_on_loopback_alone_and_with_nothing_but_dask(sweep):
    places = listening(sweep[0])
    assert {host for host, _ in places} == {"127.0.0.1"}
    assert len(places) == 1 + 2 * WORKERS, "the scheduler, and a nanny for each worker; no port for browsers"
    for place in places:
        with socket.create_connection(place, timeout=60) as connection:
            connection.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
            answer = b""
            with suppress(ConnectionError):
                answer = connection.recv(64)
            assert not answer.startswith(b"HTTP")


def test_credentials_without_the_library_say_what_to_install(monkeypatch):
    def missing():
        raise ImportError

    monkeypatch.setattr(Security, "temporary", missing)
    with pytest.raises(ValueError, match=r"package cryptography, which is missing; .* pip install 'afkit\[sweep\]'"):
        credentials()
