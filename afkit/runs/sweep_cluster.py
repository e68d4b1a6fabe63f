"""Where the runs of a sweep are made: workers of this machine, of a running dask cluster, or of a batch system."""

import asyncio
import logging
import os
import subprocess
import warnings
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import psutil
import yaml
from distributed import Client, Nanny, Scheduler, Security, SpecCluster, rpc

from afkit.config import nearest
from afkit.files import yaml_content
from afkit.opening import read_text
from afkit.runs.sweep_file import SweepFile
from afkit.runs.threads import thread_limits

RETRIES = 3  # of a run whose worker died
ANSWER_SEC = 10.0  # for a scheduler to answer
KINDS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}
OWN_KEYS = {"cores", "processes", "worker_extra_args", "n_workers"}  # set here: one run in each job
GPU, MEMORY = "GPU", "MEMORY_GB"  # names of resources


@contextmanager
def open_client(settings: SweepFile, workers: int = 0, scheduler: str = "", cluster: str = "") -> Iterator[Client]:
    """A client of the cluster that makes the runs; workers that were started for it end with the block.

    Args:
        settings: what a run needs.
        workers: processes on this machine; 0 for as many as fit. Jobs, with `cluster`.
        scheduler: address of a running cluster, whose workers see the same folders.
        cluster: file that describes a batch system, see `read_cluster`.

    Raises:
        ValueError: no scheduler answers, no worker has what a run needs, or a wrong cluster file.
    """
    failures = {"distributed.scheduler.allowed-failures": RETRIES}
    with dask.config.set(failures), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a worker that is ended while it works is reported as a run
        if scheduler:
            with _connect(scheduler) as client:
                _check_workers(client, settings)
                yield client
        elif cluster:
            description = read_cluster(cluster)
            with _jobs(description, settings) as jobs, Client(jobs) as client:
                number = workers or description["jobs"]
                jobs.adapt(minimum_jobs=number, maximum_jobs=number)  # a job that dies is submitted again
                yield client
        else:
            with _local(settings, workers) as own, Client(own) as client:
                yield client


def needs(client: Client, settings: SweepFile) -> dict[str, float]:
    """The resources that a run asks for: of those that it needs, what the workers declare.

    Args:
        client: of the dask cluster.
        settings: of the sweep, with `gpus` and `memory_gb` of a run.

    Returns:
        name of a resource -> how much of it.

    Raises:
        ValueError: the sweep names GPUs and there are workers, none of which declares any.
    """
    found = client.scheduler_info(n_workers=-1)["workers"].values()
    offered = {name for worker in found for name in worker.get("resources", {})}
    wanted = {GPU: settings.gpus if settings.gpus is not None else 1, MEMORY: settings.memory_gb}
    if settings.gpus and found and GPU not in offered:
        raise ValueError(
            f"a run needs {settings.gpus} GPU(s), and no worker of {_address(client)} declares any; start "
            f"workers with: dask worker {_address(client)} --nthreads 1 --resources GPU=1"
        )
    return {name: number for name, number in wanted.items() if name in offered and number}


def local_workers(cores: int, available_gb: float, gpus: int, settings: SweepFile, wanted: int = 0) -> int:
    """How many runs this machine makes at once: two cores and `memory_gb` for each, or its GPUs; at least one.

    Args:
        cores: of this process.
        available_gb: memory that is free.
        gpus: that are visible.
        settings: what a run needs.
        wanted: take so many where memory and GPUs allow it; 0 for what fits.

    Raises:
        ValueError: a run needs more GPUs than there are.
    """
    each = settings.gpus if settings.gpus is not None else min(gpus, 1)
    if each > gpus:
        raise ValueError(f"a run needs {each} GPU(s) (gpus), and this machine has {gpus}")
    limits = [wanted or (max(cores // 2, 1) if not each else gpus), int(available_gb // settings.memory_gb)]
    return max(min([*limits, gpus // each] if each else limits), 1)


def read_cluster(path: str | Path) -> dict[str, Any]:
    """The description of a batch system.

    Args:
        path: YAML with `kind` (slurm, pbs or lsf), `jobs` (how many at once) and the arguments of dask-jobqueue's
            cluster of that kind, e.g. queue, walltime, memory, job_cpu, job_extra_directives.

    Raises:
        ValueError: not readable, an unknown kind, no number of jobs, or an argument that is set here.
    """
    try:
        tree = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
        content = yaml_content(tree, yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or str(content.get("kind")) not in KINDS:
        kind = content.get("kind") if isinstance(content, dict) else None
        raise ValueError(f"{path}: there is no kind '{kind}' of cluster; {nearest(str(kind), list(KINDS))}")
    if not isinstance(content.get("jobs"), int) or content["jobs"] < 1:
        raise ValueError(f"{path}: 'jobs' is the number of runs at once, 1 or more, not {content.get('jobs')!r}")
    for name in OWN_KEYS & content.keys():
        raise ValueError(f"{path}: '{name}' is set by the sweep, which makes one run in each job; remove it")
    return content


def job_script(cluster: str | Path, settings: SweepFile) -> str:
    """The script that would be submitted for each worker of a cluster file; ValueErrors as of `read_cluster`.

    Nothing is started for it, so it works where the scheduler of the jobs could not run.
    """

    async def script() -> str:
        jobs = _jobs(read_cluster(cluster), settings, asynchronous=True)  # starts when it is awaited, which it is not
        try:
            return jobs.job_script()
        finally:
            await jobs.close()

    return _in_thread(script())


def _connect(address: str) -> Client:
    """A client of a scheduler that answers.

    It is asked before there is a client: one that finds no scheduler may wait for ever, at once (for a server that says
    nothing) or when it is collected while another event loop starts.
    """
    try:
        server = _in_thread(_who_answers(address))
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or f"nothing within {ANSWER_SEC:g} s"
        raise ValueError(
            f"no dask scheduler answers at '{address}' ({reason}); start one with: dask scheduler"
        ) from None
    if server != "Scheduler":
        raise ValueError(
            f"'{address}' is the address of a dask {server}, not of the scheduler; start one with: dask scheduler"
        )
    return Client(address, timeout=ANSWER_SEC)


async def _who_answers(address: str) -> str:
    """The kind of dask server at an address; OSError, ValueError or TypeError where none is."""
    encryption = Security().get_connection_args("client")  # as dask's own configuration has it, like a client
    async with asyncio.timeout(ANSWER_SEC), rpc(address, connection_args=encryption) as server:
        return str((await server.identity())["type"])


def _in_thread(work: Coroutine[Any, Any, str]) -> str:
    """The result of asynchronous work; not in this thread, which in a notebook has an event loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _address(client: Client) -> str:
    return str(client.scheduler.address)  # type: ignore[union-attr]  # a connected client has one


def _check_workers(client: Client, settings: SweepFile) -> None:
    """ValueError where the workers of a running cluster cannot make the runs."""
    threads, address = client.nthreads(), _address(client)
    how = f"start workers with: dask worker {address} --nthreads 1"
    if not threads:
        raise ValueError(f"the cluster at {address} has no workers; {how}")
    if (most := max(threads.values())) > 1:
        raise ValueError(f"a worker of {address} has {most} threads, and would make {most} runs at once; {how}")
    needs(client, settings)


def _local(settings: SweepFile, workers: int) -> SpecCluster:
    """Worker processes of this machine, each with its share of cores and its own GPUs; they end with this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = visible_gpus()
    number = local_workers(cores, psutil.virtual_memory().available / 1e9, len(gpus), settings, workers)
    each = settings.gpus if settings.gpus is not None else min(len(gpus), 1)
    common = {"nthreads": 1, "host": "127.0.0.1", "silence_logs": logging.CRITICAL}
    common["memory_limit"] = 0  # none: it would not see the kernels
    specification = {}
    for i in range(number):
        environment = thread_limits(max(cores // number, 1))
        resources = {MEMORY: settings.memory_gb}
        if each:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[i * each : (i + 1) * each])
            resources[GPU] = each
        specification[i] = {"cls": Nanny, "options": {**common, "env": environment, "resources": resources}}
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}}
    return SpecCluster(specification, scheduler, silence_logs=logging.CRITICAL)


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


def _jobs(description: Mapping[str, Any], settings: SweepFile, asynchronous: bool = False) -> Any:
    """Workers as jobs of a batch system, of which none is submitted yet: a cluster of dask-jobqueue."""
    try:
        import dask_jobqueue
    except ImportError:
        raise ValueError("--cluster needs dask-jobqueue; install it with: pip install 'afkit[sweep,cluster]'") from None
    own = {name: value for name, value in description.items() if name not in ("kind", "jobs")}
    own.setdefault("memory", f"{settings.memory_gb} GB")
    resources = {MEMORY: settings.memory_gb, **({GPU: settings.gpus} if settings.gpus else {})}
    declared = " ".join(f"{name}={number:g}" for name, number in resources.items())
    kind = getattr(dask_jobqueue, KINDS[description["kind"]])
    try:
        return kind(
            cores=1, processes=1, worker_extra_args=[f'--resources "{declared}"'], asynchronous=asynchronous, **own
        )
    except (TypeError, ValueError, RuntimeError) as error:  # the last: its scheduler does not start
        raise ValueError(f"the cluster file does not fit {KINDS[description['kind']]}: {error}") from None
