"""Detections in bfloat16 against float32, of the same weights: `python -m benchmarks.precision RUN [RUN ...]`.

The network of each run looks at its test recordings twice. The difference of average mAP is paired, its interval drawn
over people where the data names them, else over recordings. On a processor without units for bfloat16 the products are
emulated: their numbers are those of the units up to the order of sums, their time says nothing, and is left out.

With `--trained` the runs are compared as they were trained: of each recipe those in bfloat16 with those in float32 of
the same seeds, as 03_eval left their detections, each pair on its own and the means over the seeds.
"""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from afkit.data.annotations import groups_of, to_frame
from afkit.data.items import Dataset
from afkit.detect.prediction import detect_items
from afkit.evaluation.scores import evaluate
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.model.products import arithmetic, bf16_units
from afkit.workbench.analysis.bootstrap import compare_runs, resample, too_few
from afkit.workbench.analysis.fusion import num_labels
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.published import network_name
from afkit.workbench.runs.opened import OpenedRun, open_run
from benchmarks import timing

KINDS = ("fp32", "bf16")


def compare(run: OpenedRun, device: str) -> dict[str, Any]:
    """A row: average mAP of a run's weights in both precisions, in percent, and the interval of the difference."""
    recipe = run.recipe
    path, which = run.weights()
    load_weights(model := build_model(recipe).to(device), path, which)
    dataset = Dataset(recipe.data, run.data_root(), recipe.data.test_subsets)
    found = {}
    for precision in KINDS:
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


def compare_trained(runs: Sequence[OpenedRun]) -> list[dict[str, Any]]:
    """A row for each seed that a recipe was trained with in both precisions, and one for all of them, in percent."""
    found: dict[Any, dict[Any, dict[str, OpenedRun]]] = {}
    for run in runs:
        network = (run.recipe.name, network_name(run.recipe))
        found.setdefault(network, {}).setdefault(run.facts.seed, {})[run.facts.execution["precision"]] = run
    rows = []
    for (recipe, network), seeds in found.items():
        pairs = {seed: pair for seed, pair in sorted(seeds.items()) if pair.keys() >= {"fp32", "bf16"}}
        if not pairs:
            raise SystemExit(f"{recipe}, {network}: no seed was trained in both precisions; name the folders of both")
        differences = difference_of_means(pairs.values())
        for seed, row in zip([*pairs, "all"], differences, strict=True):
            rows.append({"recipe": recipe, "network": network, "seed": seed} | row)
    return rows


def difference_of_means(pairs: Collection[dict[str, OpenedRun]]) -> list[dict[str, Any]]:
    """Of each pair, and of their means: average mAP, and its difference with a 95 % interval, all on the same draws."""
    run = next(iter(pairs))["fp32"]
    annotations = run.annotations()
    videos = annotations.of_subsets(run.recipe.data.test_subsets)
    names = annotations.names_of(num_labels(run.recipe, run.data_root()))
    tables = [read_predictions(pair[kind].folder / "predictions.json.gz", names) for kind in KINDS for pair in pairs]
    gt, groups = to_frame(videos), groups_of(videos)
    drawn = resample(gt, tables, run.recipe.data.tious, 1000, 0, groups=groups)
    few = too_few(gt, tables, groups)
    measured, sampled = (values.mean(axis=-1).reshape(len(KINDS), len(pairs), -1) for values in drawn[:2])
    rows = []
    for chosen in [*([index] for index in range(len(pairs))), list(range(len(pairs)))]:
        fp32, bf16 = 100 * measured[:, chosen, 0].mean(axis=1)
        draws = 100 * (sampled[1, chosen] - sampled[0, chosen]).mean(axis=0)  # (R,)
        low, high = bf16 - fp32 + np.quantile(draws - draws.mean(), [0.025, 0.975])  # as `bootstrap_map` has it
        rows.append({"fp32_map_percent": fp32, "bf16_map_percent": bf16})
        low, high = (low, high) if not few else ("", "")  # fewer people would give far too narrow an interval
        rows[-1] |= {"difference_value": bf16 - fp32, "difference_low": low, "difference_high": high}
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of trained runs, with their data")
    parser.add_argument("--trained", action="store_true", help="compare trainings in bf16 with those in fp32")
    parser.add_argument("--csv", type=Path, help="default: results/benchmarks/precision.csv, or trained_precision.csv")
    options = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    runs = [open_run(folder) for folder in options.runs]
    rows = compare_trained(runs) if options.trained else [compare(run, device) for run in runs]
    options.csv = options.csv or timing.RESULTS / ("trained_precision.csv" if options.trained else "precision.csv")
    timing.show(rows)
    timing.write_csv(options.csv, rows)
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
