"""Folds: runs that differ in whom they leave out for the test, with mean and spread over them."""

import json
from collections.abc import Sequence

import pandas as pd

from afkit.workbench.analysis.bootstrap import mean_and_spread
from afkit.workbench.runs.collection import SPLIT, CollectedRun, changes_of, dictionary, entry, is_generated, subsets_of

COLUMNS = [
    "setting",
    "folds",
    "of_subsets",
    "runs",
    "mean_percent",
    "standard_deviation",
    "lowest_percent",
    "highest_percent",
    "tested",
]


def summarise_folds(runs: Sequence[CollectedRun]) -> pd.DataFrame:
    """Mean and spread of average mAP over folds; one row per experiment.

    The folds of an experiment are runs of the same recipe, changes and data whose test subsets have nothing in common.

    Args:
        runs: of `read_runs`; those without scores are left out.

    Returns:
        DataFrame with setting, folds (number), of_subsets (number of subsets in the data: each a fold, if all are left
        out once), runs (number, over all seeds), mean_percent, standard_deviation, lowest_percent, highest_percent
        (over the folds; of a fold with several seeds the mean counts), tested (the test subsets). Empty where there
        are no folds.
    """
    experiments: dict[str, list[CollectedRun]] = {}
    for run in runs:
        if run.scores:
            experiments.setdefault(_experiment(run), []).append(run)
    rows = [_row(own) for own in experiments.values() if _are_folds(own)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _experiment(run: CollectedRun) -> str:
    """All that the folds of an experiment share."""
    shared = [entry(run.facts, "recipe", "name"), _changes(run), is_generated(run), entry(run.scores, "weights")]
    shared += [entry(run.scores, "label_remap"), entry(run.facts, "data", "fingerprint")]
    return json.dumps(shared, sort_keys=True)


def _changes(run: CollectedRun) -> dict[str, object]:
    return {name: value for name, value in changes_of(run).items() if name not in SPLIT}


def _are_folds(runs: Sequence[CollectedRun]) -> bool:
    tests = {tuple(sorted(subsets_of(run))) for run in runs}
    tested = [subset for subsets in tests for subset in subsets]
    return len(tests) > 1 and len(tested) == len(set(tested))


def _row(runs: Sequence[CollectedRun]) -> list[object]:
    by_fold: dict[str, list[float]] = {}
    for run in runs:
        by_fold.setdefault(", ".join(sorted(subsets_of(run))), []).append(100 * run.scores["average_map"])
    spread = mean_and_spread([sum(own) / len(own) for own in by_fold.values()])
    changed = [f"{name}={value}" for name, value in _changes(runs[0]).items()]
    setting = ", ".join([str(entry(runs[0].facts, "recipe", "name")), *changed])
    setting = f"twin: {setting}" if is_generated(runs[0]) else setting
    subsets = len(dictionary(runs[0].facts, "data", "subsets"))
    return [setting, spread.number, subsets, len(runs), *spread[1:], "; ".join(sorted(by_fold))]
