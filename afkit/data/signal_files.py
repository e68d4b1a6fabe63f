"""Files of raw sensor samples become a folder of features; how is kept beside them, to do the same with new recordings.

A sensor is a folder with a file per recording: a table (samples, channels) in one of `afkit.data.feature_formats`, or
text (.txt) with blanks between the numbers. All sensors of a recording begin at time 0 of its annotations.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from afkit.config import DataConfig, Recipe
from afkit.data import hapt, watch
from afkit.data.feature_formats import SUFFIXES, named, open_array, read_csv
from afkit.data.features import locate
from afkit.data.signals import Sensor, signal_features
from afkit.files import read_json, write_array, write_json
from afkit.scratch import clear_scratch, scratch_folder

SETTINGS = "signals.json"  # beside the features
SIGNAL_SUFFIXES = (*SUFFIXES, ".txt")
MOST_SHOWN = 20


class SensorKind(NamedTuple):
    """A sensor that all recordings have."""

    name: str  # of its folder
    rate_hz: float  # samples per second in the files
    channels: int  # numbers in a sample


class Windowing(NamedTuple):
    """How features were made of raw samples."""

    sensors: list[SensorKind]  # in the order of the feature vector
    window: int  # samples at rate_hz
    stride: int  # samples between the beginnings of two windows
    rate_hz: float  # to which all sensors are brought
    normalise: Literal["none", "recording"] = "none"  # whether each channel of a recording loses offset and scale

    @property
    def width(self) -> int:
        """C, numbers in a feature vector."""
        return self.window * sum(sensor.channels for sensor in self.sensors)


def write_windows(
    folders: Sequence[str | Path],
    rates_hz: Sequence[float],
    target: str | Path,
    window: int,
    stride: int,
    rate_hz: float | None = None,
    normalise: Literal["none", "recording"] = "none",
    fix: bool = False,
    say: Callable[[str], None] = print,
) -> Windowing:
    """Write `<target>/<recording>.npy`, (T, C) float32, for every recording, and `<target>/signals.json`.

    Args:
        folders: of each sensor; the files of the first one are the recordings.
        rates_hz: samples per second of each.
        target: the folder to write; it must not exist.
        window, stride, rate_hz, normalise, fix: as of `afkit.data.signals.signal_features`; repairs are said.
        say: receives a line per repair (at most 20), and the number of recordings; and one where another process makes
            the folder, and is waited for.

    Returns:
        What signals.json says.

    Raises:
        ValueError: the target exists, a folder without recordings, or the list of the files that cannot be used;
            nothing is written then.
    """
    target = Path(target)
    _check_absent(target)
    recordings = _recordings([Path(folder) for folder in folders])
    repairs: list[str] = []
    problems: list[str] = []
    channels: list[int] = []  # of each sensor in the first recording that can be read
    with scratch_folder(target, say) as part:
        _check_absent(target)  # another process may have made it
        for name, paths in recordings.items():
            try:
                sensors = [Sensor(str(path), read_signal(path), hz) for path, hz in zip(paths, rates_hz, strict=True)]
                made = signal_features(sensors, window, stride, rate_hz, normalise, fix)
                channels = channels or [sensor.signal.shape[1] for sensor in sensors]
                _check_channels(sensors, channels)
            except ValueError as error:
                problems.append(str(error))
                continue
            write_array(part / f"{name}.npy", made.features, sync=False)
            repairs += [f"changed: {line}" for line in made.repairs]
        _raise(problems, len(recordings))
        names = [Path(folder).name for folder in folders]
        kinds = [SensorKind(*kind) for kind in zip(names, map(float, rates_hz), channels, strict=True)]
        settings = Windowing(kinds, window, stride, made.fps, normalise)
        write_json(part / SETTINGS, settings._asdict() | {"sensors": [kind._asdict() for kind in kinds]})
        part.rename(target)
    for line in _first(repairs):
        say(line)
    say(f"{len(recordings)} recordings, {settings.width} numbers in a feature vector")
    return settings


def _check_absent(target: Path) -> None:
    if target.exists():
        clear_scratch(target)
        raise ValueError(f"{target} exists; remove it, or name another folder")


class SignalReader(NamedTuple):
    """Features of new recordings from their raw samples, made as those of the training."""

    sensors: int  # files of a recording
    read: Callable[[Sequence[Path]], np.ndarray]  # those files -> (T, C) float32; a ValueError names what is wrong
    settings: Any  # what tells one way of making features from another


def signal_reader(recipe: Recipe, data_root: str | Path) -> SignalReader:
    """How to make features of new recordings for a recipe: for `watch`, `hapt`, and own data with a `signals.json`.

    Args:
        recipe: its `data` section names the feature folders.
        data_root: folder of all data sets.

    Raises:
        ValueError: nothing says how the features were made, or signals.json is damaged or contradicts the recipe.
    """
    config = recipe.data
    parts = [Path(folder).parts for folder in config.features]
    if config.annotations == watch.ANNOTATIONS:
        return SignalReader(1, lambda paths: watch_features(paths[0]), "watch")
    if all(len(part) == 2 and part[0] == "hapt" and part[1] in hapt.SENSORS.values() for part in parts):
        kinds = [SensorKind(part[1], hapt.RATE_HZ, 3) for part in parts]
        settings = Windowing(kinds, hapt.WINDOW_SAMPLES, hapt.STEP_SAMPLES, hapt.RATE_HZ)
    else:
        path = locate(data_root, config.features[0]) / SETTINGS
        if len(parts) > 1 or not path.is_file():
            raise ValueError(
                f"{path} does not exist, so nothing says how the features of recipe '{recipe.name}' were made of "
                "samples; give features of the new recordings, made in the same way"
            )
        settings = _read_settings(path, config)
    return SignalReader(len(settings.sensors), lambda paths: features_of(settings, paths), settings)


def _read_settings(path: Path, config: DataConfig) -> Windowing:
    content = read_json(path)
    try:
        settings = TypeAdapter(Windowing).validate_python(content)
        grid = settings.width, settings.stride, settings.window
    except ValidationError:
        raise ValueError(f"{path} does not say how features are made; write the features again") from None
    if grid != (sum(config.input_dims), config.stride_frames, config.num_frames):
        raise ValueError(
            f"{path} is of features with {grid[0]} numbers, a stride of {grid[1]} and a window of {grid[2]} samples, "
            "the recipe of others; correct its data.input_dims, data.stride_frames and data.num_frames"
        )
    return settings


def features_of(settings: Windowing, paths: Sequence[Path]) -> np.ndarray:
    """Features of one recording, made as those of the training.

    Args:
        settings: how those of the training were made.
        paths: the file of each sensor.

    Returns:
        (T, C) float32.

    Raises:
        ValueError: a file cannot be read, has another number of channels, or samples that are not finite, or the
            sensors do not fit each other; the message names the file.
    """
    signals = [read_signal(path) for path in paths]
    sensors = [Sensor(str(p), x, kind.rate_hz) for p, x, kind in zip(paths, signals, settings.sensors, strict=True)]
    _check_channels(sensors, [kind.channels for kind in settings.sensors])
    _, window, stride, rate_hz, normalise = settings
    return signal_features(sensors, window, stride, rate_hz, normalise).features


def watch_features(path: Path) -> np.ndarray:
    """Features (T, 30) float32 of a recording of the `watch` kind: 6 channels at 50 Hz.

    Raises:
        ValueError: the file cannot be read, has other channels or samples that are not finite, is shorter than a
            window, or its name does not tell the side of the body.
    """
    signal = read_signal(path)
    if not path.stem.endswith(("side0", "side1")):
        raise ValueError(f"{path}: the name must end in side0 or side1, the arm that wears the sensor; rename it")
    if signal.shape[1] != 6 or len(signal) < watch.WINDOW_SAMPLES or not np.isfinite(signal).all():
        raise ValueError(f"{path} must hold rows of 6 finite numbers, at least {watch.WINDOW_SAMPLES}; correct it")
    return watch.timeline_features(signal, path.stem)


def read_signal(path: Path) -> np.ndarray:
    """Raw samples (samples, C) of a file; NaN where a table has gaps.

    Raises:
        ValueError: unreadable, or no table of numbers; the message names file and row.
    """
    if path.suffix.lower() in (".csv", ".txt"):
        with named(path, path.stem):
            return read_csv(path, gaps=True)
    return open_array(path, path.stem, path.stem)[:]


def _recordings(folders: list[Path]) -> dict[str, list[Path]]:
    """{recording: its file of each sensor}."""
    files = [_by_name(folder) for folder in folders]
    for name, path in files[0].items():
        for folder, others in zip(folders, files, strict=True):
            if name not in others:
                raise ValueError(f"{folder} has no file of the recording {path}; add it, or remove that one")
    return {name: [others[name] for others in files] for name in files[0]}


def _by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        if path.suffix.lower() not in SIGNAL_SUFFIXES or path.name.startswith("."):
            continue
        if found.setdefault(path.stem, path) != path:
            raise ValueError(f"{path} and {found[path.stem].name} are of one name; keep one of them")
    if not found:
        raise ValueError(f"{folder} is no folder with files of samples ({', '.join(SIGNAL_SUFFIXES)}); name another")
    return found


def _check_channels(sensors: Sequence[Sensor], channels: Sequence[int]) -> None:
    for sensor, number in zip(sensors, channels, strict=True):
        has = sensor.signal.shape[1]
        if has != number:
            raise ValueError(f"{sensor.name} has {has} channels, that sensor has {number} elsewhere; correct it")


def _first(lines: list[str]) -> list[str]:
    more = [f"... and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else []
    return lines[:MOST_SHOWN] + more


def _raise(problems: list[str], number: int) -> None:
    if problems:
        head = (
            f"{len(problems)} of {number} recordings cannot be used; correct them, or repair gaps and ends with --fix:"
        )
        raise ValueError("\n".join([head, *_first(problems)]))
