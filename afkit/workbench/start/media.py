"""What recordings are: samples of sensors, sounds, films or features; how long, and at what rate."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import SUFFIXES, listed, open_array
from afkit.workbench.media.opened import FILMS, SOUNDS, lasts_sec
from afkit.workbench.own_data.import_names import person_of, read_name
from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.import_rows import is_empty
from afkit.workbench.own_data.media_files import files_of, paired_files
from afkit.workbench.own_data.physio_files import PHYSIO, PhysioLabels, read_physio_labels
from afkit.workbench.own_data.sample_files import SensorKind
from afkit.workbench.own_data.signal_files import SIGNAL_SUFFIXES, Seen, look, usual_rate
from afkit.workbench.progress import progress

KINDS = {"films": FILMS, "sounds": SOUNDS, "sensors": SIGNAL_SUFFIXES}
MOST_SHOWN = 8  # problems, and names of columns

Label = tuple[str, float, float, str]  # recording, start and end in seconds, label


class Media(NamedTuple):
    """What there is of all recordings."""

    kind: str  # films, sounds, sensors or features
    recordings: dict[str, Medium]
    files: dict[str, list[Path]]  # of each recording, one of each sensor
    rate_hz: float  # of the fastest sensor, or of the frames of features; 0 where it does not matter
    channels: int  # of all sensors, or of a feature vector
    labels: list[Label]  # those that stand in a column of the samples
    seen: list[tuple[str, str]]  # rows of the table: what, and what was seen
    label_column: str = ""  # where labels stand


class Options(NamedTuple):
    """How recordings are read."""

    columns: Sequence[Sequence[str]] = ()  # channels of tables
    label: str = ""  # column of tables with a label for each sample, "" to find it
    pose: bool = False
    longest_gap_sec: float = 0
    grid: tuple[float, float, float] | None = None  # stride and length in frames, and frames per second, of features


def look_at(places: Sequence[tuple[str, float | None]], labels: Path | None, options: Options) -> Media:
    """What the recordings at some (file, folder or pattern; samples per second or None) are.

    `labels` is the file of the labels, which is no recording; None: they stand in a column of the samples. ValueError
    where kinds are mixed, a file cannot be read, or something must be said by an option.
    """
    kind = _kind([place for place, _ in places], labels, options)
    if kind == "sensors":
        return _sensors(places, labels, options)
    if labels is None:
        raise ValueError(f"labels can stand in tables of sensors, not in {kind}; give LABELS and then the {kind}")
    if kind == "features":
        return _features(places, options)
    files = paired_files([place for place, _ in places[:1]], KINDS[kind])
    if len(places) > 1:
        files = {}
        for place, _ in places:
            for name, path in files_of(place, KINDS[kind]).items():
                if name in files:
                    raise ValueError(f"{path} and {files[name][0]} are of one name; rename one of them")
                files[name] = [path]
    each = progress(files.items(), "looking at recordings")
    recordings = {name: Medium(str(paths[0]), lasts_sec(paths[0])) for name, paths in each}
    return Media(kind, _with_people(recordings), files, 0, 0, [], [(kind, _place_names(places))])


def _kind(places: Sequence[str], labels: Path | None, options: Options) -> str:
    """By the endings of the files."""
    counts: Counter[str] = Counter()
    for place in places:
        every = files_of(place, tuple(ending for endings in KINDS.values() for ending in endings))
        counts.update(
            kind for path in every.values() if path != labels for kind in KINDS if path.suffix.lower() in KINDS[kind]
        )
    if len(counts) > 1 and counts.total() - counts.most_common(1)[0][1] > 0:
        found = ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
        raise ValueError(f"{listed(places)} hold {found}; name the folder or pattern of one kind, as 'folder/*.wav'")
    return "features" if options.grid else next(iter(counts), "sensors")


def _place_names(places: Sequence[tuple[str, float | None]]) -> str:
    return ", ".join(place for place, _ in places[:MOST_SHOWN]) + (", ..." if len(places) > MOST_SHOWN else "")


def _sensors(places: Sequence[tuple[str, float | None]], labels: Path | None, options: Options) -> Media:
    if len(places) > 1 and all(Path(place).is_file() for place, _ in places):
        raise ValueError(
            f"{len(places)} files are given, and each place is one sensor; name the folder of the files, or a pattern "
            "in quotes, as 'folder/*.csv'"
        )
    files = paired_files([place for place, _ in places], SIGNAL_SUFFIXES)
    if labels is not None:
        files = {name: paths for name, paths in files.items() if paths[0].resolve() != labels.resolve()}
    _ask_for_rates(places, files)
    first = next(iter(files.values()))[0]
    inside = labels is None and first.suffix.lower() in PHYSIO
    label = "" if labels is not None or inside else options.label or _label_column(first)
    kinds = [
        SensorKind(place, float(hz or 0), 0, tuple(_columns(options.columns, i, len(places))), hz is None, options.pose)
        for i, (place, hz) in enumerate(places)
    ]
    recordings: dict[str, Medium] = {}
    found: list[Label] = []
    facts: list[list[Seen]] = [[] for _ in places]
    problems, remarks = [], []
    for name, paths in progress(files.items(), "looking at recordings"):
        try:
            own = [look(path, kind, label, options.longest_gap_sec) for path, kind in zip(paths, kinds, strict=True)]
            written = read_physio_labels(paths[0]) if inside else PhysioLabels([])
        except ValueError as error:
            problems.append(str(error))
            continue
        timed = next((one for one in own if one.begin_sec is not None), own[0])
        lasts_sec = min(one.duration_sec for one in own)
        recordings[name] = Medium(str(paths[0]), lasts_sec, timed.begin_sec, zoned=timed.zoned)
        found += _labels(name, own[0], recordings[name].duration_sec) if label else []
        found += [(name, *row) for row in written.rows]
        remarks += [f"{name}: {written.remark}"] if written.remark else []
        for kept, one in zip(facts, own, strict=True):
            channels = one.numbers.values[:1]  # the samples are read again when features are made of them
            kept.append(one._replace(numbers=one.numbers._replace(values=channels, labels=[], clock=None)))
    if problems:
        more = [f"... and {len(problems) - MOST_SHOWN} more"] * (len(problems) > MOST_SHOWN)
        head = f"{len(problems)} of {len(files)} recordings cannot be used:"
        raise ValueError("\n".join([head, *problems[:MOST_SHOWN], *more]))
    seen = [row for place, own in zip(places, facts, strict=True) for row in _sensor_rows(place[0], own)]
    if inside and not found:
        raise ValueError(f"no recording of {places[0][0]} holds annotations; give LABELS and then the recordings")
    seen += [("note", line) for line in remarks[:MOST_SHOWN]]
    channels = sum(own[0].numbers.values.shape[1] for own in facts)
    rate_hz = max(usual_rate(own) for own in facts)
    return Media("sensors", _with_people(recordings), files, rate_hz, channels, found, seen, label)


def _ask_for_rates(places: Sequence[tuple[str, float | None]], files: dict[str, list[Path]]) -> None:
    """Arrays hold no clock: samples or features, which must be said."""
    for (place, hz), path in zip(places, next(iter(files.values())), strict=True):
        if hz is None and path.suffix.lower() in SUFFIXES and path.suffix.lower() != ".csv":
            raise ValueError(
                f"{place} holds arrays ({path.name}), samples or features; for samples give their rate, {place}@HZ, "
                "for features --stride-frames, --num-frames and --fps"
            )


def _columns(columns: Sequence[Sequence[str]], place: int, places: int) -> Sequence[str]:
    if len(columns) not in (0, 1, places):
        raise ValueError(f"{len(columns)} lists of columns for {places} sensors; give one for all, or one for each")
    return columns[place] if len(columns) == places else next(iter(columns), ())


def _label_column(path: Path) -> str:
    """The column of a table whose name is that of a label; a ValueError asks for it."""
    from afkit.workbench.own_data.import_formats import read_csv_table

    names = list(map(str, read_csv_table(path).cells)) if path.suffix.lower() in (".csv", ".tsv", ".txt") else []
    fields = {name: meaning.field for name in names if (meaning := read_name(name)) is not None}
    found = [name for name, field in fields.items() if field == "label"]
    if len(found) != 1:
        what = f"columns {listed(names)}" if names else "no named columns"
        raise ValueError(
            f"{path} has {what}, and {'several' if found else 'none'} for the label of each sample; name it with "
            "--column label=NAME, or give LABELS before the recordings"
        )
    return found[0]


def _labels(name: str, seen: Seen, lasts_sec: float) -> list[Label]:
    """Each run of samples with one label as an action, by the clock or the rate, up to the end of the recording.

    Gaps of the clock end it, unless it was seen on both sides for longer than the gap.
    """
    cells = seen.numbers.labels
    if not cells:
        raise ValueError(f"the recording '{name}' has no column with labels; name it with --column label=NAME")
    times = seen.clock.times_sec if seen.clock is not None else np.arange(len(cells)) / seen.rate_hz
    gaps_sec = seen.clock.gaps_sec if seen.clock is not None else np.zeros((0, 2))
    late = dict(zip(np.searchsorted(times, gaps_sec[:, 1]).tolist(), gaps_sec[:, 0] + 1 / seen.rate_hz, strict=True))
    starts = [i for i, cell in enumerate(cells) if not i or i in late or cell != cells[i - 1]]
    ends = [*(float(late.get(i, times[i])) for i in starts[1:]), seen.duration_sec]
    runs: list[Label] = []
    for i, end in zip(starts, ends, strict=True):
        start = float(times[i])
        if i in late and cells[i] == cells[i - 1]:
            gap_sec = start - runs[-1][2]
            if gap_sec < min(runs[-1][2] - runs[-1][1], end - start):
                start = runs.pop()[1]
        runs.append((name, start, min(end, lasts_sec), cells[i]))
    return [run for run in runs if not is_empty(run[3]) and run[1] < lasts_sec]


def _sensor_rows(place: str, own: list[Seen]) -> list[tuple[str, str]]:
    numbers, rates = own[0].numbers, [one.rate_hz for one in own]
    names = listed(numbers.names[:MOST_SHOWN]) if numbers.names else f"{numbers.values.shape[1]} channels"
    more = f" and {len(numbers.names) - MOST_SHOWN} more" if len(numbers.names) > MOST_SHOWN else ""
    rows = [("sensor", f"{place}: {names}{more}")]
    if own[0].clock is None:
        return [*rows, ("", f"{usual_rate(own):g} samples a second")]
    clocks = [one.clock for one in own if one.clock is not None]
    jitter = 1000 * float(np.median([clock.jitter_sec for clock in clocks]))
    longest = max(float(np.diff(clock.times_sec).max()) for clock in clocks)
    period = 1 / usual_rate(own)
    drift = max(abs(clock.drift_sec(period)) for clock in clocks)
    told = f"{usual_rate(own):g} samples a second by '{numbers.clock_name}' ({min(rates):.4g} to {max(rates):.4g})"
    apart = f"jitter {jitter:.1f} ms, drift {drift:.2f} s, longest step {longest:.2g} s"
    rows.append(("", f"{told}, {apart}: put onto regular times"))
    return rows


def _features(places: Sequence[tuple[str, float | None]], options: Options) -> Media:
    assert options.grid is not None
    stride, num_frames, fps = options.grid
    files = paired_files([place for place, _ in places], SUFFIXES)
    recordings, channels = {}, 0
    for name, paths in files.items():
        shapes = [open_array(path, name, name).shape for path in paths]
        channels = sum(shape[1] for shape in shapes)
        lasts = ((min(shape[0] for shape in shapes) - 1) * stride + num_frames) / fps
        recordings[name] = Medium(str(paths[0]), lasts)
    rows = [("features", f"{_place_names(places)}: {channels} numbers every {stride / fps:.4g} s")]
    return Media("features", _with_people(recordings), files, fps, channels, [], rows)


def _with_people(recordings: dict[str, Medium]) -> dict[str, Medium]:
    """With the person or animal as group, where the names of all recordings tell one and some have several."""
    people = {name: person_of(name) for name in recordings}
    if all(people.values()) and 1 < len(set(people.values())) < len(people):
        return {name: one._replace(group=people[name]) for name, one in recordings.items()}
    return recordings
