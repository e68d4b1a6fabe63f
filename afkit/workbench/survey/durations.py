"""How long recordings last: as the annotation file says, or else as their features do."""

from collections.abc import Iterable
from pathlib import Path

from afkit.config import DataConfig
from afkit.data.annotations import Video, frames_per_second
from afkit.data.features import has_features, open_features


def covered_sec(config: DataConfig, steps: int, fps: float) -> float:
    """Seconds from the first frame to the last that a number of feature vectors covers.

    Args:
        config: the time grid; its stride is above 0.
        steps: T.
        fps: frames per second.
    """
    return ((steps - 1) * config.stride_frames + config.num_frames) / fps


def durations_of(config: DataConfig, root: str | Path, videos: Iterable[Video]) -> dict[str, float | None]:
    """Seconds of each video.

    Args:
        config: the `data` section of a recipe.
        root: data root.
        videos: as read from the annotation file; only features of those that have no duration there are looked at.

    Returns:
        By video id, in the given order; None where neither the file nor features tell.

    Raises:
        ValueError: features that are needed cannot be read, or have no frame rate.
    """
    return {video.name: _duration_of(config, root, video) for video in videos}


def _duration_of(config: DataConfig, root: str | Path, video: Video) -> float | None:
    if video.duration_sec is not None or config.stride_frames <= 0 or not has_features(config, root, video.name):
        return video.duration_sec
    return covered_sec(config, len(open_features(config, root, video.name)), frames_per_second(config, video))
