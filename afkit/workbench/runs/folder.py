"""What a stage writes into the run folder: run.json, and which stages are done.

03_eval may look at another split than the recipe's test subsets. All that comes of it, and its entry in run.json, then
bears the split's name as a suffix, beside the headline result.
"""

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.config import Recipe, make_recipe
from afkit.data.annotations import AnnotationFile, read_annotations, to_frame
from afkit.data.features import locate
from afkit.files import write_json
from afkit.recipes import own_settings
from afkit.recipes import recipe as make_named_recipe
from afkit.workbench.analysis.fusion import num_labels
from afkit.workbench.progress import duration
from afkit.workbench.runs.notebooks import notebook_parameters, values_in_kernel
from afkit.workbench.runs.opened import MADE_FROM, open_run, read_run, sha256_of
from afkit.workbench.runs.paths import run_folder, split_suffix
from afkit.workbench.runs.provenance import changed_code, commit_in_words, provenance, stage_code
from afkit.workbench.runs.top import neighbours, show_top
from afkit.workbench.survey.facts import durations_of, fingerprint, is_twin
from afkit.workbench.trust import project_root

COMPUTING = ("02_train", "03_eval")  # stages that use the network
STAGE_FILES = {  # what a finished stage has left in the run folder
    "01_data": ["data_report.json"],
    "02_train": ["metrics.csv", "checkpoints/ema.safetensors", "checkpoints/raw.safetensors"],
    "03_eval": ["predictions.json.gz", "eval.json", "per_class.csv"],
    "04_visualize": ["figures/timelines.json"],
}
# parameters of 02_train on which its weights depend; on the first, all that has been trained so far
TRAINING = ("start_from", "precision", "pad_to_batch", "cuda_graphs", "devices", "num_nodes", "deterministic")
SAME_BYTES = (".safetensors", ".json.gz")  # files that are the same, byte by byte, where the numbers in them are


@dataclass(frozen=True)
class Run:
    """A run at work: what a notebook needs to know."""

    folder: Path  # of the run
    stage: str  # e.g. 02_train; "" for the run as a whole
    recipe: Recipe  # its test subsets are those of the split
    seed: int  # of all random numbers
    data_root: Path  # folder of all data sets
    suffix: str = ""  # of the files and folders that belong to another split than the recipe's own

    @cached_property
    def annotations(self) -> AnnotationFile:
        """The annotation file, read when it is first asked for."""
        return read_annotations(locate(self.data_root, self.recipe.data.annotations))

    @cached_property
    def label_names(self) -> dict[int, str]:
        """Label id -> name, of all labels that detections may have."""
        return self.annotations.names_of(num_labels(self.recipe, self.data_root))

    @property
    def gt(self) -> pd.DataFrame:
        """The annotated actions of the test subsets."""
        return to_frame(self.annotations.of_subsets(self.recipe.data.test_subsets))

    @property
    def durations_sec(self) -> dict[str, float | None]:
        """Of the videos of the test subsets, see `durations_of`."""
        data = self.recipe.data
        return durations_of(data, self.data_root, self.annotations.of_subsets(data.test_subsets))

    @property
    def generated(self) -> bool:
        """Whether the data is a twin, whose numbers mean nothing."""
        return is_twin(self.recipe.data, self.data_root)

    @property
    def entry(self) -> str:
        """The name of the stage in run.json."""
        return self.stage + self.suffix


def plan_run(
    recipe: str,
    seed: int,
    overrides: Mapping[str, Any],
    data_root: str | Path,
    folder: str | Path = "",
    split: str = "",
    stage: str = "",
    training: Mapping[str, Any] | None = None,
) -> Run:
    """The run that these arguments lead to, with the recipe's own test subsets; arguments as of `start_stage`.

    `training` are the parameters of 02_train where that begins or goes on.

    Raises:
        ValueError: unknown recipe, parameter or split, a seed out of range, or a folder of a run with other settings.
    """
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed!r}; give a whole number, 0 or more, below 2**64")
    if not isinstance(overrides, Mapping):
        raise ValueError(f'overrides is {overrides!r}; give a dictionary, e.g. {{"optim.epochs": 5}}')
    resolved, root = make_named_recipe(recipe, overrides), project_root() / data_root
    folder = project_root() / folder if folder else run_folder(recipe, seed, overrides)
    check_same_run(folder, resolved, seed)
    if training is not None:
        check_same_training(folder, training)
    return Run(folder, stage, resolved, seed, root, split_suffix(resolved, root, split))


def start_stage(
    stage: str,
    recipe: str,
    seed: int,
    overrides: Mapping[str, Any],
    data_root: str = "data",
    run_dir: str = "",
    split: str = "",
) -> Run:
    """Open a run for one stage, and note in run.json that the stage is running, by which code and with what.

    In a notebook, its top is shown here, which `finish_stage` fills. Prints a line where the stage whose files it reads
    was done with other code, or from other files.

    Args:
        run_dir: the run folder; "" for the usual place in results/.
        split: for 03_eval, the subset to look at instead of the recipe's test subsets, see `split_suffix`.

    Raises:
        ValueError: unknown recipe, parameter or split, or a folder that holds a run with other settings or data.
    """
    run = plan_run(recipe, seed, overrides, data_root, run_dir, split, stage)
    show_top(neighbours(run.entry))
    facts, origin, before = read_run(run.folder), provenance(stage in COMPUTING), MADE_FROM.get(stage, "")
    own: dict[str, Any] = {"code": stage_code(stage), "values": (values := values_in_kernel(stage))}
    if values:  # by hand others may be given than papermill had
        defaults = notebook_parameters(stage)
        own["parameters"] = {name: value for name, value in values.items() if value != defaults[name]}
    if stage == "02_train":
        own["used"] = check_same_training(run.folder, values)
    if stage != "01_data":  # which looks itself, when it has prepared the data
        check_data(run, split)
        if "data" not in facts and locate(run.data_root, run.recipe.data.annotations).is_file():
            facts["data"] = {"fingerprint": fingerprint(run.recipe.data, run.data_root)}
    if other_code := changed_since(run.folder, before):
        print(f"{before} was done {other_code}")
    if not open_run(run.folder).up_to_date(before):
        print(f"{before} was done with other files than those that are there now; run it again")
    if not run.suffix or "recipe" not in facts:
        facts |= {"recipe": run.recipe.model_dump(mode="json"), "seed": seed, "overrides": dict(overrides)}
        facts |= {**own_settings(recipe), "data_root": str(data_root), **origin}
    began: dict[str, Any] = {"status": "running", "started": _now(), "finished": None, "error": None, "made_from": {}}
    _write_noted(run.folder, facts, run.entry, began | origin | own)  # at once: no old "done" has new origins
    if not run.suffix:
        return run
    data = run.recipe.data.model_copy(update={"test_subsets": [split.lower()]})
    return replace(run, recipe=run.recipe.model_copy(update={"data": data}))


def check_same_run(folder: Path, recipe: Recipe, seed: int) -> None:
    """Raise a ValueError where a folder that is used again holds a run of another recipe or seed."""
    held = read_run(folder)
    if "recipe" in held:
        held |= {"recipe": completed(held["recipe"])}
    for key, value in {"recipe": recipe.model_dump(mode="json"), "seed": seed}.items():
        if key in held and held[key] != value:
            difference = _first_difference(held[key], value, key)
            raise ValueError(f"{folder} holds a run with another {difference}; use another folder, or delete this one")


def check_same_training(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a training has `used` so far that goes on with these parameters of 02_train; {} where it begins.

    A ValueError where it would be noted with parameters that had no effect on what is kept of it.
    """
    noted, defaults = open_run(folder).stage("02_train"), notebook_parameters("02_train")
    before, now = defaults | noted.parameters | noted.values, defaults | dict(values)
    if not now["resume"] or not any(folder.glob("checkpoints/step*.pt")):
        return {}
    for name in TRAINING if noted.status == "done" else TRAINING[:1]:
        if before[name] != now[name]:
            raise ValueError(
                f"the training in {folder} was made with {name}={before[name]!r}, and would be kept; for {now[name]!r} "
                "train anew (--again 02, by hand resume=False), or give the new run another name"
            )
    return noted.used


def completed(settings: Any) -> Any:
    """The recipe in a run.json with the defaults of the settings that its version of afkit did not have."""
    try:
        return make_recipe(settings).model_dump(mode="json")
    except (ValueError, AttributeError):
        return settings


def check_same_data(run: Run, now: str) -> None:
    """Raise a ValueError where the run was begun with data of another fingerprint, whose results it may hold."""
    began = open_run(run.folder).fingerprint or now
    if began != now:
        raise ValueError(
            f"the data has changed since the run in {run.folder} was begun (fingerprint {began[:8]}, now {now[:8]}); "
            "give the new run another name (--name), or delete the folder"
        )


def check_data(run: Run, split: str = "") -> None:
    """As `check_same_data`, with the fingerprint of the data that is there, if any.

    Of another split than the recipe's own, whose labels may have come later, a line is printed instead.
    """
    if not open_run(run.folder).facts.data or not locate(run.data_root, run.recipe.data.annotations).is_file():
        return
    try:
        check_same_data(run, fingerprint(run.recipe.data, run.data_root))
    except ValueError as error:
        if not run.suffix:
            raise
        print(f"split '{split}': {str(error).partition(';')[0]}")


def changed_since(folder: Path, stage: str) -> str:
    """How the code of a finished stage differs from the present one, e.g. "with other code: afkit/train has changed".

    "" where it does not, or the stage is not done, or nothing is on record (as of older versions).
    """
    noted = open_run(folder).stage(stage)
    changed = changed_code(noted.code, stage.partition("-")[0]) if noted.status == "done" else []
    if not changed:
        return ""
    has = "has" if len(changed) == 1 else "have"
    return f"with other code: {', '.join(changed)} {has} changed since{commit_in_words(noted.git)}"


def note_input(run: Run, path: Path) -> str:
    """Note in run.json which file a stage is about to read, so that it is known when that is another.

    Its SHA-256 is returned; "" where it is missing, which reading it will say.
    """
    if not path.is_file():
        return ""
    name, digest = Path(os.path.relpath(path, run.folder)).as_posix(), sha256_of(path)
    note_stage(run.folder, run.entry, made_from={name: digest})
    return digest


def finish_stage(run: Run, files: Sequence[str] = (), said: Sequence[str] = (), **facts: Any) -> None:
    """Note in run.json that the run's stage is done, and say so at the top of its notebook.

    Args:
        files: which of the stage's `STAGE_FILES` it has left, where these are not all; without the run's suffix.
        said: for the top of the notebook: what counts in a few words, and sentences on it.
        facts: go to the top of run.json; those of another split than the recipe's own, to its entry.
    """
    if facts and not run.suffix:
        write_json(run.folder / "run.json", read_run(run.folder) | facts)
    left = [name.replace(".", f"{run.suffix}.", 1) for name in files or STAGE_FILES[run.stage]]
    there = [name for name in left if name.endswith(SAME_BYTES) and (run.folder / name).is_file()]
    own = {"sha256": {name: sha256_of(run.folder / name) for name in there}} | (facts if run.suffix else {})
    note_stage(run.folder, run.entry, status="done", finished=_now(), files=left, **own)
    show_top(neighbours(run.entry), [*(said or [f"{run.entry} is done"]), _how_made(run)])


def _how_made(run: Run) -> str:
    """Which run the stage is of, what was changed for it, and how long it took."""
    opened = open_run(run.folder)
    noted, defaults = opened.stage(run.entry), notebook_parameters(run.stage)
    own = {key: value for key, value in (noted.values | noted.used).items() if value != defaults.get(key, value)}
    changed = ", ".join(f"{name}={value}" for name, value in {**opened.changes, **own}.items())
    began, name = str(noted.started)[:16].replace("T", " "), "/".join(run.folder.parts[-2:])
    took = duration((noted.model_extra or {}).get("seconds", 0))
    return f"Run {name}, begun {began} UTC, done in {took}{f'; changed: {changed}' if changed else ''}."


def note_stage(folder: Path, stage: str, **changes: Any) -> None:
    """Change entries of a stage, with the suffix of its split, in run.json; the seconds follow from its times."""
    _write_noted(folder, read_run(folder), stage, changes)


def fail_stage(folder: Path, stage: str, error: str) -> None:
    """Note in run.json that a stage failed, and why."""
    note_stage(folder, stage, status="failed", finished=_now(), error=error)


def is_done(folder: Path, stage: str, parameters: Mapping[str, Any], suffix: str = "") -> bool:
    """Whether a stage finished with these notebook parameters, and its files are still there and up to date.

    They are not where a file that the stage has read is another now, see `OpenedRun.up_to_date`.
    """
    run = open_run(folder)
    noted = run.stage(stage + suffix)
    files = STAGE_FILES[stage] if noted.files is None else noted.files
    there, given = noted.status == "done" and all((folder / name).is_file() for name in files), dict(parameters)
    if there and noted.parameters != given:  # but perhaps in that defaults were given
        there = (defaults := notebook_parameters(stage)) | noted.parameters == defaults | given
    return there and run.up_to_date(stage + suffix)


def _write_noted(folder: Path, facts: dict[str, Any], stage: str, changes: Mapping[str, Any]) -> None:
    entry = facts.setdefault("stages", {}).setdefault(stage, {})
    entry |= changes
    if entry.get("started") and entry.get("finished"):
        began, ended = (datetime.datetime.fromisoformat(entry[key]) for key in ("started", "finished"))
        entry["seconds"] = round((ended - began).total_seconds(), 1)
    write_json(folder / "run.json", facts)


def _first_difference(old: Any, new: Any, path: str) -> str:
    """The first entry in which two nested settings differ, as 'path (there X, here Y)'."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}")
    return f"{path} (there {old}, here {new})"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
