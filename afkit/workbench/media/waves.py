"""The sound of a recording as one channel at one rate, on the recording's clock; a few seconds are held at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from afkit.opening import open_to_read
from afkit.workbench.media.frames import DAMAGED_SHARE, Facts
from afkit.workbench.media.opened import declared_sec, open_media, second_zero

LEAST_GAP_SEC = 0.05  # between the time stamps of sound and its samples, from which it is placed anew
LEAST_REST = 2**16  # bytes of a wav file, beside its sound, that are told
LONGEST_GAP_SEC = 600.0  # of silence that is put where sound is missing
LONGEST_REPEAT_SEC = 1.0  # of sound that is there twice; a clock that goes back further begins anew, as in joined files
ROUNDING = 1e-4  # loudness that may come of rounding alone
CANCELLED = 1e-3  # of the loudness of its channels, below which their mean is no sound


@dataclass
class _Heard:
    """Counts of sound that is being read."""

    packets: int = 0
    bytes: int = 0  # of all packets
    failed: int = 0  # packets that cannot be decoded
    samples: int = 0  # of all channels
    broken: int = 0  # samples that are no finite numbers
    first_broken_sec: float = 0.0  # in the recording's own clock
    loudest: float = 0.0  # half of what a channel swings within a frame, 1 at most
    loudest_mean: float = 0.0  # of the mean of the channels


def waves(path: Path, rate_hz: int, facts: Facts) -> Iterator[np.ndarray]:
    """Blocks (N,) float32 from -1 to 1, joined: the sample at second 0 of the recording first, channels averaged.

    Where sound begins later than pictures, or some is missing or no finite number, there is silence; what is there
    twice is taken once. `facts` is filled in at the end.

    Raises:
        ValueError: no sound, a gap of more than ten minutes, or more than a twentieth that cannot be decoded or is no
            finite number.
    """
    _check_wave(path)
    zero, placed, begins = second_zero(path), 0, 0  # samples that were given, and where the next ones lie
    with open_media(path) as container:
        if not container.streams.audio:
            raise ValueError(f"{path} has no sound; name a recording with a track of sound")
        track = container.streams.audio[0]
        facts.rate_hz = getattr(track, "rate", None) or 0  # of an unknown codec there is none
        if (tracks := len(container.streams.audio)) > 1:
            facts.notes.append(f"{path.name} has {tracks} tracks of sound; the first is taken")
        counts = _Heard()
        for time_sec, samples in _resampled(container, track, rate_hz, counts):
            begins = begins if time_sec is None else round((time_sec - zero) * rate_hz)
            if placed - begins > LEAST_GAP_SEC * rate_hz and time_sec is not None:
                repeats = placed - begins <= LONGEST_REPEAT_SEC * rate_hz
                how = "is taken once" if repeats else "is taken to go on"
                back = f"goes back by {(placed - begins) / rate_hz:.3f} s at {placed / rate_hz:.3f} s"
                facts.notes.append(f"{path.name}: sound {back}; it {how}")
                begins = begins if repeats else placed
            if begins - placed > LONGEST_GAP_SEC * rate_hz:
                gap_sec = (begins - placed) / rate_hz
                raise ValueError(
                    f"{path}: its sound jumps by {gap_sec:.0f} s at {placed / rate_hz:.2f} s; encode it anew"
                )
            if begins > placed:
                missing_sec = (begins - placed) / rate_hz
                if missing_sec > LEAST_GAP_SEC:
                    word = "begins" if not placed else f"at {placed / rate_hz:.3f} s is missing for"
                    late = " late" if not placed else ""
                    facts.notes.append(f"{path.name}: sound {word} {missing_sec:.3f} s{late}; silence is taken there")
                yield from _silence(begins - placed)
                placed = begins
            begins, samples = begins + len(samples), samples[placed - begins :]  # without what was there already
            placed += len(samples)
            if len(samples):
                counts.loudest_mean = max(counts.loudest_mean, float(np.abs(samples).max()))
                yield samples
        if not counts.packets - counts.failed:
            raise ValueError(f"{path} holds no sound that can be decoded; copy or encode it anew")
        facts.duration_sec = placed / rate_hz
        _check_whole(path, placed / rate_hz + zero, container, track, counts, facts)
        _check_heard(path, zero, counts, facts)


def _check_wave(path: Path) -> None:
    """Of a wav file that is cut off the library takes what is there, without a word; those of a stream have no size."""
    with open_to_read(path) as file:
        head = file.read(12)
    claimed, there = int.from_bytes(head[4:8], "little") + 8, path.stat().st_size
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and there + 1 < claimed < 0xFFFF_FFF0:
        raise ValueError(
            f"{path} breaks off: it has {there} of {claimed} bytes; copy it anew, or write it anew by ffmpeg"
        )


def _silence(number: int) -> Iterator[np.ndarray]:
    while number > 0:
        yield np.zeros(min(number, 2**18), dtype=np.float32)
        number -= 2**18


def _resampled(container: Any, track: Any, rate_hz: int, counts: _Heard) -> Iterator[tuple[float | None, np.ndarray]]:
    """(seconds in the recording's own clock where it is placed anew, else None; samples (N,))."""
    import av

    resampler: Any = None
    expected: float | None = None
    anew: float | None = None
    kind = ("", "", 0)  # of samples, which joined files change
    for packet in container.demux(track):
        counts.packets += packet.size > 0
        counts.bytes += packet.size
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            counts.failed += 1
            continue
        for frame in frames:
            begins = frame.time if frame.time is not None else expected or 0.0
            before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
            if before[2] not in (0, kind[2]):  # the library's times may be by the first
                changes = f"its sound changes from {before[2]} to {kind[2]} samples a second"
                raise ValueError(f"{container.name}: {changes}; encode it anew")
            if expected is None or abs(begins - expected) > LEAST_GAP_SEC or before != kind:
                for samples in _through(resampler, None):
                    yield anew, samples
                    anew = None
                resampler = av.AudioResampler(format="fltp", layout=frame.layout.name, rate=rate_hz)
                anew = expected = begins
            expected += frame.samples / frame.sample_rate
            for samples in _through(resampler, _finite(frame, begins, counts)):
                yield anew, samples
                anew = None
    for samples in _through(resampler, None):
        yield anew, samples
        anew = None


def _through(resampler: Any, frame: Any) -> list[np.ndarray]:
    """What a resampler gives for a frame, the mean of its channels; None for the rest that it holds.

    The library's own mixture adds channels of float samples at 0.7 of their size, those of integers at a half.
    """
    return [] if resampler is None else [made.to_ndarray().mean(axis=0) for made in resampler.resample(frame)]


def _finite(frame: Any, begins_sec: float, counts: _Heard) -> Any:
    """The frame without a time, with 0 for samples that are no finite numbers; counted is how loud it is."""
    import av

    frame.pts = None
    is_float = frame.format.name.startswith(("flt", "dbl"))
    heard = counts.loudest_mean > max(ROUNDING, CANCELLED * counts.loudest)
    if heard and counts.loudest and not is_float:  # not a constant alone, which A-law has for silence
        return frame
    values = frame.to_ndarray()
    counts.samples += values.size
    if is_float and not np.isfinite(values).all():
        broken = ~np.isfinite(values)
        if not counts.broken:
            channels = 1 if frame.format.is_planar else frame.layout.nb_channels  # in a row of values
            first = int(broken.any(axis=0).argmax()) // channels
            counts.first_broken_sec = begins_sec + first / frame.sample_rate
        counts.broken += int(broken.sum())
        values[broken] = 0
        rate = frame.sample_rate
        frame = av.AudioFrame.from_ndarray(values, format=frame.format.name, layout=frame.layout.name)
        frame.sample_rate, frame.pts = rate, None
    full = 1.0 if is_float else 0.5 * (np.iinfo(values.dtype).max - float(np.iinfo(values.dtype).min))
    counts.loudest = max(counts.loudest, 0.5 * (float(values.max()) - float(values.min())) / full)
    return frame


def _check_heard(path: Path, zero_sec: float, counts: _Heard, facts: Facts) -> None:
    """Notes on sound that is not to be heard; a ValueError where much of it is no number."""
    if counts.broken:
        what = f"{counts.broken} of {counts.samples} samples are no finite numbers"
        where = f"the first at {counts.first_broken_sec - zero_sec:.3f} s"
        if counts.broken > DAMAGED_SHARE * counts.samples:
            raise ValueError(f"{path}: {what}, {where}; write it anew")
        facts.notes.append(f"{path.name}: {what}, {where}; 0 is taken for them")
    if not counts.loudest:
        facts.notes.append(f"{path.name} is silent")
    elif counts.loudest_mean <= CANCELLED * counts.loudest:
        facts.notes.append(
            f"{path.name}: its channels cancel each other, so that their mean is silent; take one of them"
        )


def _check_whole(path: Path, end_sec: float, container: Any, track: Any, counts: _Heard, facts: Facts) -> None:
    declared, start = declared_sec(container, track), float((track.start_time or 0) * track.time_base)
    share = counts.failed / max(counts.packets, 1)
    if declared and share <= DAMAGED_SHARE and start + declared - end_sec > max(DAMAGED_SHARE * declared, 0.1):
        raise ValueError(f"{path} breaks off after {end_sec - start:.2f} of {declared:.2f} s; copy it anew")
    if share > DAMAGED_SHARE:
        raise ValueError(f"{path} has {counts.failed} damaged of {counts.packets} pieces of sound; copy it anew")
    there = path.stat().st_size
    if container.format.name == "wav" and there - counts.bytes > max(DAMAGED_SHARE * there, LEAST_REST):
        facts.notes.append(
            f"{path.name}: its header calls {counts.bytes} of {there} bytes sound; if its recorder was cut off, write "
            "it anew: ffmpeg -ignore_length 1 -i OLD NEW"
        )
    if counts.failed:
        facts.notes.append(f"{path.name}: {counts.failed} damaged pieces of sound are silent")
