"""Tables that processes hand to each other, as NumPy's files: numbers and texts, nothing that is executed."""

import json
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd


def write_table(file: Path | IO[bytes], table: pd.DataFrame) -> None:
    """Write a table of numbers and texts for another process; its index is not kept."""
    np.savez(file, allow_pickle=False, **{name: _packed(column) for name, column in table.items()})


def read_table(file: Path | IO[bytes]) -> pd.DataFrame:
    """What `write_table` wrote, with the same columns, values and data types; nothing in it is executed.

    Raises:
        ValueError: another file; the message names it.
    """
    try:
        with np.load(file, allow_pickle=False) as columns:
            return pd.DataFrame({name: _unpacked(columns[name]) for name in columns.files})
    except Exception as error:  # damaged files raise almost anything
        raise ValueError(f"{file} is no table of detections ({error}); start the prediction again") from None


def _packed(column: pd.Series) -> np.ndarray:
    """A column as numbers; texts, which NumPy keeps with a fixed width only, as bytes of JSON with the data type."""
    if column.dtype.kind in "iuf":
        return column.to_numpy()
    return np.frombuffer(json.dumps([str(column.dtype), column.tolist()]).encode(), np.uint8)


def _unpacked(array: np.ndarray) -> pd.Series:
    if array.dtype != np.uint8:
        return pd.Series(array)
    dtype, values = json.loads(array.tobytes())
    return pd.Series(values, dtype=dtype)
