"""What was made of media: the numbers that a recipe must hold, and what there is to know of the recordings."""

from typing import NamedTuple


class Made(NamedTuple):
    """Features of some recordings; vector i covers `num_frames` frames from frame `i * stride_frames` on."""

    width: int  # C, numbers in a vector
    stride_frames: int
    num_frames: int
    fps: float  # frames of film, or hops of sound, per second; frame 0 begins at second 0 of the recording
    durations_sec: dict[str, float]  # of each recording, by the name of its file without ending
    notes: list[str]  # what was unusual, a line each
