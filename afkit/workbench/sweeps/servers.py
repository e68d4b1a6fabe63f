"""The servers of a sweep's own cluster: encrypted, without web pages, and out of reach of Ctrl-C."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker
from typing import Any

from distributed import Nanny, Scheduler, Security, Worker

GPU, MEMORY = "GPU", "MEMORY_GB"  # names of resources that workers declare


def credentials() -> Security:
    """A key and a certificate of this sweep alone: who does not have them reaches none of its servers.

    Raises:
        ValueError: the library that makes them is missing.
    """
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
