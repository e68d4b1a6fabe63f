"""What a worker process does for a sweep: prepare a data set, or make one run."""

import os
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple

from afkit.config import Recipe
from afkit.files import BusyError
from afkit.workbench.datasets.prepare import prepare
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.runs.folder import fail_stage
from afkit.workbench.runs.opened import open_run
from afkit.workbench.runs.pages import write_notebooks
from afkit.workbench.runs.paths import run_folder
from afkit.workbench.sweeps.sweep_file import Cell, SweepFile


class Outcome(NamedTuple):
    """How a task ended."""

    state: str  # "done", "failed" or "busy": another process works in the run folder
    reason: str = ""  # why it failed or waits, in a sentence
    seconds: float = 0.0  # that it took


def prepare_data(project: str, settings: SweepFile, recipes: Sequence[Recipe]) -> Outcome:
    """Prepare or generate the data of recipes that share a folder; another process that does so is waited for."""
    began = time.perf_counter()
    try:
        os.chdir(project)
        root = Path(project) / settings.data_root
        source, fetch = settings.parameters.get("source", ""), settings.parameters.get("download", False)
        with _quiet():
            for recipe in recipes:
                if settings.data == "twin":
                    write_twin(recipe, root, videos_per_subset=settings.twin_videos)
                else:
                    prepare(recipe, root, source, fetch)
    except (ValueError, OSError) as error:
        return Outcome("failed", str(error))
    return Outcome("done", seconds=time.perf_counter() - began)


def run_cell(project: str, settings: SweepFile, results: str, cell: Cell, html: bool) -> Outcome:
    """Make one run, or go on with it. Its own errors are an outcome, so that nobody tries it again."""
    from afkit.workbench.runs.pipeline import run  # imports papermill, which the sweep's own process has no use for

    began = time.perf_counter()
    try:
        os.chdir(project)
        folder = run_folder(cell.recipe, cell.seed, cell.overrides, results)
        if cell.folder.parent != folder.parent or not cell.folder.name.endswith(folder.name):  # before it, the fold
            return Outcome("failed", f"the file of recipe '{cell.recipe}' has changed; start the sweep again")
        with _quiet():
            settled = cell.overrides, settings.parameters, settings.data_root, results
            run(cell.recipe, cell.seed, *settled, name=cell.folder.name)
            if html:
                write_notebooks(cell.folder)
    except BusyError as error:
        return Outcome("busy", str(error))
    except (ValueError, OSError, RuntimeError) as error:
        give_up(cell.folder, f"{type(error).__name__}: {error}")
        return Outcome("failed", str(error), time.perf_counter() - began)
    return Outcome("done", seconds=time.perf_counter() - began)


def data_folder(recipe: Recipe) -> str:
    """The folder of a recipe's data set, below the data root."""
    return Path(recipe.data.annotations).parts[0]


def give_up(folder: Path, reason: str) -> None:
    """Note in run.json that the stage which is noted as running has failed, where there is one."""
    with suppress(ValueError, OSError):
        for stage, entry in open_run(folder).facts.stages.items():
            if entry.status == "running":
                fail_stage(folder, stage, reason)


def _quiet() -> redirect_stdout:
    """What notebooks print is in the notebooks; many at once would be a flood."""
    return redirect_stdout(Path(os.devnull).open("w"))
