"""How processes meet: what one proves to the other, a stranger who comes first, an address of several machines."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from job_processes import listening, start_rank

from afkit.train.distributed import world
from afkit.workbench.runs import peers
from afkit.workbench.runs.peers import check_peers, lost_a_peer

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="sockets are looked up in /proc")
REFUSED = "another program has answered in place of one of the processes"
PROVING = """
from test_peers import peers, prove_in_vain

peers.start(f"{sys.argv[1]}/store")
prove_in_vain(sys.argv[1])
peers.stop()
"""
JOINING = """
import os
from datetime import timedelta
from afkit.workbench.runs import peers

peers.PROOF = timedelta(seconds=1)
try:
    peers.start(f"{sys.argv[1]}/store")
except ConnectionError as error:
    print(error, flush=True)
os._exit(0)
"""


def prove_in_vain(folder):
    """What a process says of another that has another key, and of one that says nothing."""
    rank, _ = world()
    with pytest.raises(ConnectionError) as other_key:
        check_peers(b"key of %d" % rank)
    print(other_key.value)
    silent = Path(folder, "silent")
    if rank == 0:
        peers.PROOF = timedelta(seconds=0.1)
        with pytest.raises(ConnectionError) as silence:
            check_peers(b"key")
        print(silence.value)
        silent.touch()
    while not silent.exists():
        time.sleep(0.01)


@pytest.mark.slow
def test_a_process_that_does_not_know_the_key_is_refused(tmp_path, on_the_processor):
    ranks = [start_rank(rank, PROVING, tmp_path, stdout=subprocess.PIPE, text=True) for rank in range(2)]
    try:
        said = [process.communicate(timeout=300)[0].splitlines() for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert [len(lines) for lines in said] == [2, 1] and all(line.startswith(REFUSED) for line in [*said[0], *said[1]])


def test_what_is_only_sent_back_proves_nothing(monkeypatch):
    class Echo:
        def __init__(self, heard, sent, async_op):
            heard.copy_(sent)

        def wait(self, timeout):
            pass

    monkeypatch.setattr(peers, "world", lambda: (0, 2))
    monkeypatch.setattr(torch.distributed, "all_to_all_single", Echo)
    with pytest.raises(ConnectionError, match=REFUSED):
        check_peers(b"key")


def test_only_what_says_that_another_process_has_gone_is_taken_for_that():
    gone = "[../third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:29400"
    for error, lost in (
        (RuntimeError(gone), True),
        (torch.distributed.DistBackendError("x"), True),
        (RuntimeError("the loss is nan"), False),
        (ValueError(gone), False),
        (torch.OutOfMemoryError("of NCCL"), False),
    ):
        assert lost_a_peer(error) is lost, error


@on_linux
@pytest.mark.slow
def test_a_stranger_who_comes_before_a_process_is_told_apart(tmp_path, on_the_processor):
    """Of two processes one waits for the other to connect; the stranger connects to both before they can."""
    with join(tmp_path, rank=0) as first:
        strangers = connect_to(first)
        first.send_signal(signal.SIGSTOP)
        with join(tmp_path, rank=1) as second:
            strangers += connect_to(second)
            first.send_signal(signal.SIGCONT)
            for process in (first, second):
                assert REFUSED in process.communicate()[0]
    assert strangers


@contextmanager
def join(folder, rank):
    """A process that joins another in a folder, and is impatient."""
    with start_rank(rank, JOINING, folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def connect_to(process):
    """Connections to a process as those of gloo's peers 0 and 1, as soon as it listens."""
    while not (found := listening(process.pid)):
        assert process.poll() is None
        time.sleep(0.01)
    ((address, port),) = found
    connections = [socket.create_connection((str(address), port)) for _ in range(2)]
    for peer, connection in enumerate(connections):
        connection.sendall(struct.pack("<q", peer))
    return connections


def test_an_address_of_another_machine_is_refused():
    documented = "192.0.2.1"  # in documentation, and nowhere else
    with pytest.raises(ValueError, match=r"cannot meet at MASTER_ADDR '192\.0\.2\.1', MASTER_PORT '29400' .*start on"):
        peers._store_at(documented, "29400", 0, 2)
    with pytest.raises(ValueError, match=r"MASTER_PORT 'port' .* name a port that is free"):
        peers._store_at("127.0.0.1", "port", 0, 2)


@on_linux
def test_several_machines_meet_at_the_address_alone(monkeypatch):
    before = listening(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    store = peers._store_at("127.0.0.1", port, 0, 1)
    opened = [(str(address), port) for address, port in listening(os.getpid()) if (address, port) not in before]
    assert opened == [("127.0.0.1", int(port))]
    store.set("key", "value")
    assert peers._store_at("127.0.0.1", port, 1, 1).get("key") == b"value"
