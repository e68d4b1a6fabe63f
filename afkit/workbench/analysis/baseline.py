"""A baseline that knows nothing of the videos but their lengths: what a trained network has to beat."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import GT_COLUMNS, PREDICTION_COLUMNS, check_columns, labels_of, segments_of


def prior_predictions(
    train_gt: pd.DataFrame, durations_sec: Mapping[str, float | None], seed: int, per_video: int = 200
) -> pd.DataFrame:
    """Random segments with the class frequencies and durations of the training annotations.

    Each segment copies class and duration of one annotation drawn at random, and starts anywhere in the video with
    the same probability. Its score is the frequency of the class times the share of the video that it covers, because
    a segment that covers more of its video meets an action more easily.

    Empty and reversed annotations are left out; a segment longer than its video is cut to it.

    Returns:
        DataFrame with video, start_sec, end_sec, label (int64), score (in (0, 1]); videos in the given order.

    Raises:
        ValueError: no usable training annotation, or a duration that is not above 0.
    """
    check_columns(train_gt, "train_gt", GT_COLUMNS)
    durations_sec = dict(durations_sec)
    for video, seconds in durations_sec.items():
        if seconds is None or not 0 < seconds < np.inf:
            raise ValueError(f"the duration of video '{video}' is {seconds}; give its seconds, above 0")
    length_sec = np.diff(segments_of(train_gt, "train_gt"), axis=1)[:, 0]
    labels = labels_of(train_gt, "train_gt")[length_sec > 0]
    length_sec = length_sec[length_sec > 0]
    if not len(labels):
        raise ValueError("train_gt has no annotation longer than 0 s; give the annotations of the training subset")
    _, class_number, class_count = np.unique(labels, return_inverse=True, return_counts=True)
    frequency = (class_count / len(labels))[class_number]  # of each annotation's class

    rng = np.random.default_rng(seed)
    video_sec = np.repeat(np.array(list(durations_sec.values()), np.float64), per_video)  # (V * per_video,)
    drawn = rng.integers(len(labels), size=len(video_sec))
    drawn_sec = np.minimum(length_sec[drawn], video_sec)
    start_sec = rng.random(len(video_sec)) * (video_sec - drawn_sec)
    columns = (
        np.repeat(np.array(list(durations_sec), dtype=object), per_video),
        start_sec,
        start_sec + drawn_sec,
        labels[drawn],
        frequency[drawn] * drawn_sec / video_sec,
    )
    return pd.DataFrame(dict(zip(PREDICTION_COLUMNS, columns, strict=True)))
