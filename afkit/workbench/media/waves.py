"""The sound of a recording as one channel at one rate, on the recording's clock; a few seconds are held at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from afkit.workbench.media.frames import DAMAGED_SHARE, Facts
from afkit.workbench.media.opened import declared_sec, open_media, second_zero

LEAST_GAP_SEC = 0.05  # between the time stamps of sound and its samples, from which it is placed anew
LONGEST_GAP_SEC = 600.0  # of silence that is put where sound is missing


def waves(path: Path, rate_hz: int, facts: Facts) -> Iterator[np.ndarray]:
    """Blocks (N,) float32 from -1 to 1, joined: the sample at second 0 of the recording first, channels averaged.

    Where sound begins later than pictures, or some is missing, there is silence. `facts` is filled in at the end.

    Raises:
        ValueError: no sound, a gap of more than ten minutes, or more than a twentieth that cannot be decoded.
    """
    zero, placed = second_zero(path), 0  # samples that were given
    with open_media(path) as container:
        if not container.streams.audio:
            raise ValueError(f"{path} has no sound; name a recording with a track of sound")
        track = container.streams.audio[0]
        counts = {"packets": 0, "failed": 0}
        for time_sec, samples in _resampled(container, track, rate_hz, counts):
            begins = placed if time_sec is None else round((time_sec - zero) * rate_hz)
            if begins - placed > LONGEST_GAP_SEC * rate_hz:
                gap_sec = (begins - placed) / rate_hz
                raise ValueError(f"{path}: its sound jumps by {gap_sec:.0f} s at {placed / rate_hz:.2f} s; encode it anew")
            if begins > placed:
                missing_sec = (begins - placed) / rate_hz
                if missing_sec > LEAST_GAP_SEC:
                    word = "begins" if not placed else f"at {placed / rate_hz:.3f} s is missing for"
                    late = " late" if not placed else ""
                    facts.notes.append(f"{path.name}: sound {word} {missing_sec:.3f} s{late}; silence is taken there")
                yield from _silence(begins - placed)
                placed = begins
            samples = samples[placed - begins :]  # what was there already
            placed += len(samples)
            if len(samples):
                yield samples
        if not counts["packets"] - counts["failed"]:
            raise ValueError(f"{path} holds no sound that can be decoded; copy or encode it anew")
        facts.duration_sec = placed / rate_hz
        _check_whole(path, placed / rate_hz + zero, container, track, counts, facts)


def _silence(number: int) -> Iterator[np.ndarray]:
    while number > 0:
        yield np.zeros(min(number, 2**18), dtype=np.float32)
        number -= 2**18


def _resampled(
    container: Any, track: Any, rate_hz: int, counts: dict[str, int]
) -> Iterator[tuple[float | None, np.ndarray]]:
    """(seconds in the recording's own clock where it is placed anew, else None; samples (N,))."""
    import av

    resampler, expected, anew = None, None, None
    for packet in container.demux(track):
        counts["packets"] += packet.size > 0
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            counts["failed"] += 1
            continue
        for frame in frames:
            begins = frame.time if frame.time is not None else expected
            if expected is None or abs(begins - expected) > LEAST_GAP_SEC:
                for samples in _through(resampler, None):
                    yield anew, samples
                    anew = None
                resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
                anew = expected = begins or 0.0
            expected += frame.samples / frame.sample_rate
            frame.pts = None
            for samples in _through(resampler, frame):
                yield anew, samples
                anew = None
    for samples in _through(resampler, None):
        yield anew, samples
        anew = None


def _through(resampler: Any, frame: Any) -> list[np.ndarray]:
    """What a resampler gives for a frame; None for the rest that it holds."""
    return [] if resampler is None else [made.to_ndarray().reshape(-1).copy() for made in resampler.resample(frame)]


def _check_whole(
    path: Path, end_sec: float, container: Any, track: Any, counts: dict[str, int], facts: Facts
) -> None:
    declared, start = declared_sec(container, track), float((track.start_time or 0) * track.time_base)
    share = counts["failed"] / max(counts["packets"], 1)
    if declared and share <= DAMAGED_SHARE and start + declared - end_sec > max(DAMAGED_SHARE * declared, 0.1):
        raise ValueError(f"{path} breaks off after {end_sec - start:.2f} of {declared:.2f} s; copy it anew")
    if share > DAMAGED_SHARE:
        raise ValueError(f"{path} has {counts['failed']} damaged of {counts['packets']} pieces of sound; copy it anew")
    if counts["failed"]:
        facts.notes.append(f"{path.name}: {counts['failed']} damaged pieces of sound are silent")
