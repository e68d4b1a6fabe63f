"""How the processes that work together meet, and prove to each other who they are."""

import hmac
import os
import secrets
import socket
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from afkit.train.distributed import world

MEET = timedelta(minutes=10)  # for the processes of other machines to be started
PROOF = timedelta(minutes=1)  # for an answer of a process that is there already
PEER_ERRORS = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")  # in torch's messages


def start(meet: str | tuple[str, str]) -> None:
    """Join the other processes; on a GPU, this process takes the one of its local rank.

    RANK, LOCAL_RANK, WORLD_SIZE and LOCAL_WORLD_SIZE in the environment say which of them this is. Tensors of a GPU go
    through NCCL, those of the host through gloo. They meet, to tell each other their addresses, at a file, for one
    machine, in a folder that only its owner may enter; for several at an address and a port of the first one's machine.

    Raises:
        ValueError: more processes than GPUs on this machine, or not its address.
        ConnectionError: as of `check_peers`.
    """
    rank, ranks, backend = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), "gloo"
    if torch.cuda.is_available():
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise ValueError(f"devices is {os.environ['LOCAL_WORLD_SIZE']}, but this machine has {gpus} GPUs")
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    store = dist.FileStore(meet, ranks) if isinstance(meet, str) else _store_at(*meet, rank, ranks)
    dist.init_process_group(backend, store=store, rank=rank, world_size=ranks)
    if rank == 0:
        store.set("key", secrets.token_hex())
    check_peers(store.get("key"))


def _store_at(host: str, port: str, rank: int, ranks: int) -> dist.Store:
    """What the first process keeps for all, at one address; by itself torch would listen at all of its machine."""
    bound = None
    try:
        number = int(port)
        if rank == 0:
            family, *_, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            bound = socket.create_server(address, family=family).detach()
    except (OSError, OverflowError, ValueError) as error:
        raise ValueError(
            f"the processes cannot meet at MASTER_ADDR '{host}', MASTER_PORT '{port}' ({error}); start on the machine "
            f"whose address this is, and name a port that is free"
        ) from None
    return dist.TCPStore(host, number, ranks, rank == 0, MEET, master_listen_fd=bound)


def check_peers(key: bytes) -> None:
    """Let all processes prove to each other that they know a key, else raise a ConnectionError; all must call it.

    Gloo takes whoever connects first for its peer, and that may be another user of the machine. A connection is never
    made anew, so what is proven once holds to the end.
    """
    rank, ranks = world()

    def proofs(pairs: list[tuple[int, int]]) -> Tensor:  # (R, 32) uint8
        told = [hmac.digest(key, f"{sender} to {receiver}".encode(), "sha256") for sender, receiver in pairs]
        return torch.tensor([list(proof) for proof in told], dtype=torch.uint8)

    expected = proofs([(sender, rank) for sender in range(ranks)])
    heard = torch.zeros_like(expected)
    try:
        sent = proofs([(rank, receiver) for receiver in range(ranks)])
        dist.all_to_all_single(heard, sent, async_op=True).wait(PROOF)
    except RuntimeError as error:
        if lost_a_peer(error):
            raise
    if not torch.equal(heard, expected):
        raise ConnectionError(
            "another program has answered in place of one of the processes, so the work has not begun; start again, "
            "and find out who connects to ports of this machine that are not theirs"
        )


def stop() -> None:
    """Leave the other processes, at the end of all work."""
    dist.destroy_process_group()


def lost_a_peer(error: BaseException) -> bool:
    """Whether an error says only that another process has gone."""
    if isinstance(error, dist.DistError):
        return True
    return type(error) is RuntimeError and any(text in str(error).lower() for text in PEER_ERRORS)
