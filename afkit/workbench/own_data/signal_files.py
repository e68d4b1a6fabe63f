"""Files of raw sensor samples become a folder of features; how is kept beside them, to do the same with new recordings.

A sensor is a folder with a file per recording: a table (samples, channels) in one of `afkit.data.feature_formats`,
text (.txt) with blanks between the numbers, EDF or WFDB, or key points of a body. Where a rate is given, all sensors of
a recording begin at time 0 of its annotations; where the clock tells it, the first sample of the first sensor is there.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from afkit.config import DataConfig, Recipe
from afkit.data.feature_formats import SUFFIXES, listed
from afkit.data.features import locate
from afkit.files import read_json, write_array, write_json
from afkit.workbench.datasets import hapt, watch
from afkit.workbench.own_data.clocks import UNIX_SEC, Clock
from afkit.workbench.own_data.gaps import IGNORED, SETTINGS, gap_note
from afkit.workbench.own_data.media_files import paired_files
from afkit.workbench.own_data.number_tables import Numbers
from afkit.workbench.own_data.physio_files import PHYSIO
from afkit.workbench.own_data.sample_files import NO_CLOCK, SensorKind, clock_of, read_samples, read_sensor
from afkit.workbench.own_data.signals import Sensor, SignalFeatures, signal_features
from afkit.workbench.progress import progress
from afkit.workbench.scratch import clear_scratch, scratch_folder

SIGNAL_SUFFIXES = (*SUFFIXES, ".txt", ".tsv", *PHYSIO)
MOST_SHOWN = 20
NO_SPANS = np.zeros((0, 2))
APART_SEC = 0.5  # by which sensors with clocks of their own may start or end apart
LEAST_BEGIN_SEC = 0.05  # from which it is said that a clock does not begin at 0


class Windowing(NamedTuple):
    """How features were made of raw samples."""

    sensors: list[SensorKind]  # in the order of the feature vector
    window: int  # samples at rate_hz
    stride: int  # samples between the beginnings of two windows
    rate_hz: float  # to which all sensors are brought
    normalise: Literal["none", "recording"] = "none"  # whether each channel of a recording loses offset and scale
    longest_gap_sec: float = 0  # of a clock that tells the times, up to which bridged samples count; 0: the usual

    @property
    def width(self) -> int:
        """C, numbers in a feature vector."""
        return self.window * sum(sensor.channels for sensor in self.sensors)


def write_windows(
    folders: Sequence[str | Path],
    rates_hz: Sequence[float | None],
    target: str | Path,
    window: int,
    stride: int,
    rate_hz: float | None = None,
    normalise: Literal["none", "recording"] = "none",
    fix: bool = False,
    columns: Sequence[Sequence[str]] = (),
    pose: bool = False,
    longest_gap_sec: float = 0,
    label: str = "",
    say: Callable[[str], None] = print,
    files: Mapping[str, Sequence[Path]] | None = None,
) -> Windowing:
    """Write `<target>/<recording>.npy`, (T, C) float32, for every recording, and `<target>/signals.json`.

    ValueError where the target exists, a folder has no recordings, or with the list of the files that cannot be used;
    nothing is written then.

    Args:
        folders: of each sensor (or a pattern, see `media_files.paired_files`), with its `rates_hz`; None: the clock of
            each file tells when samples were taken, which are put onto regular times of the recordings' median rate.
        window, stride, rate_hz, normalise, fix: as of `signals.signal_features`. With `fix`, samples whose clock jumps
            or runs at another rate are put onto the regular times of that rate, too.
        columns: names of the channels in tables, of each sensor or one list for all; () for all but clock and counter.
        pose: the files hold key points, see `pose_files`.
        longest_gap_sec: up to which samples that bridge a gap of a clock count; 0 for a quarter of a second. What saw
            longer ones stands in signals.json, and `gaps.leave_out_gaps` writes it into an annotation file.
        label: column of tables with a label for each sample, which is no channel.
        say: receives a line per repair or recording with gaps (at most 20), which columns were left out, and the
            number of recordings, and where the clocks begin if that is not 0.
        files: of each recording, one of each sensor; None for all that the folders hold.
    """
    target = Path(target)
    _check_absent(target)
    recordings = paired_files(folders, SIGNAL_SUFFIXES) if files is None else files
    by_sensor = zip(_kinds(folders, rates_hz, columns, pose), zip(*recordings.values(), strict=True), strict=True)
    kinds = [
        kind._replace(rate_hz=usual_rate(look(path, kind, label) for path in progress(paths, "clocks")))
        if kind.by_clock
        else kind
        for kind, paths in by_sensor
    ]
    settings = Windowing(kinds, window, stride, rate_hz or 0.0, normalise, longest_gap_sec)
    left_out: dict[str, None] = {}  # names of columns, in order
    slower: dict[str, None] = {}  # channels of lower rates than others in their files
    ignored: dict[str, list[list[float]]] = {}  # spans of each recording
    begins: list[str] = []  # where a clock begins, of each recording
    repairs: list[str] = []
    problems: list[str] = []
    with scratch_folder(target, say) as part:
        _check_absent(target)  # another process may have made it
        for name, paths in progress(recordings.items(), "recordings", say):
            try:
                made, read = _windows(settings, paths, rate_hz, fix, label)
            except ValueError as error:
                problems.append(str(error))
                continue
            settings = settings._replace(sensors=_as_read(settings.sensors, read), rate_hz=made.fps)
            write_array(part / f"{name}.npy", made.features, sync=False)
            begins += _begin(name, read)
            for _, numbers, lines in read:
                (left_out if numbers.rate_hz is None else slower).update(dict.fromkeys(numbers.left_out))
                repairs += [f"changed: {line}" for line in lines]
            repairs += [f"changed: {line}" for line in made.repairs]
            if len(made.gaps_sec):
                repairs.append(gap_note(name, made))
                ignored[name] = made.ignored_sec.round(6).tolist()
        if problems:
            head = f"{len(problems)} of {len(recordings)} recordings cannot be used; correct them"
            raise ValueError("\n".join([f"{head}, or repair gaps and ends with --fix:", *_first(problems)]))
        record = settings._asdict() | {"sensors": [kind._asdict() for kind in settings.sensors]}
        write_json(part / SETTINGS, record | ({IGNORED: ignored} if ignored else {}))
        part.rename(target)
    more = f" (and of {len(begins) - 1} more recordings, a time of theirs)" if len(begins) > 1 else ""
    for line in [*_first(repairs), *_left_out(left_out, slower), *(line + more for line in begins[:1])]:
        say(line)
    say(f"{len(recordings)} recordings, {settings.width} numbers in a feature vector")
    return settings


def _begin(name: str, read: Sequence[tuple[Sensor, Numbers, list[str]]]) -> list[str]:
    """A sentence where the first clock of a recording does not begin at 0."""
    clocks = [(one.start_sec, numbers.clock_name) for one, numbers, _ in read if one.start_sec == one.start_sec]
    late = [(start, clock) for start, clock in clocks[:1] if abs(start) > LEAST_BEGIN_SEC]
    return [f"time 0 of {name} is {start:.12g} s of its clock '{clock}'" for start, clock in late]


def _left_out(columns: Collection[str], slower: Collection[str]) -> Iterator[str]:
    """Sentences on columns that are no channels, and on channels of lower rates than others, or of triggers."""
    if columns:
        yield f"columns that are no channels, left out: {listed(columns)}"
    if slower:
        how = "name the folder once more, with --columns for each sensor, to take those of one rate as another sensor"
        yield f"channels of lower rates or of triggers, left out: {', '.join(_first(list(slower)))}; {how}"


def _check_absent(target: Path) -> None:
    if target.exists():
        clear_scratch(target)
        raise ValueError(f"{target} exists; remove it, or name another folder")


class SignalReader(NamedTuple):
    """Features of new recordings from their raw samples (or films, or sound), made as those of the training."""

    sensors: int  # files of a recording
    # those files -> (T, C) float32, and spans (R, 2) in seconds that saw no samples; a ValueError names what is wrong
    read: Callable[[Sequence[Path]], tuple[np.ndarray, np.ndarray]]
    settings: Any  # what tells one way of making features from another
    suffixes: Sequence[str] = SIGNAL_SUFFIXES  # of the files
    places: Sequence[str] = ()  # of each sensor in the training: the name of its folder, or its pattern


def signal_reader(recipe: Recipe, data_root: str | Path, fps: float, fix: bool = False) -> SignalReader:
    """How to make features of new recordings for a recipe: for `watch`, `hapt`, and own data with a `signals.json`.

    ValueError where nothing says how the features were made, or signals.json is damaged or contradicts the recipe, or
    the frame rate in which the run counts. `fix` is as of `write_windows`.
    """
    config = recipe.data
    parts = [Path(folder).parts for folder in config.features]
    if config.annotations == watch.ANNOTATIONS:
        _check_rate(recipe, watch.RATE_HZ, fps)
        return SignalReader(1, lambda paths: (watch_features(paths[0], fix), NO_SPANS), "watch")
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
        settings = read_settings(path, config)
    _check_rate(recipe, settings.rate_hz, fps)
    names = [kind.name for kind in settings.sensors]
    return SignalReader(len(names), lambda paths: features_of(settings, paths, fix), settings, places=names)


def _check_rate(recipe: Recipe, rate_hz: float, fps: float) -> None:
    if not math.isclose(rate_hz, fps, rel_tol=1e-6):
        raise ValueError(f"samples of recipe '{recipe.name}' come {rate_hz:g} times a second, not {fps:g} (--fps)")


def read_settings(path: Path, config: DataConfig) -> Windowing:
    """The content of a signals.json; a ValueError where it is none, or of features unlike the recipe's."""
    content = read_json(path)
    try:
        known = {name: value for name, value in content.items() if name != IGNORED}
        settings = TypeAdapter(Windowing).validate_python(known)
        grid = settings.width, settings.stride, settings.window
    except (AttributeError, ValidationError):
        raise ValueError(f"{path} does not say how features are made; write the features again") from None
    if grid != (sum(config.input_dims), config.stride_frames, config.num_frames):
        raise ValueError(
            f"{path} is of features with {grid[0]} numbers, a stride of {grid[1]} and a window of {grid[2]} samples, "
            "the recipe of others; correct its data.input_dims, data.stride_frames and data.num_frames"
        )
    return settings


def features_of(settings: Windowing, paths: Sequence[Path], fix: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Features (T, C) float32 of one recording, made as those of the training, and spans (R, 2) that saw no samples.

    A ValueError names the file. Prints what `fix` changed, and where the clock begins if that is not 0.
    """
    made, read = _windows(settings, paths, settings.rate_hz, fix)
    for line in [*(line for _, _, lines in read for line in lines), *made.repairs, *_begin(paths[0].stem, read)]:
        print(line)
    return made.features, made.ignored_sec


def _windows(
    settings: Windowing, paths: Sequence[Path], rate_hz: float | None, fix: bool = False, label: str = ""
) -> tuple[SignalFeatures, list[tuple[Sensor, Numbers, list[str]]]]:
    """Features of one recording, and what was read of each of its sensors, see `sample_files.read_sensor`."""
    kinds, gap_sec = settings.sensors, settings.longest_gap_sec
    read = [read_sensor(path, kind, fix, gap_sec, label) for path, kind in zip(paths, kinds, strict=True)]
    sensors = _from_first(read, kinds)
    for sensor, kind in zip(sensors, kinds, strict=True):
        has = sensor.signal.shape[1]
        if kind.channels and has != kind.channels:
            raise ValueError(f"{sensor.name} has {has} channels, that sensor has {kind.channels} elsewhere; correct it")
    clocks = [sensor.start_sec == sensor.start_sec for sensor, _, _ in read]
    apart_sec = APART_SEC if any(clocks) or any(kind.by_clock for kind in kinds) else 0.0
    made = signal_features(sensors, settings.window, settings.stride, rate_hz, settings.normalise, fix, apart_sec)
    return made, read


def _as_read(kinds: list[SensorKind], read: Sequence[tuple[Sensor, Numbers, list[str]]]) -> list[SensorKind]:
    """The sensors with the channels of the first recording that could be read."""
    return [
        kind if kind.channels else kind._replace(channels=sensor.signal.shape[1], columns=tuple(numbers.names))
        for kind, (sensor, numbers, _) in zip(kinds, read, strict=True)
    ]


class Seen(NamedTuple):
    """A file of samples before anything is made of it."""

    numbers: Numbers
    clock: Clock | None  # None where a rate is given, or the file tells it
    rate_hz: float
    duration_sec: float
    begin_sec: float | None = None  # of the first sample on the clock of the file; None where it has none

    @property
    def zoned(self) -> bool | None:
        """Whether the clock tells a time zone, or counts from 1970; None where it is none of a calendar."""
        return not self.numbers.naive if (self.begin_sec or 0.0) > UNIX_SEC else None


def look(path: Path, kind: SensorKind, label: str = "", longest_gap_sec: float = 0, fix: bool = True) -> Seen:
    """What a file holds; a ValueError names it, without `fix` also for a clock that contradicts the kind's rate.

    `label` is a column with a label for each sample.
    """
    numbers = read_samples(path, kind.columns, kind.pose, label)
    clock, _ = clock_of(path, numbers, kind, longest_gap_sec, fix)
    begin_sec = clock.start_sec if clock is not None and numbers.rate_hz is None else None
    if kind.by_clock and clock is not None:
        told_hz = numbers.rate_hz or clock.rate_hz
        return Seen(numbers, clock, told_hz, float(clock.times_sec[-1]) + 1 / told_hz, begin_sec)
    rate_hz = numbers.rate_hz if kind.by_clock else kind.rate_hz
    if rate_hz is None:
        raise ValueError(f"{path} {NO_CLOCK}")
    return Seen(numbers, None, rate_hz, len(numbers.values) / rate_hz, begin_sec)


def usual_rate(seen: Iterable[Seen]) -> float:
    """The median rate of recordings, rounded to three digits."""
    return float(f"{np.median([one.rate_hz for one in seen]):.3g}")


def _from_first(read: Sequence[tuple[Sensor, Numbers, list[str]]], kinds: Sequence[SensorKind]) -> list[Sensor]:
    """Sensors with their starts counted from that of the first; a ValueError where their clocks are not one.

    A sensor without a clock of its own begins with the first; so does one whose clock is another and whose rate is
    given, which its list of changes then says.
    """
    starts = [sensor.start_sec for sensor, _, _ in read]
    first = next((start for start in starts if start == start), 0.0)
    found = []
    for (sensor, _, lines), kind, start in zip(read, kinds, starts, strict=True):
        late = start - first if start == start else 0.0
        if abs(late) > len(sensor.signal) / sensor.rate_hz:
            since = " of 1970" if max(start, first) > UNIX_SEC else ""
            what = f"starts {late:.6g} s after that of {read[0][0].name}, which is longer than it lasts"
            what = f"the clock{since} of {sensor.name} {what}"
            if kind.by_clock:
                raise ValueError(f"{what}; give the rates, as FOLDER@HZ, if both begin together")
            lines.append(f"{what}: both begin together")
            late = 0.0
        found.append(sensor._replace(start_sec=late))
    return found


def watch_features(path: Path, fix: bool = False) -> np.ndarray:
    """Features (T, 30) float32 of a recording of the `watch` kind: 6 channels at 50 Hz; a ValueError names the file."""
    signal = read_sensor(path, SensorKind("watch", watch.RATE_HZ, 6), fix)[0].signal
    if not path.stem.endswith(("side0", "side1")):
        raise ValueError(f"{path}: the name must end in side0 or side1, the arm that wears the sensor; rename it")
    if signal.shape[1] != 6 or len(signal) < watch.WINDOW_SAMPLES or not np.isfinite(signal).all():
        raise ValueError(f"{path} must hold rows of 6 finite numbers, at least {watch.WINDOW_SAMPLES}; correct it")
    return watch.timeline_features(signal, path.stem)


def _kinds(
    folders: Sequence[str | Path], rates_hz: Sequence[float | None], columns: Sequence[Sequence[str]], pose: bool
) -> list[SensorKind]:
    """The sensors before the first recording is read."""
    if len(columns) not in (0, 1, len(folders)):
        given = f"{len(columns)} lists of columns for {len(folders)} sensors"
        raise ValueError(f"{given}; give one for all, or one for each")
    every = columns if len(columns) == len(folders) else [*(columns or [()])] * len(folders)
    named = zip(folders, rates_hz, every, strict=True)
    return [
        SensorKind(Path(folder).name, float(hz or 0), 0, tuple(names), hz is None, pose) for folder, hz, names in named
    ]


def _first(lines: list[str]) -> list[str]:
    more = [f"... and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else []
    return lines[:MOST_SHOWN] + more
