"""A run on disk, opened: its recipe, and where its data are, by one rule for all who ask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afkit.config import Recipe, make_recipe
from afkit.data.features import locate
from afkit.workbench.trust import project_root


def recipe_of(facts: Mapping[str, Any], folder: Path) -> Recipe:
    """The recipe in the run.json of a run folder, with the defaults of settings that its version of afkit did not have.

    Raises:
        ValueError: there is none, or one that this version does not know; the message names the file.
    """
    if not isinstance(facts, Mapping) or not isinstance(facts.get("recipe"), Mapping):
        raise ValueError(
            f"{folder} is no run folder: it has no run.json with a recipe; name one, e.g. results/watch/..."
        )
    try:
        return make_recipe(facts["recipe"])
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{folder / 'run.json'} holds a recipe that this version does not know: {error}") from None


def data_root_of(facts: Mapping[str, Any], annotations: str, folder: Path, given: str | Path = "") -> Path:
    """The folder of all data sets below which a run's annotation file lies.

    A relative one, given or as the run noted it, begins at the project, at the working directory, or at a folder above
    the run's: a run folder that was passed on with its data is found wherever it lies.

    Raises:
        ValueError: the annotation file is in none of these places.
    """
    root = str(given or facts.get("data_root") or "data")
    places = [base / root for base in (project_root(), Path.cwd(), *folder.absolute().parents)]
    found = next((place for place in places if locate(place, annotations).is_file()), None)
    if found is None:
        raise ValueError(
            f"{locate(places[0], annotations)} does not exist; name the folder of the run's data (--data-root)"
        )
    return found
