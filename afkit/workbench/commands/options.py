"""Arguments that several commands take, and what a command consists of."""

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from afkit.recipes import recipe, recipe_names


class Command(NamedTuple):
    """A command of the command line."""

    do: Callable[[argparse.Namespace], int | None]  # gives the exit status, or nothing for 0
    add_arguments: Callable[[argparse.ArgumentParser], None]
    help: str  # one line


def add_data_arguments(command: argparse.ArgumentParser) -> None:
    """RECIPE and --data-root."""
    names = ", ".join(recipe_names())
    command.add_argument("recipe", metavar="RECIPE", help=f"a file of your own (.yaml), or one of: {names}")
    command.add_argument("--data-root", default="data", help="folder of all data sets (default: data)")


def add_cluster_arguments(command: argparse.ArgumentParser) -> None:
    """--scheduler and --cluster, of which one may be given."""
    where = command.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", default="", help="a running dask cluster")
    batch_system = "a batch system: kind (slurm, pbs, lsf), jobs, ..."
    where.add_argument("--cluster", metavar="FILE", default="", help=batch_system)


def given(options: argparse.Namespace, *without: str) -> dict[str, Any]:
    """The arguments of a command by name, but for some."""
    return {name: value for name, value in vars(options).items() if name not in ("command", *without)}


def words(text: str) -> list[str]:
    """What stands between commas, some of which may stand in double quotes: '"EMG,uV",x'."""
    return [word.strip() for word in next(csv.reader([text], skipinitialspace=True), []) if word.strip()]


def data_folder(options: argparse.Namespace) -> Path:
    """Where the data set of RECIPE lies."""
    return Path(options.data_root) / Path(recipe(options.recipe).data.annotations).parts[0]


def seed(text: str) -> int:
    """The seed of random numbers that a word of the command line gives."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no seed; give a whole number, 0 or more")
    return int(text)


def assignments(texts: Sequence[str], option: str) -> dict[str, object]:
    """["a.b=1"] -> {"a.b": 1}; values are read as in a recipe file.

    Raises:
        ValueError: a text without `=` or without a name, a name twice, or a value that may mean two things.

    Examples:
        >>> assignments(["optim.epochs=2", "model.heads=[1, 2]", "name=x"], "--set")
        {'optim.epochs': 2, 'model.heads': [1, 2], 'name': 'x'}
    """
    from afkit.yaml_files import read_value  # it needs a library that few commands need

    pairs: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} takes NAME=VALUE, not '{text}'")
        if name.strip() in pairs:
            raise ValueError(f"{option} {name.strip()} is given twice; remove one")
        pairs[name.strip()] = read_value(value, f"{option} {name.strip()}")
    return pairs
