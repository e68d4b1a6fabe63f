"""Why predictions are wrong: the kinds of false positives of DETAD (Alwassel et al., ECCV 2018).

A prediction that is no true positive at threshold t is judged by the ground truth of its video, of any class, with
which it has the highest tIoU:

    tIoU                  its class                other class
    t or more             double detection         wrong label
    0.1 or more, below t  localisation             confusion
    below 0.1             background               background

The paper says what each kind is, its code (which is followed here) that the highest tIoU decides. Where ground truths
of both classes share it, the code takes the first in the file; here the prediction's own class counts (THUMOS14 has
many such pairs: a cliff dive is annotated as a dive, too). In a video without ground truth the code compares all but
the first prediction with the video before; here all are background.

Of each class, the 10 G predictions of highest score are looked at, G being the number of its ground truths. Band b
holds those from (b - 1) G + 1 to b G.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import overlapping_pairs, segments_of, videos_of
from afkit.workbench.analysis.normalised import Matches, match_all, normalised_ap

KINDS = ("true positive", "double detection", "wrong label", "localisation", "confusion", "background")
OUTSIDE = "outside"  # of a prediction that is not among the best of its class, or whose class no ground truth has
MIN_TIOU = 0.1  # below it, a prediction has nothing to do with a ground truth
NUM_BANDS = 10
PAIRS_AT_ONCE = 1_000_000  # keeps the memory below some 200 MB


class Kinds(NamedTuple):
    """The T predictions within the bands, in the order of their rank (class by class, falling score)."""

    rank: np.ndarray  # (T,) index into pairing.row
    band: np.ndarray  # (T,) 1 to 10
    kind: np.ndarray  # (T, S) int8, index into KINDS


def find_kinds(matches: Matches) -> Kinds:
    """The kind of each prediction within the bands, at each threshold."""
    pairing = matches.pairing
    limit = np.append(NUM_BANDS * matches.num_gt, 0)  # the last for class -1
    rank = np.flatnonzero(matches.place < limit[pairing.prediction_class])
    band = matches.place[rank] // matches.num_gt[pairing.prediction_class[rank]] + 1

    own = np.zeros(len(pairing.row))
    np.maximum.at(own, pairing.pair_prediction, pairing.pair_tiou)
    best = _best_tiou(matches, rank)  # (T,)
    same = own[rank] >= best
    kind = np.where(best >= MIN_TIOU, np.where(same, 3, 4), 5)  # index into KINDS
    kind = np.where(best[:, None] >= matches.tious, np.where(same, 1, 2)[:, None], kind[:, None])  # (T, S)

    inside = _within_bands(matches)
    kind[np.searchsorted(rank, matches.rank[inside]), matches.threshold[inside]] = 0
    return Kinds(rank, band, kind.astype(np.int8))


def false_positives(gt: pd.DataFrame, predictions: pd.DataFrame, tiou: float) -> pd.DataFrame:
    """Name what each prediction is, at one threshold.

    Returns:
        A copy of predictions, same rows and index, with band (int64: 1 to 10, 0 outside) and kind (one of KINDS, or
        "outside" for a prediction beyond the 10 G best of its class or whose label no ground truth has).

    Raises:
        ValueError: as `match_all`.
    """
    matches = match_all(gt, predictions, [tiou])
    found = find_kinds(matches)
    row = matches.pairing.row[found.rank]
    band, kind = np.zeros(len(predictions), np.int64), np.full(len(predictions), OUTSIDE, dtype=object)
    band[row], kind[row] = found.band, np.array(KINDS, dtype=object)[found.kind[:, 0]]
    return predictions.assign(band=band, kind=kind)


def false_positive_profile(kinds: Kinds) -> pd.DataFrame:
    """How many predictions of each band are of each kind, as the mean over the thresholds.

    Returns:
        DataFrame, float64: bands 1 to 10 by KINDS. The sum is the number of predictions within the bands. Late bands
        are smaller where the detector gives fewer predictions.
    """
    num_kinds, num_thresholds = len(KINDS), kinds.kind.shape[1]
    cell = (kinds.band[:, None] - 1) * num_kinds + kinds.kind
    counts = np.bincount(cell.ravel(), minlength=NUM_BANDS * num_kinds).reshape(NUM_BANDS, num_kinds)
    bands = pd.RangeIndex(1, NUM_BANDS + 1, name="band")
    return pd.DataFrame(counts / num_thresholds, index=bands, columns=pd.Index(KINDS, name="kind"))


def gain_of_removal(matches: Matches, kinds: Kinds) -> pd.DataFrame:
    """How much the normalised mAP rises when all false positives of one kind are taken away.

    As in the authors' code, both mAPs are those of the predictions within the bands, and no prediction from beyond
    moves up. A kind is that at the threshold in question.

    Returns:
        DataFrame of fractions, 0 or more: KINDS without the first by S thresholds; the means of its rows are DETAD's.
    """
    num_thresholds = len(matches.tious)
    position = np.searchsorted(kinds.rank, matches.rank)  # (H,) among those within the bands
    first = np.searchsorted(matches.pairing.prediction_class[kinds.rank], matches.label)  # (H,) of their class
    inside = _within_bands(matches)
    before = normalised_ap(matches, inside).mean(axis=0)
    gains = {}
    for number, name in enumerate(KINDS[1:], start=1):
        removed = np.zeros((len(kinds.rank) + 1, num_thresholds), np.int64)  # removed[i]: of this kind before i
        np.cumsum(kinds.kind == number, axis=0, out=removed[1:])
        removed_before = removed[position, matches.threshold] - removed[first, matches.threshold]
        gains[name] = normalised_ap(matches, inside, matches.false_before - removed_before).mean(axis=0) - before
    columns = pd.Index(matches.tious, name="tiou")
    return pd.DataFrame(gains, index=columns).T.rename_axis("kind")


def _within_bands(matches: Matches) -> np.ndarray:
    """(H,) bool: which true positives are among the 10 G best predictions of their class."""
    return matches.place[matches.rank] < NUM_BANDS * matches.num_gt[matches.label]


def _best_tiou(matches: Matches, rank: np.ndarray) -> np.ndarray:
    """(T,) the highest tIoU of the predictions at these ranks with a ground truth of their video, of any class."""
    row = matches.pairing.row[rank]
    gt_segments = segments_of(matches.gt, "gt")
    segments = segments_of(matches.predictions, "predictions")[row]
    gt_video, videos = pd.factorize(videos_of(matches.gt, "gt"))
    video = pd.Index(videos, dtype=object).get_indexer(videos_of(matches.predictions, "predictions")[row])
    num_pairs = np.append(np.bincount(gt_video), 0)[video].cumsum()  # the last for video -1
    cuts = np.flatnonzero(np.diff(num_pairs // PAIRS_AT_ONCE)) + 1
    best = np.zeros(len(rank))
    for part in np.split(np.arange(len(rank)), cuts):
        prediction, _, overlap = overlapping_pairs(gt_video, gt_segments, video[part], segments[part])
        np.maximum.at(best, part[prediction], overlap)
    return best
