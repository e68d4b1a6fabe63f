"""Which actions are found well and which are missed, by length, coverage and number of instances.

As in DETAD (Alwassel et al., ECCV 2018): the sensitivity of the normalised mAP, and the analysis of false negatives.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import GT_COLUMNS, check_columns, labels_of, segments_of, videos_of
from afkit.workbench.analysis.normalised import Matches, normalised_ap, normalised_precision

MIN_PRECISION = 0.05  # DETAD's: a true positive below it lies too deep in the ranking to be of use
ALL = ("all", "all")  # the row of all ground truths


def sensitivity(matches: Matches, traits: pd.DataFrame) -> pd.DataFrame:
    """Normalised mAP on the ground truths of each bin; the others are ignored, and so is what found them.

    Recall is counted among the ground truths of the bin, false positives are those of the whole class, and the
    average number of ground truths per class is that of the whole set. The mean is over the classes that have a ground
    truth in the bin. The authors' code ignores a prediction at all thresholds where it finds a ground truth of another
    bin at one (which also removes the false positive that it is at a higher one); here each threshold is on its own.

    Returns:
        DataFrame by characteristic ("all", "length", "coverage", "instances") and bin: low, high (least and greatest
        value, NaN for none), ground_truths, classes (int64), normalised_map (mean over the thresholds; NaN for an
        empty bin).
    """
    rows = {}
    num_classes = len(matches.num_gt)
    for name, inside, low, high in _bins(matches, traits):
        num_gt = np.bincount(matches.pairing.gt_class[inside], minlength=num_classes)
        ap = normalised_ap(matches, inside[matches.gt_row], num_gt=num_gt)[num_gt > 0]
        value = ap.mean() if len(ap) else np.nan
        rows[name] = (low, high, int(inside.sum()), len(ap), value)
    return _table(rows, ["low", "high", "ground_truths", "classes", "normalised_map"])


def false_negatives(matches: Matches, traits: pd.DataFrame) -> pd.DataFrame:
    """How many ground truths of each bin are missed, as the mean over the thresholds.

    One is found when the normalised precision of its class is above `MIN_PRECISION` where its prediction ranks.

    Returns:
        DataFrame by characteristic and bin, as of `sensitivity`: low, high, ground_truths, missed (float64 number),
        share (missed of ground_truths; NaN for an empty bin).
    """
    every = np.ones(len(matches.rank), bool)
    precise = normalised_precision(matches, every, matches.false_before, matches.num_gt) > MIN_PRECISION
    times_found = np.bincount(matches.gt_row[precise], minlength=len(matches.gt))
    missed = 1 - times_found / len(matches.tious)  # (N,) share of the thresholds
    rows = {}
    for name, inside, low, high in _bins(matches, traits):
        count = int(inside.sum())
        rows[name] = (low, high, count, missed[inside].sum(), missed[inside].mean() if count else np.nan)
    return _table(rows, ["low", "high", "ground_truths", "missed", "share"])


def _bins(matches: Matches, traits: pd.DataFrame) -> Iterator[tuple[tuple[str, str], np.ndarray, float, float]]:
    """((characteristic, bin), (N,) bool inside, least and greatest value), all ground truths first."""
    yield ALL, np.ones(len(traits), bool), np.nan, np.nan
    for name, column in CHARACTERISTICS.items():
        bins = traits[f"{name}_bin"]
        for bin_name in bins.cat.categories:
            inside = (bins == bin_name).to_numpy()
            values = traits.loc[inside, column] if bin_name != NO_BIN else pd.Series(dtype=float)
            yield (name, bin_name), inside, values.min(), values.max()


def _table(rows: dict[tuple[str, str], tuple], columns: list[str]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(rows, names=["characteristic", "bin"])
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)


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


def characteristics(gt: pd.DataFrame, durations_sec: Mapping[str, float | None], data: str = "auto") -> pd.DataFrame:
    """Length, coverage and number of instances of each ground truth, and the bins that they fall into.

    Args:
        durations_sec: seconds of each video; one that is missing, None, not finite or not above 0 is not known.
        data: "activitynet" or "thumos" for their published bins, "quantiles" for five bins of about as many ground
            truths each (fewer where many values are equal), "auto" for what `name_bins` finds.

    Returns:
        DataFrame with the rows and index of gt: length_sec, duration_sec of the video (NaN where unknown), coverage
        (length / duration, NaN where unknown), instances (int64, ground truths of this class in this video), and
        length_bin, coverage_bin, instances_bin (ordered categories XS to XL). "unknown" is the length_bin and the
        coverage_bin of a ground truth of no length, and the coverage_bin of one in a video without duration; that
        category is last, and only there where it is needed.

    Raises:
        ValueError: missing columns, a value that is no finite number, or an unknown name of bins.
    """
    check_columns(gt, "gt", GT_COLUMNS)
    ends = PUBLISHED_BINS.get(name_bins(gt, data), {})
    videos = videos_of(gt, "gt")
    length_sec = np.diff(segments_of(gt, "gt"), axis=1)[:, 0]
    positive_sec = np.where(length_sec > 0, length_sec, np.nan)
    seconds = np.array([durations_sec.get(video) for video in videos], np.float64)  # NaN for None
    duration_sec = np.where((seconds > 0) & (seconds < np.inf), seconds, np.nan)
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
    """Which bins ("activitynet", "thumos", "quantiles") `data` stands for; "auto" goes by names of videos."""
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
