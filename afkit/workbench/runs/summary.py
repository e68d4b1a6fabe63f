"""Many runs in one table: what each found and what it cost, and how far seeds and folds move it."""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.files import atomic_open
from afkit.workbench.analysis.bootstrap import FEWEST
from afkit.workbench.published import comparable, published
from afkit.workbench.runs.opened import OpenedRun, dictionary, entry, read_metrics
from afkit.workbench.runs.paths import without_paths
from afkit.workbench.survey.facts import trained_on

SPLIT = ("data.train_subsets", "data.test_subsets")  # the settings in which the folds of an experiment differ
SETTING = ["recipe", "setting", "changed", "generated", "weights", "label_remap", "subsets", "data"]
RANGE = ["mean_percent", "standard_deviation", "lowest_percent", "highest_percent"]
SPREAD = ["runs", *RANGE, "published_percent", "difference_percent", "values_percent"]
FOLD_COLUMNS = ["setting", "folds", "of_subsets", "runs", "mean_percent", "low_percent", "high_percent", *RANGE[1:]]
FOLD_COLUMNS += ["tested"]
DRAWS = 10_000  # of folds, for the interval of their mean
WHOLE_NUMBERS = ["seed", "steps", "epochs"]
HEADINGS = {
    "name": "run",
    "average_map_percent": "mAP [%]",
    "low_percent": "from",
    "high_percent": "to",
    "published_percent": "published",
    "difference_percent": "difference",
    "recall_1x_percent": "Recall@1x [%]",
    "baseline_percent": "baseline",
    "frames_percent": "frame classifier",
    "mean_percent": "mean mAP [%]",
    "standard_deviation": "standard deviation",
    "lowest_percent": "lowest",
    "highest_percent": "highest",
    "of_subsets": "of",
    "training_sec": "training [s]",
    "label_remap": "label numbering",
}
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # what formulas begin with; the last are full-width
MOST_NAMES = 4  # of subsets in the name of a setting
MEMORY = "train/memory_mb"  # tag in the event files


def summarise_runs(runs: Sequence[OpenedRun]) -> pd.DataFrame:
    """One row per run, by recipe and falling mAP; what a run does not have is blank. No path of the machine is in it.

    Columns: those of `_row`, and setting: the recipe, and what tells the run from others of the recipe.
    """
    tious = sorted({tiou for run in runs for tiou in dictionary(run.scores, "map")})
    table = pd.DataFrame([_row(run, tious) for run in runs])
    table.insert(3, "setting", _settings(runs))
    numbers = [name for name in table if name.endswith(("_percent", "_sec", "_mb"))]
    table = table.astype(dict.fromkeys(numbers, float) | dict.fromkeys(WHOLE_NUMBERS, "Int64"))
    order = {"by": ["recipe", "average_map_percent"], "ascending": [True, False], "na_position": "last"}
    return table.sort_values(**order, kind="stable", ignore_index=True)


def summarise_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of average mAP over the runs that differ in their seed alone; one row per setting.

    Of the table of `summarise_runs`, without those that have no scores; runs of one seed (copies, `rerun`) count once,
    by their mean. Columns: those of `SETTING` and `SPREAD`: standard_deviation is blank for one run, difference_percent
    is mean minus published, values_percent a list.
    """
    scored = table[table["average_map_percent"].notna()]
    seeds = scored.groupby([*SETTING, "seed"], sort=False, dropna=False)[["average_map_percent", "published_percent"]]
    scored = seeds.mean().reset_index()
    groups = scored.groupby(SETTING, sort=False, dropna=False)
    found = groups["average_map_percent"].agg(["size", "mean", "std", "min", "max"]).set_axis(["runs", *RANGE], axis=1)
    found["published_percent"] = groups["published_percent"].first()
    found["difference_percent"] = found["mean_percent"] - found["published_percent"]
    found["values_percent"] = groups["average_map_percent"].agg(list)
    return found.reset_index()


def summarise_costs(table: pd.DataFrame) -> pd.DataFrame:
    """Time (mean over the runs) and memory (the most of any run), one row per setting and device.

    Of the table of `summarise_runs`, without those that have no scores.
    """
    scored = table[table["average_map_percent"].notna()]
    costs = {"training_sec": "mean", "prediction_sec": "mean", "peak_memory_mb": "max"}
    groups = scored.groupby([*SETTING, "device", "epochs"], sort=False, dropna=False)
    found = groups.agg(costs).assign(runs=groups.size()).reset_index()
    return found[["setting", "generated", "device", "runs", "epochs", *costs]]


def readable_costs(costs: pd.DataFrame) -> pd.DataFrame:
    """The table of `summarise_costs` with one unit for each cost, in its heading, e.g. "training [min]".

    A cost that is on record of no run is left out.
    """
    shown = costs[["setting", "runs", "epochs"]]
    for name, heading in {"training_sec": "training", "prediction_sec": "prediction"}.items():
        units = {"h": 3600, "min": 60}
        unit = next((unit for unit, size in units.items() if costs[name].max() >= 2 * size), "s")
        shown = shown.assign(**{f"{heading} [{unit}]": costs[name] / units.get(unit, 1)})
    memory = costs["peak_memory_mb"].round().astype("Int64")
    shown = shown.assign(**{"peak memory [MB]": memory, "device": costs["device"]})
    return shown[[name for name in shown if name == "setting" or shown[name].notna().any()]]


def summarise_folds(runs: Sequence[OpenedRun]) -> pd.DataFrame:
    """Mean and spread of average mAP over folds; one row per experiment, empty where there are no folds.

    The folds of an experiment are runs of the same recipe, changes and data whose test subsets have nothing in common;
    those without scores are left out. Columns: `FOLD_COLUMNS`. of_subsets is the number of subsets in the data, runs
    that over all seeds, of which the mean counts; the 95 % interval of the mean (low_percent, high_percent), by drawing
    folds with replacement, is blank for fewer than five.
    """
    experiments: dict[str, list[OpenedRun]] = {}
    for run in (run for run in runs if run.scores):
        shared = [run.recipe_name, _changes_but_split(run), run.generated, run.fingerprint]
        shared += [run.scores.get("weights"), run.scores.get("label_remap")]
        experiments.setdefault(json.dumps(shared, sort_keys=True), []).append(run)
    rows = []
    for own in experiments.values():
        folds: dict[tuple[str, ...], list[float]] = {}
        for run in own:
            folds.setdefault(tuple(sorted(run.subsets)), []).append(100 * run.scores["average_map"])
        tested = [subset for subsets in folds for subset in subsets]
        if len(folds) < 2 or len(tested) != len(set(tested)):
            continue
        means = pd.Series([sum(scores) / len(scores) for _, scores in sorted(folds.items())])
        drawn = np.random.default_rng(0).choice(means, (DRAWS, len(means))).mean(axis=1)
        ends = np.quantile(drawn, [0.025, 0.975]) if len(means) >= FEWEST else (None, None)
        setting = _setting(own[0], [f"{name}={value}" for name, value in _changes_but_split(own[0]).items()])
        of_subsets = len(dictionary(own[0].facts.data, "subsets"))
        names = "; ".join(sorted(", ".join(subsets) for subsets in folds))
        spread = means.std(), means.min(), means.max()
        rows.append([setting, len(means), of_subsets, len(own), means.mean(), *ends, *spread, names])
    return pd.DataFrame(rows, columns=FOLD_COLUMNS)


def _changes_but_split(run: OpenedRun) -> dict[str, Any]:
    return {name: value for name, value in run.changes.items() if name not in SPLIT}


def in_words(scored: pd.DataFrame) -> list[str]:
    """The best run of each recipe; `scored` are rows of `summarise_runs` that have scores, with a `name`."""
    best = scored.drop_duplicates(["recipe", "generated"])
    lines = []
    for name, score, low, high in best[["name", "average_map_percent", "low_percent", "high_percent"]].to_numpy():
        sure = "without interval" if pd.isna(low) else f"95 % interval {low:.2f} to {high:.2f}"
        lines.append(f"{name}: average mAP {score:.2f} % ({sure})")
    if len(best) == 1:
        return [*lines, f"It is the best of {len(scored)} runs." if len(scored) > 1 else "It is the only run."]
    return [f"{len(scored)} runs of {len(best)} recipes, the best of each:" if lines else "No run has scores", *lines]


def seen_in_training(runs: Sequence[OpenedRun]) -> list[str]:
    """A sentence for each run whose scores are of recordings that it was trained on."""
    trained = [entry(run.facts.recipe, "data", "train_subsets") for run in runs]
    both = [(run, own) for run, own in zip(runs, trained, strict=True) if run.scores and isinstance(own, list)]
    return [f"{run.name}: {said}" for run, own in both if (said := trained_on(map(str, own), run.subsets))]


def for_readers(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a summary with headings that people read; those that are blank throughout are left out."""
    shown = table[[name for name in columns if (table[name].notna() & (table[name] != "")).any()]]
    return shown.rename(columns=HEADINGS).reset_index(drop=True)


def write_summary(path: str | Path, table: pd.DataFrame) -> None:
    """Write the table of `summarise_runs` as CSV.

    It is for people and their spreadsheets: a text that one would take for a formula begins with an apostrophe.
    """
    with atomic_open(path) as file:
        table.map(_in_one_line).to_csv(file, index=False, float_format="%.6g")


def _in_one_line(cell: Any) -> Any:
    """A text in one line that is no formula; any other cell as it is."""
    if not isinstance(cell, str):
        return cell
    text = " ".join(cell.split())
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(run: OpenedRun, tious: Sequence[str]) -> dict[str, Any]:
    """Numbers are blank where the files do not say them."""
    scores, ours = run.scores, _percent(run.scores, "average_map")
    known = published(comparable(run.recipe_name, run.changes)) if scores else None
    theirs = known.average_map if known else None
    recall = [_percent(scores, "recall", "1", tiou) for tiou in dictionary(scores, "recall", "1")]
    seconds = read_metrics(run.folder)["seconds"]
    commit = run.facts.git.get("commit")
    return {
        "run": run.name,
        "state": run.state,
        "recipe": run.recipe_name,
        "seed": run.facts.seed,
        "changed": ", ".join(f"{name}={_short(value)}" for name, value in run.changes.items()),
        "generated": run.generated,
        "weights": _weights(run),
        "label_remap": scores.get("label_remap"),
        "subsets": ", ".join(run.subsets) or None,
        "data": (run.fingerprint or "")[:8],
        "average_map_percent": ours,
        "low_percent": _percent(scores, "confidence", "average_map", "low"),  # of its 95 % interval
        "high_percent": _percent(scores, "confidence", "average_map", "high"),
        **{f"map_{tiou}_percent": _percent(scores, "map", tiou) for tiou in tious},
        "recall_1x_percent": pd.Series(recall, dtype=float).mean(),  # over tIoU
        "baseline_percent": _percent(scores, "baseline", "average_map"),
        "frames_percent": _percent(scores, "frame_classifier", "average_map"),
        "published_percent": theirs,
        "difference_percent": None if ours is None or theirs is None else ours - theirs,
        "training_sec": seconds.sum() if len(seconds) else None,  # an interrupted one, too, unlike that of the stage
        "prediction_sec": _number(scores, "predict_seconds"),
        "peak_memory_mb": _peak_memory_mb(run.folder / "tensorboard"),
        "steps": len(seconds) or None,
        "epochs": run.facts.planned_epochs,
        "device": _device(run),
        "afkit": run.facts.versions.get("afkit"),
        "commit": commit and commit[:10] + ("+changes" if run.facts.git.get("dirty") else ""),
    }


def _peak_memory_mb(folder: Path) -> float | None:
    """The most memory that a training logged; None where it has no event files, or tensorboard is not installed."""
    if not folder.is_dir():
        return None
    with suppress(ImportError):
        from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator  # an extra

        logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of steps done again after an interruption
        events = EventAccumulator(str(folder), {SCALARS: 0}).Reload()
        if MEMORY in events.Tags()[SCALARS]:
            return max(event.value for event in events.Scalars(MEMORY))
    return None


def _device(run: OpenedRun) -> str | None:
    gpu, machine, threads = (run.facts.device.get(key) for key in ("gpu", "machine", "threads"))
    devices = _number(run.facts.execution, "devices") or 1
    name = gpu or (f"{machine}, {threads} thread{'s' if threads != 1 else ''}" if machine else None)
    return f"{devices} x {name}" if name and devices > 1 else name


def _settings(runs: Sequence[OpenedRun]) -> list[str | None]:
    """A short name of each run's setting: the recipe, and those changes that not all runs of the recipe share."""
    changes = []
    for run in runs:
        lists = {key: own for key, own in run.changes.items() if key in SPLIT and isinstance(own, list)}
        changed = run.changes | {k: f"{len(own)} subsets" for k, own in lists.items() if len(own) > MOST_NAMES}
        changed.pop("data.test_subsets", None)  # said as `test`
        extras = {"weights": _weights(run), "label_remap": run.scores.get("label_remap")}
        extras["evaluated in"] = run.stage("03_eval").used.get("precision")
        extras |= {"test": ", ".join(run.subsets), "data": (run.fingerprint or "")[:8] if run.scores else ""}
        changed |= {key: value for key, value in extras.items() if value}
        changes.append({key: _short(value) for key, value in changed.items()})
    names = []
    for run, own in zip(runs, changes, strict=True):
        others = [changes[i] for i, other in enumerate(runs) if other.recipe_name == run.recipe_name and other.scores]
        telling = [f"{key}={value}" for key, value in own.items() if any(other.get(key) != value for other in others)]
        names.append(_setting(run, telling) if run.recipe_name else None)
    return names


def _setting(run: OpenedRun, changes: Sequence[str]) -> str:
    return ("twin: " if run.generated else "") + ", ".join([str(run.recipe_name), *changes])


def _weights(run: OpenedRun) -> str | None:
    """Which of the run's own, or the name of another file."""
    weights = run.scores.get("weights")
    return weights and Path(str(weights)).name


def _percent(content: dict[str, Any], *keys: str) -> float | None:
    value = _number(content, *keys)
    return None if value is None else 100 * value


def _number(content: dict[str, Any], *keys: str) -> float | int | None:
    value = entry(content, *keys)
    return value if isinstance(value, float | int) else None


def _short(value: Any) -> str:
    return without_paths(value if isinstance(value, str) else json.dumps(value))
