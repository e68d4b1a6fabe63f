"""Sound becomes features: the log-mel spectrum of short hops, and its mean and spread in each window."""

from collections.abc import Callable, Iterator
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from afkit.workbench.media.frames import Facts
from afkit.workbench.media.made import Made
from afkit.workbench.media.opened import INSTALL, open_media
from afkit.workbench.media.waves import waves
from afkit.workbench.media.writing import Make, in_turn, setting_before, write_recordings

SETTINGS = "sound.json"  # beside the features
KINDS: dict[str, type] = {"rate_hz": int, "bands": int}  # of its own settings
HOPS_PER_SEC = (100, 400)  # the second where a window or stride is shorter than four hops of the first
LEAST_HOPS = 4
RATES_HZ = (16_000, 32_000)  # the second where all recordings have as much
SPECTRUM_SEC = 0.025  # of sound in the spectrum of a hop, in whose middle it lies
LEAST_HZ = 20.0  # of the mel scale, which ends at half the rate
LEAST_POWER = 1e-10
BLOCK_HOPS = 1000


def write_sound_features(
    paths: list[Path],
    target: Path,
    *,
    window_sec: float,
    stride_sec: float,
    bands: int = 64,
    force: bool = False,
    say: Callable[[str], None] = print,
    make: Make = in_turn,
) -> Made:
    """Write `<target>/<recording>.npy`, (T, 2 * bands) float32, for every recording, and `<target>/sound.json`.

    A frame of the contract is a hop of 10 ms, or 2.5 ms for short windows; window and stride become whole hops.

    Args:
        paths: files of sound, or films with sound.
        window_sec, stride_sec: what a vector covers, and between the beginnings of two.
        bands: of the mel scale.
        force: write files anew that are there.
        say: receives progress.
        make: does the recordings, here or elsewhere.

    Raises:
        ValueError: as of `afkit.workbench.media.writing.write_recordings`; numbers that cannot be.
    """
    if not (isfinite(window_sec) and isfinite(stride_sec) and min(window_sec, stride_sec) > 0) or not 1 <= bands <= 256:
        raise ValueError(
            f"a window of {window_sec} s, a stride of {stride_sec} s and {bands} bands: give seconds above 0, "
            "and 1 to 256 bands"
        )
    hops = HOPS_PER_SEC[min(window_sec, stride_sec) * HOPS_PER_SEC[0] < LEAST_HOPS - 0.5]
    settings = {
        "rate_hz": setting_before(target / SETTINGS, "rate_hz") or common_rate_hz(paths),
        "bands": bands,
        "fps": float(hops),
        "num_frames": max(round(window_sec * hops), 1),
        "stride_frames": max(round(stride_sec * hops), 1),
    }
    vectors = partial(sound_vectors, settings=settings)
    return write_recordings(paths, target, SETTINGS, settings, vectors, force, say, make)


def common_rate_hz(paths: list[Path]) -> int:
    """Samples per second to which all recordings are brought."""
    rates = []
    for path in paths:
        try:
            with open_media(path) as container:
                rates += [track.rate or 0 for track in container.streams.audio[:1]]
        except ValueError:  # is told when it is read
            continue
    return RATES_HZ[bool(rates) and min(rates) >= RATES_HZ[1]]


def sound_vectors(path: Path, facts: Facts, settings: dict[str, Any]) -> Iterator[np.ndarray]:
    """Blocks (n, 2 * bands) float32 of one recording: of each band the mean over a window, then the deviation."""
    length, stride = settings["num_frames"], settings["stride_frames"]
    held, first = np.zeros((0, settings["bands"]), dtype=np.float32), 0  # hops, the first of which begins a window
    for block in log_mel(waves(path, settings["rate_hz"], facts), settings):
        held = np.concatenate([held, block])
        number = max((len(held) - first - length) // stride + 1, 0)
        if number:
            starts = first + stride * np.arange(number)
            windows = np.lib.stride_tricks.sliding_window_view(held, length, axis=0)[starts]  # (n, bands, length)
            yield np.concatenate([windows.mean(axis=2), windows.std(axis=2)], axis=1)
            first += stride * number
        cut = min(first, len(held))
        held, first = held[cut:], first - cut


def log_mel(blocks: Iterator[np.ndarray], settings: dict[str, Any]) -> Iterator[np.ndarray]:
    """Samples in blocks (N,) -> blocks (hops, bands) float32 of the logarithm of power, about from -1.5 to 2.

    Hop k holds the samples from k / fps seconds on; its spectrum is that of 25 ms around its middle, which begin with
    silence before the recording. A hop that the recording does not fill is left out.
    """
    hop = round(settings["rate_hz"] / settings["fps"])
    length = round(settings["rate_hz"] * SPECTRUM_SEC)
    before = (length - hop) // 2
    size = 2 ** (length - 1).bit_length()
    shape, filters = np.hanning(length + 1)[:-1].astype(np.float32), _filters(settings, size)
    held = np.zeros(before, dtype=np.float32)
    total = given = 0
    pending: list[np.ndarray] = [held]
    waiting = before
    for block in blocks:
        pending.append(block)
        waiting += len(block)
        total += len(block)
        if waiting >= BLOCK_HOPS * hop + length:
            held = np.concatenate(pending)
            number = (len(held) - length) // hop + 1
            yield _spectra(held, number, hop, shape, size, filters)
            given += number
            pending = [held[number * hop :]]
            waiting = len(pending[0])
    held = np.concatenate([*pending, np.zeros(length, dtype=np.float32)])
    if number := total // hop - given:
        yield _spectra(held, number, hop, shape, size, filters)


def _spectra(
    samples: np.ndarray, number: int, hop: int, shape: np.ndarray, size: int, filters: np.ndarray
) -> np.ndarray:
    """(hops, bands) of `number` hops; the library's own loop over hops is ten times slower."""
    cut = np.lib.stride_tricks.sliding_window_view(samples, len(shape))[::hop][:number]  # (hops, length)
    rows = []
    for start in range(0, number, BLOCK_HOPS):
        power = np.abs(np.fft.rfft(cut[start : start + BLOCK_HOPS] * shape, size, axis=1)) ** 2
        rows.append(((np.log10(np.maximum(power @ filters, LEAST_POWER)) + 4) / 4).astype(np.float32))
    return np.concatenate(rows)


def _filters(settings: dict[str, Any], size: int) -> np.ndarray:
    """(size / 2 + 1, bands), triangles on the mel scale."""
    try:
        from transformers.audio_utils import mel_filter_bank
    except ImportError:
        raise ValueError(f"the mel scale is that of transformers, which is not there; {INSTALL}") from None
    bands, rate_hz = settings["bands"], settings["rate_hz"]
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that narrow bands may be empty
        return mel_filter_bank(size // 2 + 1, bands, LEAST_HZ, rate_hz / 2, rate_hz, "slaney", "slaney")
