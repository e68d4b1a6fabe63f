"""mAP on resamples of the videos, by weights instead of by repeating rows.

Which prediction finds which ground truth is settled inside a video, so that no resample needs a matching of its own:
every prediction and every ground truth counts as often as its video was drawn.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import Pairing, check_common_videos, pair_up, videos_of
from afkit.evaluation.scores import check_tious, match_greedily, threshold_bits, unpack_bits

CELLS = 2**20  # of the largest array, predictions of a class x resamples worked on at once: about a processor's cache


class Resamples(NamedTuple):
    """mAP of one or several runs on the same R usable resamples; S tIoU thresholds."""

    measured: np.ndarray  # (runs, S) on all videos as they are
    sampled: np.ndarray  # (runs, R, S)
    counts: dict[str, float]  # videos, resamples, resamples_without_gt, mean_classes_left_out


class Ranked(NamedTuple):
    """Predictions of one class, best first, as a resample sees them."""

    video: np.ndarray  # (P,) position among the videos
    hit_rank: np.ndarray  # (H,) those that are a hit at some threshold
    hits: np.ndarray  # (H, S) bool


def resample(
    gt: pd.DataFrame,
    runs: Sequence[pd.DataFrame],
    tious: Sequence[float] | np.ndarray,
    resamples: int,
    seed: int,
    label_remap: str = "fixed",
) -> Resamples:
    """Score runs on the same draws of videos, with replacement, as many as gt and runs have together.

    A resample scores exactly as `evaluate` does on tables in which every row is repeated in place as often as its
    video was drawn, each time under another name of the video.

    Args:
        gt: N rows with video, start_sec, end_sec (seconds), label (integer id).
        runs: tables of predictions, with the same columns and score.
        resamples: number of draws, at least 2.
        seed: the same seed gives the same draws.
        label_remap: see `afkit.evaluation.scores.evaluate`; classes are numbered once, for all resamples.

    Raises:
        ValueError: unusable tables or thresholds as in `evaluate`; fewer than 2 resamples, or fewer than 2 of them
            with ground truth.
    """
    tious = check_tious(tious)
    if resamples < 2:
        raise ValueError(f"resamples is {resamples}; draw at least 2")
    pairings = [pair_up(gt, predictions, label_remap) for predictions in runs]
    for predictions in runs:
        check_common_videos(gt, predictions)
    tables = [videos_of(gt, "gt"), *(videos_of(predictions, "predictions") for predictions in runs)]
    codes, names = pd.factorize(np.concatenate(tables))
    gt_video, *run_videos = np.split(codes, np.cumsum([len(table) for table in tables])[:-1])
    ranked = [_rank(*each, tious) for each in zip(pairings, run_videos, strict=True)]
    num_gt = np.zeros((len(names), len(pairings[0].classes)))  # (V, K), float: matrices of integers multiply slowly
    np.add.at(num_gt, (gt_video, pairings[0].gt_class), 1)

    largest = max([len(names), *(len(one.video) for run in ranked for one in run)])
    maps, left_out = [], 0
    for weights in _draw(len(names), resamples, seed, max(1, CELLS // largest)):
        drawn_gt = weights.T.astype(np.float64) @ num_gt  # (C, K)
        maps.append(np.stack([_mean_ap(run, weights, drawn_gt, len(tious)) for run in ranked]))
        left_out += int((drawn_gt[drawn_gt.any(axis=1)] == 0).sum())
    sampled = np.concatenate(maps, axis=1)  # (runs, resamples, S)
    usable = ~np.isnan(sampled[0, :, 0])
    if usable.sum() < 2:
        raise ValueError(f"{usable.sum()} of {resamples} resamples have ground truth; raise resamples")
    once = np.ones((len(names), 1), np.int64)
    measured = [_mean_ap(run, once, num_gt.sum(axis=0)[None], len(tious))[0] for run in ranked]
    counts = {
        "videos": len(names),
        "resamples": resamples,
        "resamples_without_gt": int((~usable).sum()),
        "mean_classes_left_out": left_out / int(usable.sum()),
    }
    return Resamples(np.stack(measured), sampled[:, usable], counts)


def _rank(pairing: Pairing, video: np.ndarray, tious: np.ndarray) -> list[Ranked]:
    """The predictions of each class; `video` (P,) by row of their table."""
    hit = np.zeros(len(pairing.row), np.int64)
    won = match_greedily(pairing, threshold_bits(pairing.pair_tiou, tious))
    np.bitwise_or.at(hit, pairing.pair_prediction, won)
    bounds = np.searchsorted(pairing.prediction_class, np.arange(len(pairing.classes) + 1))
    ranked = []
    for start, end in pairwise(bounds):
        hit_rank = np.flatnonzero(hit[start:end])
        ranked.append(Ranked(video[pairing.row[start:end]], hit_rank, unpack_bits(hit[start + hit_rank], len(tious))))
    return ranked


def _draw(num_videos: int, resamples: int, seed: int, chunk: int) -> Iterator[np.ndarray]:
    """How often each video is drawn, (V, C) for up to `chunk` resamples at a time, whose size changes no number."""
    rng = np.random.default_rng(seed)
    for first in range(0, resamples, chunk):
        size = min(chunk, resamples - first)
        yield np.ascontiguousarray(rng.multinomial(num_videos, np.full(num_videos, 1 / num_videos), size).T)


def _mean_ap(ranked: list[Ranked], weights: np.ndarray, num_gt: np.ndarray, num_thresholds: int) -> np.ndarray:
    """(C, S) mAP in each resample, over the classes that it has; NaN in one without ground truth.

    Args:
        weights: (V, C) how often each video counts.
        num_gt: (C, K) ground truths, so weighted.
    """
    ap = np.zeros((weights.shape[1], len(ranked), num_thresholds))
    for k, one in enumerate(ranked):
        count = weights.take(one.video, axis=0)  # (P, C)
        count = np.add.accumulate(count, axis=0, out=count)[one.hit_rank]  # (H, C) predictions down to each hit
        drawn = weights[one.video[one.hit_rank]]  # (H, C)
        for s in range(num_thresholds):
            hits = drawn[one.hits[:, s]]
            # repetitions of a hit follow each other, and precision rises along them: the last one's is their envelope
            precision = hits.cumsum(axis=0) / np.maximum(count[one.hits[:, s]], 1)
            envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
            ap[:, k, s] = (envelope * hits).sum(axis=0)
    has_gt = num_gt > 0
    ap /= np.maximum(num_gt, 1)[:, :, None]
    num_classes = has_gt.sum(axis=1)[:, None]
    total = (ap * has_gt[:, :, None]).sum(axis=1)
    return np.divide(total, num_classes, out=np.full(total.shape, np.nan), where=num_classes > 0)
