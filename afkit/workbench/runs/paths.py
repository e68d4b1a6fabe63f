"""Where runs lie, how they and the files of another split are named, and texts without the folders of this machine."""

import hashlib
import json
import os
import re
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import afkit
from afkit.config import Recipe
from afkit.data.annotations import read_annotations
from afkit.data.features import locate
from afkit.opening import home_folder, plain_name, safe_names
from afkit.recipe_files import recipe_file
from afkit.recipes import own_settings
from afkit.workbench.trust import project_root


def run_folder(
    recipe: str, seed: int, overrides: Mapping[str, Any], results: str | Path = "results", name: str = ""
) -> Path:
    """`<results>/<recipe>/seed<seed>[-<digest of what was changed>]`, or `<results>/<recipe>/<name>`.

    Changed are the overrides, and all settings of a recipe file, of which `recipe` is then the name without its ending.

    Raises:
        ValueError: a name that is not that of a folder.

    Examples:
        >>> run_folder("watch", 1, {}).parts[-3:]
        ('results', 'watch', 'seed1')
        >>> run_folder("watch", 1, {"optim.epochs": 2}).parts[-1]
        'seed1-baf01e84'
    """
    if not name:
        name = f"seed{seed}"
        if changed := dict(overrides) | own_settings(recipe):
            name += "-" + hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    own = recipe_file(recipe)
    recipe = plain_name("the recipe", own.stem if own else recipe)
    return project_root() / results / recipe / plain_name("the run", name)


def split_suffix(recipe: Recipe, data_root: str | Path, split: str) -> str:
    """What the files of a split are told by: "" for the recipe's test subsets, else "-" and the split's name.

    A split is the name of a subset, compared without case, or "" for the test subsets. While nothing is prepared below
    the data root, any name is taken.

    Raises:
        ValueError: the annotation file has no such subset; the message lists those it has.
    """
    split = split.lower()
    if not split or {split} == {subset.lower() for subset in recipe.data.test_subsets}:
        return ""
    path = locate(data_root, recipe.data.annotations)
    if path.is_file():
        videos = Counter(video.subset for video in read_annotations(path).videos.values())
        if split not in videos:
            there = ", ".join(f"'{subset}' ({number})" for subset, number in sorted(videos.items()))
            raise ValueError(f"{path} has no split '{split}'; choose one of (with their numbers of videos): {there}")
    return f"-{safe_names([split])[split]}"


def relative_to_project(path: str | Path) -> str:
    """A folder as notebooks and run.json name it: as it leads there from the project, where their kernels start."""
    return Path(os.path.relpath(project_root() / path, project_root())).as_posix()


def portable(value: Any) -> Any:
    """A notebook parameter that is an absolute path as it leads there from the project; any other as it is."""
    return relative_to_project(value) if isinstance(value, str) and Path(value).is_absolute() else value


def hide_places(text: object) -> str:
    """A text in which the folders that only this machine has are shortened.

    Those of the project go, so that a file is named as commands name it; home becomes "~", and what belongs to the
    Python installation, to afkit and to temporary files "<python>", "<afkit>" and "<tmp>".
    """
    places = {
        project_root(): "",
        Path(afkit.__file__).parents[1]: "<afkit>",
        Path(sys.prefix): "<python>",
        Path(sysconfig.get_path("stdlib")): "<python>",
        Path(tempfile.gettempdir()): "<tmp>",
        _home(): "~",
    }
    text = str(text)
    there = [(str(folder), name) for folder, name in places.items() if str(folder) in text]  # quick, for long texts
    for folder, name in sorted(there, key=lambda place: -len(place[0])):
        whole = rf"(?:(?<![\w.-])|(?<=\dm)){re.escape(folder)}(?![\w-])"  # `32m` ends a colour of a traceback
        text = re.sub(f"{whole}/", f"{name}/" if name else "", text)
        text = re.sub(whole, name or ".", text)
    return text


def without_paths(text: object) -> str:
    """A one-line message with all absolute paths cut down to their last part, those of other machines, too.

    Not for pages and notebooks, whose markup looks like paths; `hide_places` knows which folders it looks for.
    """
    return re.sub(r"(?<![\w/:])/(?:[^/\s'\"]+/)+", "…/", str(text).replace(str(_home()), "~"))


def _home() -> Path:
    """The user's home folder; without one, or where it is the root of all folders, what stands in no text."""
    home = home_folder()
    return home if home is not None and home != Path(home.anchor) else Path("\0")
