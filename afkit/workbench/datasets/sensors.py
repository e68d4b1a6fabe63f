"""The signal of the sensor from which a recording's features were computed, where a data set has one."""

from pathlib import Path
from typing import Any

import numpy as np

from afkit.data.features import locate
from afkit.opening import inner_path
from afkit.workbench.datasets import hapt, watch

HAPT_PANELS = {"acceleration [g]": "acceleration", "angular velocity [rad/s]": "rotation"}  # axis label -> folder


def has_signal(annotations: str) -> bool:
    """Whether an annotation file, named as in a recipe, is of a data set with signals: the first folder tells."""
    return annotations.partition("/")[0] in ("watch", "hapt")


def sensor_arguments(annotations: str, data_root: str | Path, video: str) -> dict[str, Any]:
    """What `afkit.workbench.view.signals` needs to draw the signal of a recording of `watch` or `hapt`.

    The recipe's annotation file tells the data set; {} for any other, or without its files. ValueError where one cannot
    be read.
    """
    try:
        if not has_signal(annotations):
            return {}
        found = (_of_hapt if annotations.startswith("hapt/") else watch.signal_arguments)(data_root, video)
        signal = np.asarray(found.get("signal", np.zeros((1, 1))))
        if signal.ndim != 2 or 0 in signal.shape or signal.dtype.kind not in "iuf":
            raise ValueError("it is no table of numbers")
        return found
    except Exception as error:  # damaged files raise almost anything
        reason = getattr(error, "strerror", None) or error  # without the file's path
        raise ValueError(f"the signal of '{video}' cannot be read: {reason}") from None


def _of_hapt(data_root: str | Path, video: str) -> dict[str, Any]:
    """The features hold all samples: each vector those of a window, and windows follow each other in small steps."""
    name = inner_path(f"{video}.npy", video)
    files = [locate(data_root, f"hapt/{folder}") / name for folder in HAPT_PANELS.values()]
    if not all(path.is_file() for path in files):
        return {}
    sensors = [_samples(np.load(path, mmap_mode="r", allow_pickle=False)) for path in files]
    return {
        "signal": np.concatenate(sensors, axis=1),  # (samples, 6)
        "signal_rate_hz": hapt.RATE_HZ,
        "signal_names": ["x", "y", "z"] * 2,
        "signal_groups": dict(zip(HAPT_PANELS, ([0, 1, 2], [3, 4, 5]), strict=True)),
    }


def _samples(features: np.ndarray) -> np.ndarray:
    """(T, 3 * window) features to (samples, 3): the first step of each window, and all of the last one."""
    windows = features.reshape(len(features), -1, hapt.WINDOW_SAMPLES)  # (T, 3, window)
    first = windows[:-1, :, : hapt.STEP_SAMPLES].transpose(0, 2, 1).reshape(-1, windows.shape[1])
    return np.concatenate([first, windows[-1].T])
