"""Which windows features are made of: by the durations of the actions, or as asked for."""

from typing import NamedTuple

import numpy as np

STEPS_OF_SHORT = 8  # feature vectors that begin within an action that 90 % are longer than
LEAST_STRIDE_SEC = {"sensors": 0.0, "sounds": 0.005, "films": 0.04}


class Windows(NamedTuple):
    """How features are cut; None to choose by the durations of the actions."""

    window_sec: float | None = None
    stride_sec: float | None = None
    normalise: str = "none"
    backbone: str = ""  # of films; "" for the grid of grey means, which needs no weights
    most_minutes: float = 30.0  # that features may take without being asked


class Grid(NamedTuple):
    """When features are, and where."""

    folders: list[str]  # of features
    stride_frames: float
    num_frames: float
    fps: float


def choose_windows(lengths_sec: np.ndarray, windows: Windows, least_sec: float = 0.0) -> tuple[float, float]:
    """Length and stride of windows in seconds: eight begin within an action that is longer than a tenth are.

    Examples:
        >>> choose_windows(np.array([4.0, 6.0, 8.0]), Windows())
        (1.1, 0.55)
    """
    stride = windows.stride_sec
    if stride is None:
        own = float(np.quantile(lengths_sec, 0.1)) / STEPS_OF_SHORT
        stride = windows.window_sec / 2 if windows.window_sec else float(f"{max(own, least_sec):.2g}")
    window = windows.window_sec or 2 * stride
    if not (stride > 0 and window > 0):
        raise ValueError(f"a window of {window:g} s every {stride:g} s is none; give numbers above 0")
    return window, stride
