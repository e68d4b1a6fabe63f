"""The numbers of every step: kept in memory, and appended to metrics.csv as they come."""

import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from afkit.files import atomic_open

METRICS = ["step", "epoch", "learning_rate", "loss_cls", "loss_reg", "loss_total", "grad_norm", "seconds"]


class Metrics:
    """Rows of `METRICS`, in order of their steps; 64 bytes each, so that 100 000 steps take 6 MB."""

    def __init__(self) -> None:
        self._numbers = array("d")

    def __len__(self) -> int:
        return len(self._numbers) // len(METRICS)

    def add(self, row: Sequence[float]) -> None:
        """Append the numbers of one step."""
        self._numbers.extend(row)

    def rows(self, first: int = 0) -> np.ndarray:
        """(N - first, 8) float64, a copy."""
        numbers = np.array(self._numbers[first * len(METRICS) :], np.float64)
        return numbers.reshape(-1, len(METRICS))

    def table(self) -> pd.DataFrame:
        """All rows as a DataFrame."""
        return pd.DataFrame(self.rows(), columns=METRICS).astype({"step": int, "epoch": int})

    def state_dict(self) -> Tensor:
        """(N, 8) float64, for a checkpoint."""
        return torch.from_numpy(self.rows())

    def load_state_dict(self, rows: Tensor) -> None:
        """Take the rows of a checkpoint instead of those held so far."""
        self._numbers = array("d", rows.double().contiguous().numpy().tobytes())


class MetricsFile:
    """metrics.csv: written anew from what a training has so far, then appended to.

    Args:
        path: the file.
        metrics: the rows; the file follows them at each `flush`.
    """

    def __init__(self, path: Path, metrics: Metrics):
        self._metrics, self._written = metrics, len(metrics)
        with atomic_open(path) as file:
            file.write((",".join(METRICS) + "\n" + _as_text(metrics.rows())).encode())
        self._file = path.open("ab", buffering=0)  # so that readers find whole lines

    def flush(self) -> None:
        """Append the rows that the file lacks."""
        lines = _as_text(self._metrics.rows(self._written)).encode()
        self._written = len(self._metrics)
        while lines:  # one write, unless the disk is nearly full
            lines = lines[self._file.write(lines) :]

    def close(self) -> None:
        """Append what is lacking, and make sure that it is on the disk."""
        try:
            self.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _as_text(rows: np.ndarray) -> str:
    lines = (f"{step:.0f},{epoch:.0f},{','.join(f'{x:.9g}' for x in rest)}\n" for step, epoch, *rest in rows.tolist())
    return "".join(lines)
