"""Recordings of physiology, as EDF, BDF and WFDB keep them: samples with their rate, and annotations."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afkit.data.feature_formats import listed
from afkit.opening import check_plain, read_text

PHYSIO = (".edf", ".bdf", ".hea")  # the last is the header of a WFDB record, whose samples lie beside it

CLOCK_NAME = "record onsets (s)"
TRIGGERS = re.compile(r"status|triggers?|trig|markers?|events?|stim", re.IGNORECASE)  # what is to be found, perhaps


class PhysioSamples(NamedTuple):
    """The samples of channels of one rate."""

    values: np.ndarray  # (samples, C) float64 in physical units
    names: list[str]  # of the channels
    rate_hz: float  # samples per second
    clock_sec: np.ndarray | None  # (samples,) from the first on, of a recording that pauses; else None
    left_out: list[str]  # other channels, with their rates


def read_physio(path: Path, columns: Sequence[str] = ()) -> PhysioSamples:
    """The samples of a recording.

    Args:
        columns: names of the channels to take; () for all but those of triggers. Of channels of several rates, those
            of the highest are taken, unless `columns` chooses.

    Raises:
        ValueError: it is damaged, has no such channel, chosen channels of several rates, or the package lacks.
    """
    check_plain(path)
    channels = _edf(path) if path.suffix.lower() != ".hea" else _wfdb(path)  # {name: (samples, rate)}
    if not channels:
        raise ValueError("it holds no channel")
    missing = next((name for name in columns if name not in channels), None)
    if missing is not None:
        raise ValueError(f"it has no column '{missing}', but {listed(channels)}; name it so, or correct --columns")
    most = max(rate for _, rate in channels.values())
    fast = [name for name, (_, rate) in channels.items() if rate == most]
    chosen = list(columns) or [name for name in fast if not TRIGGERS.fullmatch(name)] or fast
    rates = {channels[name][1] for name in chosen}
    if len(rates) > 1:
        raise ValueError(f"its channels {listed(chosen)} have several rates; choose those of one with --columns")
    values, rate_hz = np.stack([_samples(name, channels[name][0]) for name in chosen], axis=1), rates.pop()
    others = [name for name in channels if not columns and name not in chosen]
    left_out = [f"{name} ({channels[name][1]:g} Hz)" for name in others]
    onsets, clock_sec = _onsets(path), None
    if onsets is not None:
        within = np.arange(len(values) // len(onsets)) / rate_hz
        clock_sec = (onsets[:, None] + within).ravel()  # (records, samples in each) -> (samples,)
    return PhysioSamples(values, chosen, rate_hz, clock_sec, left_out)


class PhysioLabels(NamedTuple):
    """The annotations in a recording, or beside it."""

    rows: list[tuple[float, float, str]]  # start and end in seconds, label
    lasts_sec: float | None = None  # the recording; None where the file holds no samples
    remark: str = ""  # what is no action, or overlaps, in words


def read_physio_labels(path: Path) -> PhysioLabels:
    """The annotations of EDF+ and BDF+ files, or of WFDB records: of the `.atr` beside a `.hea`, or of a file itself.

    Of WFDB, those are the rhythms, as `(AFIB`, up to the next or to the end; beats are points, and left out beside
    them. A ValueError names a file that is damaged, or holds nothing but points.
    """
    is_edf = path.suffix.lower() in (".edf", ".bdf")
    notes = path.with_suffix(".atr") if path.suffix.lower() == ".hea" else path
    if not is_edf and not notes.exists():
        return PhysioLabels([])
    try:
        check_plain(notes)
        found, points = _edf_labels(path) if is_edf else _rhythms(notes)
    except Exception as error:  # damaged files raise almost anything
        reason = " ".join(str(error).split())
        raise ValueError(f"{notes}: its annotations cannot be read ({reason}); correct it") from None
    if points and not any(end > start for start, end, _ in found.rows):
        what = f"all its {len(points)} annotations are points without duration, such as {points[0]!r}"
        raise ValueError(f"{notes}: {what}; write a table of actions with start, end and label, and import that")
    return found


def _edf_labels(path: Path) -> tuple[PhysioLabels, list[str]]:
    """What a file holds, and the texts of points."""
    recording = _edf_file(path)
    rows = [(one.onset, one.onset + (one.duration or 0.0), " ".join(one.text.split())) for one in recording.annotations]
    points = [label for start, end, label in rows if start == end]
    onsets = _onsets(path)
    lasts_sec = recording.duration if onsets is None else float(onsets[-1]) + recording.data_record_duration
    return PhysioLabels(rows, lasts_sec if recording.signals else None), points


def _rhythms(path: Path) -> tuple[PhysioLabels, list[str]]:
    """The rhythms of an annotation file of WFDB, and the symbols of its points."""
    record, wfdb = str(path.with_suffix("")), _package("wfdb")
    check_plain(path.with_suffix(".hea"))
    header, notes = wfdb.rdheader(record), wfdb.rdann(record, path.suffix[1:])
    texts = [text.strip("\0 ") for text in notes.aux_note]
    places = [i for i, text in enumerate(texts) if notes.symbol[i] == "+" and text.startswith("(")]
    times = (notes.sample / (notes.fs or header.fs)).tolist()  # annotations may have a resolution of their own
    lasts_sec = header.sig_len / header.fs if header.sig_len else max(times, default=0.0)
    chains: dict[int, list[int]] = {}  # places by channel
    for i in places:
        chains.setdefault(int(notes.chan[i]), []).append(i)
    rows = []
    for chain in chains.values():
        ends = [*(times[i] for i in chain[1:]), lasts_sec]
        rows += [(times[i], end, texts[i].strip("()")) for i, end in zip(chain, ends, strict=True)]
    points = [symbol for i, symbol in enumerate(notes.symbol) if i not in set(places)]
    said = [f"{len(points)} points such as {points[0]!r} are left out: rhythms are taken"] if points else []
    if len(chains) > 1:
        channels = listed(list(map(str, sorted(chains))))
        said.append(f"rhythms of the channels {channels} overlap: each is taken up to the next of its own channel")
    return PhysioLabels(sorted(rows), lasts_sec, "; ".join(said)), points


def _edf(path: Path) -> dict[str, tuple[Any, float]]:
    signals = _edf_file(path).signals
    names = _distinct([signal.label for signal in signals])
    return {name: (signal, float(signal.sampling_frequency)) for name, signal in zip(names, signals, strict=True)}


def _distinct(names: Sequence[str | None]) -> list[str]:
    """Names of channels, those that are empty or there already with the number of the channel."""
    found: list[str] = []
    for number, name in enumerate(names, 1):
        found.append(name if name and name not in found else f"{name or 'channel'} ({number})")
    return found


def _samples(name: str, channel: Any) -> np.ndarray:
    """A channel in its unit, which an EDF's header must tell."""
    if isinstance(channel, np.ndarray):
        return channel
    try:
        scaled = channel.physical_max != channel.physical_min and channel.digital_max != channel.digital_min
    except ValueError:  # -20,0
        scaled = False
    if not scaled:
        what = f"the header gives its channel '{name}' no range, and so no unit"
        raise ValueError(f"{what}; correct it, or choose other channels with --columns")
    return np.asarray(channel.data, float)


def _onsets(path: Path) -> np.ndarray | None:
    """(records,) seconds at which each data record of an EDF+D or BDF+D begins, from the first on; None of others.

    The first annotation of a record tells it, see https://www.edfplus.info/specs/edfplus.html.
    """
    if path.suffix.lower() == ".hea":
        return None
    content = np.memmap(path, np.uint8, "r")
    number, width = int(bytes(content[252:256])), 3 if path.suffix.lower() == ".bdf" else 2  # signals, bytes a sample
    head = 256 * (number + 1)
    fields = bytes(content[256:head])  # of the signals: all labels first, ...
    labels = [fields[16 * i : 16 * (i + 1)].strip() for i in range(number)]
    times = next((i for i, label in enumerate(labels) if label in (b"EDF Annotations", b"BDF Annotations")), None)
    if b"+D" not in bytes(content[192:236]) or times is None:
        return None
    sizes = [width * int(fields[216 * number + 8 * i :][:8]) for i in range(number)]  # bytes in a record
    whole = (len(content) - head) // sum(sizes)
    records = content[head:][: whole * sum(sizes)].reshape(whole, sum(sizes))
    first = sum(sizes[:times])
    found = [re.match(rb"([+-]\d+(?:\.\d*)?)\x14", bytes(record[first : first + sizes[times]])) for record in records]
    if not found or not all(found):
        raise ValueError(f"its data record {found.index(None) + 1 if found else 1} does not say when it begins")
    onsets = np.array([float(match[1]) for match in found if match])
    lasts_sec = float(bytes(content[244:252]))
    sample_sec = lasts_sec * width / max([size for i, size in enumerate(sizes) if i != times], default=width)
    if (early := np.diff(onsets) < lasts_sec - sample_sec).any():
        place = int(early.argmax()) + 1
        what = f"its data record {place + 1} begins at {onsets[place]:g} s, before the end of the one before it"
        raise ValueError(f"{what}; export it anew, or cut it there")
    return onsets - onsets[0]


def _edf_file(path: Path) -> Any:
    edfio = _package("edfio")
    return edfio.read_bdf(path) if path.suffix.lower() == ".bdf" else edfio.read_edf(path)


def _wfdb(path: Path) -> dict[str, tuple[np.ndarray, float]]:
    for line in read_text(path, errors="replace").splitlines():
        if re.match(r"[^#\s]*[/\\:]", line) and not re.match(r"\S+/\d+ \d", line):  # the first names segments so
            raise ValueError(f"it names a file elsewhere ({line.split()[0][:40]!r})")
    record = _package("wfdb").rdrecord(str(path.with_suffix("")), smooth_frames=True)
    if record.p_signal is None:
        return {}
    names = _distinct(record.sig_name)
    return dict(zip(names, ((channel, float(record.fs)) for channel in record.p_signal.T), strict=True))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(f"the package {name} reads it; install it with: pip install 'afkit[media]'") from None
