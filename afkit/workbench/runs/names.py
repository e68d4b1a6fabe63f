"""How run folders are named, and what tells the files of another split."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afkit.config import Recipe
from afkit.data.annotations import read_annotations
from afkit.data.features import locate
from afkit.opening import plain_name, safe_names
from afkit.recipe_files import recipe_file
from afkit.recipes import own_settings
from afkit.workbench.trust import project_root


def run_folder(
    recipe: str, seed: int, overrides: Mapping[str, Any], results: str | Path = "results", name: str = ""
) -> Path:
    """`<results>/<recipe>/seed<seed>[-<digest of what was changed>]`, or `<results>/<recipe>/<name>`.

    Changed are the overrides, and all settings of a recipe file, of which `recipe` is then the name without its ending.

    Args:
        name: of the run folder; "" for one from seed and overrides.

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
        changed = dict(overrides) | own_settings(recipe)
        if changed:
            canonical = json.dumps(changed, sort_keys=True)
            name += "-" + hashlib.sha256(canonical.encode()).hexdigest()[:8]
    own = recipe_file(recipe)
    recipe = plain_name("the recipe", own.stem if own else recipe)
    return project_root() / results / recipe / plain_name("the run", name)


def split_suffix(recipe: Recipe, data_root: str | Path, split: str) -> str:
    """What the files of a split are told by: "" for the recipe's test subsets, else "-" and the split's name.

    Args:
        data_root: folder of all data sets; while nothing is prepared there, any name is taken.
        split: name of a subset, compared without case; "" for the test subsets.

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
