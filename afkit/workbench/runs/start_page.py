"""The page with which `make lab` begins: what each notebook is for, and the runs that are there, with links."""

import re
import sys
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from afkit.files import write_text
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.status import RunStatus, folders_of, run_status
from afkit.workbench.trust import project_root

NAME = "start.md"  # in the folder of all runs; JupyterLab shows it as notebooks/.lab says
MOST_RUNS = 30  # that are listed
PAGES = {"inspector": "inspector.html", "model card": "model_card.md"}  # of a run, where they are there
WHAT = {
    "01_data": "puts the data set in place, checks it, and shows what the network will see",
    "02_train": "trains a network; interrupted, it goes on where it was",
    "03_eval": "finds the actions in the test recordings, and says how many are right, how sure that is, what is wrong",
    "04_visualize": "draws what was found on timelines, and has the inspector to move through them",
    "05_compare": "sets runs side by side, and says which is better",
}
BEGINNING = """\
# Where to begin

Open a notebook by a click, then *Run > Run All Cells*. As they stand, 01 to 04 take a minute or two: they train on real
recordings of a wrist sensor, and write to `results/watch/seed1234567891`. What may be changed is in the first cell of
code. `make demo` in a terminal (*File > New > Terminal*) does the same.

| notebook | what it does |
|---|---|
{notebooks}

Recordings of your own: [From raw files to a result]({up}/docs/own-data.md).
All other pages: [Documentation]({up}/docs/index.md).

## Runs

{runs}
"""


def write_start_page(results: str = "results") -> Path:
    """Write the page into the folder of all runs, below the project; the file.

    Links are relative, or begin with /files/, where JupyterLab gives pages with scripts to the browser as they are.
    """
    folder, up = project_root() / results, "/".join([".."] * len(Path(results).parts))
    notebooks = "\n".join(f"| [{name}]({up}/notebooks/{name}.ipynb) | {what} |" for name, what in WHAT.items())
    runs = "\n".join(_run_lines(folder, results))
    write_text(folder / NAME, BEGINNING.format(up=up, notebooks=notebooks, runs=runs))
    return folder / NAME


def _run_lines(folder: Path, results: str) -> list[str]:
    """The runs, the newest first."""
    try:
        found = folders_of(results)
    except ValueError:
        return ["There are none yet."]
    changed = {name: (place / "run.json").stat().st_mtime for name, place in found.items()}
    newest = sorted(found, key=lambda name: -changed[name])
    lines = ["| run | average mAP [%] | state | last change | as executed | pages |", "|---|---|---|---|---|---|"]
    for name in newest[:MOST_RUNS]:
        lines.append(_run_row(run_status(found[name], name), found[name], changed[name], f"/files/{quote(results)}"))
    if len(newest) > MOST_RUNS:
        lines += ["", f"and {len(newest) - MOST_RUNS} older ones in {results}"]
    if (folder / "report.html").is_file():
        lines += ["", f"Side by side: [report](/files/{quote(results)}/report.html)"]
    now = f"{datetime.now():%Y-%m-%d %H:%M}"
    lines += ["", f"As of {now}; `make lab` lists them anew. `make view RUN={results}/...` shows one on a timeline."]
    return lines


def _run_row(status: RunStatus, folder: Path, changed: float, files: str) -> str:
    name = re.sub(r"[^\w./ +=,()-]", "\N{REPLACEMENT CHARACTER}", status.name)  # what may mean something in Markdown
    score = "" if status.map_percent is None else f"{status.map_percent:.2f}"
    state = " ".join(filter(None, (status.state, status.stage)))
    there = [stage for stage in STAGES if (folder / f"{stage}.ipynb").is_file()]
    executed = " ".join(f"[{stage[:2]}]({quote(status.name)}/{stage}.ipynb)" for stage in there)
    kept = [(what, page) for what, page in PAGES.items() if (folder / page).is_file()]
    pages = ", ".join(
        f"[{what}]({files if page.endswith('html') else '.'}/{quote(status.name)}/{page})" for what, page in kept
    )
    return f"| {name} | {score} | {state} | {datetime.fromtimestamp(changed):%Y-%m-%d %H:%M} | {executed} | {pages} |"


if __name__ == "__main__":
    print(write_start_page(*sys.argv[1:2]))
