"""A film with its detections drawn in: what goes on now at the top, and all of them over time at the bottom."""

import colorsys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.files import atomic_open
from afkit.workbench.media.frames import Facts, timed_pictures
from afkit.workbench.media.opened import FILMS, average_fps, length_sec
from afkit.workbench.progress import teller

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
ENCODERS = ("libx264", "libopenh264", "mpeg4")  # the first that the library has
TICKS = 30_000  # of the clock of the film that is written, per second
MOST_SHOWN = 6  # detections at a time


def check_overlay(path: Path, film: Path) -> None:
    """ValueError where no film can be written there, or `film` is none."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"a film with detections ends in {', '.join(FORMATS)}, not {path.name}; name it so")
    if film.suffix.lower() not in FILMS:
        raise ValueError(f"detections are drawn into a film, and {film} is none; leave out --overlay")
    if path.exists() and path.samefile(film):
        raise ValueError(f"{path} is the film itself; give --overlay another name")
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise ValueError("detections are drawn by Pillow, which is not there; pip install pillow") from None


def write_overlay(path: Path, film: Path, detections: pd.DataFrame, label_names: Mapping[int, str]) -> None:
    """Write a film without sound, upright, each picture at its time; errors as of reading the film.

    Args:
        detections: start_sec, end_sec, label (id), score of this film.
    """
    import av

    stream, end_sec = None, max(length_sec(film), *detections["end_sec"], 1e-3)
    rows = list(detections.sort_values("start_sec")[["start_sec", "end_sec", "label", "score"]].itertuples(index=False))
    panels: dict[tuple[int, ...], np.ndarray] = {}  # of what goes on at once
    tell = teller("film", end_sec, unit=" s")
    with atomic_open(path) as file, av.open(file, "w", format=FORMATS[path.suffix.lower()]) as container:
        for time_sec, picture in timed_pictures(film, _even, Facts(), fix=True):
            if stream is None:
                stream = _stream(container, picture, average_fps(film) or 25.0)
                timeline = _timeline(picture.shape[1], max(picture.shape[0] // 16, 6), rows, end_sec)
            tell(time_sec)
            now = tuple(i for i, row in enumerate(rows) if row[0] <= time_sec < row[1])
            if now not in panels:
                panels[now] = _panel(picture, [rows[i] for i in now], label_names)
            _paste(picture, panels[now], 0)
            _paste(picture, timeline, picture.shape[0] - len(timeline))
            cursor = min(int(time_sec / end_sec * picture.shape[1]), picture.shape[1] - 1)
            picture[-len(timeline) :, cursor : cursor + 2] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_sec * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())


def _even(height: int, width: int) -> tuple[int, int]:
    """What encoders take."""
    return max(height // 2 * 2, 2), max(width // 2 * 2, 2)


def _stream(container: Any, picture: np.ndarray, fps: float) -> Any:
    import av

    for name in ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        return stream
    raise ValueError(f"PyAV has none of the encoders {', '.join(ENCODERS)}; install another build of it")


def colour(label: int) -> tuple[int, int, int]:
    """Of a class; neighbours differ."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618 % 1, 0.65, 0.95)
    return int(red * 255), int(green * 255), int(blue * 255)


def _timeline(width: int, height: int, rows: list[Any], end_sec: float) -> np.ndarray:
    """(H, W, 3): all detections from the beginning to the end of the film, better ones over others."""
    bar = np.full((height, width, 3), 24, dtype=np.uint8)
    for start, end, label, _ in sorted(rows, key=lambda row: row[3]):
        first, last = (round(second / end_sec * width) for second in (start, end))
        bar[1:-1, max(first, 0) : max(last, first + 1)] = colour(int(label))
    return bar


def _panel(picture: np.ndarray, rows: list[Any], label_names: Mapping[int, str]) -> np.ndarray:
    """(H, W, 3): a line with name and score for each detection that goes on; no line where there is none."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(picture.shape[0] // 22, 9)
    font, best = ImageFont.load_default(size), sorted(rows, key=lambda row: -row[3])[:MOST_SHOWN]
    texts = [f"{label_names.get(int(row[2]), row[2])} {row[3]:.2f}" for row in best]
    if not texts:
        return np.zeros((0, 0, 3), dtype=np.uint8)
    line = size + size // 3 + 2
    width = min(int(max(map(font.getlength, texts))) + size + 4, picture.shape[1])
    image = Image.new("RGB", (width, line * len(texts)), (24, 24, 24))
    draw = ImageDraw.Draw(image)
    for number, (row, text) in enumerate(zip(best, texts, strict=True)):
        draw.rectangle((0, number * line, size // 2, (number + 1) * line - 2), fill=colour(int(row[2])))
        draw.text((size // 2 + 3, number * line), text, font=font, fill=(255, 255, 255))
    return np.asarray(image)


def _paste(picture: np.ndarray, part: np.ndarray, top: int) -> None:
    height, width = min(len(part), len(picture) - top), part.shape[1]
    picture[top : top + height, :width] = part[:height]
