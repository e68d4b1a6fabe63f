"""Tasks on the workers of a cluster: as many at once as there are workers, each to the end, whoever dies on the way."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import TypeVar

from distributed import Client, Future, KilledWorker, wait
from distributed import TimeoutError as TookLonger

from afkit.workbench.sweeps.batch_jobs import refusals
from afkit.workbench.sweeps.clusters import RETRIES, restart_workers

LOOK_SEC = 1.0  # between two looks for workers that have come or gone
GONE = "the scheduler has gone; the same command goes on from here"
DIED = f"its worker died {RETRIES + 1} times; most often memory runs out: fewer --workers, or more memory_gb of a sweep"

Task = TypeVar("Task")
Result = TypeVar("Result")


def give_out(
    client: Client, waiting: deque[Task], submit: Callable[[Task], Future], look: Callable[[], None] = lambda: None
) -> Iterator[tuple[Task, Future]]:
    """Keep as many tasks submitted as there are workers; each with its future when it has ended.

    No more: the scheduler counts the death of a worker against every task that waits at it. `waiting` is emptied, and
    may be added to meanwhile. `look` is called now and then; what it raises ends the waiting.
    """
    running: dict[Future, Task] = {}
    while waiting or running:
        slots = sum(asked(client.nthreads).values())
        while waiting and len(running) < slots:
            task = waiting.popleft()
            running[submit(task)] = task
        for future in ended(list(running), look):
            yield running.pop(future), future


def watch(client: Client, interrupted: Callable[[], None], say: Callable[[str], None]) -> Callable[[], None]:
    """What looks after a cluster when it is called: `interrupted`, workers that dask has given up, jobs refused."""
    if not asked(client.nthreads):
        say("waiting for the first job of the cluster")
    told = set[str]()

    def look() -> None:
        interrupted()
        restart_workers(client)
        _look_at_jobs(client, told, say)

    return look


def _look_at_jobs(client: Client, told: set[str], say: Callable[[str], None]) -> None:
    """RuntimeError where the batch system takes none of the jobs; where it takes some, this is said once."""
    refused = refusals(client.cluster)
    reasons = set(filter(None, refused)) - told
    if refused and all(refused):
        raise RuntimeError(f"no job could be submitted ({refused[0]}); correct that, and start again")
    for reason in reasons:
        say(f"{sum(map(bool, refused))} of {len(refused)} jobs could not be submitted ({reason}); the others go on")
    told |= reasons


def ended(running: Sequence[Future], look: Callable[[], None]) -> list[Future]:
    """Those that have ended; after a while also none, so that new workers are noticed."""
    look()
    if not running:
        time.sleep(LOOK_SEC)
        return []
    try:
        return list(wait(running, timeout=LOOK_SEC, return_when="FIRST_COMPLETED").done)
    except (TimeoutError, TookLonger):
        return []
    except CancelledError:
        raise RuntimeError(GONE) from None


def outcome(future: Future, failed: Callable[[str], Result]) -> Result:
    """What a task came to; its own errors are outcomes already, so that anything else is the cluster's: `failed`."""
    try:
        return future.result()
    except KilledWorker:
        return failed(DIED)
    except Exception as error:
        if future.status in ("cancelled", "lost"):
            raise RuntimeError(GONE) from None
        return failed(f"the worker could not do it: {type(error).__name__}: {error}")
    finally:
        future.release()  # else what a worker has done is done again when that worker dies


def asked(question: Callable[[], Mapping[str, int]]) -> Mapping[str, int]:
    """The answer of a scheduler that is still there, of which each client may be asked."""
    try:
        return question()
    except OSError:
        raise RuntimeError(GONE) from None
