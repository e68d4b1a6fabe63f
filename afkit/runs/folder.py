"""The run folder: where it lies, what run.json says about it, and which stages are done."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afkit.config import Recipe
from afkit.files import read_json, write_json
from afkit.recipes import recipe as make_named_recipe
from afkit.runs.provenance import provenance

STAGES = ("01_data", "02_train", "03_eval", "04_visualize")
STAGE_FILES = {  # what a finished stage has left in the run folder
    "01_data": ["data_report.json"],
    "02_train": ["metrics.csv", "checkpoints/ema.safetensors", "checkpoints/raw.safetensors"],
    "03_eval": ["predictions.json.gz", "eval.json", "per_class.csv"],
    "04_visualize": ["figures/timelines.json"],
}


@dataclass(frozen=True)
class Run:
    """An opened run: what a notebook needs to know."""

    folder: Path
    stage: str
    recipe: Recipe
    seed: int
    data_root: Path


def project_root() -> Path:
    """The checkout that holds the working directory, or the working directory itself.

    Relative paths of notebooks and commands start here, so that a notebook finds the same files in JupyterLab
    (whose kernels start in notebooks/) and under papermill.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks" / f"{STAGES[0]}.ipynb").is_file():
            return folder
    return here


def run_folder(recipe: str, seed: int, overrides: Mapping[str, Any], results: str | Path = "results", name="") -> Path:
    """`<results>/<recipe>/seed<seed>[-<digest of overrides>]`, or `<results>/<recipe>/<name>`."""
    if not name:
        name = f"seed{seed}"
        if overrides:
            canonical = json.dumps(dict(overrides), sort_keys=True)
            name += "-" + hashlib.sha256(canonical.encode()).hexdigest()[:8]
    return project_root() / results / recipe / name


def start_stage(
    stage: str, recipe: str, seed: int, overrides: Mapping[str, Any], data_root: str = "data", run_dir: str = ""
) -> Run:
    """Open a run for one stage, and note in run.json that the stage is running.

    Args:
        stage: one of `STAGES`.
        recipe: name of a recipe.
        seed: of everything random.
        overrides: dotted recipe parameters.
        data_root: folder of all data sets; relative to the project.
        run_dir: the run folder; "" for the usual place in results/.

    Raises:
        ValueError: unknown recipe or parameter, or a folder that holds a run with other settings.
    """
    resolved = make_named_recipe(recipe, overrides)
    folder = project_root() / run_dir if run_dir else run_folder(recipe, seed, overrides)
    facts = check_same_run(folder, resolved, seed)
    facts |= {
        "recipe": resolved.model_dump(mode="json"),
        "seed": seed,
        "overrides": dict(overrides),
        "data_root": str(data_root),
    } | provenance()
    write_json(folder / "run.json", facts)
    note_stage(folder, stage, status="running", started=_now(), finished=None, error=None)
    return Run(folder, stage, resolved, seed, project_root() / data_root)


def check_same_run(folder: Path, recipe: Recipe, seed: int) -> dict[str, Any]:
    """The content of run.json; a ValueError where it is of another recipe or seed, with the first difference."""
    facts = read_run(folder)
    for key, value in {"recipe": recipe.model_dump(mode="json"), "seed": seed}.items():
        if key in facts and facts[key] != value:
            difference = _first_difference(facts[key], value, key)
            raise ValueError(f"{folder} holds a run with another {difference}; use another folder, or delete this one")
    return facts


def check_same_data(run: Run, fingerprint: str) -> None:
    """Raise a ValueError where the run was begun with other data, whose weights and scores it may hold."""
    began = read_run(run.folder).get("data", {}).get("fingerprint", fingerprint)
    if began != fingerprint:
        raise ValueError(
            f"the data has changed since the run in {run.folder} was begun (fingerprint {began[:8]}, now "
            f"{fingerprint[:8]}); give the new run another name (--name), or delete the folder"
        )


def finish_stage(run: Run, **facts: Any) -> None:
    """Note in run.json that the run's stage is done; further facts go to the top of run.json."""
    if facts:
        write_json(run.folder / "run.json", read_run(run.folder) | facts)
    note_stage(run.folder, run.stage, status="done", finished=_now())


def note_stage(folder: Path, stage: str, **changes: Any) -> None:
    """Change some entries of a stage in run.json; the seconds follow from its times."""
    facts = read_run(folder)
    entry = facts.setdefault("stages", {}).setdefault(stage, {})
    entry |= changes
    if entry.get("started") and entry.get("finished"):
        began, ended = (datetime.datetime.fromisoformat(entry[key]) for key in ("started", "finished"))
        entry["seconds"] = round((ended - began).total_seconds(), 1)
    write_json(folder / "run.json", facts)


def fail_stage(folder: Path, stage: str, error: str) -> None:
    """Note in run.json that a stage failed, and why."""
    note_stage(folder, stage, status="failed", finished=_now(), error=error)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of run.json; {} where there is none yet."""
    path = folder / "run.json"
    return read_json(path) if path.exists() else {}


def is_done(folder: Path, stage: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a stage finished with these notebook parameters and its files are still there."""
    entry = read_run(folder).get("stages", {}).get(stage, {})
    files_there = all((folder / name).is_file() for name in STAGE_FILES[stage])
    return entry.get("status") == "done" and entry.get("parameters", {}) == dict(parameters) and files_there


def _first_difference(old: Any, new: Any, path: str) -> str:
    """The first entry in which two nested settings differ, as 'path (there X, here Y)'."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}")
    return f"{path} (there {old}, here {new})"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
