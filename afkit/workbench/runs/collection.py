"""Which run folders there are, and what their files say: the beginning of every comparison."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from afkit.config import nearest
from afkit.files import read_json
from afkit.opening import open_to_read
from afkit.workbench.runs.folder import STAGES, project_root, up_to_date
from afkit.workbench.runs.places import without_paths

METRICS = ["epoch", "loss_total", "seconds"]  # those of metrics.csv that are compared
SPLIT = ("data.train_subsets", "data.test_subsets")  # the settings in which the folds of an experiment differ
MOST_EPOCHS = 10**9  # in a run.json that means something
MAX_LETTERS = 300  # of the reason why a run failed


class CollectedRun(NamedTuple):
    """A run folder and what its files say."""

    name: str  # the folder below results
    folder: Path  # of the run
    state: str  # "done", or how far it came
    facts: dict[str, Any]  # run.json; {} where it cannot be read
    scores: dict[str, Any]  # eval.json; {} where there is none of the run's present state


def choose_runs(runs: Sequence[str] = (), results: str | Path = "results") -> list[Path]:
    """The run folders in the given folders and below them; without any, all in results.

    Args:
        runs: folders, relative to the project or to results, or absolute.
        results: folder of all runs; relative to the project or absolute.

    Returns:
        folders that hold a run.json, each once; those below one folder sorted.

    Raises:
        ValueError: a given folder holds no run, or there is none at all.
    """
    root = project_root() / results
    found: list[Path] = []
    for run in map(str, runs):
        inside = _runs_below(project_root() / run) or _runs_below(root / run)
        if not inside:
            known = [_name(folder, root) for folder in _runs_below(root)]
            hint = nearest(run, known) if known else f"nor is there any in {root}"
            raise ValueError(f"there is no run in '{run}'; {hint}")
        found += inside
    if not runs:
        found = _runs_below(root)
    if not found:
        raise ValueError(f"there is no run in {root}; make one with: python -m afkit run watch")
    return list(dict.fromkeys(found))


def read_runs(folders: Sequence[Path], results: str | Path = "results") -> list[CollectedRun]:
    """What run.json and eval.json of each folder say; a file that cannot be read becomes part of the run's state.

    Args:
        results: folder that the names of the runs are relative to; a run elsewhere is named by its last two folders.
    """
    bare = [_name(folder, project_root() / results) for folder in folders]
    runs = []
    for i, (folder, name) in enumerate(zip(folders, bare, strict=True)):
        before = bare[:i].count(name)
        runs.append(_read(folder, f"{name} ({before + 1})" if before else name))
    return runs


def read_metrics(folder: Path) -> pd.DataFrame:
    """metrics.csv of a run; empty where there is none, as for given weights, or where it is broken."""
    with suppress(OSError, ValueError, KeyError), open_to_read(folder / "metrics.csv") as file:
        return pd.read_csv(file)[METRICS].astype(float)
    return pd.DataFrame(columns=METRICS, dtype=float)


def entry(content: Any, *keys: str) -> Any:
    """The entry of nested dictionaries below some keys; None where one is missing, as in files of other versions.

    Examples:
        >>> entry({"a": {"b": 1}}, "a", "b"), entry({"a": 1}, "a", "b")
        (1, None)
    """
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def dictionary(content: Any, *keys: str) -> dict[str, Any]:
    """As `entry`; {} where it is missing or no dictionary."""
    found = entry(content, *keys)
    return found if isinstance(found, dict) else {}


def planned_epochs(facts: dict[str, Any]) -> int | None:
    """Epochs of a run's training, from its run.json; None where that does not say.

    Examples:
        >>> planned_epochs({"recipe": {"optim": {"epochs": 30, "warmup_epochs": 5}}})
        35
    """
    optim = {"extra_epochs": 0} | dictionary(facts, "recipe", "optim")  # older files have no extra ones
    parts = [optim.get(name) for name in ("epochs", "warmup_epochs", "extra_epochs")]
    meant = [part for part in parts if isinstance(part, int) and abs(part) < MOST_EPOCHS]
    return sum(meant) if len(meant) == len(parts) else None


def is_generated(run: CollectedRun) -> bool:
    """Whether the run's data is a twin, so that its numbers mean nothing."""
    return bool(entry(run.scores, "generated") or entry(run.facts, "data", "generated"))


def subsets_of(run: CollectedRun) -> list[str]:
    """The subsets that a run was evaluated on."""
    found = entry(run.scores, "subsets") or entry(run.facts, "recipe", "data", "test_subsets")
    return [subset for subset in found if isinstance(subset, str)] if isinstance(found, list) else []


def is_score(value: Any) -> bool:
    """Whether a value can be a mAP, which is a fraction."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def changes_of(run: CollectedRun) -> dict[str, Any]:
    """What a run has changed: its overrides, and which settings its recipe file held, where it was made from one."""
    own = entry(run.facts, "recipe_file")
    return dictionary(run.facts, "overrides") | ({"recipe_file": own} if own else {})


def _runs_below(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("run.json"))


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else "/".join(folder.parts[-2:])


def _read(folder: Path, name: str) -> CollectedRun:
    facts, scores = {}, {}
    try:
        facts = _read_dictionary(folder / "run.json")
        state = _state(folder, dictionary(facts, "stages"))
        if state == "done" or state.startswith("04_"):  # which draws, and changes no number
            scores = _read_dictionary(folder / "eval.json")
            if not is_score(scores.get("average_map")):
                state, scores = "eval.json holds no average_map; run 03_eval again", {}
    except ValueError as error:
        state, scores = str(error).replace(f"{folder}/", ""), {}
    return CollectedRun(name, folder, without_paths(state), facts, scores)


def _read_dictionary(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no entries; delete the run, or start it again")
    return content


def _state(folder: Path, stages: dict[str, Any]) -> str:
    """Which stage is the first that is not done, and why; "done" when none is."""
    status = {stage: entry(stages, stage, "status") for stage in STAGES}
    for stage in (stage for stage in STAGES if status[stage] == "failed"):
        reason = " ".join(str(entry(stages, stage, "error")).split())
        return f"{stage} failed: {reason[:MAX_LETTERS]}{'…' if len(reason) > MAX_LETTERS else ''}"
    for stage in (stage for stage in STAGES if status[stage] == "running"):
        return f"{stage} is running, or was interrupted"
    if entry(stages, "03_eval", "status") != "done":
        return "not evaluated yet"
    if not up_to_date(folder, stages, "03_eval"):
        return "the weights have changed since their evaluation; run 03_eval again"
    return "done"
