"""The kinds of files that hold an array of features or of samples, each opened as a (T, C) table of numbers."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from afkit.files import MAX_RATIO, SMALL_BYTES
from afkit.opening import check_plain, read_text, zip_members

HDF5 = (".hdf5", ".h5")
REAL = "biuf"  # kinds of data types: truth values, integers, fractions
FEATURES = "feats"  # the array's name in files that may hold several
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
LEAST_ROWS = 20  # from which a column of a table that rises in each row is a clock or a count rather than a channel


def open_array(path: Path, name: str, video: str) -> Any:
    """A table (T, C), T >= 1, of the file's data type: mapped (.npy), in HDF5, or read whole (other formats).

    `name` is that of the array in an HDF5 file of many videos. A file of this name (or of another format) holds one
    video: its array is called `feats`, or is the only one. A ValueError names the file.
    """
    with named(path, video):
        check_plain(path)
        if path.suffix.lower() not in _OPEN:
            raise ValueError(f"the ending {path.suffix!r} is not read; save arrays with numpy.save, as {path.stem}.npy")
        array = _OPEN[path.suffix.lower()](path, name)
        if array.dtype.kind not in REAL:
            raise ValueError(f"its values have the type {array.dtype}, which is no number")
    if len(array.shape) == 3 and 1 in array.shape[:2] and 0 not in array.shape:  # (1, T, C), (T, 1, C)
        array = array[0] if array.shape[0] == 1 else array[:, 0]
    if len(array.shape) != 2 or 0 in array.shape:
        shape = tuple(array.shape)
        raise ValueError(
            f"{path}: features must be (T, C) with T >= 1, not {shape}; reshape or extract '{video}' again"
        )
    return array


def array_names(path: Path) -> list[str]:
    """The names of the arrays in an HDF5 file, at its top level; a ValueError names a file that cannot be read."""
    import h5py

    with named(path, path.stem):
        check_plain(path)
        with h5py.File(path, "r") as file:
            own = [name for name in file if isinstance(_link(file, name), h5py.HardLink)]
            return [name for name in own if file.get(name, getclass=True) is h5py.Dataset]


def holds_array(path: Path, name: str) -> bool:
    """Whether an HDF5 file holds something of that name; True for one that cannot be read, which reading it says."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _link(file, name) is not None
    except Exception:  # damaged files raise almost anything
        return True


@contextmanager
def named(path: str | Path, video: str) -> Iterator[None]:
    """Errors of reading become one ValueError that names file and video."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist; put the features there, or correct data.features (video '{video}')"
        ) from None
    except KeyError as error:
        raise ValueError(f"{path} has no array {error.args[0]} (video '{video}')") from None
    except Exception as error:  # damaged files raise almost anything
        no_text = isinstance(error, UnicodeDecodeError)
        reason = "it is no text in UTF-8; save it as that" if no_text else " ".join(str(error).split())
        raise ValueError(f"{path} is not a readable feature file for video '{video}': {reason}") from None


def _open_npy(path: Path, name: str) -> np.ndarray:
    if zip_members(path):
        raise ValueError("its content is not that of a .npy file")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_npz(path: Path, name: str) -> np.ndarray:
    members = zip_members(path)
    _refuse_bomb(sum(info.file_size for info in members), path.stat().st_size)
    archive = np.load(path, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError("its content is not that of a .npz file")
    with archive:
        return archive[_only(archive.files)]


def _open_hdf5(path: Path, name: str) -> Any:
    """The array in an HDF5 file, which stays open as long as the array is used; if it is there, and no bomb."""
    import h5py  # only for features kept in HDF5

    file = h5py.File(path, "r")
    try:
        if path.stem == name and _link(file, name) is None:
            name = _only(list(file))
        link = _link(file, name)
        if link is None:
            raise KeyError(f"'{name}', but {listed(file)}; name arrays as their videos")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"'{name}' is a link in it; store the array itself")
        array = file[name]
        if not isinstance(array, h5py.Dataset):
            raise ValueError(f"'{name}' is a group in it, not an array")
        if array.is_virtual or array.external:
            raise ValueError(f"the values of '{name}' lie in other files; store the array itself")
        if array.shape is None:
            raise ValueError(f"'{name}' is empty")
        chunk_bytes = math.prod(array.chunks or ()) * array.dtype.itemsize
        _refuse_bomb(max(array.nbytes, chunk_bytes), array.id.get_storage_size())
        return array
    except BaseException:
        file.close()  # else it stays locked for as long as somebody holds the error
        raise


def _link(file: Any, name: str) -> Any:
    """What a name means in an HDF5 file: None, a hard link, or the first other link, which may lead to other files."""
    import h5py

    for place in itertools.accumulate(name.strip("/").split("/"), "{}/{}".format):
        link = file.get(place, getlink=True)
        if not isinstance(link, h5py.HardLink):
            break
    return link


def _refuse_bomb(unpacked_bytes: int, stored_bytes: int) -> None:
    """Features hardly compress; a small file can hold endless zeros."""
    if unpacked_bytes > max(MAX_RATIO * stored_bytes, SMALL_BYTES):
        raise ValueError(f"it unpacks to {unpacked_bytes} bytes, more than {MAX_RATIO} times what it stores")


def _read_safetensors(path: Path, name: str) -> np.ndarray:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensor = file.get_tensor(_only(list(file.keys())))
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    if not tensor.is_complex() and tensor.is_floating_point():
        tensor = tensor.float()  # numpy has no bfloat16
    return tensor.numpy()


def _read_csv(path: Path, name: str) -> np.ndarray:
    """A table of channels, (T, C) float64: separated by comma, semicolon, tab or blanks, with or without names.

    A column that may be a clock or a count is refused: neither as a channel nor left out would it be right.
    """
    lines = [(i, line) for i, line in enumerate(read_text(path, "utf-8-sig").splitlines(), 1) if line.strip()]
    separator = next((mark for mark in "\t;," if lines and mark in lines[0][1]), None)  # None: blanks
    rows = [(i, [cell.strip() for cell in line.split(separator)]) for i, line in lines]
    names = rows.pop(0)[1] if rows and _are_names(rows[0][1], [cells for _, cells in rows[1:]]) else []
    if not rows:
        raise ValueError("it holds no row of numbers")
    if separator != "," and any("," in cell for _, cells in rows for cell in cells):
        if any("." in cell for _, cells in rows for cell in cells):
            raise ValueError("it has numbers with decimal commas and with decimal points; write them alike")
        rows = [(i, [cell.replace(",", ".", 1) for cell in cells]) for i, cells in rows]
    width = len(names or rows[0][1])
    for i, cells in rows:
        if len(cells) != width:
            raise ValueError(f"row {i} has {len(cells)} cells, those before it {width}; correct it")
        for cell in cells:
            if not NUMBER.fullmatch(cell) or math.isinf(float(cell)):
                raise ValueError(f"row {i}: {cell[:60]!r} is no finite number; correct it")
    table = np.array([cells for _, cells in rows], np.float64)
    rising = np.flatnonzero((np.diff(table, axis=0) > 0).all(axis=0))
    if len(table) >= LEAST_ROWS and len(rising):
        column = names[rising[0]] if names else f"{rising[0] + 1}"
        remedy = "remove it, or, if it is a channel, save the table with numpy.save"
        raise ValueError(f"the column {column!r} rises in each row, as a clock or a count does; {remedy}")
    return table


def _are_names(first: list[str], rest: list[list[str]]) -> bool:
    if not any(NUMBER.fullmatch(cell) for cell in first):
        return True
    if len(first) < 3 or first not in [[str(i + begin) for i in range(len(first))] for begin in (0, 1)]:
        return False
    if all(re.fullmatch(r"[+-]?\d+", cell) for cells in rest for cell in cells):
        raise ValueError(f"row 1 ({', '.join(first[:3])}, ...) may be names or numbers; remove it, or write names")
    return True


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names for a message, in quotation marks where they hold blanks."""
    shown = [repr(str(name)[:60]) if " " in str(name) or not str(name) else str(name)[:60] for name in names]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")


def _read_pickle(path: Path, name: str) -> np.ndarray:
    from afkit.data.pickles import read_pickle  # which takes torch

    return read_pickle(path)


def _only(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if FEATURES not in names:
        seen = f"'{FEATURES}', but {listed(names)}" if names else f"'{FEATURES}', nor any other"
        raise KeyError(f"{seen}; save the features alone, or under that name")
    return FEATURES


_OPEN = {
    ".npy": _open_npy,
    ".npz": _read_npz,
    ".hdf5": _open_hdf5,
    ".h5": _open_hdf5,
    ".safetensors": _read_safetensors,
    ".csv": _read_csv,
    ".pkl": _read_pickle,
}
SUFFIXES = tuple(_OPEN)
