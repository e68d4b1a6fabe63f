"""How far runs are: read from run.json and the end of metrics.csv, so that a thousand run folders take seconds."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from afkit.files import holder, read_json
from afkit.opening import open_to_read, read_text
from afkit.workbench.progress import duration
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.opened import OpenedRun, choose_runs, is_score, open_run
from afkit.workbench.runs.paths import without_paths
from afkit.workbench.runs.provenance import changed_code
from afkit.workbench.trust import project_root

TAIL_BYTES = 4096  # of metrics.csv: some forty steps
REDRAW_SEC = 2.0
CLEAR = "\x1b[H\x1b[2J"  # cursor to the corner, and a clean screen
HEADINGS = ("run", "state", "stage", "epoch", "left", "mAP [%]", "why")
MAX_LETTERS = 60  # of a reason
ORDER = ("running", "failed", "unfinished", "waiting", "done")


class RunStatus(NamedTuple):
    """How far a run is."""

    name: str  # of the run folder, below the results
    state: str  # one of `ORDER`
    stage: str = ""  # the first that is not done
    epoch: int | None = None  # epochs begun
    epochs: int | None = None  # of the training
    left_sec: float | None = None  # of a running training
    map_percent: float | None = None  # of 03_eval, or of the last evaluation during training
    reason: str = ""  # why it failed, or with which stage other code was at work than there is now


def run_status(folder: Path, name: str) -> RunStatus:
    """How far the run in a folder, which need not exist, is.

    "waiting": nothing has begun; "running": a process holds the folder; "failed": a stage has, also one of another
    split; "unfinished": a stage is missing.
    """
    try:
        run = open_run(folder)
    except ValueError:
        return RunStatus(name, "failed", reason="run.json cannot be read; delete the run")
    begun = bool(run.facts.model_fields_set)
    state, stage, reason = _state(run, bool(holder(folder)))
    if not begun and state == "unfinished":
        return RunStatus(name, "waiting")
    last = _last_steps(folder / "metrics.csv") if stage == "02_train" else []
    epochs = epoch = run.facts.planned_epochs
    if epochs is not None and state != "done" and run.stage("02_train").status != "done":
        epoch = int(last[-1][1]) + 1 if last else 0
    seconds = _left_sec(epochs, last) if state == "running" and last else None
    stage, reason = stage if begun else "", without_paths(reason)
    return RunStatus(name, state, stage, epoch, epochs, seconds, _last_map_percent(run), reason)


def folders_of(where: str | Path = "results") -> dict[str, Path]:
    """The run folders of a sweep file (.yaml; also those that do not exist yet), or those below a folder, by name.

    Raises:
        ValueError: a sweep file that is wrong, or a folder without runs.
    """
    if str(where).endswith((".yaml", ".yml")):
        from afkit.workbench.sweeps.sweep_file import read_sweep  # it needs what executes notebooks

        return {cell.name: cell.folder for cell in read_sweep(where).cells}
    root = project_root() / where
    return {folder.relative_to(root).as_posix(): folder for folder in choose_runs((), where)}


def status_table(rows: Sequence[RunStatus]) -> str:
    """A line per run, those that need attention first, and a line of counts."""
    rows = sorted(rows, key=lambda row: ORDER.index(row.state))
    cells = [HEADINGS, *map(_texts, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    counts = {state: sum(row.state == state for row in rows) for state in ORDER}
    return "\n".join([*lines, ", ".join(f"{number} {state}" for state, number in counts.items() if number)])


def show_status(where: str | Path = "results", watch: bool = False, say: Callable[[str], None] = print) -> None:
    """Print the table of `folders_of` once; with `watch` again and again, until Ctrl-C."""
    folders = folders_of(where)
    while True:
        table = status_table([run_status(folder, name) for name, folder in folders.items()])
        say(CLEAR + table if watch else table)
        if not watch:
            return
        time.sleep(REDRAW_SEC)


def _state(run: OpenedRun, held: bool) -> tuple[str, str, str]:
    """State, stage and reason of a run, whichever of its stages it was begun with; `held`: a process is at work."""
    splits = [stage for stage in run.facts.stages if stage.partition("-")[0] in STAGES]
    status = {stage: run.stage(stage).status for stage in sorted({*STAGES, *splits})}
    status |= {"03_eval": "outdated"} if _outdated(run) else {}
    left = [stage for stage, found in status.items() if found != "done"]
    failed = [stage for stage, found in status.items() if found == "failed"]
    running = [stage for stage, found in status.items() if found == "running"]
    if held and left:  # of those that are noted as running, earlier ones were interrupted
        return "running", max(running or left[:1], key=lambda stage: str(run.stage(stage).started)), ""
    if failed:
        return "failed", failed[0], run.stage(failed[0]).reason
    if left:
        return "unfinished", left[0], ""
    others = ((stage, changed_code(run.stage(stage).code, stage)) for stage in STAGES)
    reasons = (f"{stage} was done with other code: {', '.join(changed)}" for stage, changed in others if changed)
    return "done", "", next(reasons, "")


def _outdated(run: OpenedRun) -> bool:
    """Whether the weights are others than those that were evaluated, by what both stages have noted."""
    trained = run.stage("02_train").sha256
    return any(trained.get(name, digest) != digest for name, digest in run.stage("03_eval").made_from.items())


def _texts(row: RunStatus) -> tuple[str, ...]:
    epoch = "" if row.epochs is None else f"{row.epoch or 0} of {row.epochs}"
    left = "" if row.left_sec is None else duration(row.left_sec)
    score = "" if row.map_percent is None else f"{row.map_percent:.2f}"
    reason = row.reason[:MAX_LETTERS] + ("…" if len(row.reason) > MAX_LETTERS else "")
    name, reason = ("".join(c if c.isprintable() else "�" for c in text) for text in (row.name, reason))
    return name, row.state, row.stage, epoch, left, score, reason


def _last_steps(path: Path) -> list[list[float]]:
    """[step, epoch, ..., seconds] of the last steps of a training, as far as they are whole lines."""
    try:
        with open_to_read(path) as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            lines = file.read().decode(errors="replace").split("\n")[1:-1]  # the first is the heading, or cut off
        rows = [[float(number) for number in line.split(",")] for line in lines]
        return [row for row in rows if len(row) > 2 and all(map(math.isfinite, row))]
    except (OSError, ValueError):
        return []


def _left_sec(epochs: int | None, last: list[list[float]]) -> float | None:
    """Seconds until the end of the training, by the median step; None before the second epoch."""
    if epochs is None or last[-1][1] < 1:
        return None
    changes = [row for before, row in pairwise(last) if row[1] > before[1]]
    step, epoch = changes[-1][:2] if changes else (last[-1][0], last[-1][1] + 0.5)
    steps = step / epoch * epochs
    return max(steps - last[-1][0] - 1, 0) * statistics.median(row[-1] for row in last)


def _last_map_percent(run: OpenedRun) -> float | None:
    """Average mAP of eval.json, or of the last line of validation.csv; None where there is none."""
    trained, evaluated = (run.stage(stage).status for stage in ("02_train", "03_eval"))
    with suppress(OSError, ValueError, LookupError, TypeError):
        if evaluated == "done" and trained in ("done", "") and not _outdated(run):  # else that of an older training
            score = read_json(run.folder / "eval.json")["average_map"]
            return 100 * score if is_score(score) else None
        if (run.folder / "validation.csv").exists():
            return 100 * float(read_text(run.folder / "validation.csv").strip().rpartition(",")[2])
    return None
