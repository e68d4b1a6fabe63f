"""Making a run again from its run.json alone, and comparing the two."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from afkit.config import Recipe, changed_settings, make_recipe
from afkit.data.features import locate
from afkit.files import LOCK, locked, write_json
from afkit.recipe_files import write_recipe_file
from afkit.recipes import recipe as make_named_recipe
from afkit.recipes import recipe_names
from afkit.workbench.runs.differences import Row, compare_results
from afkit.workbench.runs.folder import completed
from afkit.workbench.runs.notebooks import notebook_parameters
from afkit.workbench.runs.opened import OpenedRun, StageEntry, no_run, open_run, read_run, sha256_of
from afkit.workbench.runs.paths import relative_to_project
from afkit.workbench.runs.pipeline import run_stages
from afkit.workbench.runs.provenance import changed_code, commit_in_words, device, versions
from afkit.workbench.survey.facts import fingerprint
from afkit.workbench.trust import project_root

REPEATED = ("01_data", "02_train", "03_eval")  # 04_visualize draws, and changes no number
NOT_REPEATED = ("source", "download")  # notebook parameters: the data is there already
RESULT = "rerun.json"  # in the new folder
WORDS = {True: "same", False: "DIFFERS", None: "not compared"}


def rerun(
    run_dir: str | Path,
    out: str | Path = "",
    data_root: str = "",
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> bool:
    """Make a run again as its run.json says, in a folder of its own, and compare the results bit by bit.

    The settings are those in run.json, whatever the recipe of that name says now. What has changed since the run is
    said first. An interrupted rerun goes on when it is started again.

    Args:
        run_dir: a run folder; of its files only run.json is needed, the others are compared where they are there.
        out: the new folder; "" for that of the run with "-rerun" after its name.

    Returns:
        whether no result differs. Also in rerun.json of the new folder, with the table and the changes.

    Raises:
        ValueError: no usable run.json, no finished stage, missing data or weights that the run began with, or a new
            folder that holds something else.
        StageError: a notebook failed.
    """
    folder = project_root() / run_dir
    old, recipe = _open(folder)
    target = project_root() / out if out else folder.with_name(f"{folder.name}-rerun")
    _check_target(folder, target)
    stages = {stage: old.stage(stage) for stage in REPEATED}
    stages = {stage: noted for stage, noted in stages.items() if noted.status == "done" or stage == "01_data"}
    parameters = {stage: _parameters(stage, noted) for stage, noted in stages.items()}
    root = data_root or _data_root(old)
    changes = _changes(old, recipe, root, stages)
    for line in changes or ["nothing has changed since the run: data, recipe, code, versions, device"]:
        say(line)
    if dry_run:
        return True
    with locked(target / LOCK):
        if not read_run(target):
            write_json(target / "run.json", {"rerun_of": relative_to_project(folder)})
    name, overrides = _named_settings(old, recipe, target)
    again = [stage for stage in stages if _is_of_other_code(target, stage)]
    with _threads_of(stages):
        run_stages(name, int(old.facts.seed or 0), overrides, parameters, root, target, say, again)
    made_from, results = _circumstances(old, open_run(target)), compare_results(folder, target)
    for row in [*made_from, *results]:
        say(f"{row.what:<14} {WORDS[row.same]:<12} {row.detail}".rstrip())
    identical = all(row.same is not False for row in results)
    compared = [row._asdict() for row in [*made_from, *results]]
    write_json(target / RESULT, {"identical": identical, "changed_since": changes, "compared": compared})
    return identical


def _open(folder: Path) -> tuple[OpenedRun, Recipe]:
    """A run with something to repeat, and its recipe."""
    facts, path = read_run(folder), folder / "run.json"
    if not facts:
        raise ValueError(no_run(folder))
    for key, kind in {"recipe": dict, "seed": int, "stages": dict}.items():
        if not isinstance(facts.get(key), kind):
            raise ValueError(f"{path} holds no usable '{key}', so that the run cannot be repeated; begin a new one")
    run = open_run(folder)
    if not any(run.stage(stage).status == "done" for stage in REPEATED):
        raise ValueError(f"{folder} has no finished stage to repeat; finish the run first")
    try:
        return run, make_recipe(run.facts.recipe)
    except ValueError as error:
        raise ValueError(f"{path} is of another version of afkit: {error}") from None


def _data_root(run: OpenedRun) -> str:
    """The data root of the run. Outside the project the data must be there, since nothing is to be written there."""
    named = "data" if run.facts.data_root is None else run.facts.data_root
    if isinstance(named, str) and (project_root() / named).resolve().is_relative_to(project_root()):
        return named
    try:
        return relative_to_project(run.data_root())
    except ValueError:
        raise ValueError(
            f"the data of '{run.recipe_name}' is not at {named}, which {run.folder / 'run.json'} names; name the "
            "folder of all data sets with --data-root"
        ) from None


def _check_target(folder: Path, target: Path) -> None:
    """Refuse a new folder that holds anything but a rerun of this run."""
    if target.resolve() == folder.resolve():
        raise ValueError(f"{target} is the run itself; give another folder with --out")
    if target.exists() and read_run(target).get("rerun_of") != relative_to_project(folder) and any(target.iterdir()):
        raise ValueError(f"{target} holds something else than a rerun of {folder}; give another folder with --out")


def _parameters(stage: str, noted: StageEntry) -> dict[str, Any]:
    """The notebook parameters of a stage that are not the present defaults; a ValueError where a file is gone.

    A parameter that the notebook does not have any more is left out, see `_changes`.
    """
    defaults = notebook_parameters(stage)
    given = {name: value for name, value in _values(noted).items() if name not in NOT_REPEATED}
    for name in ("start_from", "checkpoint"):
        if given.get(name) and not (project_root() / given[name]).is_file():
            raise ValueError(f"{given[name]}, which {stage} of the run began with ({name}), is gone; put it back")
    return {name: value for name, value in given.items() if name in defaults and value != defaults[name]}


def _values(noted: StageEntry) -> dict[str, Any]:
    """What the notebook parameters of a stage were; of older versions, those that were given."""
    return noted.values or noted.parameters


def _named_settings(run: OpenedRun, recipe: Recipe, target: Path) -> tuple[str, dict[str, Any]]:
    """A recipe's name (or file) and overrides that lead to the run's settings, now that the recipe may say otherwise.

    For a recipe that is not built in, a file with all settings is written into the new folder.
    """
    overrides = run.facts.overrides
    if recipe.name in recipe_names() and not run.facts.recipe_file:
        return recipe.name, _dotted_differences(make_named_recipe(recipe.name, overrides), recipe) | overrides
    path = target / f"{recipe.name}.yaml"
    if not path.exists():
        plain = changed_settings(make_recipe(recipe.model_dump(mode="json")))
        write_recipe_file(path, [(name, _plain(value), "") for name, value in plain.items()])
    return relative_to_project(path), overrides


def _plain(value: Any) -> Any:
    """Tuples as lists, which YAML has."""
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _dotted_differences(now: Recipe, wanted: Recipe) -> dict[str, Any]:
    """The settings that must be overridden to come from one recipe to another."""
    old, new = now.model_dump(mode="json"), wanted.model_dump(mode="json")
    sections = [section for section, settings in new.items() if isinstance(settings, dict)]
    return {f"{s}.{name}": v for s in sections for name, v in new[s].items() if old[s].get(name) != v}


def _changes(run: OpenedRun, recipe: Recipe, data_root: str, stages: Mapping[str, StageEntry]) -> list[str]:
    """A line for each thing that is not as it was when the run was made."""
    lines = [*_changed_data(run, recipe, project_root() / data_root), *_changed_recipe(run, recipe)]
    for stage, noted in stages.items():
        if changed := changed_code(noted.code, stage):
            lines.append(f"code of {stage}: {', '.join(changed)}{commit_in_words(noted.git)}")
        gone = [name for name in _values(noted) if name not in (*notebook_parameters(stage), *NOT_REPEATED)]
        lines += [f"code of {stage}: the notebook has no parameter '{name}' any more" for name in gone]
        for name, digest in noted.sha256.items():
            if (run.folder / name).is_file() and sha256_of(run.folder / name) != digest:
                lines.append(f"results: {name} is no longer what the run wrote")
    then = next((noted for noted in stages.values() if noted.device), run.facts)
    here, threads = device(), os.environ.get("OMP_NUM_THREADS")
    lines += _unlike("version", then.versions, versions())
    lines += _unlike("device", {k: v for k, v in then.device.items() if k != "threads"}, here)
    if threads and str(then.device.get("threads", threads)) != threads:
        lines.append(f"threads: {then.device['threads']}, now {threads} (OMP_NUM_THREADS)")
    if here["gpu"] and not run.facts.execution.get("deterministic"):
        lines.append("not deterministic: on a GPU, a training without deterministic=True gives other bits each time")
    return lines


def _changed_data(run: OpenedRun, recipe: Recipe, data_root: Path) -> list[str]:
    if not locate(data_root, recipe.data.annotations).is_file():
        return []  # the first stage says what to do
    if not (began := run.fingerprint):
        return ["data: the run has noted no fingerprint of it"]
    now = fingerprint(recipe.data, data_root)
    return [f"data: other than in the run (fingerprint {began[:8]}, now {now[:8]})"] if began != now else []


def _changed_recipe(run: OpenedRun, recipe: Recipe) -> list[str]:
    """Where the recipe of that name now leads to other settings."""
    used = "the settings in run.json are used"
    try:
        now = make_named_recipe(recipe.name, run.facts.overrides)
    except ValueError:
        return [f"recipe: there is no '{recipe.name}' with these overrides any more; {used}"]
    before, after = _dotted_differences(now, recipe), _dotted_differences(recipe, now)
    return [f"recipe: {name} was {before[name]}, now {after[name]} in '{recipe.name}'; {used}" for name in after]


def _unlike(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [f"{what}: {key} {before[key]}, now {now[key]}" for key in now if key in before and before[key] != now[key]]


@contextmanager
def _threads_of(stages: Mapping[str, StageEntry]) -> Iterator[None]:
    """As many threads for the kernels as the run had, unless the user has set another number."""
    threads = next((noted.device.get("threads") for noted in stages.values() if noted.device), None)
    if "OMP_NUM_THREADS" in os.environ or not threads:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


def _is_of_other_code(target: Path, stage: str) -> bool:
    """Whether an earlier rerun did this stage with other code than there is now, so that it must be done anew."""
    noted = open_run(target).stage(stage)
    return noted.status == "done" and (noted.versions != versions() or bool(changed_code(noted.code, stage)))


def _circumstances(before: OpenedRun, now: OpenedRun) -> list[Row]:
    """Whether recipe and data were the same in the two runs."""
    both = before.fingerprint and now.fingerprint
    return [
        Row("recipe", completed(before.facts.recipe) == now.facts.recipe, ""),
        Row("data", before.fingerprint == now.fingerprint if both else None, f"fingerprint {str(now.fingerprint)[:8]}"),
    ]
