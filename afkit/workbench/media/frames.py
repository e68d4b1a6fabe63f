"""The pictures of a film with their times, and on a regular grid; one picture is held at a time."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from afkit.workbench.media.opened import declared_sec, open_media, picture_track, second_zero

DAMAGED_SHARE = 0.05  # of a film's pictures that may be damaged; the last good one is shown instead
LONGEST_JUMP_SEC = 60.0  # beyond the length that a film declares
LONGEST_STILL_SEC = 3600.0  # that one picture may stand for: a damaged rate or clock makes it years
ROUNDING_SEC = 1e-3  # of time stamps in whole milliseconds
UNSHOWN = ("vp8", "vp9", "av1")  # codecs with pictures that only others are made of

Size = Callable[[int, int], tuple[int, int]]  # (height, width) of a film, as shown -> of the pictures that are wanted


@dataclass
class Facts:
    """What became known of a recording while it was read."""

    duration_sec: float = 0.0
    rate_hz: int = 0  # of its sound
    notes: list[str] = field(default_factory=list)


@dataclass
class _Track:
    """Counts of a film that is being read."""

    packets: int = 0
    frames: int = 0
    failed: int = 0  # packets that cannot be decoded, and pictures that are marked as damaged
    back: int = 0  # of these, pictures that begin no later than others before
    first_failed_sec: float | None = None
    end_sec: float = 0.0  # of the last picture, in the film's own clock


def pictures_on_grid(path: Path, fps: float, size: Size, facts: Facts, fix: bool = False) -> Iterator[np.ndarray]:
    """Pictures (H, W, 3) uint8, upright: number k is the one shown (k + 0.5) / fps seconds after second 0 of the film.

    So what begins at t seconds is in the pictures from one that begins within half a grid step of t. Before the first
    picture of a film whose sound begins earlier, the first one is taken. `facts` is filled in when all are read.

    Raises:
        ValueError: no pictures, more than a twentieth damaged, or a film that breaks off (both allowed by `fix`).
    """
    number, rounding_sec = 0, min(ROUNDING_SEC, 0.25 / fps)
    shown: _Shown | None = None
    for time_sec, frame in _film(path, facts, fix):
        while shown is not None and (number + 0.5) / fps < time_sec - rounding_sec:
            yield shown.picture()
            number += 1
        if shown is None and time_sec > 1 / fps:
            facts.notes.append(f"{path.name}: pictures begin {time_sec:.3f} s late; the first is shown before")
        shown = _Shown(frame, size)
    while shown is not None and (number + 0.5) / fps < facts.duration_sec - rounding_sec:
        yield shown.picture()
        number += 1


def timed_pictures(path: Path, size: Size, facts: Facts, fix: bool = False) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds after second 0 of the film, picture (H, W, 3) uint8, upright) as they are; errors as on a grid."""
    for time_sec, frame in _film(path, facts, fix):
        yield time_sec, upright(frame, size)


def _film(path: Path, facts: Facts, fix: bool) -> Iterator[tuple[float, Any]]:
    """(seconds after second 0, picture of PyAV) of a whole film."""
    zero, counts = second_zero(path), _Track()
    with open_media(path) as container:
        track = picture_track(container)
        if track is None:
            raise ValueError(f"{path} has no pictures, only sound; name a film")
        for time_sec, frame in _frames(container, track, counts, path):
            yield time_sec - zero, frame
        if not counts.frames:
            raise ValueError(f"{path} holds no picture that can be decoded; copy or encode it anew")
        facts.duration_sec = _checked_end(path, container, track, counts, facts, fix) - zero


class _Shown:
    """A picture that is converted once, and only if it is wanted."""

    def __init__(self, frame: Any, size: Size):
        self.frame, self.size = frame, size
        self.converted: np.ndarray | None = None

    def picture(self) -> np.ndarray:
        if self.converted is None:
            self.converted = upright(self.frame, self.size)
            self.frame = None
        return self.converted


def upright(frame: Any, size: Size) -> np.ndarray:
    """A picture (H, W, 3) uint8 as players show it: turned as the film says, brought to a size."""
    quarters = round(frame.rotation / 90) % 4  # counter-clockwise
    lying = quarters % 2 == 1
    height, width = (frame.width, frame.height) if lying else (frame.height, frame.width)
    height, width = size(height, width)
    height, width = (width, height) if lying else (height, width)
    shrinks = height * width < frame.height * frame.width
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA" if shrinks else "BICUBIC")
    return np.ascontiguousarray(np.rot90(small.to_ndarray(), quarters))


def _frames(container: Any, track: Any, counts: _Track, path: Path) -> Iterator[tuple[float, Any]]:
    """(seconds in the film's clock, picture) in the order of presentation.

    Where packets have no presentation times of their own (always in AVI), pictures take decoding times in order.
    """
    import av

    track.thread_type = "AUTO"
    step = 1 / float(track.average_rate or track.guessed_rate or 25)
    base = float(track.time_base)
    limit = _latest(container, track)
    unstamped = container.format.name == "avi"  # whether presentation times are missing, or made up by the library
    queue: list[float] = []  # decoding times of packets whose pictures are to come
    last = -np.inf
    for packet in container.demux(track):
        if packet.size:
            counts.packets += not packet.is_discard  # which an edit list cuts off, needed for what follows alone
            unstamped |= packet.pts is None
            decoded_sec = packet.dts * base if packet.dts is not None else _next(queue, last, step, track)
            heapq.heappush(queue, decoded_sec)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            _failed(counts, queue.pop() if queue else _next(queue, last, step, track), track)
            heapq.heapify(queue)
            continue
        for frame in frames:
            counts.frames += 1
            earliest = heapq.heappop(queue) if queue else last + step
            time_sec = earliest if unstamped or frame.pts is None else frame.pts * base
            counts.back += time_sec <= last
            if frame.is_corrupt or time_sec <= last:
                _failed(counts, time_sec, track)
                continue
            if time_sec > limit:
                raise ValueError(f"{path}: its clock jumps to {time_sec:.0f} s, beyond its end; encode it anew")
            lasts_sec = frame.duration * base if frame.duration else step
            still_sec = max(lasts_sec, time_sec - last if last > -np.inf else 0.0)
            if still_sec > LONGEST_STILL_SEC:
                raise ValueError(
                    f"{path}: a picture of it stands for {still_sec:.0f} s; encode it anew, with its times"
                )
            last = time_sec
            counts.end_sec = time_sec + lasts_sec
            yield time_sec, frame


def _next(queue: list[float], last: float, step: float, track: Any) -> float:
    start = float((track.start_time or 0) * track.time_base)
    return max([*queue, last, start - step]) + step


def _latest(container: Any, track: Any) -> float:
    declared = declared_sec(container, track)
    if declared is None:
        declared = container.duration / 1e6 if container.duration is not None else np.inf
    return float((track.start_time or 0) * track.time_base) + declared + LONGEST_JUMP_SEC


def _failed(counts: _Track, time_sec: float, track: Any) -> None:
    counts.failed += 1
    if counts.first_failed_sec is None:
        counts.first_failed_sec = time_sec - float((track.start_time or 0) * track.time_base)


def _checked_end(path: Path, container: Any, track: Any, counts: _Track, facts: Facts, fix: bool) -> float:
    """Where the film ends, in its own clock; a ValueError where too much of it is missing."""
    declared, start = declared_sec(container, track), float((track.start_time or 0) * track.time_base)
    ends = start + declared if declared is not None else counts.end_sec
    missing_sec = ends - counts.end_sec
    lost = counts.packets - counts.frames
    if lost > counts.frames or track.codec_context.name in UNSHOWN:  # two packets a picture: fields
        lost = 0
    damaged = max(counts.failed, lost)
    share = max(damaged / (counts.frames + damaged), missing_sec / max(ends - start, 1e-9))
    if share > DAMAGED_SHARE and not fix:
        if 2 * counts.back > damaged:
            seen = (
                f"has {counts.back} pictures of {counts.frames} that go back in time, as films that were joined; encode"
            )
        elif missing_sec / max(ends - start, 1e-9) >= share:
            seen = f"breaks off after {counts.end_sec - start:.2f} of {ends - start:.2f} s; copy"
        else:
            seen = f"has {damaged} damaged pictures of {counts.frames + damaged}; copy"
        raise ValueError(f"{path} {seen} it anew, or take what is there with --fix")
    if damaged:
        first = (
            "" if counts.first_failed_sec is None else f", the first near {counts.first_failed_sec:.0f} s"
        )  # threads tell late
        facts.notes.append(f"{path.name}: {damaged} damaged pictures{first}; the last good one is shown instead")
    if share > DAMAGED_SHARE and missing_sec > 0:
        facts.notes.append(f"{path.name}: it breaks off after {counts.end_sec - start:.2f} s")
        return counts.end_sec
    return max(ends, counts.end_sec) if damaged else counts.end_sec
