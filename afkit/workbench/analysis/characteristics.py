"""What makes an action easy or hard to find: its length, its share of the video, how often it happens there.

Definitions and published bins are those of DETAD (Alwassel, Caba Heilbron, Escorcia and Ghanem: Diagnosing Error in
Temporal Action Detectors, ECCV 2018). It knows three more, context size, context distance and agreement of
annotators, which need annotations that no data set here has.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from afkit.evaluation.tables import GT_COLUMNS, check_columns, labels_of, segments_of, videos_of

CHARACTERISTICS = {"length": "length_sec", "coverage": "coverage", "instances": "instances"}  # name: column of values
NO_BIN = "unknown"
SIZES = {1: ("M",), 2: ("S", "L"), 3: ("S", "M", "L"), 4: ("XS", "S", "M", "L"), 5: ("XS", "S", "M", "L", "XL")}
NUM_QUANTILES = 5

# Upper ends of all bins but the last. A value on an end belongs to the lower bin, the last bin is open. ActivityNet's
# are in the paper; THUMOS14's in the authors' code, which also leaves out coverages above 1 (here in the last bin).
PUBLISHED_BINS = {
    "activitynet": {"length": (30, 60, 120, 180), "coverage": (0.2, 0.4, 0.6, 0.8), "instances": (1, 4, 8)},
    "thumos": {"length": (3, 6, 12, 18), "coverage": (0.02, 0.04, 0.06, 0.08), "instances": (1, 40, 80)},
}
VIDEO_NAMES = {"activitynet": r"v_[\w-]{11}", "thumos": r"video_(validation|test)_\d{7}"}


def characteristics(
    gt: pd.DataFrame, durations_sec: Mapping[str, float | None] | pd.Series, data: str = "auto"
) -> pd.DataFrame:
    """Length, coverage and number of instances of each ground truth, and the bins that they fall into.

    Args:
        gt: N rows with video, start_sec, end_sec (seconds), label (integer id).
        durations_sec: seconds of each video; a video that is missing, or whose value is None, not finite or not above
            0, has no known duration.
        data: "activitynet" or "thumos" for their published bins, "quantiles" for five bins of about as many ground
            truths each (fewer where many values are equal), "auto" for what `name_bins` finds.

    Returns:
        DataFrame with the rows and index of gt: length_sec, duration_sec of the video (NaN where unknown), coverage
        (length / duration, NaN where unknown), instances (int64, ground truths of this class in this video), and
        length_bin, coverage_bin, instances_bin (ordered categories XS to XL). "unknown" is the length_bin and the
        coverage_bin of a ground truth of no length, and the coverage_bin of one in a video without duration; that
        category is last, and only there where it is needed.

    Raises:
        ValueError: missing columns, a value that is no finite number, an unknown name of bins, durations that are no
            numbers or two for one video.
    """
    check_columns(gt, "gt", GT_COLUMNS)
    ends = PUBLISHED_BINS.get(name_bins(gt, data), {})
    videos = videos_of(gt, "gt")
    length_sec = np.diff(segments_of(gt, "gt"), axis=1)[:, 0]
    positive_sec = np.where(length_sec > 0, length_sec, np.nan)
    duration_sec = _durations_of(videos, durations_sec)
    coverage = positive_sec / duration_sec
    groups = pd.DataFrame({"video": videos, "label": labels_of(gt, "gt")}).groupby(["video", "label"], sort=False)
    instances = groups["label"].transform("size").to_numpy(np.int64)
    return pd.DataFrame(
        {
            "length_sec": length_sec,
            "duration_sec": duration_sec,
            "coverage": coverage,
            "instances": instances,
            "length_bin": _sort_into_bins(positive_sec, ends.get("length")),
            "coverage_bin": _sort_into_bins(coverage, ends.get("coverage")),
            "instances_bin": _sort_into_bins(instances.astype(np.float64), ends.get("instances")),
        },
        index=gt.index,
    )


def name_bins(gt: pd.DataFrame, data: str = "auto") -> str:
    """Which bins `data` stands for; "auto" knows ActivityNet and THUMOS14 by the names of their videos.

    Returns:
        "activitynet", "thumos" or "quantiles".

    Raises:
        ValueError: another name.
    """
    names = ("auto", *PUBLISHED_BINS, "quantiles")
    if data not in names:
        raise ValueError(f"data is {data!r}; choose from: {', '.join(names)}")
    if data != "auto":
        return data
    videos = [str(video) for video in gt["video"].unique()]
    for name, pattern in VIDEO_NAMES.items():
        if videos and all(re.fullmatch(pattern, video) for video in videos):
            return name
    return "quantiles"


def _durations_of(videos: np.ndarray, durations_sec: Mapping[str, float | None] | pd.Series) -> np.ndarray:
    """(N,) float64 seconds of the video of each row, NaN where unknown."""
    try:
        known_sec = pd.Series(durations_sec, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("durations_sec does not hold numbers; give the seconds of each video") from None
    if not known_sec.index.is_unique:
        twice = known_sec.index[known_sec.index.duplicated()][0]
        raise ValueError(f"durations_sec has two values for video '{twice}'; give one")
    seconds = pd.Series(videos, dtype=object).map(known_sec).to_numpy(np.float64)
    return np.where((seconds > 0) & (seconds < np.inf), seconds, np.nan)


def _sort_into_bins(values: np.ndarray, ends: np.ndarray | tuple[float, ...] | None) -> pd.Categorical:
    """The bin of each of (N,) values; NaN has NO_BIN. Without ends, those of the quantiles."""
    known = values[~np.isnan(values)]
    if ends is None:
        shares = np.arange(1, NUM_QUANTILES) / NUM_QUANTILES
        cuts = np.quantile(known, shares, method="inverted_cdf") if len(known) else known  # ends that are values
        ends = np.unique(cuts[cuts < known.max(initial=-np.inf)])  # so that no bin is empty
    names = [*SIZES[len(ends) + 1], NO_BIN]
    number = np.where(np.isnan(values), len(ends) + 1, np.searchsorted(ends, values, side="left"))
    return pd.Categorical.from_codes(number, names if len(known) < len(values) else names[:-1], ordered=True)
