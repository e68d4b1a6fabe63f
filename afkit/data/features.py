"""Feature files: where they lie, and reading one video as (T, C)."""

import zipfile
from pathlib import Path

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


def read_features(config: DataConfig, root: str | Path, video: str) -> np.ndarray:
    """The features of one video, channels of all folders joined.

    Args:
        config: folders, prefix, suffix and widths.
        root: data root.
        video: id.

    Returns:
        (T, C) float32. Folders whose lengths differ are cut to the shortest.

    Raises:
        ValueError: a file is missing, unreadable, empty or of another width; the message names it.
    """
    return join_parts(config, read_parts(config, root, video), video, feature_files(config, root, video)[0])


def read_parts(config: DataConfig, root: str | Path, video: str) -> list[np.ndarray]:
    """The (T, C) float32 array of each feature folder; their T may differ. Errors as of `read_features`."""
    return [_read_file(path, config.prefix + video) for path in feature_files(config, root, video)]


def join_parts(config: DataConfig, parts: list[np.ndarray], video: str, path: Path) -> np.ndarray:
    """Channels of all folders side by side, cut to the shortest: (T, C). `path` is for the message of a wrong width."""
    length = min(len(part) for part in parts)
    joined = parts[0] if len(parts) == 1 else np.concatenate([part[:length] for part in parts], axis=1)
    if joined.shape[1] != sum(config.input_dims):
        raise ValueError(
            f"features of video '{video}' have {joined.shape[1]} channels, the recipe's data.input_dims add up to "
            f"{sum(config.input_dims)} ({path}); correct data.input_dims or the files"
        )
    return joined


def _read_file(path: Path, name: str) -> np.ndarray:
    """(T, C) float32 of one file."""
    try:
        if _is_hdf5(path):
            array = _read_hdf5(path, name)
        else:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if isinstance(array, np.lib.npyio.NpzFile) != (path.suffix == ".npz"):
                raise ValueError(f"its content is not that of a {path.suffix} file")
            if path.suffix == ".npz":
                with array as archive:
                    array = archive["feats" if "feats" in archive or len(archive.files) != 1 else archive.files[0]]
        array = np.array(array, dtype=np.float32)  # a copy: files may be mapped read-only
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; put the features there, or correct data.features") from None
    except KeyError as error:
        raise ValueError(f"{path} has no array {error}") from None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable feature file: {error}") from None
    if array.ndim != 2 or len(array) == 0:
        raise ValueError(f"{path}: features must be (T, C) with T >= 1, not {array.shape}")
    return array


def _holds(path: Path, name: str) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return name in file
    except OSError:
        return True  # unreadable: said where it is read


def _read_hdf5(path: Path, name: str) -> np.ndarray:
    import h5py  # only for features kept in one HDF5 file

    with h5py.File(path, "r") as file:
        if not isinstance(file[name], h5py.Dataset):
            raise ValueError(f"'{name}' is a group in it, not an array")
        return file[name][()]
