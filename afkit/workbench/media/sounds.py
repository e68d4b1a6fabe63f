"""Sound becomes features; see `write_sound_features`."""

from pathlib import Path

from afkit.workbench.media.made import Made


def write_sound_features(
    paths: list[Path], target: Path, *, window_sec: float, stride_sec: float, bands: int = 64, force: bool = False
) -> Made:
    """Write `<target>/<recording>.npy`, (T, C) float32, for every recording, and `<target>/sound.json`."""
    raise NotImplementedError
