"""Sweep files: which runs to make, read from YAML, and what they lack, checked before the first of them starts."""

import itertools
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from afkit.config import Recipe, nearest
from afkit.opening import plain_name, safe_names
from afkit.recipes import recipe as make_named_recipe
from afkit.workbench.datasets.prepare import can_prepare
from afkit.workbench.runs.notebooks import DEFAULT_SEED, STAGES, parameters_by_stage, with_epochs
from afkit.workbench.runs.paths import run_folder
from afkit.workbench.sweeps.folds import folds_of
from afkit.workbench.trust import project_root
from afkit.yaml_files import read_yaml

WEIGHT_BYTES = 4 * (2 + 2 * 4)  # of each weight on the disk: two files, and two states with averages and moments

Seed = Annotated[int, Field(ge=0, lt=2**64)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunEntry(_Part):
    """An entry of `runs`: a recipe with fixed overrides, once for each seed."""

    recipe: str  # its name, or a recipe file
    seeds: list[Seed] = Field([], min_length=1)  # left out: those of the file
    overrides: dict[str, Any] = {}  # dotted recipe parameter -> value


class Needs(_Part):
    """What a task needs of the worker that does it."""

    memory_gb: float = Field(3, gt=0)  # that a run needs
    gpus: int | None = Field(None, ge=0)  # that a run needs; None: one where the machine has any


class SweepFile(Needs):
    """The content of a sweep file: a grid (recipes x overrides x seeds), or a list of runs."""

    recipes: list[str] = []  # of the grid: names, or recipe files
    overrides: dict[str, list[Any]] = {}  # of the grid: dotted recipe parameter -> the values to try
    runs: list[RunEntry] = []  # in place of a grid
    folds: Literal["", "group", "subset"] = ""  # of each run: every group or subset of its data is tested once
    seeds: list[Seed] = Field([DEFAULT_SEED], min_length=1)  # of every run that has none of its own
    parameters: dict[str, Any] = {}  # of the notebooks
    data: Literal["real", "twin"] = "real"  # "twin": generated before the runs
    twin_videos: int = Field(4, ge=1)  # of each subset of a twin
    data_root: str = "data"  # folder of all data sets
    results: str = ""  # "": results/ and the file's name


class Cell(NamedTuple):
    """One run of a sweep."""

    name: str  # its folder below results
    folder: Path  # of the run
    recipe: str  # its name, or a recipe file
    seed: int  # of all random numbers
    overrides: dict[str, Any]  # dotted recipe parameter -> value
    line: int  # of the sweep file
    resolved: Recipe  # recipe and overrides together


class Sweep(NamedTuple):
    """A checked sweep file."""

    path: Path  # of the file
    settings: SweepFile  # what the file says
    results: str  # folder of its runs
    cells: list[Cell]  # its runs, in their order


def read_sweep(path: str | Path, folds: str = "") -> Sweep:
    """Read a sweep file, YAML with the keys of `SweepFile`, and check all of it; its runs in the order of their making.

    `folds`, where given, stands for those of the file; for folds the data must be there.

    Raises:
        ValueError: not readable, an unknown key, recipe, override or parameter, a wrong type or value, or two runs of
            the same settings; one sentence with the line of the file.
    """
    path = Path(path)
    try:
        tree, content = read_yaml(path)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; the sweeps of the repository are in sweeps/") from None
    if not isinstance(tree, yaml.MappingNode):
        raise ValueError(f"{path}, line 1: a sweep is a mapping, e.g. 'recipes: [watch]'")
    try:
        settings = SweepFile.model_validate(content | ({"folds": folds} if folds else {}))
    except ValidationError as error:
        raise ValueError(_complaint(path, tree, error)) from None
    results = settings.results or f"results/{plain_name('the sweep', path.stem)}"
    if bool(settings.recipes) == bool(settings.runs):
        raise ValueError(f"{path}, line 1: give either 'recipes' (a grid) or 'runs' (a list), and not both")
    if settings.runs and settings.overrides:
        line = line_of(tree, ["overrides"])
        raise ValueError(f"{path}, line {line}: 'overrides' belongs to a grid; with 'runs', give each run its own")
    for name, value in settings.parameters.items():
        try:
            parameters_by_stage(STAGES, {name: value})
        except ValueError as error:
            raise ValueError(f"{path}, line {line_of(tree, ['parameters', name])}: {error}") from None
    cells = [cell for entry in _entries(settings) for cell in _cells(path, tree, settings, results, *entry)]
    if not cells:
        raise ValueError(f"{path}, line 1: there is no run in it; each list of 'overrides' needs a value")
    first: dict[tuple[str, int], Cell] = {}
    for cell in cells:
        other = first.setdefault((cell.resolved.model_dump_json(), cell.seed), cell)
        if other is not cell:
            where = f"line {cell.line}" if cell.line == other.line else f"lines {other.line} and {cell.line}"
            raise ValueError(f"{path}, {where}: the run '{cell.name}' comes twice; remove one")
    return Sweep(path, settings, results, cells)


def line_of(tree: yaml.Node, place: Sequence[str | int]) -> int:
    """The line of a key or list entry, e.g. of ("runs", 0, "recipe"); that of what holds it where there is none."""
    line = tree.start_mark.line + 1
    for part in place:
        if isinstance(tree, yaml.MappingNode):
            found = [pair for pair in tree.value if pair[0].value == str(part)]
            key, tree = found[-1] if found else (None, tree)
        elif isinstance(tree, yaml.SequenceNode) and isinstance(part, int) and part < len(tree.value):
            key = tree = tree.value[part]
        else:
            key = None
        if key is None:
            return line
        line = key.start_mark.line + 1
    return line


def _complaint(path: Path, tree: yaml.Node, error: ValidationError) -> str:
    """The first complaint of pydantic as one sentence with the line."""
    first = error.errors()[0]
    place = [part for part in first["loc"] if part != "[key]"]
    where = f"{path}, line {line_of(tree, place)}"
    dotted = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        known = RunEntry.model_fields if place[0] == "runs" else SweepFile.model_fields
        return f"{where}: a sweep has no '{dotted}'; {nearest(str(place[-1]), list(known))}"
    if first["type"] == "missing":
        return f"{where}: '{dotted}' is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: '{dotted}' = {first['input']!r:.300}: {message[0].lower() + message[1:]}"


def _entries(settings: SweepFile) -> list[tuple[str, int, dict[str, Any], tuple[str, int]]]:
    """Recipe, seed, overrides and place in the file of each run."""
    found = []
    for i, entry in enumerate(settings.runs):
        found += [(entry.recipe, seed, entry.overrides, ("runs", i)) for seed in entry.seeds or settings.seeds]
    choices = [[(name, value) for value in values] for name, values in settings.overrides.items()]
    for i, name in enumerate(settings.recipes):
        for chosen in itertools.product(*choices):
            found += [(name, seed, dict(chosen), ("recipes", i)) for seed in settings.seeds]
    return found


def _cells(
    path: Path,
    tree: yaml.Node,
    settings: SweepFile,
    results: str,
    recipe: str,
    seed: int,
    overrides: Mapping[str, Any],
    place: Sequence[str | int],
) -> Iterator[Cell]:
    """A run, or its folds, checked; a complaint names the line of the override at fault where the message tells it."""
    line = line_of(tree, place)
    try:
        overrides = with_epochs(overrides, settings.parameters)
        resolved = make_named_recipe(recipe, overrides)
    except ValueError as error:
        holder = ["overrides"] if settings.recipes else [*place, "overrides"]
        wrong = [name for name in overrides if f"'{name}'" in str(error) or f" {name} " in f" {error} "]
        at = [*holder, wrong[0]] if wrong else place
        raise ValueError(f"{path}, line {line_of(tree, at)}: {error}") from None
    folds: dict[str, dict[str, Any]] = {"": {}}
    if settings.folds:
        try:
            folds = folds_of(resolved.data, project_root() / settings.data_root, settings.folds)
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {error}") from None
    names = safe_names(folds)
    for fold, changes in folds.items():
        own = overrides | changes
        folder = run_folder(recipe, seed, own, results)
        folder = folder.with_name(f"{names[fold]}-{folder.name}") if fold else folder
        name, resolved = f"{folder.parent.name}/{folder.name}", make_named_recipe(recipe, own)
        yield Cell(name, folder, recipe, seed, own, line, resolved)


def missing_data(plan: Sweep, cells: Sequence[Cell]) -> str:
    """What is said where runs have no data and nothing to prepare it from, with the line of the file; "" if they do."""
    settings, given = plan.settings, plan.settings.parameters
    root = project_root() / settings.data_root
    for cell in cells if settings.data == "real" else ():
        if not can_prepare(cell.resolved, root, given.get("source", ""), given.get("download", False)):
            return (
                f"{plan.path}, line {cell.line}: the data of '{cell.recipe}' is not at "
                f"{root / cell.resolved.data.annotations}; give its folder as 'data_root', or prepare it with: "
                f"python -m afkit prepare {cell.recipe} SRC"
            )
    return ""


def missing_space(plan: Sweep, cells: Sequence[Cell]) -> str:
    """What is said where the weights and checkpoints of all runs do not fit on the disk; "" where they do."""
    import torch  # takes seconds; a sweep that is done goes without

    from afkit.model.actionformer import ActionFormer, count_parameters

    networks = Counter(cell.resolved.model_copy(update={"name": "any"}).model_dump_json() for cell in cells)
    needed = 0
    for settings, number in networks.items():
        with torch.device("meta"):  # shapes without numbers
            network = ActionFormer(Recipe.model_validate_json(settings))
        needed += number * WEIGHT_BYTES * count_parameters(network)["all"]
    results = project_root() / plan.results
    folder = next(path for path in (results, *results.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return ""
    return (
        f"the {len(cells)} runs need about {needed / 1e9:.1f} GB for checkpoints, and {folder} has {free / 1e9:.1f} GB "
        f"left; make room, or give another folder as 'results' in {plan.path}"
    )
