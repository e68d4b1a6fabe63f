"""Recordings are shared out to worker processes of dask: of this machine or a cluster, where those of sweeps are."""

import os
import time
import uuid
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from distributed import Future, get_worker

from afkit.workbench.media.writing import Done, Say, Task, Tell, Vectors, Written, write_one
from afkit.workbench.runs.interrupts import interrupts_wait
from afkit.workbench.sweeps.clusters import needs, open_client
from afkit.workbench.sweeps.sweep_file import Needs
from afkit.workbench.sweeps.tasks import give_out, outcome, watch

MEMORY_GB = 2.0  # of a worker
TOLD_SEC = 1.0  # between two words of a worker on how far it is


def shared_out(
    tasks: Sequence[Task],
    vectors: Vectors,
    tell: Tell,
    say: Say,
    *,
    workers: int = 0,
    scheduler: str = "",
    cluster: str = "",
    gpus: int | None = 0,
) -> Done:
    """Recordings as workers have done them, in the order in which they end; Ctrl-C ends all of them.

    Args:
        tasks: the recordings. A worker that dies while it does one leaves it to another.
        vectors: of a recording; it is sent to other processes.
        tell: is given how far each is.
        say: is told what is unusual of the cluster.
        workers, scheduler, cluster: where, see `afkit.workbench.sweeps.clusters.open_client`.
        gpus: that a worker needs; None for one where there are any.

    Raises:
        ValueError: there is no such cluster.
        RuntimeError: the scheduler has gone, or the batch system takes no job.
        OSError: the disk is full.
    """
    if not tasks:
        return
    topic, news, need = f"afkit-{uuid.uuid4().hex}", deque[tuple[str, int]](), Needs(memory_gb=MEMORY_GB, gpus=gpus)
    folder = tasks[0].final.parent.resolve()
    with interrupts_wait() as interrupted, open_client(need, workers, scheduler, cluster, folder, say) as client:
        client.subscribe_topic(topic, lambda event: news.append(event[1]))
        look_after = watch(client, interrupted, say)

        def look() -> None:
            look_after()
            while news:
                tell(*news.popleft())

        def submit(task: Task) -> Future:
            key, resources = f"{task.name}-{uuid.uuid4().hex}", needs(client, need)
            return client.submit(_write_there, str(Path.cwd()), task, vectors, topic, key=key, resources=resources)

        for task, future in give_out(client, deque(tasks), submit, look):
            error = future.exception()
            if isinstance(error, OSError) and error.errno is not None:
                raise error
            yield task, outcome(future, Written)


def _write_there(project: str, task: Task, vectors: Vectors, topic: str) -> Written:
    """What a worker does: one recording, of which it says now and then how far it is."""
    os.chdir(project)  # names of files and functions are relative to it
    told_at = -TOLD_SEC

    def tell(name: str, rows: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TOLD_SEC:
            told_at = time.monotonic()
            get_worker().log_event(topic, (name, rows))

    return write_one(task, vectors, tell)
