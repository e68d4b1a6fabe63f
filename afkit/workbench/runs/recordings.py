"""Which files belong to which new recording."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from afkit.data.feature_formats import FEATURES, HDF5, array_names


class Recording(NamedTuple):
    """A recording, and where its features (or the samples of its sensors) are."""

    name: str  # of its files, without ending
    paths: list[Path]  # of each feature folder of the recipe, or of each sensor
    arrays: list[str]  # the name of the array in each, for HDF5 files of many recordings


def find_recordings(
    places: Sequence[str | Path], parts: int, suffixes: Sequence[str], prefix: str = ""
) -> list[Recording]:
    """The recordings in some files and folders, in the order of the places and by name in each.

    Args:
        places: where `parts` is 1, any number of files, folders (of a file per recording) and HDF5 files of many
            recordings. Otherwise so many places, in the order of the recipe's feature folders or of the sensors: files
            are then one recording, folders hold files of the same names.
        suffixes: endings of the files; others in a folder are left out.
        prefix: of the files' names, which is not part of the recording's.

    Raises:
        ValueError: a place does not exist, has no such file, or not as many places as parts; two recordings of a name.
    """
    if parts > 1 and len(places) != parts:
        raise ValueError(
            f"a recording has {parts} parts, and {len(places)} files or folders are given; "
            f"give {parts}, in the order of the recipe's features (or of the sensors)"
        )
    tables = [_in_place(Path(place), suffixes, prefix) for place in places]
    if parts == 1:
        return list(_without_repetition([recording for table in tables for recording in table]))
    if all(len(table) == 1 for table in tables):
        together = [table[0] for table in tables]
        return [Recording(together[0].name, [r.paths[0] for r in together], [r.arrays[0] for r in together])]
    others = [{recording.name: recording for recording in table} for table in tables]
    return [_joined(first, others, places) for first in _without_repetition(tables[0])]


def _joined(first: Recording, tables: list[dict[str, Recording]], places: Sequence[str | Path]) -> Recording:
    """All parts of a recording; one that is missing has the path where it should be."""
    missing = [Recording(first.name, [Path(place) / first.paths[0].name], first.arrays) for place in places]
    parts = [table.get(first.name, other) for table, other in zip(tables, missing, strict=True)]
    return Recording(first.name, [part.paths[0] for part in parts], [part.arrays[0] for part in parts])


def _without_repetition(recordings: list[Recording]) -> list[Recording]:
    """Each once, as often as it was given; two of one name are an error."""
    found: dict[str, Recording] = {}
    for recording in recordings:
        other = found.setdefault(recording.name, recording)
        if (other.paths[0].resolve(), other.arrays) != (recording.paths[0].resolve(), recording.arrays):
            raise ValueError(
                f"{other.paths[0]} and {recording.paths[0]} are both of a recording '{recording.name}'; rename one"
            )
    return list(found.values())


def _in_place(place: Path, suffixes: Sequence[str], prefix: str) -> list[Recording]:
    if not place.exists():
        raise ValueError(f"{place} does not exist; name a file or a folder of recordings")
    paths = sorted(place.iterdir()) if place.is_dir() else [place]
    chosen = [path for path in paths if path.suffix.lower() in suffixes and not path.name.startswith(".")]
    if not chosen:
        raise ValueError(f"{place} is, or holds, no file that ends in {', '.join(suffixes)}; name another")
    return [recording for path in chosen for recording in _in_file(path, prefix)]


def _in_file(path: Path, prefix: str) -> list[Recording]:
    """One recording; of an HDF5 file with several arrays, each is one, unless one is called feats."""
    names = []
    if path.suffix.lower() in HDF5:
        with suppress(ValueError):  # one that cannot be read counts as one recording, and is told when it is its turn
            names = array_names(path)
    if len(names) > 1 and FEATURES not in names:
        return [Recording(name.removeprefix(prefix), [path], [name]) for name in names]
    return [Recording(path.stem.removeprefix(prefix), [path], [path.stem])]
