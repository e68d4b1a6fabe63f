"""Annotation files in which each group (person, animal, site) is a subset, so that any of them can be left out.

Such a file lies beside the one that it is made from, `mine_groups.json` beside `mine.json`; features are not copied.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afkit.config import DataConfig
from afkit.data.features import locate
from afkit.files import read_json, write_json

ENDING, ORIGIN = "_groups.json", "grouped_from"  # of the name; key with the name of the original


def grouped_path(annotations: str) -> str:
    """The annotation file by groups of another one."""
    return annotations.removesuffix(".json") + ENDING


def by_group(database: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The videos of an annotation file, each in the subset of its group's name.

    A ValueError names a video without a group, or two groups that differ in case only, which subsets do not.
    """
    spelled: dict[str, str] = {}
    for video, entry in database.items():
        if entry.get("group") in (None, ""):
            raise ValueError(f"video '{video}' has no group; give all videos one (import with --column group=NAME)")
        group = str(entry["group"])
        if spelled.setdefault(group.lower(), group) != group:
            raise ValueError(
                f"the groups '{spelled[group.lower()]}' and '{group}' differ in case only; write one alike"
            )
    return {video: entry | {"subset": str(entry["group"])} for video, entry in database.items()}


def original_of(config: DataConfig, root: str | Path) -> Path | None:
    """The file that a recipe's annotation file by groups is to be made from; None where it is, or has, none."""
    path = locate(root, config.annotations)
    original = path.with_name(path.name.removesuffix(ENDING) + ".json")
    return original if path.name.endswith(ENDING) and original.is_file() else None


def write_grouped(config: DataConfig, root: str | Path) -> None:
    """Write a recipe's annotation file by groups where it is one, and is missing or was made from other content.

    ValueErrors are those of `by_group`.
    """
    path, original = locate(root, config.annotations), original_of(config, root)
    old = read_json(path) if path.is_file() else {ORIGIN: ""}
    if original is None or not isinstance(old, dict) or ORIGIN not in old:
        return
    content = read_json(original)
    try:
        new = content | {ORIGIN: original.name, "database": by_group(content["database"])}
    except ValueError as error:
        raise ValueError(f"{original}: {error}") from None
    if new != old:
        write_json(path, new)
