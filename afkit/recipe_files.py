"""Recipes of one's own: a YAML file is taken wherever the name of a built-in recipe is."""

import hashlib
import json
import stat
import textwrap
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from afkit.config import SECTIONS, make_recipe, nearest
from afkit.files import write_text

FOLDER = "recipes"  # of the project: its files are known by their names alone
HINT = "see recipes/README.md"
EVERYBODYS = stat.S_ISVTX | stat.S_IWOTH  # mode of a folder for everybody's files, as that of temporary ones


def find_project() -> Path:
    """The checkout that holds the working directory, or the working directory itself: where relative paths start.

    So a notebook finds the same files in JupyterLab (whose kernels start in notebooks/) and under papermill. The search
    ends at a folder for everybody's files (/tmp).
    """
    here = Path.cwd()
    with suppress(PermissionError):  # what cannot be looked into is no project
        for folder in (here, *here.parents):
            if folder.stat().st_mode & EVERYBODYS == EVERYBODYS:
                break
            if (folder / "notebooks" / "01_data.ipynb").is_file():
                return folder
    return here


def recipe_file(name: str) -> Path | None:
    """The file, which need not exist, of a path that ends in .yaml or of a name in recipes/; None for other names."""
    if name.endswith(".yaml"):
        return find_project() / name
    return find_project() / FOLDER / f"{name}.yaml" if name in own_names() else None


def own_names() -> list[str]:
    """The names of the recipes in the project's folder recipes/, sorted."""
    return sorted(path.stem for path in (find_project() / FOLDER).glob("*.yaml"))


def read_recipe_file(path: Path, built_in: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The checked settings in a recipe file, nested; the name is the file's, without its ending.

    The file has the sections of a recipe, and perhaps `base`, the name of a `built_in` recipe to start from. A
    ValueError is one sentence with the file and, for an unknown name, the nearest valid one.
    """
    content = _load(path)
    if path.stem in built_in:
        raise ValueError(f"{path} has the name of the built-in recipe '{path.stem}'; give the file another name")
    base = content.pop("base", None)
    if base is not None and str(base) not in built_in:
        hint = nearest(str(base), list(built_in))
        raise ValueError(f"{path}: 'base' names a built-in recipe, and there is no '{base}'; {hint}")
    settings = {"name": path.stem, **(built_in[base] if base else {})}
    try:
        changes = _dotted(content)
        checked = make_recipe(settings, changes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    prepared_as = "" if "data.annotations" in changes else base  # data of one's own is nobody else's
    return checked.model_dump() | {"base": prepared_as or ""}


def file_digest(settings: Mapping[str, Any]) -> str:
    """Eight digits that tell a file's settings from others: a run of a file that was changed is another run."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def write_recipe_file(path: str | Path, choices: Iterable[tuple[str, Any, str]], remark: str = "") -> None:
    """Write (dotted parameter, value, reason) as a new file that ends in .yaml, with each reason as a comment above."""
    path = Path(path)
    if path.suffix != ".yaml":
        raise ValueError(f"{path} must end in .yaml to be found as a recipe; give it that ending")
    if path.exists():
        raise ValueError(f"{path} exists and may hold changes of your own; delete it, or give another name")
    lines = _comment(remark, "")
    sections: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for dotted, value, why in choices:
        section, _, parameter = dotted.partition(".")
        sections[section] += [*_comment(why, "  "), f"  {parameter}: {_yaml().yaml_text(value)}"]
    for section, own in sections.items():
        lines += ["", f"{section}:", *own] if own else []
    write_text(path, "\n".join(lines).lstrip("\n") + "\n")


def _comment(text: str, indent: str) -> list[str]:
    readable = "".join(letter if letter.isprintable() else " " for letter in text)  # YAML takes no others
    return [f"{indent}# {line}" for line in textwrap.wrap(readable, 110)]


def _yaml() -> ModuleType:
    try:
        from afkit import yaml_files  # it needs a library that only recipe files need
    except ImportError:
        raise ValueError("recipe files need a YAML library: pip install pyyaml") from None
    return yaml_files


def _load(path: Path) -> dict[str, Any]:
    try:
        _, content = _yaml().read_yaml(path)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; own recipes: {', '.join(own_names()) or 'none'} ({HINT})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold sections of settings, e.g. 'optim: {{epochs: 20}}'; {HINT}")
    return content


def _dotted(content: Mapping[str, Any]) -> dict[str, Any]:
    """{"optim": {"epochs": 2}} -> {"optim.epochs": 2}; dotted names at the top, as in overrides, stay as they are."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            own = {f"{key}.{parameter}": setting for parameter, setting in value.items()}
        elif "." in str(key):
            own = {str(key): value}
        elif key in SECTIONS:
            raise ValueError(f"'{key}' must be a section of settings, not {value!r}")
        else:
            raise ValueError(f"a recipe file has no '{key}'; {nearest(str(key), ['base', *SECTIONS])}")
        twice = found.keys() & own.keys()
        if twice:
            raise ValueError(f"'{min(twice)}' is given twice; remove one")
        found |= own
    return found
