"""Files of media: which there are, how they are opened, and where second 0 of a recording lies."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from afkit.opening import check_plain

FILMS = (".mp4", ".mkv", ".avi", ".mov", ".m4v", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff")
READ_AS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,asf,flv,wav,w64,flac,mp3,ogg,aac,aiff"  # names of FFmpeg's readers
)
INSTALL = 'pip install "afkit[media]"'
UNMEASURED = ("aac", "mpegvideo", "m4v")  # readers of bare pieces, without times or a length
PROBED_PACKETS = 200  # of a track, in which the first sound is looked for


def find_media(places: Sequence[str | Path], suffixes: Sequence[str]) -> list[Path]:
    """The files with such endings among some files and in some folders.

    ValueError where a place does not exist, a file has another ending, or a folder has none.
    """
    found = []
    for place in map(Path, places):
        if not place.exists():
            raise ValueError(f"{place} does not exist; name a file or a folder of recordings")
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        media = [path for path in inside if path.suffix.lower() in suffixes and not path.name.startswith(".")]
        if not media:
            raise ValueError(f"{place} is, or holds, no file that ends in {', '.join(suffixes)}; name another")
        found += media
    return found


def by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """{name without ending: file}; a ValueError where two have one name."""
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise ValueError(f"{other} and {path} are both of a recording '{path.stem}'; rename one")
    return found


@contextmanager
def open_media(path: Path) -> Iterator[Any]:
    """A container of PyAV, opened to read; a ValueError names a file that is none, and why.

    Lists of other files or addresses, which FFmpeg would follow under any name, are not read.
    """
    try:
        import av
    except ImportError:
        raise ValueError(f"{path.name} is read by PyAV, which is not there; {INSTALL}") from None
    try:
        check_plain(path)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty; copy it anew")
    av.logging.set_level(None)
    try:
        options = {"format_whitelist": READ_AS, "protocol_whitelist": "file"}
        container = av.open(str(path), options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        reason = error.strerror or "unknown"
        raise ValueError(
            f"{path} cannot be read as a film or sound ({reason}): it is cut off, damaged or something else"
        ) from None
    try:
        with container:
            yield container
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read to its end ({error.strerror or 'unknown'}): it is damaged; copy or encode it anew"
        ) from None


def picture_track(container: Any) -> Any:
    """The stream of moving pictures that players show, the first if none is marked, or None: a cover is none."""
    moving = [stream for stream in container.streams.video if "attached_pic" not in _roles(stream)]
    return max(moving, key=lambda stream: "default" in _roles(stream), default=None)


def _roles(stream: Any) -> str:
    return repr(stream.disposition)  # a flag, of which str is a number


def second_zero(path: Path) -> float:
    """The earliest presentation time of a recording's pictures and sound, where players show 0, in its own seconds.

    What an encoder puts before the first sound, and players cut off, does not count: hence the first sound is decoded.
    """
    with open_media(path) as container:
        times = []
        pictures = picture_track(container)
        if pictures is not None:
            start = pictures.start_time
            times.append(float(start * pictures.time_base) if start is not None else 0.0)
        if container.streams.audio:
            times += first_sound(container)
        return min(times, default=0.0)


def first_sound(container: Any) -> list[float]:
    """[presentation time of the first sound in seconds], or [] where nothing can be decoded soon."""
    import av

    track = container.streams.audio[0]
    for packet in islice(container.demux(track), PROBED_PACKETS):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        if frames:
            return [float(frames[0].time if frames[0].time is not None else 0.0)]
    return []


def declared_sec(container: Any, track: Any) -> float | None:
    """How long a track says that it lasts, from its own beginning; None where it does not say."""
    if _is_guessed(container, track):
        return None
    if track.duration is not None:
        late = (track.start_time or 0) if container.format.name == "asf" else 0  # where tracks last as the whole file
        return float((track.duration - late) * track.time_base)
    text = track.metadata.get("DURATION", "")
    parts = text.split(":")
    if len(parts) == 3:
        try:
            return (
                int(parts[0]) * 3600
                + int(parts[1]) * 60
                + float(parts[2])
                - float(track.start_time or 0) * float(track.time_base)
            )
        except ValueError:
            return None
    if len(container.streams) == 1 and container.duration is not None:
        return container.duration / 1e6
    return None


def _is_guessed(container: Any, track: Any) -> bool:
    """Whether the library reckons a length by the bit rate of the first pieces; an MP3 tells it in whole samples."""
    if container.format.name == "mp3" and track.duration is not None:
        return (track.duration * track.time_base * track.rate).denominator > 1
    return container.format.name in UNMEASURED


def lasts_sec(path: Path) -> float:
    """Seconds of a film or sound from its beginning, as its tracks say, or else by its pieces; a ValueError if none."""
    with open_media(path) as container:
        tracks = [track for track in [picture_track(container), *container.streams.audio[:1]] if track is not None]
        spans = [((one.start_time or 0) * one.time_base, declared_sec(container, one) or 0.0) for one in tracks]
        if not all(length for _, length in spans):
            pieces = (one for one in container.demux(tracks) if one.dts is not None)
            times = ((one.dts if one.pts is None else one.pts, one.duration or 0, one.time_base) for one in pieces)
            spans = [(begin * base, float(length * base)) for begin, length, base in times]
    seconds = float(max([begin + length for begin, length in spans], default=0) - min(spans, default=(0, 0))[0])
    if not seconds > 0:
        raise ValueError(f"{path} holds no sound or pictures that last; copy or encode it anew")
    return seconds


def average_fps(path: Path) -> float:
    """Pictures per second of a film to three decimals, on average; 0 where nothing says so or it cannot be read."""
    try:
        with open_media(path) as container:
            track = picture_track(container)
            return round(float(track.average_rate or 0), 3) if track is not None else 0.0
    except ValueError:  # is told when it is read
        return 0.0


def length_sec(path: Path) -> float:
    """As `lasts_sec`; 0 where it cannot be read."""
    try:
        return lasts_sec(path)
    except ValueError:
        return 0.0
