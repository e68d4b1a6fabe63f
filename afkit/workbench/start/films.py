"""Features of films and sounds, with the windows that the durations of the actions ask for."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from afkit.workbench.media.films import common_fps, write_film_features
from afkit.workbench.media.made import Made
from afkit.workbench.media.sounds import write_sound_features
from afkit.workbench.start.media import Media
from afkit.workbench.start.windows import Grid, Windows

MOST_SHOWN = 20  # notes


def media_features(
    looked: Media,
    target: Path,
    window_sec: float,
    stride_sec: float,
    windows: Windows,
    fix: bool,
    say: Callable[[str], None],
) -> Grid:
    """A file of features for each film or sound, after a short one has told how long all will take.

    ValueError where that is more than `windows.most_minutes`.
    """
    paths = [paths[0] for paths in looked.files.values()]
    lasts = {paths[0]: looked.recordings[name].duration_sec for name, paths in looked.files.items()}
    if looked.kind == "sounds":
        window_sec = max(window_sec, 2 * stride_sec)
        say(f"{'windows':<11} log-mel bands of {window_sec:.3g} s every {stride_sec:.3g} s")

    def tell(line: str) -> None:
        say(f"{'features':<11} {line}")

    def write(chosen: list[Path], folder: Path, say: Callable[[str], None] = tell) -> Made:
        if looked.kind == "sounds":
            return write_sound_features(chosen, folder, window_sec=window_sec, stride_sec=stride_sec, say=say)
        fps = common_fps(paths)
        stride = max(round(stride_sec * fps), 1)
        if windows.backbone:  # it knows how many frames it sees
            options: dict[str, Any] = {"backbone": windows.backbone}
        else:
            options = {"num_frames": max(round(window_sec * fps), 2)}
        return write_film_features(chosen, folder, stride_frames=stride, fps=fps, fix=fix, say=say, **options)

    shortest = min(paths, key=lasts.__getitem__)
    others = sum(lasts.values()) - lasts[shortest]
    if others and not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            for number in range(2):  # the first also loads what is needed
                begin = time.perf_counter()
                write([shortest], Path(scratch) / str(number), _silent)
            minutes = (time.perf_counter() - begin) * others / lasts[shortest] / 60
        if minutes > windows.most_minutes:
            raise ValueError(
                f"features of {len(paths)} {looked.kind} will take about {minutes:.0f} minutes; go on with "
                f"--most-minutes {minutes + 1:.0f}"
            )
        tell(f"will take about {minutes:.1f} minutes")
    if looked.kind == "films" and not windows.backbone:
        tell("a grid of grey values and their changes, a yardstick: --backbone MODEL sees more")
    made = write(paths, target)
    for note in made.notes[:MOST_SHOWN]:
        tell(note)
    tell(f"{len(paths)} recordings, {made.width} numbers in a feature vector")
    return Grid([str(target)], made.stride_frames, made.num_frames, made.fps)


def _silent(line: str) -> None:
    """Of features that only tell how long others will take."""
