"""Which new recordings are to be predicted: files and folders of features, of films, or of each sensor."""

import glob
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from afkit.config import Recipe
from afkit.data.feature_formats import FEATURES, HDF5, SUFFIXES, array_names
from afkit.workbench.media.opened import find_media
from afkit.workbench.own_data.media_files import files_of, same_names
from afkit.workbench.own_data.signal_files import SignalReader


class Recording(NamedTuple):
    """A recording, and where its features (or the samples of its sensors) are."""

    name: str  # of its files, without ending
    paths: list[Path]  # of each feature folder of the recipe, or of each sensor
    arrays: list[str]  # the name of the array in each, for HDF5 files of many recordings


def recordings_for(
    recipe: Recipe, signals: SignalReader | None, places: Sequence[str | Path], media: bool
) -> list[Recording]:
    """The recordings in files and folders, as a run takes them; errors as of `find_recordings`."""
    data = recipe.data
    parts, suffixes = (signals.sensors, signals.suffixes) if signals else (len(data.features), SUFFIXES)
    sensors = signals.places if signals else ()
    places = in_order(places, sensors or [Path(features).name for features in data.features])
    return find_recordings(places, parts, suffixes, "" if media else data.prefix, sensors)


def find_recordings(
    places: Sequence[str | Path], parts: int, suffixes: Sequence[str], prefix: str = "", sensors: Sequence[str] = ()
) -> list[Recording]:
    """The recordings in some files and folders, in the order of the places and by name in each.

    Args:
        places: where `parts` is 1, any number of files, folders (of a file per recording) and HDF5 files of many
            recordings. Otherwise so many places, in the order of the recipe's feature folders or of the sensors: files
            are then one recording, folders hold files of the same names. Of sensors, folders, patterns and names are
            those of `media_files.paired_files`, and one folder stands for the places in it.
        suffixes: endings of the files; others in a folder are left out.
        prefix: of the files' names, which is not part of the recording's.
        sensors: the name of each sensor's folder, or its pattern, in the training; () for features.

    Raises:
        ValueError: a place does not exist, has no such file, or not as many places as parts; two recordings of a name.
    """
    if 1 < parts == len(sensors) and len(places) == 1 and Path(places[0]).is_dir():
        places = _of_sensors(Path(places[0]), sensors) or places
    if parts > 1 and len(places) != parts:
        raise ValueError(
            f"a recording has {parts} parts, and {len(places)} files or folders are given; "
            f"give {parts}, in the order of the recipe's features (or of the sensors)"
        )
    if parts > 1 and sensors:
        files = same_names(places, [files_of(place, suffixes) for place in places])
        tables = [[Recording(name.removeprefix(prefix), [one[name]], [name]) for name in one] for one in files]
    else:
        tables = [_in_place(Path(place), suffixes, prefix) for place in places]
    if parts == 1:
        return _each_once([recording for table in tables for recording in table])
    if all(len(table) == 1 for table in tables):
        return [_joined([table[0] for table in tables])]
    by_name, found = [{recording.name: recording for recording in table} for table in tables], []
    for first in _each_once(tables[0]):  # a part that is missing has the path where it should be
        missing = [Recording(first.name, [_absent(Path(place), first)], first.arrays) for place in places]
        found.append(_joined([table.get(first.name, gone) for table, gone in zip(by_name, missing, strict=True)]))
    return found


def in_order(places: Sequence[str | Path], names: Sequence[str]) -> list[str | Path]:
    """The places in the order of the training's names, where they, or the folders of the files, are called so."""
    for own in ([Path(place).name for place in places], [Path(place).parent.name for place in places]):
        if sorted(own) == sorted(names):
            return [places[i] for i in sorted(range(len(own)), key=lambda i: names.index(own[i]))]
    return list(places)


def _of_sensors(folder: Path, sensors: Sequence[str]) -> list[Path]:
    """The folder, or the pattern, of each sensor in a folder; [] where one of these folders does not exist."""
    patterns = [re.search(r"[*?[]", name) is not None for name in sensors]
    if not all(pattern or (folder / name).exists() for name, pattern in zip(sensors, patterns, strict=True)):
        return []
    anywhere = Path(glob.escape(str(folder))) / "**"
    return [(anywhere if pattern else folder) / name for name, pattern in zip(sensors, patterns, strict=True)]


def _absent(place: Path, first: Recording) -> Path:
    """Where a file of the recording should be."""
    if "*" not in place.name:
        return place / first.paths[0].name
    folder = first.paths[0].parent if "**" in place.parts else place.parent
    return folder / place.name.replace("*", first.name)


def _joined(parts: list[Recording]) -> Recording:
    return Recording(parts[0].name, [part.paths[0] for part in parts], [part.arrays[0] for part in parts])


def _each_once(recordings: list[Recording]) -> list[Recording]:
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
    """One of each file; of an HDF5 file with several arrays, each is one, unless one is called feats."""
    found = []
    for path in find_media([place], suffixes):
        names = []
        if path.suffix.lower() in HDF5:
            with suppress(ValueError):  # one that cannot be read counts as one recording, and is told when it is read
                names = array_names(path)
        names = names if len(names) > 1 and FEATURES not in names else [path.stem]
        found += [Recording(name.removeprefix(prefix), [path], [name]) for name in names]
    return found
