"""The sound of a recording, to be drawn below its timeline: waveform and spectrogram.

Where features were made of it, the spectrogram is that of the features, and the waveform that of the file, if it still
lies where it was. Where there are none, both are of the file.
"""

import math
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from afkit.config import DataConfig
from afkit.data.feature_formats import open_array
from afkit.data.features import feature_files, locate
from afkit.workbench.media.frames import Facts
from afkit.workbench.media.opened import length_sec
from afkit.workbench.media.sounds import KINDS, LEAST_HZ, SETTINGS, common_rate_hz, log_mel
from afkit.workbench.media.waves import waves
from afkit.workbench.media.writing import read_written
from afkit.workbench.view.signals import MAX_BINS, Spectrogram

MOST_ROWS = 64  # of a drawn spectrogram
BLOCK_BINS = 64  # that are read at a time
SILENCE, LOUDEST = -1.5, 4.0  # levels of features, of which one is 40 dB
RANGE = 1.75  # of levels that are told apart
TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16_000)
TICK_SHARE = 0.19  # of the height that a tick's text takes
MOST = 1e6  # that a number of the settings can be
DRAWN_BANDS, HOPS_PER_SEC = 64, 40.0  # of the spectrogram of a file without features
LONGEST_SEC = 2 * 3600  # of a file that is read to be drawn: somebody waits for it


def has_sound(config: DataConfig, data_root: str | Path) -> bool:
    """Whether features in one of the folders were made of sound."""
    return any((locate(data_root, folder) / SETTINGS).is_file() for folder in config.features)


def sound_arguments(config: DataConfig, data_root: str | Path, video: str) -> dict[str, Any]:
    """What `afkit.workbench.view.signals` needs to draw the sound of a recording; {} where it has no features.

    Memory does not grow with the recording. ValueError where the features, or how they were made, cannot be read.
    """
    folders = [locate(data_root, folder) for folder in config.features]
    place = next(i for i, folder in enumerate(folders) if (folder / SETTINGS).is_file())
    features = feature_files(config, data_root, video)[place]
    if not features.is_file():
        return {}
    settings = read_written(folders[place] / SETTINGS, KINDS)
    vectors = open_array(features, video, video)
    numbers = [settings[name] for name in ("bands", "fps", "stride_frames", "num_frames", "rate_hz")]
    if not all(0 < number < MOST for number in numbers) or vectors.shape[1] != 2 * settings["bands"]:
        raise ValueError(f"{SETTINGS} is of other features; write the features again")
    picture = spectrogram(vectors, settings)
    lasts_sec = (len(vectors) * settings["stride_frames"] + settings["num_frames"]) / settings["fps"]
    path = folders[place]
    try:
        path = _file_of(settings.get("recordings"), folders[place], features.stem)
        return _waveform(path, settings["rate_hz"], lasts_sec) | {"spectrogram": picture}
    except (ValueError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error).replace(str(path), path.name)
        return {"spectrogram": picture._replace(remark=f"No waveform: {reason}.")}


def _waveform(path: Path, rate_hz: int, lasts_sec: float) -> dict[str, Any]:
    """The arguments that draw the waveform of a file."""
    size = max(math.ceil(lasts_sec * rate_hz / MAX_BINS), 1)  # samples
    signal = {"signal": envelope(waves(path, rate_hz, Facts()), size), "signal_rate_hz": 2 * rate_hz / size}
    return signal | {"signal_names": ["waveform"], "signal_groups": {"waveform": [0]}}


def file_arguments(path: Path) -> dict[str, Any]:
    """What `afkit.workbench.view.signals` needs to draw the sound of a file, without any features.

    Without transformers, whose mel scale it is, there is no spectrogram. ValueError where the file cannot be read, or
    lasts more than two hours.
    """
    lasts_sec, rate_hz = length_sec(path), common_rate_hz([path])
    if lasts_sec > LONGEST_SEC:
        raise ValueError(f"{path.name} lasts {lasts_sec / 3600:.1f} hours, and sound is drawn up to two; cut it")
    try:
        waveform = _waveform(path, rate_hz, lasts_sec)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror or error})") from None
    settings = {"rate_hz": rate_hz, "bands": DRAWN_BANDS, "fps": HOPS_PER_SEC, "num_frames": 1, "stride_frames": 1}
    try:
        picture = spectrogram(np.concatenate(list(log_mel(waves(path, rate_hz, Facts()), settings))), settings)
    except ValueError:  # no mel scale, or not one hop of sound
        picture = None
    return waveform | {"spectrogram": picture}


def spectrogram(vectors: Any, settings: dict[str, Any]) -> Spectrogram:
    """Of features (T, 2 * bands) the means of the bands; in a long one the loudest of each bin, so that peaks stay."""
    size = -(-len(vectors) // MAX_BINS)  # vectors per bin
    rows = range(0, settings["bands"], -(-settings["bands"] // MOST_ROWS))
    parts = []
    for start in range(0, len(vectors), BLOCK_BINS * size):
        part = np.asarray(vectors[start : start + BLOCK_BINS * size, : settings["bands"]], np.float32)
        part = np.maximum.reduceat(part, range(0, len(part), size), axis=0)
        parts.append(np.maximum.reduceat(part, rows, axis=1))
    levels = np.nan_to_num(np.concatenate(parts), nan=SILENCE).clip(SILENCE, LOUDEST)  # (P, rows)
    low, high = np.percentile(levels, (5, 99.5))
    low = max(low, high - RANGE)
    values = np.rint(255 * ((levels - low) / max(high - low, 1e-6)).clip(0, 1)).astype(np.uint8)
    stride_sec = settings["stride_frames"] / settings["fps"]
    first_sec = settings["num_frames"] / settings["fps"] / 2 + stride_sec * (size - 1) / 2
    times_sec = first_sec + size * stride_sec * np.arange(len(values))
    return Spectrogram("spectrogram [kHz]", times_sec, values, mel_ticks(settings["bands"], settings["rate_hz"]))


def mel_ticks(bands: int, rate_hz: float) -> list[tuple[float, str]]:
    """(share of the height, kHz as text) of round frequencies, where bands lie evenly on the mel scale.

    Examples:
        >>> [text for share, text in mel_ticks(64, 32_000)]
        ['0.5', '2', '8']
    """
    low, high = _mel(LEAST_HZ), _mel(rate_hz / 2)
    ticks: list[tuple[float, str]] = []
    for tick_hz in TICKS_HZ:
        share = ((_mel(tick_hz) - low) / (high - low) * (bands + 1) - 0.5) / bands
        if (ticks[-1][0] if ticks else -0.1) + TICK_SHARE <= share <= 1:
            ticks.append((share, f"{tick_hz / 1000:g}"))
    return ticks


def _mel(frequency_hz: float) -> float:
    """Slaney's scale, as of `afkit.workbench.media.sounds`: even up to 1 kHz, then a factor of 6.4 in 27 steps."""
    return 3 * frequency_hz / 200 if frequency_hz < 1000 else 15 + 27 * math.log(frequency_hz / 1000, 6.4)


def envelope(blocks: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Samples in blocks (N,) -> (2 * P, 1), the smallest and the largest of each `size`; P is at most `MAX_BINS`."""
    found: list[np.ndarray] = []
    pending: list[np.ndarray] = []
    waiting = bins = 0
    for block in blocks:
        pending.append(block)
        waiting += len(block)
        if waiting >= size:
            held = np.concatenate(pending)
            cut = held[: waiting // size * size].reshape(-1, size)
            found.append(np.stack([cut.min(axis=1), cut.max(axis=1)], axis=1))
            pending, waiting, bins = [held[cut.size :]], waiting % size, bins + len(cut)
        if bins >= MAX_BINS:
            break
    if not found:
        raise ValueError("the recording is shorter than it or its features say; write them again")
    return np.concatenate(found)[:MAX_BINS].reshape(-1, 1)


def _file_of(recordings: Any, folder: Path, recording: str) -> Path:
    """Where a recording lies; a ValueError where nobody knows, or it is another one by now."""
    entry = recordings.get(recording) if isinstance(recordings, dict) else None
    entry = entry if isinstance(entry, dict) else {}
    place, name = str(entry.get("folder") or ""), Path(str(entry.get("file", ""))).name
    if not place or Path(place).anchor or PureWindowsPath(place).anchor or Path(name).stem != recording:
        raise ValueError(f"where '{recording}' lies was not kept; write the features again")
    path = (folder / place).resolve() / name
    if not path.is_file():
        raise ValueError(
            f"'{name}' is not in the folder '{path.parent.name}' any more; copy it back, or write the features again "
            "from its new place"
        )
    if path.stat().st_size != entry.get("bytes"):
        raise ValueError(f"'{name}' has changed since its features were made; write the features again")
    return path
