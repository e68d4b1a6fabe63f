"""Running the notebooks of one recipe in order with papermill, into one run folder."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError
from papermill.exceptions import PapermillExecutionError

from afkit.files import LOCK, locked, write_text
from afkit.limits import check_memory
from afkit.opening import make_way
from afkit.workbench.datasets.prepare import can_prepare
from afkit.workbench.progress import EVERY, FILE_SEC, LINES, TERMINAL_SEC
from afkit.workbench.runs.folder import Run, changed_since, check_data, fail_stage, is_done, note_stage, plan_run
from afkit.workbench.runs.notebooks import (
    DEFAULT_SEED,
    STAGES,
    choose_stages,
    notebook_path,
    parameters_by_stage,
    with_epochs,
)
from afkit.workbench.runs.opened import MADE_FROM, open_run
from afkit.workbench.runs.pages import drop_widgets
from afkit.workbench.runs.paths import hide_places, portable, relative_to_project, run_folder
from afkit.workbench.runs.provenance import SPIN_COUNT
from afkit.workbench.shipped import NOTEBOOKS
from afkit.workbench.survey.checks import check_settings
from afkit.workbench.trust import project_root

SAVING_SEC = 60.0  # that an interrupted training has to end its step and to save


class StageError(RuntimeError):
    """A notebook failed; its output is kept, and the message says where and why; `reason` says why alone."""

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


def run(
    recipe: str,
    seed: int = DEFAULT_SEED,
    overrides: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    data_root: str = "data",
    results: str = "results",
    stages: Sequence[str] = STAGES,
    name: str = "",
    say: Callable[[str], None] = print,
    again: Sequence[str] = (),
    folder: str | Path = "",
) -> Path:
    """Execute the notebooks of a recipe; finished stages are skipped, an interrupted one is resumed.

    A finished stage is skipped although its notebook or the package has changed since, which may be a comment; it
    says so then. With the parameter `split`, 03_eval looks at that split beside the recipe's own, whose files stay as
    they are. Everything a user can get wrong is checked before anything is written.

    Args:
        parameters: notebook parameters beyond the common ones, each passed to the notebooks that have it.
        name: name of the run folder, which is returned; "" for seed and digest of the overrides.
        again: which of the stages to do although they are done; the training then begins anew.
        folder: the run folder, instead of `results` and `name`.

    Raises:
        ValueError: unknown recipe, override, parameter or stage; wrong type; a network that does not fit into memory;
            missing data, or other data than the run was begun with; another process works in the run folder.
        StageError: a notebook failed.
    """
    parameters = {key: portable(value) for key, value in (parameters or {}).items()}
    overrides = with_epochs(overrides or {}, parameters)
    chosen, repeated = choose_stages(stages), choose_stages(again)
    if not set(repeated) <= set(chosen):
        raise ValueError(f"stage {repeated[0]} is to be done again, but is not among those to run; add it to --stages")
    folder = folder or run_folder(recipe, seed, overrides, results, name)
    of_stage = parameters_by_stage(chosen, parameters)
    return run_stages(recipe, seed, overrides, of_stage, data_root, folder, say, repeated)


def run_stages(
    recipe: str,
    seed: int,
    overrides: Mapping[str, Any],
    of_stage: Mapping[str, dict[str, Any]],
    data_root: str,
    folder: str | Path,
    say: Callable[[str], None] = print,
    again: Sequence[str] = (),
) -> Path:
    """As `run`, with the full names of the stages, and parameters of its own for each: {stage: {name: value}}."""
    given = {name: value for parameters in of_stage.values() for name, value in parameters.items()}
    training = None if "02_train" in again else of_stage.get("02_train")
    run = plan_run(recipe, seed, overrides, data_root, folder, given.get("split", ""), training=training)
    check_memory(run.recipe)
    prepared = can_prepare(run.recipe, run.data_root, given.get("source", ""), given.get("download", False))
    if "01_data" in of_stage and not prepared:
        raise ValueError(
            f"the data of '{recipe}' is not at {run.data_root / run.recipe.data.annotations}; name its folder with "
            f"--data-root, or prepare it with: python -m afkit prepare {recipe} SRC"
        )
    if not run.suffix:  # else 03_eval has something to say about it
        check_data(run)
    for finding in check_settings(run.recipe):
        say(f"note: {finding.message}")
    common = {"recipe": recipe, "seed": seed, "overrides": overrides, "data_root": portable(data_root)}
    common["run_dir"] = relative_to_project(run.folder)
    with locked(run.folder / LOCK) as lock:
        stale = False  # a stage that ran anew makes the later ones run anew
        for stage, parameters in of_stage.items():
            own = replace(run, stage=stage, suffix=run.suffix if "split" in parameters else "")
            shown = f"{own.entry:<14}"
            scored = not run.suffix and (run.folder / "eval.json").is_file()
            if stage == "04_visualize" and "03_eval" in of_stage and not scored:
                say(f"{shown} left out: it draws the scores (eval.json) of the recipe's own test subsets")
                continue
            if not stale and stage not in again and is_done(run.folder, stage, parameters, own.suffix):
                say(f"{shown} already done{_remarks(own)}")
                continue
            stale = True
            if stage == "02_train" and stage in again:
                for state in (run.folder / "checkpoints").glob("step*.pt"):  # it would go on from the last
                    state.unlink()
            say(f"{shown} running")
            seconds = _run_stage(own, common, parameters, lock)
            say(f"{shown} done in {seconds:.0f} s")
    return run.folder


def _remarks(run: Run) -> str:
    """What may be to be said of a stage that is done."""
    how = changed_since(run.folder, run.entry)
    remarks = f", {how}; --again {run.stage[:2]} repeats it" if how else ""
    if run.stage in MADE_FROM and open_run(run.folder).told_by_time(run.entry):
        remarks += ", by its time alone: an older version has noted no digest of what it read"
    return remarks


def _run_stage(run: Run, common: Mapping[str, Any], parameters: dict[str, Any], lock: int) -> float:
    """Execute one notebook into the run folder and note how it went; the seconds it took."""
    folder, entry = run.folder, run.entry
    folder.mkdir(parents=True, exist_ok=True)
    note_stage(folder, entry, status="running", parameters=parameters)
    try:
        return execute(run.stage, folder / f"{entry}.ipynb", {**common, **parameters}, [lock])
    except (RuntimeError, OSError, ValueError) as error:  # of the notebook, of what starts its kernel, of the disk
        with suppress(OSError):
            fail_stage(folder, entry, hide_places(getattr(error, "reason", str(error))))
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"with {entry}{_from_step(folder) if run.stage == '02_train' else ''}") from None


def _from_step(folder: Path) -> str:
    """Where an interrupted training goes on, for a message."""
    saved = max((int(path.stem.removeprefix("step")) for path in folder.glob("checkpoints/step*.pt")), default=0)
    return f" after step {saved}" if saved else " from its beginning"


def execute(notebook: str, output: Path, parameters: Mapping[str, Any], inherited: Sequence[int] = ()) -> float:
    """Execute a notebook, e.g. "03_eval", by papermill in the project's folder; the seconds it took.

    Args:
        output: the executed notebook; its folder is made. It is saved after each cell.
        inherited: open files that the kernel holds, too: the lock of a run whose process was killed lasts until its
            kernel has gone.

    Raises:
        StageError: it failed, and the executed part is kept, or its kernel died or did not start.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # for the kernels, as the next
    os.environ.setdefault(EVERY, str(TERMINAL_SEC if sys.stdout.isatty() else FILE_SEC))
    path, options = notebook_path(notebook), ["--log-level=50"]  # else each warns that loopback is not encrypted
    if path.parent != project_root() / NOTEBOOKS:  # no project of the user's: modules that lie here are not meant
        options.append("--InteractiveShellApp.ignore_cwd=True")
    output.parent.mkdir(parents=True, exist_ok=True)
    make_way(output)  # papermill would follow a link
    began, where = time.perf_counter(), f"; the notebook is {output}"
    with tempfile.TemporaryFile() as said:
        try:
            papermill.execute_notebook(
                str(path),
                str(output).replace("{", "{{").replace("}", "}}"),  # papermill formats the path with the parameters
                dict(parameters),
                kernel_name="python3",
                cwd=str(project_root()),
                progress_bar=False,
                stdout_file=sys.stdout,
                extra_arguments=options,
                kernel_manager_class=_kernels_with(inherited, said),
            )
        except PapermillExecutionError as error:
            _tidy(output)
            reason = f"{error.ename}: {error.evalue}"
            raise StageError(f"{output.stem} failed in cell {error.cell_index}: {reason}{where}", reason) from None
        except (RuntimeError, CellTimeoutError) as error:
            said.seek(0)
            reason = ": ".join([str(error), *said.read().decode(errors="replace").splitlines()[-1:]])
            raise StageError(f"{output.stem} stopped: {reason}{where}", reason) from None
    _tidy(output)
    return time.perf_counter() - began


def _kernels_with(inherited: Sequence[int], said: IO[bytes]) -> type[AsyncKernelManager]:
    """What starts kernels that inherit open files, and say there what they do not say in the notebook."""

    class Kernels(AsyncKernelManager):
        shutdown_wait_time = SAVING_SEC

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # declared as not async above
            await super().start_kernel(**options, pass_fds=tuple(inherited), stderr=said)

    return Kernels


def _tidy(path: Path) -> None:
    """Leave out places on this machine, dead widgets and lines of progress, and fold the parameters of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    drop_widgets(notebook)
    noted = notebook.metadata.get("papermill", {})
    for key in ("input_path", "output_path"):
        if key in noted:
            noted[key] = Path(noted[key]).name
    for cell in notebook.cells:
        if {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", ())):
            cell.metadata.setdefault("jupyter", {})["source_hidden"] = True
        if "outputs" in cell:
            cell.outputs = list(filter(None, map(_without_progress, nbformat.from_dict(_hidden(cell.outputs)))))
    write_text(path, nbformat.writes(notebook))


def _without_progress(output: Any) -> Any:
    """An output without lines of progress among what was printed; None where nothing else was."""
    if output.output_type != "stream":  # a table may hold anything
        return output
    output.text = LINES.sub("", output.text)
    return output if output.text else None


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return hide_places(value) if isinstance(value, str) else value
