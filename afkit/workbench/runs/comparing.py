"""Running 05_compare with papermill, over any set of run folders."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.workbench.runs.notebooks import parameters_by_stage
from afkit.workbench.runs.opened import choose_runs, read_runs
from afkit.workbench.runs.paired_test import choose_pairs
from afkit.workbench.runs.paths import portable, relative_to_project
from afkit.workbench.runs.pipeline import execute
from afkit.workbench.runs.summary import for_readers, summarise_runs
from afkit.workbench.scratch import alone
from afkit.workbench.trust import project_root

NOTEBOOK = "05_compare"
COMMON = ("runs", "results", "out_dir", "data_root")  # set by the arguments of `compare`
SHORT = ["run", "average_map_percent", "low_percent", "high_percent", "published_percent", "training_sec", "state"]


def compare(
    runs: Sequence[str] = (),
    results: str = "results",
    out: str = "",
    data_root: str = "",
    parameters: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Execute 05_compare over some runs, once everything that a user can get wrong is checked; the folder `out`.

    Another process that compares into the same folder is waited for.

    Args:
        runs: run folders, or folders of runs, see `choose_runs`; () for all in results.
        out: folder for summary.csv, report.html and the executed notebook; "" for results.
        data_root: folder of all data sets; "" for where each run found its data.

    Raises:
        ValueError: no run, or an unknown one; an unknown parameter, or one of a wrong type or value.
        StageError: the notebook failed.
    """
    own = parameters_by_stage([NOTEBOOK], dict(parameters or {}), COMMON)[NOTEBOOK]
    if own.get("resamples", 2) < 2:
        raise ValueError(f"resamples is {own['resamples']}; draw at least 2")
    collected = read_runs(choose_runs(runs, results), results)
    choose_pairs(collected, own.get("pair", ()))
    say(short_table(summarise_runs(collected)))
    folder = project_root() / (out or results)
    common = {"runs": [portable(run) for run in runs], "results": portable(results), "data_root": portable(data_root)}
    common["out_dir"] = relative_to_project(folder)
    with alone(folder / NOTEBOOK, say):
        execute(NOTEBOOK, folder / f"{NOTEBOOK}.ipynb", {**common, **own})
    return folder


def short_table(table: pd.DataFrame) -> str:
    """The columns of `summarise_runs` that fit into a terminal, as text."""
    names = table["run"].where(~table["generated"], "twin: " + table["run"])
    columns = SHORT if (table["state"] != "done").any() else SHORT[:-1]
    shown = for_readers(table.assign(run=names, state=table["state"].str.slice(0, 40)), columns)
    return shown.to_string(index=False, na_rep="", float_format="{:.2f}".format)
