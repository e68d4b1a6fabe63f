"""Workers as jobs of a batch system (Slurm, PBS or LSF, by dask-jobqueue), and the encrypted servers they join."""

import asyncio
import shlex
import shutil
import signal
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from types import ModuleType
from typing import Any

import dask
from distributed import Nanny, Scheduler, Security, SpecCluster, Status, Worker

from afkit.config import nearest
from afkit.workbench.sweeps.sweep_file import Needs
from afkit.yaml_files import read_yaml

GPU, MEMORY = "GPU", "MEMORY_GB"  # names of resources that workers declare
KINDS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}
OWN_KEYS = {  # set here: one run in each job, whose worker is reached by the sweep alone
    "cores", "processes", "worker_extra_args", "n_workers", "job_cls", "asynchronous",
    "security", "protocol", "scheduler_cls", "shared_temp_directory", "dashboard", "dashboard_address",
}  # fmt: skip


def read_cluster(path: str | Path) -> dict[str, Any]:
    """The description of a batch system: YAML with `kind` (slurm, pbs or lsf), `jobs` (how many at once) and the
    arguments of dask-jobqueue's cluster of that kind, e.g. queue, walltime, memory, job_cpu, job_extra_directives.

    Raises:
        ValueError: not readable, an unknown kind, no number of jobs, or an argument that is set here.
    """
    try:
        _, content = read_yaml(Path(path))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; what such a file holds is in docs/how-to/sweeps.md") from None
    kind = content.get("kind") if isinstance(content, dict) else None
    if str(kind) not in KINDS:
        raise ValueError(f"{path}: there is no kind '{kind}' of cluster; {nearest(str(kind), list(KINDS))}")
    if type(content.get("jobs")) is not int or content["jobs"] < 1:
        raise ValueError(f"{path}: 'jobs' is the number of runs at once, 1 or more, not {content.get('jobs')!r}")
    options = content.get("scheduler_options", {})
    if not isinstance(options, dict):
        raise ValueError(f"{path}: 'scheduler_options' must be a section, e.g. {{host: login1}}, not {options!r}")
    for name in sorted(OWN_KEYS & {*content, *options}):
        raise ValueError(f"{path}: '{name}' is set by the sweep, which makes one run in each job; remove it")
    return content


def job_script(cluster: str | Path, settings: Needs) -> str:
    """The script that would be submitted for each worker of a cluster file; ValueErrors as of `read_cluster`.

    Nothing is started for it, so it works where the scheduler of the jobs could not run.
    """
    description, library = read_cluster(cluster), _library()  # here: it cannot be imported first in another thread
    on_paper = Security(tls_ca_file="CERTIFICATE", tls_worker_cert="CERTIFICATE", tls_worker_key="KEY")

    async def script() -> str:
        jobs = _cluster(library, description, settings, on_paper, asynchronous=True)  # starts when it is awaited
        try:
            return jobs.job_script()
        finally:
            await jobs.close()

    return in_thread(script())


@contextmanager
def open_jobs(cluster: str | Path, settings: Needs, workers: int, folder: Path) -> Iterator[SpecCluster]:
    """A cluster whose workers are jobs, which are submitted now, again when they die, and cancelled at the end.

    Args:
        workers: jobs at once; 0 for those of the file `cluster`.
        folder: which all machines see; while the block runs, it holds the key of this sweep, readable by its user.

    Raises:
        ValueError: a wrong file, no commands that submit and cancel jobs, or a folder that these cannot name.
    """
    description, library = read_cluster(cluster), _library()
    kind = getattr(library, KINDS[description["kind"]]).job_cls
    for program in (shlex.split(command)[0] for command in (kind.submit_command, kind.cancel_command)):
        if shutil.which(program) is None:
            raise ValueError(
                f"there is no command '{program}' here, with which jobs are submitted or cancelled; start this on a "
                "machine of the cluster that has it, e.g. its login node"
            )
    if shlex.quote(str(folder)) != str(folder):
        raise ValueError(f"jobs cannot be told of the folder '{folder}'; give it a plain name")
    number = workers or description["jobs"]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".sweep-", dir=folder) as place,
        _cluster(library, description, settings, _shared_credentials(Path(place))) as jobs,
    ):
        jobs.adapt(minimum_jobs=number, maximum_jobs=number)
        yield jobs


def refusals(cluster: SpecCluster | None) -> list[str]:
    """Why each job of a cluster could not be submitted, "" where it could; [] for a cluster without jobs."""
    return [job.refusal for job in list(getattr(cluster, "workers", {}).values()) if hasattr(job, "refusal")]


def _library() -> ModuleType:
    try:
        import dask_jobqueue
    except ImportError:
        raise ValueError("--cluster needs dask-jobqueue; install it with: pip install 'afkit[sweep,cluster]'") from None
    return dask_jobqueue


def _shared_credentials(folder: Path) -> Security:
    """Of which the part of the workers lies in a folder that only the user may enter."""
    security = credentials()
    for field in ("tls_ca_file", "tls_worker_cert", "tls_worker_key"):
        path = folder / field
        path.touch(mode=0o600)
        path.write_text(getattr(security, field))
        setattr(security, field, str(path))
    return security


def _cluster(
    library: ModuleType,
    description: Mapping[str, Any],
    settings: Needs,
    security: Security,
    asynchronous: bool = False,
) -> Any:
    """A cluster of dask-jobqueue, of whose jobs none is submitted yet."""
    kind = getattr(library, KINDS[description["kind"]])
    own = {name: value for name, value in description.items() if name not in ("kind", "jobs")}
    own.setdefault("memory", f"{settings.memory_gb} GB")
    resources = {MEMORY: settings.memory_gb, **({GPU: settings.gpus} if settings.gpus else {})}
    declared = " ".join(f"{name}={number:g}" for name, number in resources.items())
    arguments = [f'--resources "{declared}"', f"--worker-class {OwnWorker.__module__}.{OwnWorker.__name__}"]
    if not (own.get("local_directory") or dask.config.get(f"jobqueue.{description['kind']}.local-directory")):
        arguments.append('--local-directory "$(mktemp -d)"')  # dask imports from there: not for others
    try:
        return kind(
            cores=1,
            processes=1,
            worker_extra_args=arguments,  # as the shell reads them
            job_cls=_noting_refusals(kind.job_cls),
            scheduler_cls=OwnScheduler,
            security=security,
            asynchronous=asynchronous,
            **own,
        )
    except (TypeError, ValueError, RuntimeError) as error:  # the last: its scheduler does not start
        raise ValueError(f"the cluster file does not fit {KINDS[description['kind']]}: {error}") from None


def _noting_refusals(kind: Any) -> type:
    """A kind of jobs that keep why they could not be submitted; dask would log it, and wait for their workers."""

    class Job(kind):
        refusal = ""

        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                text = str(error).rpartition("stderr:\n")[2] or str(error)  # dask-jobqueue makes many lines of it
                self.refusal = f"{shlex.split(self.submit_command)[0]}: {' '.join(text.split())}"
                self.status = Status.running

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    return Job


def credentials() -> Security:
    """A key and a certificate of this sweep alone: who does not have them reaches none of its servers."""
    try:
        return Security.temporary()
    except ImportError:
        raise ValueError(
            "a sweep encrypts with the package cryptography, which is missing; install it with: pip install "
            "'afkit[sweep]'"
        ) from None


def in_thread(work: Coroutine[Any, Any, str]) -> str:
    """The result of asynchronous work; not in this thread, which in a notebook has an event loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class _WithoutPages:
    """A server that opens no port for a browser, which those of dask do even where they show no dashboard."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **{**options, "dashboard": False})

    def start_http_server(self, *arguments: Any, **options: Any) -> None:
        """Start none."""


class OwnScheduler(_WithoutPages, Scheduler):
    """A scheduler that only the sweep asks."""


class OwnWorker(_WithoutPages, Worker):
    """A worker, for which Ctrl-C is not meant: the sweep ends its workers itself."""

    def __init__(self, *arguments: Any, **options: Any):
        if threading.current_thread() is threading.main_thread():  # of a process of its own
            signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN, not inherited by the kernels
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        super().__init__(*arguments, **options)


class OwnNanny(Nanny):
    """What starts an `OwnWorker`, in a thread of the sweep's process."""

    def __init__(self, *arguments: Any, **options: Any):
        resource_tracker.ensure_running()  # lets SIGINT through to the thread that first needs it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited by the process of the worker
        super().__init__(*arguments, **{**options, "worker_class": OwnWorker})
