"""Where the runs of a sweep are made: workers of this machine, of a running dask cluster, or of a batch system."""

import asyncio
import ipaddress
import logging
import os
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import psutil
from distributed import Client, Security, SpecCluster, rpc
from distributed.comm import get_address_host, parse_address, resolve_address

from afkit.workbench.runs.provenance import thread_limits, usable_cores
from afkit.workbench.sweeps.batch_jobs import GPU, MEMORY, OwnNanny, OwnScheduler, credentials, in_thread, open_jobs
from afkit.workbench.sweeps.sweep_file import Needs

RETRIES = 3  # of a run whose worker died
ANSWER_SEC = 10.0  # for a scheduler to answer
RESTART_SEC = 120.0  # for a worker that died, whose libraries may come from a slow disk
LOOPBACK = "127.0.0.1"


@contextmanager
def open_client(
    settings: Needs,
    workers: int = 0,
    scheduler: str = "",
    cluster: str = "",
    folder: str | Path = "results",
    say: Callable[[str], None] = print,
) -> Iterator[Client]:
    """A client of the cluster that makes the runs; workers that were started for it end with the block.

    Args:
        workers: processes on this machine; 0 for as many as fit. Jobs, with `cluster`.
        scheduler: address of a running cluster, whose workers see the same folders.
        cluster: file that describes a batch system, see `afkit.workbench.sweeps.batch_jobs.read_cluster`.

    Raises:
        ValueError: no scheduler answers, no worker has what a run needs, a wrong cluster file, or nothing here submits
            jobs.
    """
    scratch = tempfile.TemporaryDirectory(prefix="afkit-sweep-", ignore_cleanup_errors=True)
    options = {
        "distributed.scheduler.allowed-failures": RETRIES,
        "temporary-directory": scratch.name,  # dask imports from there, and its own lies where others may write
    }
    with scratch, dask.config.set(options), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a worker that is ended while it works is reported as a run
        if scheduler:
            with _connect(scheduler) as client:
                _check_workers(client, settings)
                host = ipaddress.ip_address(get_address_host(resolve_address(scheduler)))
                if parse_address(scheduler)[0] != "tls" and not host.is_loopback:
                    say(
                        f"afkit: {scheduler} is not encrypted: whoever reaches it runs code as you; start it as "
                        "docs/how-to/sweeps.md shows"
                    )
                yield client
        elif cluster:
            with open_jobs(cluster, settings, workers, Path(folder)) as jobs, Client(jobs) as client:
                yield client
        else:
            patience = dask.config.set({"distributed.deploy.lost-worker-timeout": RESTART_SEC})
            with patience, _local(settings, workers) as own, Client(own) as client:
                yield client


def needs(client: Client, settings: Needs) -> dict[str, float]:
    """Of the resources that a run of a sweep needs, what the workers declare: name -> how much of it.

    Raises:
        ValueError: the sweep names GPUs and there are workers, none of which declares any.
    """
    found = client.scheduler_info(n_workers=-1)["workers"].values()
    offered = {name for worker in found for name in worker.get("resources", {})}
    wanted = {GPU: settings.gpus if settings.gpus is not None else 1, MEMORY: settings.memory_gb}
    if settings.gpus and found and GPU not in offered:
        raise ValueError(
            f"a run needs {settings.gpus} GPU(s), and no worker of {_address(client)} declares any; start "
            "workers with --resources GPU=1"
        )
    return {name: number for name, number in wanted.items() if name in offered and number}


def restart_workers(client: Client) -> None:
    """Start workers or jobs again that dask has given up, since it does not itself, and runs would wait for ever."""
    cluster = client.cluster
    if isinstance(cluster, SpecCluster) and len(cluster.workers) < len(cluster.worker_spec):
        cluster.scale(len(cluster.worker_spec))


def local_workers(cores: int, available_gb: float, gpus: int, settings: Needs, wanted: int = 0) -> int:
    """How many runs this machine makes at once: two cores and `memory_gb` for each, or its GPUs; at least one.

    With `wanted`, so many where memory and GPUs allow it. A ValueError says that a run needs more GPUs than there are.
    """
    each = settings.gpus if settings.gpus is not None else min(gpus, 1)
    if each > gpus:
        raise ValueError(f"a run needs {each} GPU(s) (gpus), and this machine has {gpus}")
    limits = [wanted or (max(cores // 2, 1) if not each else gpus), int(available_gb // settings.memory_gb)]
    return max(min([*limits, gpus // each] if each else limits), 1)


def _connect(address: str) -> Client:
    """A client of a scheduler that answers; it is asked first, since a client that finds none may wait for ever."""
    try:
        server = in_thread(_who_answers(address))
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or f"nothing within {ANSWER_SEC:g} s"
        raise ValueError(
            f"no dask scheduler answers at '{address}' ({reason}); start one as docs/how-to/sweeps.md shows"
        ) from None
    if server != "Scheduler":
        raise ValueError(f"'{address}' is the address of a dask {server}, not of the scheduler; give the scheduler's")
    return Client(address, timeout=ANSWER_SEC)


async def _who_answers(address: str) -> str:
    """The kind of dask server at an address; OSError, ValueError or TypeError where none is."""
    encryption = Security().get_connection_args("client")  # as dask's own configuration has it, like a client
    async with asyncio.timeout(ANSWER_SEC), rpc(address, connection_args=encryption) as server:
        return str((await server.identity())["type"])


def _address(client: Client) -> str:
    return str(client.scheduler.address)  # type: ignore[union-attr]  # a connected client has one


def _check_workers(client: Client, settings: Needs) -> None:
    """ValueError where the workers of a running cluster cannot make the runs."""
    threads, address = client.nthreads(), _address(client)
    if not threads:
        raise ValueError(f"the cluster at {address} has no workers; start some as docs/how-to/sweeps.md shows")
    if (most := max(threads.values())) > 1:
        raise ValueError(
            f"a worker of {address} has {most} threads, and would make {most} runs at once; start it with --nthreads 1"
        )
    needs(client, settings)


def _local(settings: Needs, workers: int) -> SpecCluster:
    """Worker processes of this machine, each with its share of cores and its own GPUs; they end with this process."""
    cores, gpus = usable_cores(), visible_gpus()
    number = local_workers(cores, psutil.virtual_memory().available / 1e9, len(gpus), settings, workers)
    each = settings.gpus if settings.gpus is not None else min(len(gpus), 1)
    security = credentials()
    place = {"host": LOOPBACK, "protocol": "tls", "security": security}
    common = {**place, "nthreads": 1, "silence_logs": logging.CRITICAL}
    common["memory_limit"] = 0  # none: it would not see the kernels
    specification = {}
    for i in range(number):
        environment = thread_limits(max(cores // number, 1))
        resources = {MEMORY: settings.memory_gb}
        if each:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[i * each : (i + 1) * each])
            resources[GPU] = each
        specification[i] = {"cls": OwnNanny, "options": {**common, "env": environment, "resources": resources}}
    scheduler = {"cls": OwnScheduler, "options": {**place, "port": 0}}
    return SpecCluster(specification, scheduler, security=security, silence_logs=logging.CRITICAL)


def visible_gpus() -> list[str]:
    """Numbers of the GPUs that runs may use, as the driver knows them; torch, which knows them too, takes seconds."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() and not name.startswith("-")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]
