"""Films become features; see `write_film_features`."""

from pathlib import Path

from afkit.workbench.media.made import Made


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
) -> Made:
    """Write `<target>/<film>.npy`, (T, C) float32, for every film, and `<target>/film.json`."""
    raise NotImplementedError
