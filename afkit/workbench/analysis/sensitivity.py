"""Which actions are found well and which are missed, by length, coverage and number of instances.

As in DETAD (Alwassel et al., ECCV 2018): the sensitivity of the normalised mAP, and the analysis of false negatives.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from afkit.workbench.analysis.characteristics import CHARACTERISTICS, NO_BIN
from afkit.workbench.analysis.normalised import Matches, normalised_ap, normalised_precision

MIN_PRECISION = 0.05  # DETAD's: a true positive below it lies too deep in the ranking to be of use
ALL = ("all", "all")  # the row of all ground truths


def sensitivity(matches: Matches, traits: pd.DataFrame) -> pd.DataFrame:
    """Normalised mAP on the ground truths of each bin; the others are ignored, and so is what found them.

    Recall is counted among the ground truths of the bin, false positives are those of the whole class, and the
    average number of ground truths per class is that of the whole set. The mean is over the classes that have a ground
    truth in the bin. The authors' code ignores a prediction at all thresholds where it finds a ground truth of another
    bin at one (which also removes the false positive that it is at a higher one); here each threshold is on its own.

    Args:
        matches: what matched, all predictions.
        traits: `characteristics` of the same ground truth.

    Returns:
        DataFrame by characteristic ("all", "length", "coverage", "instances") and bin: low, high (least and greatest
        value, NaN for none), ground_truths, classes (int64), normalised_map (mean over the thresholds; NaN for an
        empty bin).

    Raises:
        ValueError: traits of another table.
    """
    rows = {}
    num_classes = len(matches.num_gt)
    for name, inside, low, high in _bins(matches, traits):
        num_gt = np.bincount(matches.pairing.gt_class[inside], minlength=num_classes)
        ap = normalised_ap(matches, inside[matches.gt_row], num_gt=num_gt)[num_gt > 0]
        value = ap.mean() if len(ap) else np.nan
        rows[name] = (low, high, int(inside.sum()), len(ap), value)
    return _table(rows, ["low", "high", "ground_truths", "classes", "normalised_map"])


def false_negatives(matches: Matches, traits: pd.DataFrame, min_precision: float = MIN_PRECISION) -> pd.DataFrame:
    """How many ground truths of each bin are missed, as the mean over the thresholds.

    Args:
        matches: what matched, all predictions.
        traits: `characteristics` of the same ground truth.
        min_precision: a ground truth is found when the normalised precision of its class is above this where its
            prediction ranks. DETAD takes 0.05; with 0, whatever any prediction found is found.

    Returns:
        DataFrame by characteristic ("all", "length", "coverage", "instances") and bin: low, high (least and greatest
        value, NaN for none), ground_truths (int64), missed (float64 number), share (missed of ground_truths; NaN for
        an empty bin).

    Raises:
        ValueError: traits of another table, or min_precision below 0 or not below 1.
    """
    if not 0 <= min_precision < 1:
        raise ValueError(f"min_precision is {min_precision}; give a fraction from 0 to below 1")
    every = np.ones(len(matches.rank), bool)
    precise = normalised_precision(matches, every, matches.false_before, matches.num_gt) > min_precision
    times_found = np.bincount(matches.gt_row[precise], minlength=len(matches.gt))
    missed = 1 - times_found / len(matches.tious)  # (N,) share of the thresholds
    rows = {}
    for name, inside, low, high in _bins(matches, traits):
        count = int(inside.sum())
        rows[name] = (low, high, count, missed[inside].sum(), missed[inside].mean() if count else np.nan)
    return _table(rows, ["low", "high", "ground_truths", "missed", "share"])


def _bins(matches: Matches, traits: pd.DataFrame) -> Iterator[tuple[tuple[str, str], np.ndarray, float, float]]:
    """((characteristic, bin), (N,) bool inside, least and greatest value), all ground truths first."""
    if not traits.index.equals(matches.gt.index):
        raise ValueError("traits has other rows than the ground truth; make it from the same table")
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
