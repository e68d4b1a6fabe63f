"""Small tables of segments that the tests of this folder share."""

import numpy as np
import pandas as pd
from hypothesis import assume
from hypothesis import strategies as st


def table(rows, video="v", label=0):
    """(start, end) or (start, end, score) tuples to a table of one class in one video."""
    columns = ["start_sec", "end_sec", "score"][: len(rows[0])]
    return pd.DataFrame(rows, columns=columns).astype(float).assign(video=video, label=label)


def tiou_by_definition(a, b):
    """tIoU of two rows with start_sec and end_sec, for references in plain loops."""
    overlap = min(a.end_sec, b.end_sec) - max(a.start_sec, b.start_sec)
    return 0.0 if overlap <= 0 else overlap / (a.end_sec - a.start_sec + b.end_sec - b.start_sec - overlap)


def random_gt(seed, num_rows=30):
    """Ground truth of 4 videos and 3 classes, ends drawn from a continuum (no equal tIoU)."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 60, num_rows)
    return pd.DataFrame(
        {
            "video": rng.choice(["a", "b", "c", "d"], num_rows),
            "start_sec": start,
            "end_sec": start + rng.uniform(1, 20, num_rows),
            "label": rng.choice([3, 7, 20], num_rows),
        }
    )


def random_predictions(seed, num_rows=120):
    """Predictions for `random_gt`, with a video and a label more than it has; distinct scores."""
    rng = np.random.default_rng(seed + 1)
    start = rng.uniform(0, 60, num_rows)
    return pd.DataFrame(
        {
            "video": rng.choice(["a", "b", "c", "d", "e"], num_rows),
            "start_sec": start,
            "end_sec": start + rng.uniform(-1, 20, num_rows),
            "label": rng.choice([3, 7, 20, 21], num_rows),
            "score": rng.permutation(num_rows) / num_rows,
        }
    )


@st.composite
def crowded_tables(draw):
    """Ground truth and predictions on a coarse grid: many equal scores, equal tIoU, and empty segments.

    They have a video in common, unless there are no predictions.
    """
    times = st.tuples(st.integers(0, 8), st.integers(0, 8))
    groups = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1))
    truths = draw(st.lists(st.tuples(groups, times), min_size=1, max_size=8))
    guesses = draw(st.lists(st.tuples(groups, times, st.integers(1, 4)), max_size=16))
    assume(not guesses or {group[0] for group, _ in truths} & {group[0] for group, *_ in guesses})
    gt = pd.DataFrame(
        [(video, float(start), float(end), label) for (video, label), (start, end) in truths],
        columns=["video", "start_sec", "end_sec", "label"],
    )
    predictions = pd.DataFrame(
        [(video, float(start), float(end), label, score / 4) for (video, label), (start, end), score in guesses],
        columns=["video", "start_sec", "end_sec", "label", "score"],
    )
    return gt, predictions
