"""Many runs in one table: what each found and what it cost, and how far seeds move it."""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.files import atomic_open
from afkit.workbench.analysis.bootstrap import mean_and_spread
from afkit.workbench.published import published
from afkit.workbench.runs.collection import (
    SPLIT,
    CollectedRun,
    changes_of,
    dictionary,
    entry,
    is_generated,
    planned_epochs,
    read_metrics,
    subsets_of,
)
from afkit.workbench.runs.places import without_paths

SETTING = ["recipe", "setting", "changed", "generated", "weights", "label_remap", "subsets", "data"]
SPREAD = [
    "runs",
    "mean_percent",
    "standard_deviation",
    "lowest_percent",
    "highest_percent",
    "published_percent",
    "difference_percent",
    "values_percent",
]
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
    "mean_percent": "mean mAP [%]",
    "standard_deviation": "standard deviation",
    "lowest_percent": "lowest",
    "highest_percent": "highest",
    "of_subsets": "of",
    "training_sec": "training [s]",
    "prediction_sec": "prediction [s]",
    "peak_memory_mb": "peak memory [MB]",
    "label_remap": "label numbering",
}
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # what formulas begin with; the last are full-width
MOST_NAMES = 4  # of subsets in the name of a setting
MEMORY = "train/memory_mb"  # tag in the event files


def summarise_runs(runs: Sequence[CollectedRun]) -> pd.DataFrame:
    """One row per run, by recipe and falling mAP; what a run does not have is blank. No path of the machine is in it.

    Returns:
        DataFrame with run, state, recipe, setting (recipe, and what tells it from other runs of the recipe), seed,
        changed (the overrides), generated, weights, label_remap, subsets, data (8 digits of the fingerprint),
        average_map_percent, low_percent and high_percent (its 95 % interval), map_0.30_percent and so on for each
        tIoU of any run, recall_1x_percent (mean over tIoU), baseline_percent, published_percent, difference_percent
        (ours minus published), training_sec (the steps alone), prediction_sec, peak_memory_mb, steps, epochs, device,
        afkit, commit.
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

    Args:
        table: of `summarise_runs`; runs without scores are left out.

    Returns:
        DataFrame with the columns of `SETTING`, runs (number), mean_percent, standard_deviation (blank for one run),
        lowest_percent, highest_percent, published_percent, difference_percent (mean minus published), values_percent
        (a list, one for each run).
    """
    rows = []
    scored = table[table["average_map_percent"].notna()]
    for keys, group in scored.groupby(SETTING, sort=False, dropna=False):
        spread = mean_and_spread(group["average_map_percent"])
        known = group["published_percent"].iloc[0]
        numbers = [*spread, known, spread.mean - known, group["average_map_percent"].tolist()]
        rows.append(dict(zip([*SETTING, *SPREAD], [*keys, *numbers], strict=True)))
    table = pd.DataFrame(rows, columns=[*SETTING, *SPREAD])
    return table.astype({name: float for name in SPREAD if name not in ("runs", "values_percent")})


def summarise_costs(table: pd.DataFrame) -> pd.DataFrame:
    """Time (mean over the runs) and memory (the most of any run), one row per setting and device.

    Args:
        table: of `summarise_runs`; runs without scores are left out.

    Returns:
        DataFrame with setting, generated, device, runs (number), epochs, training_sec, prediction_sec, peak_memory_mb.
    """
    scored = table[table["average_map_percent"].notna()]
    costs = {"training_sec": "mean", "prediction_sec": "mean", "peak_memory_mb": "max"}
    groups = scored.groupby([*SETTING, "device", "epochs"], sort=False, dropna=False)
    found = groups.agg(costs).assign(runs=groups.size()).reset_index()
    return found[["setting", "generated", "device", "runs", "epochs", *costs]]


def for_readers(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a summary with headings that people read; those that are blank throughout are left out."""
    shown = table[[name for name in columns if (table[name].notna() & (table[name] != "")).any()]]
    return shown.rename(columns=HEADINGS).reset_index(drop=True)


def write_summary(path: str | Path, table: pd.DataFrame) -> None:
    """Write the table of `summarise_runs` as CSV, whole or not at all.

    It is for people and their spreadsheets: a text that one would take for a formula begins with an apostrophe.

    Raises:
        OSError: the folder cannot be written to.
    """
    with atomic_open(path) as file:
        table.map(_as_text).to_csv(file, index=False, float_format="%.6g")


def _as_text(cell: Any) -> Any:
    """A text in one line that is no formula; any other cell as it is."""
    if not isinstance(cell, str):
        return cell
    text = " ".join(cell.split())
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(run: CollectedRun, tious: Sequence[str]) -> dict[str, Any]:
    facts, scores = run.facts, run.scores
    recipe, ours = entry(facts, "recipe", "name"), _percent(scores, "average_map")
    known = published(recipe) if scores else None
    theirs = known.average_map if known else None
    difference = None if ours is None or theirs is None else ours - theirs
    recall = [_percent(scores, "recall", "1", tiou) for tiou in dictionary(scores, "recall", "1")]
    row = {
        "run": run.name,
        "state": run.state,
        "recipe": recipe,
        "seed": _number(facts, "seed"),
        "changed": ", ".join(f"{name}={_short(value)}" for name, value in changes_of(run).items()),
        "generated": is_generated(run),
        "weights": _weights(run),
        "label_remap": entry(scores, "label_remap"),
        "subsets": ", ".join(subsets_of(run)) or None,
        "data": (entry(facts, "data", "fingerprint") or "")[:8],
        "average_map_percent": ours,
        "low_percent": _percent(scores, "confidence", "average_map", "low"),
        "high_percent": _percent(scores, "confidence", "average_map", "high"),
    }
    row |= {f"map_{tiou}_percent": _percent(scores, "map", tiou) for tiou in tious}
    row |= {
        "recall_1x_percent": pd.Series(recall, dtype=float).mean(),
        "baseline_percent": _percent(scores, "baseline", "average_map"),
        "published_percent": theirs,
        "difference_percent": difference,
    }
    return row | _cost(run) | _provenance(facts)


def _cost(run: CollectedRun) -> dict[str, Any]:
    """Times, memory and length of the training; blank for what the files do not say."""
    seconds = read_metrics(run.folder)["seconds"]
    return {
        "training_sec": seconds.sum() if len(seconds) else None,  # an interrupted one, too, unlike that of the stage
        "prediction_sec": _number(run.scores, "predict_seconds"),
        "peak_memory_mb": _peak_memory_mb(run.folder / "tensorboard"),
        "steps": len(seconds) or None,
        "epochs": planned_epochs(run.facts),
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


def _provenance(facts: dict[str, Any]) -> dict[str, Any]:
    gpu, machine, threads = (entry(facts, "device", key) for key in ("gpu", "machine", "threads"))
    devices = _number(facts, "execution", "devices") or 1
    name = gpu or (f"{machine}, {threads} thread{'s' if threads != 1 else ''}" if machine else None)
    commit = entry(facts, "git", "commit")
    return {
        "device": f"{devices} x {name}" if name and devices > 1 else name,
        "afkit": entry(facts, "versions", "afkit"),
        "commit": commit and commit[:10] + ("+changes" if entry(facts, "git", "dirty") else ""),
    }


def _settings(runs: Sequence[CollectedRun]) -> list[str | None]:
    """A short name of each run's setting: the recipe, and those changes that not all runs of the recipe share."""
    changes = []
    for run in runs:
        extras = {
            "weights": _weights(run),
            "label_remap": entry(run.scores, "label_remap"),
            "test": ", ".join(subsets_of(run)) or None,
        }
        extras |= {"data": entry(run.facts, "data", "fingerprint")} if run.scores else {}
        known = {key: value[:8] if key == "data" else value for key, value in extras.items() if value}
        changed = {key: _names(value) if key in SPLIT else value for key, value in changes_of(run).items()}
        changed.pop("data.test_subsets", None)  # said as `test`
        changes.append({key: _short(value) for key, value in (changed | known).items()})
    recipes = [entry(run.facts, "recipe", "name") for run in runs]
    names = []
    for run, recipe, own in zip(runs, recipes, changes, strict=True):
        others = [changes[i] for i in range(len(runs)) if recipes[i] == recipe and runs[i].scores]
        telling = [f"{key}={value}" for key, value in own.items() if any(other.get(key) != value for other in others)]
        name = ", ".join([str(recipe), *telling])
        name = f"twin: {name}" if is_generated(run) else name
        names.append(name if recipe else None)
    return names


def _names(subsets: Any) -> Any:
    """A list of subsets, or their number where they are many: with folds, all people but one."""
    return f"{len(subsets)} subsets" if isinstance(subsets, list) and len(subsets) > MOST_NAMES else subsets


def _weights(run: CollectedRun) -> str | None:
    """Which of the run's own, or the name of another file."""
    weights = entry(run.scores, "weights")
    return weights and Path(str(weights)).name


def _percent(content: dict[str, Any], *keys: str) -> float | None:
    value = _number(content, *keys)
    return None if value is None else 100 * value


def _number(content: dict[str, Any], *keys: str) -> float | int | None:
    value = entry(content, *keys)
    return value if isinstance(value, float | int) else None


def _short(value: Any) -> str:
    return without_paths(value if isinstance(value, str) else json.dumps(value))
