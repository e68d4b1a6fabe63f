"""Films become features, and how is kept beside them, to do the same with new films."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from afkit.workbench.media.backbones import load_backbone
from afkit.workbench.media.clips import Backbone, clip_vectors
from afkit.workbench.media.frames import Facts, pictures_on_grid
from afkit.workbench.media.made import Made
from afkit.workbench.media.opened import average_fps
from afkit.workbench.media.writing import Make, in_turn, setting_before, write_recordings

SETTINGS = "film.json"  # beside the features
KINDS: dict[str, type] = {"backbone": str, "weights": str}  # of its own settings
MOST_FPS = 30.5  # that are chosen where none are given: of a faster film, each second or third picture
FRAMES = 8  # of a clip, where the backbone takes any number


def write_film_features(
    paths: list[Path],
    target: Path,
    *,
    backbone: str = "grid",
    fps: float | None = None,
    num_frames: int | None = None,
    stride_frames: int | None = None,
    fix: bool = False,
    force: bool = False,
    say: Callable[[str], None] = print,
    make: Make = in_turn,
) -> Made:
    """Write `<target>/<film>.npy`, (T, C) float32, for every film, and `<target>/film.json`.

    Args:
        backbone: as of `afkit.workbench.media.backbones.load_backbone`.
        fps: pictures per second that are looked at; None for those of most films, but at most 30.
        num_frames: of a clip; None for what the backbone takes, or 8.
        stride_frames: between the beginnings of two clips; None for half a clip.
        fix: take films of which more than a twentieth is damaged, or that break off, as far as they go.
        force: write files anew that are there.
        say: receives progress.
        make: does the films, here or elsewhere.

    Raises:
        ValueError: as of `afkit.workbench.media.writing.write_recordings`; settings or a backbone that cannot be.
    """
    found = _loaded(backbone, num_frames)
    frames = num_frames or found.num_frames or FRAMES
    stride = stride_frames or max(frames // 2, 1)
    if frames < 1 or stride < 1 or not (fps is None or (isfinite(fps) and fps > 0)):
        raise ValueError(
            f"a clip of {frames} frames, a stride of {stride} and {fps} frames per second: must be above 0"
        )
    rate = fps or setting_before(target / SETTINGS, "fps") or common_fps(paths)
    settings = {
        "backbone": found.name,
        "weights": found.weights,
        "fps": round(rate, 3),
        "num_frames": frames,
        "stride_frames": stride,
    }
    vectors = partial(_vectors, backbone=backbone, num_frames=num_frames, settings=settings, fix=fix)
    try:
        return write_recordings(paths, target, SETTINGS, settings, vectors, force, say, make)
    finally:
        _loaded.cache_clear()


@lru_cache(maxsize=1)
def _loaded(name: str, num_frames: int | None) -> Backbone:
    """Once in each process, for all of its films."""
    return load_backbone(name, num_frames)


def _vectors(
    path: Path, facts: Facts, backbone: str, num_frames: int | None, settings: dict[str, Any], fix: bool
) -> Iterator[np.ndarray]:
    """As `film_vectors`, by the name of the backbone, which another process can be sent."""
    found = _loaded(backbone, num_frames)
    if found.weights != settings["weights"]:
        raise ValueError(f"the model {backbone} has other weights on one machine than on another; copy its folder")
    return film_vectors(path, facts, found, settings, fix)


def film_vectors(
    path: Path, facts: Facts, backbone: Backbone, settings: dict[str, Any], fix: bool = False
) -> Iterator[np.ndarray]:
    """Blocks (n, C) float32 of one film."""
    pictures = pictures_on_grid(path, settings["fps"], backbone.size, facts, fix)
    return clip_vectors(pictures, backbone, settings["num_frames"], settings["stride_frames"])


def common_fps(paths: list[Path]) -> float:
    """Pictures per second of most of the films, divided by a whole number where they are more than 30; else 25."""
    rates = Counter(rate for rate in map(average_fps, paths) if rate)
    rate = rates.most_common(1)[0][0] if rates else 25.0
    return round(rate / ceil(rate / MOST_FPS), 3)
