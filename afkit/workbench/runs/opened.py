"""Runs on disk: which there are, what their run.json and eval.json say, and where their recipe and data are.

All who read a run folder ask here, so that what one of them finds, all find. Folders of older versions are read, too.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator

from afkit.config import Recipe, make_recipe, nearest
from afkit.data.annotations import AnnotationFile, read_annotations
from afkit.data.features import locate
from afkit.files import read_json
from afkit.opening import open_to_read
from afkit.workbench.runs.notebooks import STAGES
from afkit.workbench.runs.paths import without_paths
from afkit.workbench.trust import project_root

MADE_FROM = {"03_eval": "02_train", "04_visualize": "03_eval"}  # whose files a stage reads
OUTDATED = "the weights (or class scores) have changed since their evaluation; run 03_eval again"
METRICS = ["epoch", "loss_total", "seconds"]  # those of metrics.csv that are compared
MOST_NAMED = 5  # runs that a message lists
MOST_EPOCHS = 10**9  # in a run.json that means something
MAX_LETTERS = 300  # of the reason why a run failed


class _Noted(BaseModel):
    """A part of run.json, in which what is missing or of a wrong kind has its default."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _entries(cls, content: Any) -> Any:
        return content if isinstance(content, dict) else {}

    @field_validator("*", mode="wrap")
    @classmethod
    def _usable(cls, value: Any, check: Callable[[Any], Any], info: ValidationInfo) -> Any:
        try:
            return check(value)
        except ValidationError:
            return cls.model_fields[str(info.field_name)].get_default(call_default_factory=True)


class StageEntry(_Noted):
    """What run.json says of a stage."""

    status: str = ""  # "running", "failed" or "done"
    started: Any = None  # ISO 8601 in UTC, as is `finished`
    finished: Any = None
    error: Any = None  # why it failed
    parameters: dict[str, Any] = {}  # of its notebook, as they were given
    values: dict[str, Any] = {}  # the same with all defaults
    used: dict[str, Any] = {}  # what some of them came to on this machine
    files: list[str] | None = None  # that it has left, None for all that it can leave
    sha256: dict[str, Any] = {}  # file -> digest, of some of them
    made_from: dict[str, Any] = {}  # file that it read -> digest
    code: dict[str, Any] = {}  # of `provenance.stage_code`
    git: Any = None
    versions: dict[str, Any] = {}
    device: dict[str, Any] = {}

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        return " ".join(str(self.error).split())


class RunFile(_Noted):
    """The content of a run.json."""

    recipe: dict[str, Any] = {}
    recipe_file: str = ""  # digest of its settings, where the recipe is a file
    seed: int | None = None
    overrides: dict[str, Any] = {}
    data_root: Any = None  # folder of all data sets, as text
    data: dict[str, Any] = {}  # of 01_data: fingerprint, generated, subsets
    execution: dict[str, Any] = {}  # of 02_train
    git: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    device: dict[str, Any] = {}
    stages: dict[str, StageEntry] = {}

    @property
    def planned_epochs(self) -> int | None:
        """Epochs of the training; None where the file does not say."""
        optim = {"extra_epochs": 0} | dictionary(self.recipe, "optim")  # older files have no extra ones
        parts = [optim.get(name) for name in ("epochs", "warmup_epochs", "extra_epochs")]
        meant = [part for part in parts if isinstance(part, int) and abs(part) < MOST_EPOCHS]
        return sum(meant) if len(meant) == len(parts) else None


@dataclass(frozen=True)
class OpenedRun:
    """A run folder and what its files say."""

    folder: Path
    facts: RunFile  # run.json
    name: str = ""  # the folder below results
    state: str = ""  # of `read_runs`: "done", or how far it came
    scores: dict[str, Any] = field(default_factory=dict)  # eval.json; {} where there is none of the present state

    @cached_property
    def recipe(self) -> Recipe:
        """With the defaults of settings that its version did not have; a ValueError where it is none, or unknown."""
        if not self.facts.recipe:
            raise ValueError(no_run(self.folder))
        try:
            return make_recipe(self.facts.recipe)
        except (ValueError, AttributeError) as error:
            path = self.folder / "run.json"
            raise ValueError(f"{path} holds a recipe that this version does not know: {error}") from None

    @property
    def recipe_name(self) -> Any:
        """As run.json has it; None where it has none."""
        return self.facts.recipe.get("name")

    @property
    def fingerprint(self) -> Any:
        """That of the data; None where it was not noted."""
        return self.facts.data.get("fingerprint")

    @property
    def generated(self) -> bool:
        """Whether the data is a twin, so that the numbers mean nothing."""
        return bool(self.scores.get("generated") or self.facts.data.get("generated"))

    @property
    def subsets(self) -> list[str]:
        """Those that the run was, or is to be, evaluated on."""
        found = self.scores.get("subsets") or entry(self.facts.recipe, "data", "test_subsets")
        return [subset for subset in found if isinstance(subset, str)] if isinstance(found, list) else []

    @property
    def changes(self) -> dict[str, Any]:
        """The overrides, which settings its recipe file held, if any, and on what else the weights depend."""
        trained = self.stage("02_train")
        own = {"recipe_file": self.facts.recipe_file, "start_from": trained.parameters.get("start_from")}
        own["precision"] = trained.used.get("precision")
        return self.facts.overrides | {name: value for name, value in own.items() if value not in (None, "", "fp32")}

    def data_root(self, given: str | Path = "") -> Path:
        """The folder of all data sets, `given` by the user, or "" for where the run found it.

        A relative one begins at the project, at the working directory, or at a folder above the run's: a run folder
        that was passed on with its data is found wherever it lies.

        Raises:
            ValueError: the annotation file is in none of these places.
        """
        named = entry(self.facts.recipe, "data", "annotations")
        annotations = named if isinstance(named, str) else self.recipe.data.annotations
        root = str(given or self.facts.data_root or "data")
        places = [base / root for base in (project_root(), Path.cwd(), *self.folder.absolute().parents)]
        try:
            found = next((place for place in places if locate(place, annotations).is_file()), None)
        except OSError as error:  # of a name that is none
            where = f"{self.folder / 'run.json'} names no folder of data ({error.strerror})"
            raise ValueError(f"{where}; name it (--data-root)") from None
        if found is None:
            raise ValueError(
                f"{locate(places[0], annotations)} does not exist; name the folder of the run's data (--data-root)"
            )
        return found

    def annotations(self, given: str | Path = "") -> AnnotationFile:
        """Those of its data set below `data_root(given)`."""
        return read_annotations(locate(self.data_root(given), self.recipe.data.annotations))

    def weights(self) -> tuple[Path, str]:
        """The weights file that 03_eval used, else the averaged weights, and which of the weights in it."""
        which, path = self.stage("03_eval").parameters.get("weights", "ema"), self.folder / "eval.json"
        used = entry(read_json(path), "weights") if path.is_file() else None
        if isinstance(used, str) and used not in ("ema", "raw"):
            return project_root() / used, which
        return self.folder / "checkpoints" / f"{used or which}.safetensors", used or which

    def stage(self, name: str) -> StageEntry:
        """What is noted of a stage, e.g. "03_eval", or "03_eval-training" of another split."""
        return self.facts.stages.get(name, StageEntry())

    def told_by_time(self, stage: str) -> bool:
        """Whether a stage has noted no digest of what it has read."""
        return not self.stage(stage).made_from

    def up_to_date(self, stage: str) -> bool:
        """Whether what a stage has read is as it was; a file that has gone counts as what wrote it has noted.

        Runs of older versions have noted no digests; there the stage must have begun after that one had ended.
        """
        own, before = self.stage(stage), self.stage(MADE_FROM.get(stage.partition("-")[0], ""))
        if self.told_by_time(stage):
            both = own.started and before.finished
            return not both or str(own.started) >= str(before.finished)  # both UTC, in one format
        now = {name: _digest_now(self.folder / name, before.sha256.get(name)) for name in own.made_from}
        return all(now[name] in (digest, None) for name, digest in own.made_from.items())


def open_run(folder: str | Path) -> OpenedRun:
    """A run folder; one that is not there yet, or holds no run.json, is one without facts.

    Raises:
        ValueError: its run.json is none of a run.
    """
    return OpenedRun(Path(folder), RunFile.model_validate(read_run(Path(folder))))


def no_run(folder: Path) -> str:
    """Says that a folder is not that of a run, and names runs below it where there are some."""
    below = [str(run) for run in _runs_below(folder) if run != folder]
    if not below:
        return f"{folder} holds no run.json with a recipe; name the folder of a run, e.g. results/watch/seed1234567891"
    shown = ", ".join(below[:MOST_NAMED]) + (f" and {len(below) - MOST_NAMED} more" if len(below) > MOST_NAMED else "")
    return f"{folder} is not one run but holds {len(below)}; name one of them: {shown}"


def read_run(folder: Path) -> dict[str, Any]:
    """The content of run.json as it is; {} where there is none yet, a ValueError where it is none of a run."""
    path = folder / "run.json"
    facts = read_json(path) if path.exists() else {}
    stages = facts.get("stages", {}) if isinstance(facts, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise ValueError(f"{path} is not what a run writes; put the right file there, or delete the folder")
    return facts


def choose_runs(runs: Sequence[str] = (), results: str | Path = "results") -> list[Path]:
    """The run folders in the given folders and below them, each once; without any, all in `results`.

    Folders are absolute, or relative to the project (those of runs also to `results`).

    Raises:
        ValueError: a given folder holds no run, or there is none at all.
    """
    root, found = project_root() / results, list[Path]()
    for run in map(str, runs):
        inside = _runs_below(project_root() / run) or _runs_below(root / run)
        if not inside:
            known = [_name(folder, root) for folder in _runs_below(root)]
            hint = nearest(run, known) if known else f"nor is there any in {root}"
            raise ValueError(f"there is no run in '{run}'; {hint}")
        found += inside
    if not (found := found or _runs_below(root)):
        raise ValueError(f"there is no run in {root}; make one with: python -m afkit run watch")
    first = {folder.resolve(): folder for folder in reversed(found)}  # links may lead to one, too
    return [folder for folder in found if first[folder.resolve()] is folder]


def read_runs(folders: Sequence[Path], results: str | Path = "results") -> list[OpenedRun]:
    """Runs with name, state and scores; a file that cannot be read becomes part of the run's state.

    Names are relative to the folder `results`; a run elsewhere is named by its last two folders.
    """
    named = [_name(folder, project_root() / results) for folder in folders]
    again = [named[:i].count(name) for i, name in enumerate(named)]
    names = [f"{name} ({number + 1})" if number else name for name, number in zip(named, again, strict=True)]
    return [replace(_with_state(folder), name=name) for folder, name in zip(folders, names, strict=True)]


def read_metrics(folder: Path) -> pd.DataFrame:
    """metrics.csv of a run; empty where there is none, as for given weights, or where it is broken."""
    with suppress(OSError, ValueError, KeyError, OverflowError), open_to_read(folder / "metrics.csv") as file:
        return pd.read_csv(file, usecols=METRICS, index_col=False)[METRICS].astype(float)
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


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_score(value: Any) -> bool:
    """Whether a value can be a mAP, which is a fraction."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def _runs_below(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("run.json"))


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else "/".join(folder.parts[-2:])


def _with_state(folder: Path) -> OpenedRun:
    run, scores = OpenedRun(folder, RunFile()), {}
    try:
        run = open_run(folder)
        state = _state(run)
        if state == "done" or state.startswith("04_"):  # which draws, and changes no number
            scores = read_json(folder / "eval.json")
            if not is_score(entry(scores, "average_map")):
                state, scores = "eval.json holds no average_map; run 03_eval again", {}
    except ValueError as error:
        state, scores = str(error).replace(f"{folder}/", ""), {}
    return replace(run, state=without_paths(state), scores=scores)


def _state(run: OpenedRun) -> str:
    """Which stage is the first that is not done, and why; "done" when none is."""
    stages = {stage: run.stage(stage) for stage in STAGES}
    for stage, noted in stages.items():
        if noted.status == "failed":
            more = "…" if len(noted.reason) > MAX_LETTERS else ""
            return f"{stage} failed: {noted.reason[:MAX_LETTERS]}{more}"
    for stage, noted in stages.items():
        if noted.status == "running":
            return f"{stage} is running, or was interrupted"
    if stages["03_eval"].status != "done":
        return "not evaluated yet"
    if not run.up_to_date("03_eval"):
        return OUTDATED
    return "done"


def _digest_now(path: Path, otherwise: Any) -> Any:
    with suppress(OSError, ValueError):
        if path.is_file():
            return sha256_of(path)
    return otherwise
