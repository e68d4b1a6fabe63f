"""Feature files: where they lie, and reading one video, or a part of it, as (T, C)."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from afkit.config import DataConfig


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
    """One path per feature folder; for an .hdf5 file the file itself."""
    return [_file_of(config, locate(root, folder), video) for folder in config.features]


def _file_of(config: DataConfig, folder: Path, video: str) -> Path:
    return folder if _is_hdf5(folder) else folder / f"{config.prefix}{video}{config.suffix}"


def _is_hdf5(path: Path) -> bool:
    return path.suffix in (".hdf5", ".h5")


def has_features(config: DataConfig, root: str | Path, video: str) -> bool:
    """Whether every feature folder has a file for the video, and every HDF5 file an array."""
    return all(
        path.is_file() and (not _is_hdf5(path) or _holds(path, config.prefix + video))
        for path in feature_files(config, root, video)
    )


class RawFeatures:
    """One video's features as they are on disk; rows are read when they are asked for.

    Args:
        parts: a (T, C) array of each feature folder, or something that is sliced like one (a memory map, an HDF5
            array); where T differs, all are cut to the shortest.
        paths: where each part comes from, for messages.
        video: id, for messages.
    """

    def __init__(self, parts: Sequence[Any], paths: Sequence[str | Path], video: str):
        self.parts, self.paths, self.video = list(parts), list(paths), video
        self.width = sum(part.shape[1] for part in parts)  # C of all parts
        self.nbytes = sum(int(np.prod(part.shape)) * part.dtype.itemsize for part in parts)

    def __len__(self) -> int:
        return min(part.shape[0] for part in self.parts)

    def rows(self, start: int = 0, stop: int | None = None, step: int = 1) -> np.ndarray:
        """Rows `start:stop:step`, channels of all parts joined: a new (T, C) float32 array.

        Raises:
            ValueError: the file cannot be read; the message names it.
        """
        chosen = range(len(self))[start:stop:step]
        joined, column = np.empty((len(chosen), self.width), np.float32), 0
        for part, path in zip(self.parts, self.paths, strict=True):
            with _named(path, self.video):  # HDF5 is slow with steps, so they are taken afterwards
                joined[:, column : column + part.shape[1]] = part[chosen.start : chosen.stop][::step]
            column += part.shape[1]
        return joined

    def in_memory(self) -> "RawFeatures":
        """The same with all parts read, in their own data type and write-protected."""
        arrays = []
        for part, path in zip(self.parts, self.paths, strict=True):
            with _named(path, self.video):
                arrays.append(np.array(part[:], order="C"))
            arrays[-1].flags.writeable = False
        return RawFeatures(arrays, self.paths, self.video)


def open_features(config: DataConfig, root: str | Path, video: str) -> RawFeatures:
    """The features of one video, to be read in part or whole: .npy files are mapped, HDF5 sliced, .npz read whole.

    Args:
        config: folders, prefix, suffix and widths.
        root: data root.
        video: id.

    Raises:
        ValueError: a file is missing, unreadable, empty or of another width; the message names it.
    """
    paths = feature_files(config, root, video)
    raw = RawFeatures([_open_file(path, config.prefix + video, video) for path in paths], paths, video)
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
    parts = [_open_file(path, config.prefix + video, video) for path in paths]
    return [RawFeatures([part], [path], video).rows() for part, path in zip(parts, paths, strict=True)]


def join_parts(config: DataConfig, parts: list[np.ndarray], video: str, path: Path) -> np.ndarray:
    """Channels of all folders side by side, cut to the shortest: (T, C). `path` is for the message of a wrong width."""
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


def _open_file(path: Path, name: str, video: str) -> Any:
    """A (T, C) array of one file: mapped, in HDF5, or (.npz) in memory."""
    with _named(path, video):
        if _is_hdf5(path):
            array = _open_hdf5(path, name)
        elif path.suffix == ".npz":
            array = _read_npz(path)
        else:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if isinstance(array, np.lib.npyio.NpzFile):
                array.close()
                raise ValueError("its content is not that of a .npy file")
    if len(array.shape) != 2 or array.shape[0] == 0:
        raise ValueError(f"{path}: features must be (T, C) with T >= 1, not {array.shape}; extract '{video}' again")
    return array


def _read_npz(path: Path) -> np.ndarray:
    archive = np.load(path, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError("its content is not that of a .npz file")
    with archive:
        return archive["feats" if "feats" in archive or len(archive.files) != 1 else archive.files[0]]


def _open_hdf5(path: Path, name: str) -> Any:
    """The array in an HDF5 file, which stays open as long as the array is used."""
    import h5py  # only for features kept in one HDF5 file

    array = h5py.File(path, "r")[name]
    if not isinstance(array, h5py.Dataset):
        raise ValueError(f"'{name}' is a group in it, not an array")
    return array


def _holds(path: Path, name: str) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return name in file
    except OSError:
        return True  # unreadable: said where it is read


@contextmanager
def _named(path: str | Path, video: str) -> Iterator[None]:
    """Errors of reading become one ValueError that names file and video."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist; put the features there, or correct data.features (video '{video}')"
        ) from None
    except KeyError as error:
        raise ValueError(f"{path} has no array {error} for video '{video}'") from None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable feature file for video '{video}': {error}") from None
