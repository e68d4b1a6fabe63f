"""From an archive, official files or raw recordings to a data set's layout below the data root."""

from pathlib import Path

from afkit.config import DataConfig, Recipe
from afkit.data.features import locate
from afkit.data.watch import write_watch

_WRITERS = {"watch": write_watch}  # data sets that need nothing but an installed package


def is_prepared(config: DataConfig, data_root: str | Path) -> bool:
    """Whether the annotation file and every feature folder of a data set are there."""
    return all(locate(data_root, path).exists() for path in [config.annotations, *config.features])


def can_prepare(recipe: str) -> bool:
    """Whether `prepare` can make the data of a recipe without being given anything."""
    return recipe in _WRITERS


def prepare(recipe: Recipe, data_root: str | Path) -> None:
    """Make the data of a recipe where it is missing.

    Args:
        recipe: by its name, the data set.
        data_root: folder of all data sets.

    Raises:
        ValueError: the data is missing and cannot be made from what is installed.
    """
    if is_prepared(recipe.data, data_root):
        return
    if not can_prepare(recipe.name):
        missing = [p for p in [recipe.data.annotations, *recipe.data.features] if not locate(data_root, p).exists()]
        raise ValueError(f"{Path(data_root) / missing[0]} does not exist; put the data set of '{recipe.name}' there")
    _WRITERS[recipe.name](data_root)
