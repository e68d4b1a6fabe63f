"""Sweeps: `python -m benchmarks.sweep [--runs N] [--csv FILE]`.

What a run costs beside the work of its cells (start of kernels, imports, papermill, saving), how much faster two worker
processes finish equal light runs than one (on one thread each), and how long the status and the collection of a
thousand run folders take. The runs are of a generated data set. What else the machine does slows all of it.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat

from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.opened import choose_runs, read_runs
from afkit.workbench.runs.status import folders_of, run_status
from afkit.workbench.runs.summary import summarise_runs
from benchmarks import timing

ROOT = Path(__file__).parents[1]
OVERHEAD_SEC, SPEEDUP, FOLDERS_SEC = 20.0, 1.8, 5.0  # what is wanted
LIGHT = (
    "{data.input_dims: [8], data.max_seq_len: 256, model.embed_dim: 32, optim.epochs: 1, optim.warmup_epochs: 1, "
    "decode.pre_nms_topk: 100, decode.max_segments: 50}"
)


def make_sweep(folder: Path, seeds: int, workers: int) -> float:
    """Make as many light runs in a folder; the seconds that all of it took, but for the comparison."""
    folder.mkdir()
    text = f"data: twin\ndata_root: {folder}/data\nresults: {folder}/results\nmemory_gb: 0.5\n"
    text += f"seeds: {list(range(seeds))}\nruns:\n- {{recipe: thumos_i3d, overrides: {LIGHT}}}\n"
    (folder / "sweep.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "afkit", "sweep", str(folder / "sweep.yaml"), "--workers", str(workers)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        for line in process.stdout:
            if line.startswith(f"{seeds}/{seeds} "):
                seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"the sweep in {folder} failed")
    return seconds


def overhead(run: Path) -> dict[str, float]:
    """Where the seconds of a run went: work, imports, the start of kernels and what papermill does beside the cells."""
    parts = dict.fromkeys(("imports_sec", "work_sec", "kernel_start_sec", "papermill_sec", "between_sec"), 0.0)
    begins, ends = [], []
    for stage in STAGES:
        notebook = nbformat.read(run / f"{stage}.ipynb", as_version=4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        facts = [cell.metadata.papermill for cell in cells if cell.metadata.papermill.duration is not None]
        imports = sum(c.metadata.papermill.duration for c in cells if _only_imports(c.source))
        own = sum(fact.duration for fact in facts)
        parts["imports_sec"] += imports
        parts["work_sec"] += own - imports
        parts["kernel_start_sec"] += _moment(facts[0].start_time) - _moment(notebook.metadata.papermill.start_time)
        parts["papermill_sec"] += notebook.metadata.papermill.duration - own
        begins.append(_moment(notebook.metadata.papermill.start_time))
        ends.append(_moment(notebook.metadata.papermill.end_time))
    parts["papermill_sec"] -= parts["kernel_start_sec"]
    parts["between_sec"] = sum(begin - end for begin, end in zip(begins[1:], ends, strict=False))
    parts["overhead_sec"] = sum(parts.values()) - parts["work_sec"]
    return parts


def thousand_folders(run: Path, folder: Path) -> dict[str, float]:
    """Seconds for the status and for the collection step of a comparison, over a thousand copies of a run."""
    for number in range(1000):
        (copy := folder / "thumos_i3d" / f"seed{number}").mkdir(parents=True)
        for name in ("run.json", "eval.json", "metrics.csv"):
            shutil.copy(run / name, copy)
    began = time.perf_counter()
    found = [run_status(path, name) for name, path in folders_of(folder).items()]
    status_sec = time.perf_counter() - began
    began = time.perf_counter()
    table = summarise_runs(read_runs(choose_runs((), folder), folder))
    collection_sec = time.perf_counter() - began
    assert len(found) == len(table) == 1000
    return {"status of 1000 runs": status_sec, "collection of 1000 runs": collection_sec}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "sweep.csv")
    options = parser.parse_args(arguments)
    facts = timing.announce()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        one, two = (make_sweep(base / str(workers), options.runs, workers) for workers in (1, 2))
        runs = choose_runs((), base / "1" / "results")
        parts = [overhead(run) for run in runs]
        rows = [_row(f"a run: {name[:-4]}", statistics.median(part[name] for part in parts)) for name in parts[0]]
        rows[-1] |= {"wanted": f"<= {OVERHEAD_SEC:g}", "enough": rows[-1]["value"] <= OVERHEAD_SEC}
        rows += [_row(f"{options.runs} runs, 1 worker", one), _row(f"{options.runs} runs, 2 workers", two)]
        rows.append(_row("speedup of 2 workers", one / two, f">= {SPEEDUP}", one / two >= SPEEDUP))
        for name, seconds in thousand_folders(runs[0], base / "many").items():
            rows.append(_row(name, seconds, f"<= {FOLDERS_SEC:g}", seconds <= FOLDERS_SEC))
    timing.show(rows)
    timing.write_csv(options.csv, [row | facts for row in rows])
    print(f"\n{options.csv}")


def _row(what: str, value: float, wanted: str | None = None, enough: bool | None = None) -> dict[str, Any]:
    unit = "times" if what.startswith("speedup") else "s"
    return {"what": what, "value": value, "unit": unit, "wanted": wanted, "enough": enough}


def _only_imports(source: str) -> bool:
    lines = [line for line in source.splitlines() if line and not line.startswith((" ", ")"))]
    return all(line.startswith(("import ", "from ")) for line in lines)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
