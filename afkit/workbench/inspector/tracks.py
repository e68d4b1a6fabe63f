"""What lies below the lanes of the inspector: a class's score over time, the signal, and the video itself."""

import base64
import mimetypes
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import numpy as np

from afkit.workbench.media.opened import second_zero
from afkit.workbench.view.signals import Spectrogram, signal_panels

KINDS = ("curves", "signal", "media")
WIDGET_POINTS, PAGE_POINTS = 2000, 500  # of a curve at most; a page holds those of all videos
LEAST_SCORE = 0.01  # a class whose score stays below has no curve
MAX_MEDIA_BYTES = 100 * 10**6  # of a video file that goes through the kernel
FILMS = (".mp4", ".webm", ".m4v", ".mov", ".ogv", ".mkv")  # that browsers may play
SUFFIXES = (*FILMS, ".wav", ".mp3", ".flac", ".ogg", ".m4a")  # and sounds

Curves = Callable[[str], tuple[np.ndarray, np.ndarray]]  # video -> seconds (T,), scores (T, K)
Track = tuple[dict[str, Any], list[bytes]]  # facts for JSON, and numbers; {"error": sentence} where there is none


@dataclass(frozen=True)
class Tracks:
    """Where the tracks of a run come from; None for what it does not have."""

    curves: Curves | None = None  # as of `analysis.score_curves`; K 1 stands for any class
    signal: Callable[[str], dict[str, Any]] | None = None  # video -> as of `datasets.sensors.sensor_arguments`
    # folder of video files that are named like the videos, or the file of each that has one
    videos: Path | Mapping[str, Path] | None = None
    address: str = ""  # below which a server gives the video files; "" where the kernel sends them

    def offered(self) -> dict[str, bool]:
        """Which of KINDS there are."""
        there = (self.curves, self.signal, self.videos)
        return {kind: source is not None for kind, source in zip(KINDS, there, strict=True)}


def read_track(tracks: Tracks, labels: np.ndarray, kind: str, video: str, page_dir: Path | None = None) -> Track:
    """One track of one video; what cannot be read (a ValueError or an OSError) becomes a sentence for the reader.

    Args:
        labels: (K,) label ids of the inspector's classes.
        kind: one of KINDS.
        page_dir: folder of the page that is to hold the track; None: a widget gets it.

    Returns:
        curves: labels (positions in `labels`; -1: any class), begin_sec, step_sec, points, and one uint8 array
        (labels, points) in 255ths. signal: panels (label, names, begin_sec, step_sec, points), and for each a float32
        array (channels, points); of a spectrogram ticks (share of the height, text) and remark instead of names, and a
        uint8 array (rows, points), the lowest frequency first. media: file, zero_sec (where its second 0 lies
        on its own clock, if not at 0), type, and its bytes; for a page, or where a server gives it, its address (url).
    """
    try:
        if kind == "curves" and tracks.curves is not None:
            times_sec, scores = tracks.curves(video)
            return pack_curves(times_sec, scores, labels, WIDGET_POINTS if page_dir is None else PAGE_POINTS)
        if kind == "signal" and tracks.signal is not None:
            return pack_signal(tracks.signal(video))
        if kind == "media" and tracks.videos is not None:
            return _read_media(tracks, find_media(tracks.videos, video), video, page_dir)
        raise ValueError(f"this run has no {kind}")
    except (ValueError, OSError) as error:
        text = str(error).rstrip(".")
        return {"error": f"{text[:1].upper()}{text[1:]}."}, []


def pack_curves(times_sec: np.ndarray, scores: np.ndarray, labels: np.ndarray, most_points: int) -> Track:
    """Curves as `read_track` gives them, of the classes that reach LEAST_SCORE somewhere.

    Args:
        times_sec: (T,) seconds, evenly spaced.
        scores: (T, K) in [0, 1], a column for each label id; (T, 1) for any class.
    """
    begin_sec, step_sec, thin = thin_curves(times_sec, scores, most_points)
    positions, columns = np.array([-1]), thin
    if scores.shape[1] > 1:
        positions = np.flatnonzero((labels >= 0) & (labels < scores.shape[1]))
        columns = thin[:, labels[positions]]
    high = columns.max(axis=0) >= LEAST_SCORE
    values = np.rint(255 * columns[:, high].clip(0, 1)).astype(np.uint8)
    facts = {"labels": positions[high].tolist(), "begin_sec": begin_sec, "step_sec": step_sec, "points": len(thin)}
    return facts, [np.ascontiguousarray(values.T).tobytes()]


def thin_curves(times_sec: np.ndarray, scores: np.ndarray, most_points: int) -> tuple[float, float, np.ndarray]:
    """Curves with fewer points: the maximum of each bin of equal length, so that no peak is lost.

    Returns:
        seconds of the first point, seconds between two, and (P, K) scores, P <= most_points. A point lies in the
        middle of its bin.

    Examples:
        >>> thin_curves(np.arange(4.0), np.array([[0.1], [0.9], [0.2], [0.3]]), most_points=2)
        (0.5, 2.0, array([[0.9],
               [0.3]]))
    """
    size = -(-len(scores) // most_points)  # steps per bin
    padded = np.pad(scores, ((0, -len(scores) % size), (0, 0)), mode="edge")
    step_sec = float(times_sec[1] - times_sec[0]) if len(times_sec) > 1 else 1.0
    begin_sec = float(times_sec[0]) + step_sec * (size - 1) / 2
    return begin_sec, size * step_sec, padded.reshape(-1, size, scores.shape[1]).max(axis=1)


def pack_signal(arguments: dict[str, Any]) -> Track:
    """The panels of a signal as `read_track` gives them; a ValueError where there is none."""
    if not arguments:
        raise ValueError("there is no signal of this video")
    names = ("signal", "signal_rate_hz", "signal_names", "signal_groups", "spectrogram")
    given: list[Any] = [arguments.get(name) for name in names]
    panels, data = [], []
    for panel in signal_panels(*given):
        times_sec, values = panel.times_sec, panel.values.T
        step_sec = float(times_sec[1] - times_sec[0]) if len(times_sec) > 1 else 1.0
        facts: dict[str, Any] = {"label": panel.label, "begin_sec": float(times_sec[0]), "step_sec": step_sec}
        facts["points"] = len(times_sec)
        if isinstance(panel, Spectrogram):
            facts |= {"ticks": panel.ticks, "remark": panel.remark}
        else:
            facts["names"], values = panel.names, values.astype("<f4")
        panels.append(facts)
        data.append(values.tobytes())
    return {"panels": panels}, data


def find_media(videos: Path | Mapping[str, Path], video: str) -> Path:
    """The file of a video, by its name; a ValueError where there is none in the folder itself."""
    if not isinstance(videos, Path):
        if video not in videos:
            raise ValueError(f"no film or sound of '{video}' was given")
        return videos[video]
    folder = videos
    with suppress(OSError):  # accents may be coded otherwise in names of files
        paths = sorted(folder.iterdir(), key=lambda path: path.stem == video)  # of two, the very name
        files = {(normalize("NFC", path.stem), path.suffix.lower()): path for path in paths if path.is_file()}
        for suffix in SUFFIXES:
            if path := files.get((normalize("NFC", video), suffix)):
                return path
    endings = ", ".join(suffix[1:] for suffix in SUFFIXES)
    raise ValueError(f"the folder '{folder.name}' has no file of the video '{video}' ({endings})")


def _read_media(tracks: Tracks, path: Path, video: str, page_dir: Path | None) -> Track:
    facts: dict[str, Any] = {"file": path.name}
    with suppress(ValueError):  # what cannot be read here is played as the browser does
        facts |= {"zero_sec": zero} if (zero := second_zero(path)) > 0 else {}
    if tracks.address:
        return facts | {"url": f"{tracks.address}{quote(video, safe='')}"}, []
    if page_dir is not None:
        below = path.parent.resolve().relative_to(page_dir.resolve()) / path.name
        return facts | {"url": quote(below.as_posix())}, []
    if path.stat().st_size > MAX_MEDIA_BYTES:
        raise ValueError(
            f"'{path.name}' has more than {MAX_MEDIA_BYTES // 10**6} MB, too many to be sent by the kernel; "
            "`afkit view` and `afkit label` on a server play it"
        )
    return facts | {"type": mimetypes.guess_type(path.name)[0] or ""}, [path.read_bytes()]


def embed_tracks(tracks: Tracks, labels: np.ndarray, video: str, page_dir: Path) -> dict[str, Any]:
    """All tracks of one video for a page: kind -> facts, with the numbers as base64 in `data`."""
    found = {}
    for kind in (kind for kind, there in tracks.offered().items() if there):
        facts, data = read_track(tracks, labels, kind, video, page_dir)
        found[kind] = facts | {"data": [base64.b64encode(part).decode() for part in data]}
    return found


def check_media_folder(tracks: Tracks, page_dir: Path) -> None:
    """Raise a ValueError where a page may not show the videos: it plays files of its own folder alone."""
    if isinstance(tracks.videos, Path) and not tracks.videos.resolve().is_relative_to(page_dir.resolve()):
        raise ValueError(
            f"a page plays videos from its own folder and those below it, and '{tracks.videos}' is neither; "
            "write the page beside the videos (--html)"
        )
