"""How many threads the processes of a run compute with, so that runs do not fight for cores."""

import os

# GNU OpenMP lets idle threads spin for milliseconds. Where another process wants the core, a step of the `watch`
# recipe took 25 times as long on 2 cores; with this limit 4 times, and 15 % longer on an idle machine.
SPIN_COUNT = "10000"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def thread_limits(threads: int) -> dict[str, str]:
    """Environment of a worker and its kernels, so that runs do not fight for cores; what the user has set stays."""
    given = {name: os.environ[name] for name in THREADS if name in os.environ}
    number = given.get("OMP_NUM_THREADS", str(threads))
    return {"GOMP_SPINCOUNT": SPIN_COUNT, **dict.fromkeys(THREADS, number), **given}
