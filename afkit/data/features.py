"""Feature files: where they lie, and reading one video, or a part of it, as (T, C)."""

import glob
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from afkit.config import DataConfig
from afkit.data.feature_formats import HDF5, holds_array, named, open_array
from afkit.opening import inner_path


def locate(root: str | Path, relative: str) -> Path:
    """A path of a recipe below the data root, which may also be the data set's own folder (`data/thumos`)."""
    root, path = Path(root), Path(relative)
    inside = root / path
    if not inside.exists() and len(path.parts) > 1 and path.parts[0] == root.resolve().name:
        return root.joinpath(*path.parts[1:])
    return inside


def feature_files(config: DataConfig, root: str | Path, video: str) -> list[Path]:
    """A path, which need not exist, for each feature folder; for an HDF5 file of all videos the file itself.

    Of a folder whose name is `*` the video's file lies in any folder there; a ValueError where it lies in several.
    """
    folders = [locate(root, folder) for folder in config.features]
    inner = inner_path(f"{config.prefix}{video}{config.suffix}", video)
    return [folder if folder.suffix in HDF5 else _in_one_of(folder, inner, video) for folder in folders]


def _in_one_of(folder: Path, inner: Path, video: str) -> Path:
    if folder.name != "*":
        return folder / inner
    found = sorted(path for path in folder.parent.glob(f"*/{glob.escape(str(inner))}"))
    if len(found) > 1:
        raise ValueError(f"features of video '{video}' lie in {found[0]} and in {found[1]}; remove one of them")
    return found[0] if found else folder / inner


def has_features(config: DataConfig, root: str | Path, video: str) -> bool:
    """Whether every feature folder has a file for the video, and every HDF5 file of all videos an array."""
    return all(
        path.is_file() and (Path(folder).suffix not in HDF5 or holds_array(path, config.prefix + video))
        for folder, path in zip(config.features, feature_files(config, root, video), strict=True)
    )


def too_many_missing(
    config: DataConfig, root: str | Path, subsets: Sequence[str], missing: Sequence[str], of: int
) -> str:
    """Why too few videos are left without those that lack features, and what to do; "" where there are enough."""
    if len(missing) <= config.max_missing * of:
        return ""
    folders = ", ".join(str(locate(root, folder)) for folder in config.features)
    return (
        f"{len(missing)} of {of} videos of {', '.join(subsets)} have no features in {folders} (e.g. '{missing[0]}'), "
        f"more than data.max_missing = {config.max_missing:g} allows; add them, or set data.max_missing="
        f"{math.ceil(100 * len(missing) / of) / 100:g}"
    )


class RawFeatures:
    """One video's features as they are on disk; rows are read when they are asked for.

    Each of the `parts` is a (T, C) array, or sliced like one (a memory map, an HDF5 array); the shortest T counts. With
    `half`, only the first half of each part's channels does.
    """

    def __init__(self, parts: Sequence[Any], paths: Sequence[str | Path], video: str, half: bool = False):
        self.parts, self.paths, self.video, self.half = list(parts), list(paths), video, half
        self.widths = [part.shape[1] // 2 if half else part.shape[1] for part in parts]
        self.width = sum(self.widths)  # C of all parts
        self.nbytes = sum(int(np.prod(part.shape)) * part.dtype.itemsize for part in parts)

    def __len__(self) -> int:
        return min(part.shape[0] for part in self.parts)

    def rows(self, start: int = 0, stop: int | None = None, step: int = 1) -> np.ndarray:
        """Rows as of a slice, channels of all parts joined: a new (T, C) float32 array; a ValueError names the file."""
        chosen = range(len(self))[start:stop:step]
        joined, column = np.empty((len(chosen), self.width), np.float32), 0
        for part, width, path in zip(self.parts, self.widths, self.paths, strict=True):
            with named(path, self.video):  # HDF5 is slow with steps, so they are taken afterwards
                joined[:, column : column + width] = part[chosen.start : chosen.stop][::step, :width]
            column += width
        return joined

    def in_memory(self) -> "RawFeatures":
        """The same with all parts read, in their own data type and write-protected."""
        arrays = []
        for part, path in zip(self.parts, self.paths, strict=True):
            with named(path, self.video):
                arrays.append(np.array(part[:], order="C"))
            arrays[-1].flags.writeable = False
        return RawFeatures(arrays, self.paths, self.video, self.half)


def open_features(config: DataConfig, root: str | Path, video: str) -> RawFeatures:
    """The features of one video, to be read in part or whole; a ValueError names a file that does not fit."""
    paths = feature_files(config, root, video)
    arrays = [open_array(path, config.prefix + video, video) for path in paths]
    raw = RawFeatures(arrays, paths, video, config.half_channels)
    if raw.width != sum(config.input_dims):
        raise ValueError(
            f"features of video '{video}' have {raw.width} channels, the recipe's data.input_dims add up to "
            f"{sum(config.input_dims)} ({paths[0]}); correct data.input_dims or the files"
        )
    return raw


def read_features(config: DataConfig, root: str | Path, video: str) -> np.ndarray:
    """The features of one video as (T, C) float32, of the shortest folder's length; errors as of `open_features`."""
    return open_features(config, root, video).rows()
