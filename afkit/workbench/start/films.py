"""Features of films and sounds, with the windows that the durations of the actions ask for."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from afkit.workbench.media.films import write_film_features
from afkit.workbench.media.made import Made
from afkit.workbench.media.sounds import write_sound_features
from afkit.workbench.start.media import Media
from afkit.workbench.start.windows import Grid, Windows

USUAL_FPS = 25.0  # of films of several rates


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

    def write(chosen: list[Path], folder: Path) -> Made:
        if looked.kind == "sounds":
            return write_sound_features(chosen, folder, window_sec=window_sec, stride_sec=stride_sec)
        fps = looked.rate_hz or USUAL_FPS
        stride = max(round(stride_sec * fps), 1)
        if windows.backbone:  # it knows how many frames it sees
            return write_film_features(
                chosen, folder, backbone=windows.backbone, stride_frames=stride, fps=fps, fix=fix
            )
        length = max(round(window_sec * fps), 2)
        return write_film_features(chosen, folder, fps=fps, num_frames=length, stride_frames=stride, fix=fix)

    shortest = min(paths, key=lasts.__getitem__)
    if len(paths) > 1:
        with tempfile.TemporaryDirectory() as scratch:
            begin = time.perf_counter()
            write([shortest], Path(scratch) / "features")
            took = (time.perf_counter() - begin) / lasts[shortest]
        minutes = took * sum(lasts.values()) / 60
        if minutes > 0.2:
            say(f"{'features':<11} will take about {minutes:.2g} minutes")
        if minutes > windows.most_minutes:
            raise ValueError(
                f"features of {len(paths)} {looked.kind} will take about {minutes:.0f} minutes; go on with "
                f"--most-minutes {minutes + 1:.0f}"
            )
    if looked.kind == "films" and not windows.backbone:
        say(f"{'features':<11} a grid of grey values and their changes, a yardstick: --backbone MODEL sees more")
    made = write(paths, target)
    for note in made.notes:
        say(f"{'features':<11} {note}")
    return Grid([str(target)], made.stride_frames, made.num_frames, made.fps)
