"""Feature files: where they lie, and reading one video, or a part of it, as (T, C)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from afkit.config import DataConfig
from afkit.data.feature_formats import HDF5, holds_array, named, open_array
from afkit.opening import inner_path


def locate(root: str | Path, relative: str) -> Path:
    """A path of a recipe below the data root; `root` may also be the data set's own folder.

    A recipe names `thumos/annotations/thumos14.json`; with the root `data/thumos` that file is found as well.
    """
    root, path = Path(root), Path(relative)
    inside = root / path
    if not inside.exists() and len(path.parts) > 1 and path.parts[0] == root.resolve().name:
        return root.joinpath(*path.parts[1:])
    return inside


def feature_files(config: DataConfig, root: str | Path, video: str) -> list[Path]:
    """One path per feature folder; for an HDF5 file of all videos the file itself.

    Args:
        config: folders or HDF5 files, prefix and suffix of the names.

    Returns:
        Paths in the order of `config.features`; they need not exist.
    """
    return [_file_of(config, locate(root, folder), video) for folder in config.features]


def _file_of(config: DataConfig, folder: Path, video: str) -> Path:
    if folder.suffix in HDF5:
        return folder
    return folder / inner_path(f"{config.prefix}{video}{config.suffix}", video)


def has_features(config: DataConfig, root: str | Path, video: str) -> bool:
    """Whether every feature folder has a file for the video, and every HDF5 file of all videos an array."""
    return all(
        path.is_file() and (Path(folder).suffix not in HDF5 or holds_array(path, config.prefix + video))
        for folder, path in zip(config.features, feature_files(config, root, video), strict=True)
    )


def too_many_missing(
    config: DataConfig, root: str | Path, subsets: Sequence[str], missing: Sequence[str], of: int
) -> str:
    """Why there are too few videos left without those that lack features, and what to do; "" where there are enough.

    Args:
        config: `max_missing`, and the feature folders.
    """
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

    Args:
        parts: a (T, C) array of each feature folder, or something that is sliced like one (a memory map, an HDF5
            array); where T differs, all are cut to the shortest.
    """

    def __init__(self, parts: Sequence[Any], paths: Sequence[str | Path], video: str):
        self.parts, self.paths, self.video = list(parts), list(paths), video
        self.width = sum(part.shape[1] for part in parts)  # C of all parts
        self.nbytes = sum(int(np.prod(part.shape)) * part.dtype.itemsize for part in parts)

    def __len__(self) -> int:
        return min(part.shape[0] for part in self.parts)

    def rows(self, start: int = 0, stop: int | None = None, step: int = 1) -> np.ndarray:
        """Rows `start:stop:step`, channels of all parts joined: a new (T, C) float32 array.

        Args:
            start, stop, step: rows (steps of the grid) as of a slice.

        Raises:
            ValueError: the file cannot be read; the message names it.
        """
        chosen = range(len(self))[start:stop:step]
        joined, column = np.empty((len(chosen), self.width), np.float32), 0
        for part, path in zip(self.parts, self.paths, strict=True):
            with named(path, self.video):  # HDF5 is slow with steps, so they are taken afterwards
                joined[:, column : column + part.shape[1]] = part[chosen.start : chosen.stop][::step]
            column += part.shape[1]
        return joined

    def in_memory(self) -> "RawFeatures":
        """The same with all parts read, in their own data type and write-protected."""
        arrays = []
        for part, path in zip(self.parts, self.paths, strict=True):
            with named(path, self.video):
                arrays.append(np.array(part[:], order="C"))
            arrays[-1].flags.writeable = False
        return RawFeatures(arrays, self.paths, self.video)


def open_features(config: DataConfig, root: str | Path, video: str) -> RawFeatures:
    """The features of one video, to be read in part or whole, see `afkit.data.feature_formats.open_array`.

    Raises:
        ValueError: a file is missing, unreadable, empty or of another width; the message names it.
    """
    paths = feature_files(config, root, video)
    raw = RawFeatures([open_array(path, config.prefix + video, video) for path in paths], paths, video)
    _check_width(config, raw.width, video, paths[0])
    return raw


def read_features(config: DataConfig, root: str | Path, video: str) -> np.ndarray:
    """The features of one video as (T, C) float32, channels of all folders joined; else as `open_features`.

    Folders whose lengths differ are cut to the shortest.
    """
    return open_features(config, root, video).rows()


def read_parts(config: DataConfig, root: str | Path, video: str) -> list[np.ndarray]:
    """The (T, C) float32 array of each feature folder; their T may differ. Errors as of `open_features`."""
    paths = feature_files(config, root, video)
    parts = [open_array(path, config.prefix + video, video) for path in paths]
    return [RawFeatures([part], [path], video).rows() for part, path in zip(parts, paths, strict=True)]


def join_parts(config: DataConfig, parts: list[np.ndarray], video: str, path: Path) -> np.ndarray:
    """Channels of all folders side by side, cut to the shortest.

    Args:
        parts: an array (T_i, C_i) of each feature folder.

    Returns:
        (T, C) of the dtype of the parts; of one part, the part itself.

    Raises:
        ValueError: the widths do not add up to the recipe's.
    """
    length = min(len(part) for part in parts)
    joined = parts[0] if len(parts) == 1 else np.concatenate([part[:length] for part in parts], axis=1)
    _check_width(config, joined.shape[1], video, path)
    return joined


def _check_width(config: DataConfig, width: int, video: str, path: Path) -> None:
    if width != sum(config.input_dims):
        raise ValueError(
            f"features of video '{video}' have {width} channels, the recipe's data.input_dims add up to "
            f"{sum(config.input_dims)} ({path}); correct data.input_dims or the files"
        )
