"""The signal of the sensor from which a recording's features were computed, where a data set has one."""

from pathlib import Path
from typing import Any

import numpy as np

from afkit.data.features import locate
from afkit.opening import inner_path
from afkit.workbench.datasets import hapt

GROUPS = {"acceleration [g]": [0, 1, 2], "angular velocity [rad/s]": [3, 4, 5]}  # axis label: channels
FOLDERS = {"watch": ["watch/signals"], "hapt": [f"hapt/{kind}" for kind in hapt.SENSORS.values()]}


def has_signal(annotations: str) -> bool:
    """Whether an annotation file, named as in a recipe, is of a data set with signals: the first folder tells."""
    return annotations.partition("/")[0] in FOLDERS


def sensor_arguments(annotations: str, data_root: str | Path, video: str) -> dict[str, Any]:
    """What `afkit.workbench.view.signals` needs to draw the signal of a recording of `watch` or `hapt`.

    The recipe's annotation file tells the data set; {} for any other, or without its files. ValueError where one cannot
    be read.
    """
    if not has_signal(annotations):
        return {}
    try:
        name, folders = inner_path(f"{video}.npy", video), FOLDERS[annotations.partition("/")[0]]
        files = [locate(data_root, folder) / name for folder in folders]
        if not all(path.is_file() for path in files):
            return {}
        arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in files]
        signal = arrays[0] if len(files) == 1 else np.concatenate(list(map(_samples, arrays)), axis=1)  # (samples, 6)
        if signal.ndim != 2 or 0 in signal.shape or signal.dtype.kind not in "iuf":
            raise ValueError("it is no table of numbers")
    except Exception as error:  # damaged files raise almost anything
        reason = getattr(error, "strerror", None) or error  # without the file's path
        raise ValueError(f"the signal of '{video}' cannot be read: {reason}") from None
    names = ["x", "y", "z"] * len(GROUPS)
    return {"signal": signal, "signal_rate_hz": hapt.RATE_HZ, "signal_names": names, "signal_groups": dict(GROUPS)}


def _samples(features: np.ndarray) -> np.ndarray:
    """Windows of HAPT, (T, 3 * window), as (samples, 3): the first step of each window, and all of the last one."""
    windows = features.reshape(len(features), -1, hapt.WINDOW_SAMPLES)  # (T, 3, window)
    first = windows[:-1, :, : hapt.STEP_SAMPLES].transpose(0, 2, 1).reshape(-1, windows.shape[1])
    return np.concatenate([first, windows[-1].T])
