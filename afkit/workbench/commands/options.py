"""Arguments that several commands take."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from afkit.recipes import recipe, recipe_names


def add_data_arguments(command: argparse.ArgumentParser) -> None:
    """RECIPE and --data-root."""
    command.add_argument(
        "recipe", metavar="RECIPE", help=f"a file of your own (.yaml), or one of: {', '.join(recipe_names())}"
    )
    command.add_argument("--data-root", default="data", help="folder of all data sets (default: data)")


def data_folder(options: argparse.Namespace) -> Path:
    """Where the data set of RECIPE lies."""
    return Path(options.data_root) / Path(recipe(options.recipe).data.annotations).parts[0]


def assignments(texts: Sequence[str], option: str) -> dict[str, object]:
    """["a.b=1"] -> {"a.b": 1}; values are JSON, or text where they are not.

    Raises:
        ValueError: a text without `=` or without a name.

    Examples:
        >>> assignments(["optim.epochs=2", "model.heads=[1, 2]", "name=x"], "--set")
        {'optim.epochs': 2, 'model.heads': [1, 2], 'name': 'x'}
    """
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} takes NAME=VALUE, not '{text}'")
        pairs[name.strip()] = _value(value)
    return pairs


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
