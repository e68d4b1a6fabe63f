"""Many runs: each cell of a sweep file is a run folder, made by a worker process; 05_compare over all at the end."""

import math
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from distributed import Client, Future

from afkit.config import Recipe
from afkit.files import LOCK, locked
from afkit.workbench.progress import duration
from afkit.workbench.runs.folder import is_done
from afkit.workbench.runs.interrupts import interrupts_wait
from afkit.workbench.runs.notebooks import STAGES, parameters_by_stage
from afkit.workbench.runs.status import run_status, status_table
from afkit.workbench.sweeps.batch_jobs import job_script
from afkit.workbench.sweeps.clusters import needs, open_client
from afkit.workbench.sweeps.sweep_file import Cell, Sweep, missing_data, missing_space, read_sweep
from afkit.workbench.sweeps.tasks import DIED, ended, give_out, outcome, watch
from afkit.workbench.sweeps.work import Outcome, data_folder, give_up, prepare_data, run_cell
from afkit.workbench.trust import project_root

FAILED = partial(Outcome, "failed")


def sweep(
    path: str | Path,
    only_failed: bool = False,
    workers: int = 0,
    scheduler: str = "",
    cluster: str = "",
    html: bool = False,
    say: Callable[[str], None] = print,
    folds: str = "",
) -> dict[str, Outcome]:
    """Make the runs of a sweep file that are not done, then compare all of them.

    Started again, it goes on: finished runs and stages are skipped, interrupted ones resumed. A run whose worker dies
    is given to another, at most `RETRIES` times; one that fails by its own error is not tried again, and does not stop
    the others. A run that another process works on comes last.

    Args:
        only_failed: leave out what has not been started or was interrupted.
        workers, scheduler, cluster: where, see `afkit.workbench.sweeps.clusters.open_client`.
        folds: instead of those of the file, "group" or "subset".

    Returns:
        by name of the run, how it ended; only of those that were not done, or with `html` of all.

    Raises:
        ValueError: something in the file is wrong, its data is not there, the disk is too small, or no cluster answers.
        StageError: the comparison failed.
        RuntimeError: the scheduler has gone, or the batch system takes no job.
    """
    plan = read_sweep(path, folds)
    left = plan.cells if html else cells_left(plan)
    if only_failed:
        left = [cell for cell in left if run_status(cell.folder, cell.name).state == "failed"]
    say(f"{len(plan.cells)} runs in {plan.results}, {len(left)} to do")
    outcomes: dict[str, Outcome] = {}
    if missing := missing_data(plan, left):
        raise ValueError(missing)
    if left:
        with interrupts_wait() as look:  # breaking off dask at any line leaves its tasks and workers to complain
            clients = partial(open_client, plan.settings, workers, scheduler, cluster)
            outcomes = _make(plan, left, clients, html, say, look)
    _compare(plan, say)
    return outcomes


def dry_run(path: str | Path, cluster: str = "", folds: str = "") -> str:
    """The table of a sweep's runs, with what is done, and the script of a job; ValueErrors as of `sweep`."""
    plan = read_sweep(path, folds)
    left, rows = cells_left(plan), []
    for cell in plan.cells:
        status = run_status(cell.folder, cell.name)
        again = cell in left and status.state == "done"  # but not with these parameters
        rows.append(status._replace(state="unfinished") if again else status)
    script = f"\n\n{job_script(cluster, plan.settings)}" if cluster else ""
    missing = missing_data(plan, left) or missing_space(plan, left)
    return status_table(rows) + (f"\n{missing}" if missing else "") + script


def cells_left(plan: Sweep) -> list[Cell]:
    """The runs that are not done with the sweep's parameters."""
    of_stage = parameters_by_stage(STAGES, plan.settings.parameters)
    if plan.settings.parameters.get("split"):  # which files it leaves depends on the data; the run itself looks
        return list(plan.cells)
    return [cell for cell in plan.cells if not all(is_done(cell.folder, *stage) for stage in of_stage.items())]


def _make(
    plan: Sweep,
    cells: list[Cell],
    clients: Callable[..., AbstractContextManager[Client]],
    html: bool,
    say: Callable[[str], None],
    interrupted: Callable[[], None],
) -> dict[str, Outcome]:
    """Make runs on workers; how each ended. `clients(folder, say)` opens the cluster."""
    checking = ThreadPoolExecutor(1).submit(missing_space, plan, cells)  # it takes as long as the workers' start
    with clients(project_root() / plan.results, say) as client:
        if missing := checking.result():
            raise ValueError(missing)
        look = watch(client, interrupted, say)

        def submit(cell: Cell) -> Future:
            resources = needs(client, plan.settings)
            key, project = f"{cell.name}-{uuid.uuid4().hex}", str(project_root())
            return client.submit(
                run_cell, project, plan.settings, plan.results, cell, html, key=key, pure=False, resources=resources
            )

        left, failed = prepare_all(client, plan, cells, say, look)
        return failed | execute_all(client, left, submit, say, look)


def prepare_all(
    client: Client,
    plan: Sweep,
    cells: Sequence[Cell],
    say: Callable[[str], None],
    look: Callable[[], None] = lambda: None,
) -> tuple[list[Cell], dict[str, Outcome]]:
    """Prepare the data of some runs, each data set once; the runs whose data is there, and how the others have failed.

    `look` is called now and then; what it raises ends the waiting.
    """
    recipes: dict[str, list[Recipe]] = {}
    for made in (cell.resolved for cell in cells):
        known = recipes.setdefault(data_folder(made), [])
        if all((made.data, made.decode.score_file) != (other.data, other.decode.score_file) for other in known):
            known.append(made)
    submitted = {
        name: client.submit(prepare_data, str(project_root()), plan.settings, made, pure=False)
        for name, made in recipes.items()
    }
    lost = {}
    for name, future in submitted.items():
        while not ended([future], look):
            pass
        found = outcome(future, FAILED)
        say(f"data of {name}: {found.state}{f' in {duration(found.seconds)}' if found.seconds else ''}")
        if found.state != "done":
            lost[name] = Outcome("failed", f"its data could not be prepared: {found.reason}")
            say(f"  {found.reason}")
    failed = {cell.name: lost[data] for cell in cells if (data := data_folder(cell.resolved)) in lost}
    return [cell for cell in cells if cell.name not in failed], failed


def execute_all(
    client: Client,
    cells: Sequence[Cell],
    submit: Callable[[Cell], Future],
    say: Callable[[str], None],
    look: Callable[[], None] = lambda: None,
) -> dict[str, Outcome]:
    """Make runs, as many at once as there are workers, until all have ended: cell's name -> how it ended.

    Those that are busy come again after the others. `look` is called now and then; what it raises ends the waiting.
    """
    waiting, told = deque(cells), set[str]()
    outcomes: dict[str, Outcome] = {}
    for cell, future in give_out(client, waiting, submit, look):
        found = outcome(future, FAILED)
        if found.state == "busy":
            waiting.append(cell)
            if cell.name not in told:
                say(f"{cell.name} waits: {found.reason}")
            told.add(cell.name)
            continue
        if found.reason == DIED:
            give_up(cell.folder, DIED)
        outcomes[cell.name] = found
        said = f"failed: {' '.join(found.reason.split())}"
        if found.state != "failed":
            score = run_status(cell.folder, cell.name).map_percent
            said = f"done in {duration(found.seconds)}" + ("" if score is None else f", mAP {score:.2f} %")
        say(f"{len(outcomes):>{len(str(len(cells)))}}/{len(cells)} {cell.name} {said}")
    return outcomes


def _compare(plan: Sweep, say: Callable[[str], None]) -> None:
    """05_compare over the runs that have begun. Papermill is imported by then, not before the first run starts."""
    from afkit.workbench.runs.comparing import compare

    begun = [cell for cell in plan.cells if (cell.folder / "run.json").is_file()]
    if not begun:
        return
    folder = project_root() / plan.results
    with locked(folder / LOCK, math.inf):
        compare([cell.name for cell in begun], plan.results, plan.results, say=say)
    say(f"{folder / 'report.html'}")
