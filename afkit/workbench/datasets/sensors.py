"""The samples, or the sound, from which a recording's features were cut, to be drawn below its timeline."""

from pathlib import Path
from typing import Any

import numpy as np

from afkit.config import DataConfig
from afkit.data.features import has_features, locate, open_features
from afkit.opening import inner_path
from afkit.workbench.datasets import hapt
from afkit.workbench.datasets.recorded_sound import has_sound, sound_arguments
from afkit.workbench.own_data.gaps import SETTINGS
from afkit.workbench.own_data.signal_files import Windowing, read_settings

GROUPS = {"acceleration [g]": [0, 1, 2], "angular velocity [rad/s]": [3, 4, 5]}  # axis label: channels
FOLDERS = {"watch": ["watch/signals"], "hapt": [f"hapt/{kind}" for kind in hapt.SENSORS.values()]}


def has_signal(config: DataConfig, data_root: str | Path) -> bool:
    """Whether `sensor_arguments` knows the samples of a data set."""
    known = _built_in(config) or has_sound(config, data_root)
    return known or _settings(config, data_root) is not None


def sensor_arguments(config: DataConfig, data_root: str | Path, video: str) -> dict[str, Any]:
    """What `afkit.workbench.view.signals` needs to draw the samples of a recording; {} where nobody knows them.

    They are known of `watch`, of `hapt`, and of features that `python -m afkit` has made of samples or of sound.
    ValueError where a file of them cannot be read.
    """
    try:
        if _built_in(config):
            return _of_built_in(FOLDERS[config.annotations.partition("/")[0]], data_root, video)
        if has_sound(config, data_root):
            return sound_arguments(config, data_root, video)
        settings = _settings(config, data_root)
        if settings is None or not has_features(config, data_root, video):
            return {}
        return _of_windows(settings, open_features(config, data_root, video).rows())
    except FileNotFoundError:
        return {}
    except Exception as error:  # damaged files raise almost anything
        reason = getattr(error, "strerror", None) or error  # without the file's path
        raise ValueError(f"the signal of '{video}' cannot be read: {reason}") from None


def _built_in(config: DataConfig) -> bool:
    folder, slash, _ = config.annotations.partition("/")
    return bool(slash) and folder in FOLDERS


def _settings(config: DataConfig, data_root: str | Path) -> Windowing | None:
    path = locate(data_root, config.features[0]) / SETTINGS
    return read_settings(path, config) if len(config.features) == 1 and path.is_file() else None


def _of_built_in(folders: list[str], data_root: str | Path, video: str) -> dict[str, Any]:
    name = inner_path(f"{video}.npy", video)
    arrays = [np.load(locate(data_root, folder) / name, mmap_mode="r", allow_pickle=False) for folder in folders]
    parts = arrays
    if len(arrays) > 1:  # as each sensor has a folder of its own, both are shown where one is learned from
        parts = [samples_of(windows, 3, hapt.WINDOW_SAMPLES, hapt.STEP_SAMPLES) for windows in arrays]
    signal = np.concatenate(parts, axis=1)  # (samples, 6)
    if signal.ndim != 2 or 0 in signal.shape or signal.dtype.kind not in "iuf":
        raise ValueError("it is no table of numbers")
    names = ["x", "y", "z"] * len(GROUPS)
    return {"signal": signal, "signal_rate_hz": hapt.RATE_HZ, "signal_names": names, "signal_groups": dict(GROUPS)}


def _of_windows(settings: Windowing, features: np.ndarray) -> dict[str, Any]:
    """Of features (T, C * window) made with these settings: a panel for each sensor."""
    names: list[str] = []
    groups: dict[str, list[int]] = {}
    for sensor in settings.sensors:
        groups[sensor.name] = list(range(len(names), len(names) + sensor.channels))
        names += list(sensor.columns) or [f"{channel + 1}" for channel in range(sensor.channels)]
    signal = samples_of(features, len(names), settings.window, settings.stride)
    return {"signal": signal, "signal_rate_hz": settings.rate_hz, "signal_names": names, "signal_groups": groups}


def samples_of(windows: np.ndarray, channels: int, window: int, stride: int) -> np.ndarray:
    """Windows (T, channels * window), one every `stride` samples, as (samples, channels); NaN in gaps between them.

    Examples:
        >>> samples_of(np.array([[1.0, 2, 10, 20], [2, 3, 20, 30]]), channels=2, window=2, stride=1).tolist()
        [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]
    """
    parts = windows.reshape(len(windows), channels, window)
    gap = np.full((len(windows), channels, max(stride - window, 0)), np.nan, parts.dtype)
    first = np.concatenate([parts[:-1, :, :stride], gap[:-1]], axis=2)  # (T - 1, channels, stride)
    return np.concatenate([first.transpose(0, 2, 1).reshape(-1, channels), parts[-1].T])
