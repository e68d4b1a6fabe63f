"""The run folder: where it lies, what run.json says about it, and which stages are done.

03_eval may look at another split than the recipe's test subsets. All that comes of it, and its entry in run.json, then
bears the split's name as a suffix, beside the headline result.
"""

import datetime
import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afkit.config import Recipe, make_recipe
from afkit.data.features import locate
from afkit.files import read_json, write_json
from afkit.recipes import own_settings
from afkit.recipes import recipe as make_named_recipe
from afkit.workbench.runs.code import changed_code, stage_code, values_in_kernel
from afkit.workbench.runs.names import run_folder, split_suffix
from afkit.workbench.runs.provenance import commit_in_words, provenance
from afkit.workbench.survey.facts import fingerprint
from afkit.workbench.trust import project_root

STAGES = ("01_data", "02_train", "03_eval", "04_visualize")
COMPUTING = ("02_train", "03_eval")  # stages that use the network
STAGE_FILES = {  # what a finished stage has left in the run folder
    "01_data": ["data_report.json"],
    "02_train": ["metrics.csv", "checkpoints/ema.safetensors", "checkpoints/raw.safetensors"],
    "03_eval": ["predictions.json.gz", "eval.json", "per_class.csv"],
    "04_visualize": ["figures/timelines.json"],
}
SAME_BYTES = (".safetensors", ".json.gz")  # files that are the same, byte by byte, where the numbers in them are


@dataclass(frozen=True)
class Run:
    """An opened run: what a notebook needs to know."""

    folder: Path  # of the run
    stage: str  # e.g. 02_train
    recipe: Recipe  # its test subsets are those of the split
    seed: int  # of all random numbers
    data_root: Path  # folder of all data sets
    suffix: str = ""  # of the files and folders that belong to another split than the recipe's own


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

    Prints a line where the stage whose files it reads was done with other code, or from other files.

    Args:
        stage: one of `STAGES`.
        data_root: folder of all data sets; relative to the project.
        run_dir: the run folder; "" for the usual place in results/.
        split: for 03_eval, the subset to look at instead of the recipe's test subsets, see `split_suffix`.

    Returns:
        The run, with its folder and its recipe.

    Raises:
        ValueError: unknown recipe, parameter or split, or a folder that holds a run with other settings or data.
    """
    resolved = make_named_recipe(recipe, overrides)
    folder = project_root() / run_dir if run_dir else run_folder(recipe, seed, overrides)
    suffix = split_suffix(resolved, project_root() / data_root, split)
    facts, origin = check_same_run(folder, resolved, seed), provenance(stage in COMPUTING)
    if stage != "01_data":  # which looks itself, when it has prepared the data
        check_data(folder, resolved, project_root() / data_root, split if suffix else "")
    before = MADE_FROM.get(stage, "")
    if other_code := changed_since(folder, before):
        print(f"{before} was done {other_code}")
    if not up_to_date(folder, facts.get("stages", {}), before):
        print(f"{before} was done with other files than those that are there now; run it again")
    if not suffix or "recipe" not in facts:
        facts |= {
            "recipe": resolved.model_dump(mode="json"),
            "seed": seed,
            "overrides": dict(overrides),
            **own_settings(recipe),
            "data_root": str(data_root),
        } | origin
    own = origin | {"code": stage_code(stage), "values": values_in_kernel(stage)}
    began: dict[str, Any] = {"status": "running", "started": _now(), "finished": None, "error": None, "made_from": {}}
    _write_noted(folder, facts, stage + suffix, began | own)  # at once, so that no old "done" has new origins
    if suffix:
        data = resolved.data.model_copy(update={"test_subsets": [split.lower()]})
        resolved = resolved.model_copy(update={"data": data})
    return Run(folder, stage, resolved, seed, project_root() / data_root, suffix)


def check_same_run(folder: Path, recipe: Recipe, seed: int) -> dict[str, Any]:
    """The content of run.json of a folder that is used again.

    Raises:
        ValueError: it is of another recipe or seed; the message names the first difference.
    """
    facts = read_run(folder)
    held = facts | ({"recipe": completed(facts["recipe"])} if "recipe" in facts else {})
    for key, value in {"recipe": recipe.model_dump(mode="json"), "seed": seed}.items():
        if key in held and held[key] != value:
            difference = _first_difference(held[key], value, key)
            raise ValueError(f"{folder} holds a run with another {difference}; use another folder, or delete this one")
    return facts


def completed(settings: Any) -> Any:
    """The recipe in a run.json with the defaults of the settings that its version of afkit did not have."""
    try:
        return make_recipe(settings).model_dump(mode="json")
    except (ValueError, AttributeError):
        return settings


def check_same_data(run: Run, now: str) -> None:
    """Raise a ValueError where the run was begun with data of another fingerprint, whose results it may hold."""
    began = read_run(run.folder).get("data", {}).get("fingerprint", now)
    if began != now:
        raise ValueError(
            f"the data has changed since the run in {run.folder} was begun (fingerprint {began[:8]}, now {now[:8]}); "
            "give the new run another name (--name), or delete the folder"
        )


def check_data(folder: Path, recipe: Recipe, data_root: str | Path, split: str = "") -> None:
    """As `check_same_data`, with the fingerprint of the data that is there, if any.

    Of another split than the recipe's own, whose labels may have come later, a line is printed instead.

    Args:
        split: subset that is evaluated; "" for the recipe's.

    Raises:
        ValueError: the data of the recipe's own split has changed since the run was begun.
    """
    run = Run(folder, "", recipe, 0, Path(data_root))
    if not read_run(folder).get("data") or not locate(data_root, recipe.data.annotations).is_file():
        return
    try:
        check_same_data(run, fingerprint(recipe.data, data_root))
    except ValueError as error:
        if not split:
            raise
        print(f"split '{split}': {str(error).partition(';')[0]}")


def changed_since(folder: Path, stage: str) -> str:
    """How the code of a finished stage differs from the present one, e.g. "with other code: afkit/train has changed".

    Returns:
        "" where it does not, or the stage is not done, or nothing is on record (as of older versions).
    """
    entry = read_run(folder).get("stages", {}).get(stage, {})
    changed = changed_code(entry.get("code", {}), stage.partition("-")[0]) if entry.get("status") == "done" else []
    if not changed:
        return ""
    has = "has" if len(changed) == 1 else "have"
    return f"with other code: {', '.join(changed)} {has} changed since{commit_in_words(entry.get('git'))}"


def note_input(run: Run, path: Path) -> str:
    """Note in run.json which file a stage is about to read, so that it is known when that is another.

    Args:
        run: as `start_stage` gave it.
        path: of the file; where it is missing, reading it says so.

    Returns:
        its SHA-256; "" where it is missing.
    """
    if not path.is_file():
        return ""
    name, digest = Path(os.path.relpath(path, run.folder)).as_posix(), file_digest(path)
    note_stage(run.folder, run.stage + run.suffix, made_from={name: digest})
    return digest


def finish_stage(run: Run, files: Sequence[str] = (), **facts: Any) -> None:
    """Note in run.json that the run's stage is done.

    Args:
        run: as `start_stage` gave it.
        files: which of the stage's `STAGE_FILES` it has left, where these are not all; without the run's suffix.
        facts: go to the top of run.json; those of another split than the recipe's own, to its entry.
    """
    if facts and not run.suffix:
        write_json(run.folder / "run.json", read_run(run.folder) | facts)
    left = [_with_suffix(name, run.suffix) for name in files or STAGE_FILES[run.stage]]
    paths = {name: run.folder / name for name in left if name.endswith(SAME_BYTES)}
    own = {"sha256": {name: file_digest(path) for name, path in paths.items() if path.is_file()}}
    own |= facts if run.suffix else {}
    note_stage(run.folder, run.stage + run.suffix, status="done", finished=_now(), files=left, **own)


def note_stage(folder: Path, stage: str, **changes: Any) -> None:
    """Change some entries of a stage in run.json; the seconds follow from its times.

    Args:
        stage: e.g. "02_train", with the suffix of its split, if any.
        changes: entry -> value.
    """
    _write_noted(folder, read_run(folder), stage, changes)


def _write_noted(folder: Path, facts: dict[str, Any], stage: str, changes: Mapping[str, Any]) -> None:
    entry = facts.setdefault("stages", {}).setdefault(stage, {})
    entry |= changes
    if entry.get("started") and entry.get("finished"):
        began, ended = (datetime.datetime.fromisoformat(entry[key]) for key in ("started", "finished"))
        entry["seconds"] = round((ended - began).total_seconds(), 1)
    write_json(folder / "run.json", facts)


def fail_stage(folder: Path, stage: str, error: str) -> None:
    """Note in run.json that a stage failed, and why.

    Args:
        stage: e.g. "02_train".
    """
    note_stage(folder, stage, status="failed", finished=_now(), error=error)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of run.json; {} where there is none yet, a ValueError where it is none of a run."""
    path = folder / "run.json"
    facts = read_json(path) if path.exists() else {}
    stages = facts.get("stages", {}) if isinstance(facts, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise ValueError(f"{path} is not what a run writes; put the right file there, or delete the folder")
    return facts


def is_done(folder: Path, stage: str, parameters: Mapping[str, Any], suffix: str = "") -> bool:
    """Whether a stage finished with these notebook parameters, and its files are still there and up to date.

    They are not where a file that the stage has read is another now, see `afkit.workbench.runs.folder.up_to_date`.

    Args:
        stage: e.g. "02_train".
        suffix: of its split; "" for the recipe's.
    """
    stages = read_run(folder).get("stages", {})
    entry = stages.get(stage + suffix, {})
    files_there = all((folder / name).is_file() for name in entry.get("files", STAGE_FILES[stage]))
    same = entry.get("parameters", {}) == dict(parameters)
    return entry.get("status") == "done" and same and files_there and up_to_date(folder, stages, stage + suffix)


def _with_suffix(name: str, suffix: str) -> str:
    """The suffix comes before the first point of a name: "predictions-training.json.gz"."""
    stem, point, ending = name.partition(".")
    return f"{stem}{suffix}{point}{ending}"


def _first_difference(old: Any, new: Any, path: str) -> str:
    """The first entry in which two nested settings differ, as 'path (there X, here Y)'."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}")
    return f"{path} (there {old}, here {new})"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


MADE_FROM = {"03_eval": "02_train", "04_visualize": "03_eval"}  # whose files a stage reads


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def up_to_date(folder: Path, stages: Mapping[str, Any], stage: str) -> bool:
    """Whether what a stage has read is as it was.

    A file that has gone since counts as what the stage that wrote it has noted. Runs of older versions have noted no
    digests; there the times decide: the stage must have begun after that one had ended.

    Args:
        stage: e.g. "03_eval", with the suffix of its split, if any.
    """
    own, before = (_entry(stages, name) for name in (stage, MADE_FROM.get(stage.partition("-")[0], "")))
    if told_by_time(stages, stage):
        began, ended = own.get("started"), before.get("finished")
        return not (began and ended) or str(began) >= str(ended)  # both UTC, in one format
    written = _entry(before, "sha256")
    return all(_digest_now(folder / name, written.get(name)) in (digest, None) for name, digest in _noted(own).items())


def told_by_time(stages: Mapping[str, Any], stage: str) -> bool:
    """Whether a stage has noted no digest of what it has read."""
    return not _noted(_entry(stages, stage))


def _noted(entry: Mapping[str, Any]) -> dict[str, Any]:
    return _entry(entry, "made_from")


def _entry(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _digest_now(path: Path, otherwise: Any) -> Any:
    with suppress(OSError, ValueError):
        if path.is_file():
            return file_digest(path)
    return otherwise
