"""What to label next: recordings that the network doubts, that look new, and that may hold rare classes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

QUANTILES = (0.1, 0.5, 0.9)  # of a channel: they tell recordings apart also where each has mean 0 and deviation 1
ROUNDING = 1e-6  # deviations below this share of the numbers are none
MOST_STEPS = 1000  # of a recording, evenly spread, that its look is made of


def look_of(features: np.ndarray) -> np.ndarray:
    """What the features (T, C) of a recording are like, (3 C,): three quantiles of each channel."""
    every = -(-len(features) // MOST_STEPS)
    return np.quantile(features[::every], QUANTILES, axis=0).reshape(-1)


def queue_of(
    detections: pd.DataFrame,
    thresholds: Mapping[int, float],
    counts: Mapping[int, int],
    minutes: Mapping[str, float],
    looks: Mapping[str, np.ndarray],
    labelled: np.ndarray,
) -> pd.DataFrame:
    """The recordings in the order in which they are worth labelling.

    With s the score of a detection, t the threshold of its class and n how many of the class are labelled already:

    - doubt: the sum of (1 - |s - t| / t)^2 over the detections with 0 < s < 2 t, per minute. Each counts 1 at the
      threshold, nothing where it is sure to be kept or dropped.
    - rare: the sum of s / (1 + n) over the detections with s >= t, per minute: how many actions are to be expected,
      those of a class that is labelled often counting less.
    - diversity: how far the look is from the nearest one that is labelled or further up in the queue (farthest-first;
      Gonzalez 1985); the root of the mean square over its numbers, each in units of its deviation over all.

    Worth is the sum of the three, each divided by its largest value over all recordings before the first is chosen.

    Args:
        detections: of these recordings, also those below the threshold: video, label, score.
        thresholds: from which score on a detection is kept, by label id; above 0.
        counts: how many actions are labelled, by label id; one that is missing has none.
        minutes: how long each recording lasts.
        looks: of each recording, see `look_of`.
        labelled: looks (L, 3 C) of the recordings that are labelled; none: the first is the farthest from the mean.

    Returns:
        DataFrame order (from 1), recording, minutes, doubt, diversity, rare, worth; the last four as they were when
        the recording was chosen.
    """
    names = list(minutes)
    apart = _distances(np.array([looks[name] for name in names]), labelled)  # (N, N + L)
    length = np.array([minutes[name] for name in names])
    t = detections["label"].map(thresholds).to_numpy(float)
    score = detections["score"].to_numpy(float)
    weight = 1 / (1 + detections["label"].map(lambda label: counts.get(label, 0)).to_numpy(float))
    sums = pd.DataFrame(
        {
            "doubt": (1 - np.minimum(np.abs(score - t) / t, 1)) ** 2,
            "rare": np.where(score >= t, score * weight, 0.0),
        }
    )
    sums = sums.groupby(detections["video"].to_numpy()).sum().reindex(names, fill_value=0.0)
    doubt, rare = (sums[name].to_numpy() / length for name in ("doubt", "rare"))
    near = apart[:, len(names) :].min(axis=1)  # to the nearest one that is labelled or chosen
    steady, unit = _share(doubt, doubt) + _share(rare, rare), near.copy()
    rows, left = [], np.ones(len(names), bool)
    for place in range(1, len(names) + 1):
        worth = np.where(left, steady + _share(near, unit), -np.inf)
        best = int(worth.argmax())
        rows.append((place, names[best], length[best], doubt[best], near[best], rare[best], worth[best]))
        left[best], near = False, np.minimum(near, apart[:, best])
    return pd.DataFrame(rows, columns=["order", "recording", "minutes", "doubt", "diversity", "rare", "worth"])


def _share(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Values (N,) as shares of the largest of others; 0 where that is 0."""
    return values / of.max() if of.max() > 0 else np.zeros(len(values))


def _distances(looks: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Of each of (N, D) to all of them, and to those that are labelled (L, D), or to the mean: (N, N + max(L, 1))."""
    others = np.concatenate([looks, labelled if len(labelled) else looks.mean(axis=0, keepdims=True)])
    deviation = others.std(axis=0)
    unit = np.where(
        deviation > ROUNDING * np.abs(others).max(axis=0), deviation, np.inf
    )  # what is alike in all counts 0
    return np.array([np.sqrt((((others - look) / unit) ** 2).mean(axis=1)) for look in looks])
