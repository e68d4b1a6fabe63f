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
from afkit.data.feature_formats import SUFFIXES, listed
from afkit.data.features import locate
from afkit.files import read_json, write_array, write_json
from afkit.workbench.datasets import hapt, watch
from afkit.workbench.own_data.sample_files import SensorKind, read_sensor, read_signal
from afkit.workbench.own_data.signals import Sensor, signal_features
from afkit.workbench.scratch import clear_scratch, scratch_folder

SETTINGS = "signals.json"  # beside the features
SIGNAL_SUFFIXES = (*SUFFIXES, ".txt")
MOST_SHOWN = 20


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
    columns: Sequence[Sequence[str]] = (),
    say: Callable[[str], None] = print,
) -> Windowing:
    """Write `<target>/<recording>.npy`, (T, C) float32, for every recording, and `<target>/signals.json`.

    ValueError where the target exists, a folder has no recordings, or with the list of the files that cannot be used;
    nothing is written then.

    Args:
        folders: of each sensor, with its `rates_hz`; the files of the first one are the recordings.
        window, stride, rate_hz, normalise, fix: as of `signals.signal_features`. With `fix`, samples whose clock jumps
            or runs at another rate are put onto the regular times of that rate, too.
        columns: names of the channels in tables, of each sensor or one list for all; () for all but clock and counter.
        say: receives a line per repair (at most 20), which columns were left out, and the number of recordings.
    """
    target = Path(target)
    _check_absent(target)
    recordings = _recordings([Path(folder) for folder in folders])
    kinds = _kinds(folders, rates_hz, columns)
    left_out: dict[str, None] = {}  # names of columns, in order
    repairs: list[str] = []
    problems: list[str] = []
    with scratch_folder(target, say) as part:
        _check_absent(target)  # another process may have made it
        for name, paths in recordings.items():
            try:
                read = [read_sensor(path, kind, fix) for path, kind in zip(paths, kinds, strict=True)]
                sensors = [sensor for sensor, _, _ in read]
                made = signal_features(sensors, window, stride, rate_hz, normalise, fix)
                if not kinds[0].channels:  # the first recording that can be read
                    kinds = [
                        kind._replace(channels=one.signal.shape[1], columns=tuple(numbers.names))
                        for kind, (one, numbers, _) in zip(kinds, read, strict=True)
                    ]
                _check_channels(sensors, [kind.channels for kind in kinds])
                left_out |= dict.fromkeys(name for _, numbers, _ in read for name in numbers.left_out)
            except ValueError as error:
                problems.append(str(error))
                continue
            write_array(part / f"{name}.npy", made.features, sync=False)
            repairs += [f"changed: {line}" for _, _, lines in read for line in lines]
            repairs += [f"changed: {line}" for line in made.repairs]
        if problems:
            head = f"{len(problems)} of {len(recordings)} recordings cannot be used; correct them"
            raise ValueError("\n".join([f"{head}, or repair gaps and ends with --fix:", *_first(problems)]))
        settings = Windowing(kinds, window, stride, made.fps, normalise)
        write_json(part / SETTINGS, settings._asdict() | {"sensors": [kind._asdict() for kind in kinds]})
        part.rename(target)
    for line in _first(repairs):
        say(line)
    if left_out:
        say(f"columns that are no channels, left out: {listed(left_out)}")
    say(f"{len(recordings)} recordings, {settings.width} numbers in a feature vector")
    return settings


def _check_absent(target: Path) -> None:
    if target.exists():
        clear_scratch(target)
        raise ValueError(f"{target} exists; remove it, or name another folder")


class SignalReader(NamedTuple):
    """Features of new recordings from their raw samples (or films, or sound), made as those of the training."""

    sensors: int  # files of a recording
    read: Callable[[Sequence[Path]], np.ndarray]  # those files -> (T, C) float32; a ValueError names what is wrong
    settings: Any  # what tells one way of making features from another
    suffixes: Sequence[str] = SIGNAL_SUFFIXES  # of the files


def signal_reader(recipe: Recipe, data_root: str | Path) -> SignalReader:
    """How to make features of new recordings for a recipe: for `watch`, `hapt`, and own data with a `signals.json`.

    ValueError where nothing says how the features were made, or signals.json is damaged or contradicts the recipe.
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
    """Features (T, C) float32 of one recording, made as those of the training; a ValueError names the file."""
    sensors = [read_sensor(path, kind, False)[0] for path, kind in zip(paths, settings.sensors, strict=True)]
    _check_channels(sensors, [kind.channels for kind in settings.sensors])
    _, window, stride, rate_hz, normalise = settings
    return signal_features(sensors, window, stride, rate_hz, normalise).features


def watch_features(path: Path) -> np.ndarray:
    """Features (T, 30) float32 of a recording of the `watch` kind: 6 channels at 50 Hz; a ValueError names the file."""
    signal = read_signal(path)
    if not path.stem.endswith(("side0", "side1")):
        raise ValueError(f"{path}: the name must end in side0 or side1, the arm that wears the sensor; rename it")
    if signal.shape[1] != 6 or len(signal) < watch.WINDOW_SAMPLES or not np.isfinite(signal).all():
        raise ValueError(f"{path} must hold rows of 6 finite numbers, at least {watch.WINDOW_SAMPLES}; correct it")
    return watch.timeline_features(signal, path.stem)


def _kinds(
    folders: Sequence[str | Path], rates_hz: Sequence[float], columns: Sequence[Sequence[str]]
) -> list[SensorKind]:
    """The sensors before the first recording is read."""
    if len(columns) not in (0, 1, len(folders)):
        given = f"{len(columns)} lists of columns for {len(folders)} sensors"
        raise ValueError(f"{given}; give one for all, or one for each")
    every = columns if len(columns) == len(folders) else [*(columns or [()])] * len(folders)
    named = zip(folders, rates_hz, every, strict=True)
    return [SensorKind(Path(folder).name, float(hz), 0, tuple(names)) for folder, hz, names in named]


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
