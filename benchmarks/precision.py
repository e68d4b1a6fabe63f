"""Detections in bfloat16 against float32, of the same weights: `python -m benchmarks.precision RUN [RUN ...]`.

The network of each run looks at its test recordings twice. The difference of average mAP is paired, its interval drawn
over people where the data names them, else over recordings. On a processor without units for bfloat16 the products are
emulated: their numbers are those of the units up to the order of sums, their time says nothing, and is left out.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from afkit.data.annotations import groups_of, to_frame
from afkit.data.items import Dataset
from afkit.detect.prediction import detect_items
from afkit.evaluation.scores import evaluate
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.model.products import arithmetic, bf16_units
from afkit.workbench.analysis.bootstrap import compare_runs
from afkit.workbench.published import network_name
from afkit.workbench.runs.opened import OpenedRun, open_run
from benchmarks import timing

ROOT = Path(__file__).parents[1]


def compare(run: OpenedRun, device: str) -> dict[str, Any]:
    """A row: average mAP of a run's weights in both precisions, in percent, and the interval of the difference."""
    recipe = run.recipe
    path, which = run.weights()
    load_weights(model := build_model(recipe).to(device), path, which)
    dataset = Dataset(recipe.data, run.data_root(), recipe.data.test_subsets)
    found = {}
    for precision in ("fp32", "bf16"):
        with arithmetic(precision, device):
            tables = [detect_items(model, recipe, [dataset.unread(index)]) for index in range(len(dataset))]
        found[precision] = pd.concat(tables, ignore_index=True)
    videos = run.annotations().of_subsets(recipe.data.test_subsets)
    gt, tious = to_frame(videos), recipe.data.tious
    percent = {name: 100 * evaluate(gt, table, tious).average_map for name, table in found.items()}
    difference = compare_runs(gt, found["bf16"], found["fp32"], tious, groups=groups_of(videos)).average_map
    return {
        "recipe": recipe.name,
        "network": network_name(recipe),
        "run": run.folder.name,
        "units": bf16_units(device) or "emulated",
        "fp32_map_percent": percent["fp32"],
        "bf16_map_percent": percent["bf16"],
        **{f"difference_{name}": 100 * getattr(difference, name) for name in ("value", "low", "high")},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of trained runs, with their data")
    parser.add_argument("--csv", type=Path, default=ROOT / "results" / "benchmarks" / "precision.csv")
    options = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = [compare(open_run(folder), device) for folder in options.runs]
    timing.show(rows)
    timing.write_csv(options.csv, rows)
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
