"""How sure mAP is: bootstrap over videos or groups, paired for the difference between two runs, and a sign test.

Videos are what a data set is a sample of, so they are drawn, with everything in them. Where videos are of the same
person, animal or site, they resemble each other, and these groups are the sample: all videos of a group are then drawn
together. Which prediction finds which ground truth is settled inside a video, so that no resample needs a matching of
its own: every prediction and every ground truth counts as often as its video was drawn.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import Pairing, check_common_videos, labels_of, pair_up, videos_of
from afkit.evaluation.scores import average_precision, check_tious, match_greedily, threshold_bits, unpack_bits
from afkit.workbench.analysis.report import tiou_names
from afkit.workbench.progress import teller

FEWEST = 5  # videos or groups that an interval can be drawn from; of fewer it would be far too narrow
SAME = 1e-12  # differences below it are rounding
CELLS = 2**20  # of the largest array, predictions of a class x resamples worked on at once: about a processor's cache


class Interval(NamedTuple):
    """A measured value and how far it moves when other videos or groups are drawn; fractions."""

    value: float  # of all videos
    low: float  # lower end, in the unit of the value
    high: float  # upper end
    standard_error: float  # standard deviation over the draws


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """What `bootstrap_map` found: S tIoU thresholds, R usable resamples."""

    average_map: Interval  # mean over the thresholds, as fractions
    map: pd.DataFrame  # (S, 4) tIoU by the fields of Interval
    samples: np.ndarray  # (R, S) mAP of each resample, as drawn
    level: float  # of the intervals
    counts: dict[str, float]  # videos, groups (where there are some), resamples, and how many of these lack what

    def facts(self) -> dict[str, Any]:
        """All but the samples, ready for JSON."""
        rows = dict(zip(tiou_names(self.map.index), self.map.to_dict(orient="records"), strict=True))
        method = {"method": "percentile bootstrap", "resampled": drawn_units(self.counts)}
        content = {"average_map": self.average_map._asdict(), "map": rows, **method}
        return content | {"level": self.level, "counts": self.counts}


class SignTest(NamedTuple):
    """In how many videos or groups each of two runs is better, and how likely so uneven a split is by chance."""

    a_better: int  # those that a solves better
    b_better: int  # those that b solves better
    equal: int  # those that both solve equally well
    p_value: float  # two-sided, of the binomial test without the equal ones


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare_runs` found of the difference a - b: S tIoU thresholds, R usable resamples."""

    average_map: Interval  # of a minus b, as fractions
    p_value: float  # two-sided, that the difference of the average mAP is 0
    significant: bool  # p_value below 1 - level
    sign_test: SignTest  # over the videos, or the groups where there are some
    samples: np.ndarray  # (R, S) difference of mAP in each resample, as drawn
    level: float  # of the intervals
    counts: dict[str, float]  # as in Bootstrap


class Resamples(NamedTuple):
    """mAP of one or several runs on the same R usable resamples; S tIoU thresholds."""

    measured: np.ndarray  # (runs, S) on all videos as they are
    sampled: np.ndarray  # (runs, R, S)
    counts: dict[str, float]  # as in Bootstrap


class Ranked(NamedTuple):
    """Predictions of one class, best first, as a resample sees them."""

    video: np.ndarray  # (P,) position among the videos or groups
    hit_rank: np.ndarray  # (H,) those that are a hit at some threshold
    hits: np.ndarray  # (H, S) bool


def bootstrap_map(
    gt: pd.DataFrame,
    predictions: pd.DataFrame,
    tious: Sequence[float],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    label_remap: str = "fixed",
    groups: Mapping[str, str] | None = None,
) -> Bootstrap:
    """Percentile intervals and standard errors of average mAP and mAP, by drawing videos or groups with replacement.

    A resample scores exactly as `evaluate` does on tables in which every row is repeated in place as often as its
    video was drawn, each time under another name of the video. As many videos (or groups) are drawn as gt and
    predictions have together. A class that no drawn video has is left out of that resample's mean; a resample without
    any ground truth is left out altogether (both are counted). How few are too few says `too_few`.

    Repeated videos raise interpolated AP, so resamples score higher than the test set itself, often by more than the
    interval is wide. Their mean is therefore moved to the measured value before the percentiles are taken. The interval
    then says where mAP lies on other test sets of this size. Where most classes occur in a single video, it is too
    narrow: what never varies between the drawn videos cannot be estimated from them.

    Args:
        level: of the intervals, e.g. 0.95 from the 2.5th to the 97.5th percentile.
        label_remap: see `evaluate`; classes are numbered once, for all resamples.
        groups: {video: person, animal or site}, which are drawn in place of videos; a video that is not there, or whose
            group is missing (None, NaN), is a group of its own. A Series does, too.

    Raises:
        ValueError: as `evaluate`; groups of which none is of a video; fewer than 2 resamples with ground truth; a level
            outside 0 to 1.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    _check_level(level)
    drawn = resample(gt, [predictions], tious, resamples, seed, label_remap, groups)
    average, by_tiou = _intervals(drawn.measured[0], drawn.sampled[0], tious, level)
    return Bootstrap(average, by_tiou, drawn.sampled[0], level, drawn.counts)


def compare_runs(
    gt: pd.DataFrame,
    predictions_a: pd.DataFrame,
    predictions_b: pd.DataFrame,
    tious: Sequence[float],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    label_remap: str = "fixed",
    groups: Mapping[str, str] | None = None,
) -> Comparison:
    """Is run a better than run b on these videos? Paired bootstrap of the difference a - b, and a sign test.

    Both runs are scored on the same draws, so what makes a video hard cancels out. The p-value is the share of
    resamples whose difference lies as far from their mean as the measured one from 0; it counts the measured one as a
    resample, too, so that it is never 0. The sign test compares the runs video by video: mAP of the video on
    its own, mean over the thresholds (of a group, the mean over its videos). It looks at no other video, so the videos
    are independent and the test is exact; for the same reason it does not see whether scores can be compared between
    videos, which mAP does.

    Arguments and errors are those of `bootstrap_map`.
    """
    _check_level(level)
    drawn = resample(gt, [predictions_a, predictions_b], tious, resamples, seed, label_remap, groups)
    measured = _without_rounding(drawn.measured[0] - drawn.measured[1])  # (S,)
    sampled = _without_rounding(drawn.sampled[0] - drawn.sampled[1])  # (R, S)
    average, _ = _intervals(measured, sampled, tious, level)
    p_value = _p_value(average.value, sampled.mean(axis=1))
    videos = map_by_video(gt, predictions_a, tious) - map_by_video(gt, predictions_b, tious)
    units, _ = _units(videos.index, groups)
    differences = np.bincount(units, videos) / np.bincount(units)
    return Comparison(
        average_map=average,
        p_value=p_value,
        significant=p_value < round(1 - level, 9),
        sign_test=sign_test(_without_rounding(differences)),
        samples=sampled,
        level=level,
        counts=drawn.counts,
    )


def too_few(gt: pd.DataFrame, runs: Sequence[pd.DataFrame], groups: Mapping[str, str] | None = None) -> str:
    """Why no interval is to be drawn from the videos, or groups, of some tables, in a sentence; "" where one can be."""
    videos = pd.unique(np.concatenate([table["video"].to_numpy(object) for table in (gt, *runs)]))
    units, what = _units(videos, groups)
    number = len(np.unique(units))
    few = f"there {'is' if number == 1 else 'are'} {number}"
    return f"an interval needs at least {FEWEST} test {what}, {few}" if number < FEWEST else ""


def interval_facts(
    gt: pd.DataFrame,
    predictions: pd.DataFrame,
    tious: Sequence[float],
    groups: Mapping[str, str],
    label_remap: str = "fixed",
) -> dict[str, Any]:
    """What `bootstrap_map` says of a result, as `Bootstrap.facts`; or {"refused": why} where it would be of too few."""
    if refused := too_few(gt, [predictions], groups):
        return {"refused": refused}
    groups = {video: groups[video] for video in {*gt["video"].unique(), *predictions["video"].unique()} & groups.keys()}
    return bootstrap_map(gt, predictions, tious, label_remap=label_remap, groups=groups).facts()


def drawn_units(counts: Mapping[str, float]) -> str:
    """What was drawn, from the counts of `bootstrap_map` or `compare_runs`, e.g. "9 groups" or "40 recordings"."""
    return f"{counts['groups']} groups" if "groups" in counts else f"{counts['videos']} recordings"


def _units(videos: Iterable[str], groups: Mapping[str, str] | None) -> tuple[np.ndarray, str]:
    """The number (from 0 on, in their order) of what each video is drawn with, and whether these are "groups"."""
    groups = {} if groups is None else {video: group for video, group in groups.items() if not pd.isna(group)}
    keys, numbers = [(video in groups, groups.get(video, video)) for video in videos], dict[tuple[bool, str], int]()
    codes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    return codes, "groups" if any(grouped for grouped, _ in keys) else "recordings"


def sign_test(differences: Sequence[float] | np.ndarray) -> SignTest:
    """Exact two-sided binomial test that positive and negative differences are equally likely; zeros are left out.

    Examples:
        >>> sign_test([0.1, 0.2, 0.3, 0.2, 0.1, 0.0])
        SignTest(a_better=5, b_better=0, equal=1, p_value=0.0625)
    """
    differences = np.asarray(differences, np.float64)
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    count = better + worse
    term = tail = 1  # binomial coefficients, whole numbers of any size
    for i in range(min(better, worse)):
        term = term * (count - i) // (i + 1)
        tail += term
    return SignTest(better, worse, len(differences) - count, min(1.0, 2 * tail / 2**count))


def map_by_video(gt: pd.DataFrame, predictions: pd.DataFrame, tious: Sequence[float] | np.ndarray) -> pd.Series:
    """mAP of each video with ground truth as if it were alone, mean over the thresholds: best first, ties as in gt."""
    tious = check_tious(tious)
    video, names = pd.factorize(videos_of(gt, "gt"))
    label, classes = pd.factorize(labels_of(gt, "gt"))
    predicted_video = pd.Index(names, dtype=object).get_indexer(videos_of(predictions, "predictions"))
    predicted_label = pd.Index(classes).get_indexer(labels_of(predictions, "predictions"))
    known = (predicted_video >= 0) & (predicted_label >= 0)
    # a class of a video becomes a class of its own
    group = np.where(known, predicted_video * len(classes) + predicted_label, -1)
    pairing = pair_up(gt.assign(label=video * len(classes) + label), predictions.assign(label=group), "fixed")
    ap = average_precision(pairing, threshold_bits(pairing.pair_tiou, tious), len(tious)).mean(axis=1)
    owner = pairing.classes // len(classes)  # video of each class of its own
    solved = pd.Series(np.bincount(owner, ap) / np.bincount(owner), index=names, name="ap")
    return solved.sort_values(ascending=False, kind="stable")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a fraction between 0 and 1, such as 0.95")


def _intervals(
    measured: np.ndarray, sampled: np.ndarray, tious: Sequence[float], level: float
) -> tuple[Interval, pd.DataFrame]:
    """Of the mean over the thresholds, and of each; measured (S,), sampled (R, S)."""
    values = np.append(measured, measured.mean())
    samples = np.column_stack([sampled, sampled.mean(axis=1)])
    bounds = values + np.quantile(samples - samples.mean(axis=0), [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = np.column_stack([values, *bounds, samples.std(axis=0, ddof=1)])  # (S + 1, 4)
    index = pd.Index(check_tious(tious), name="tiou")
    return Interval(*columns[-1].tolist()), pd.DataFrame(columns[:-1], index, Interval._fields)


def _p_value(measured: float, sampled: np.ndarray) -> float:
    """Two-sided, of a difference and of (R,) resampled ones; the measured one counts as a resample: never 0."""
    as_far = np.abs(_without_rounding(sampled - sampled.mean())) >= abs(measured)
    return float((1 + as_far.sum()) / (1 + len(sampled)))


def _without_rounding(differences: np.ndarray) -> np.ndarray:
    return np.where(np.abs(differences) < SAME, 0.0, differences)


def choose_best_median_worst(by_video: pd.Series, count: int = 3) -> list[str]:
    """`count` videos spread evenly from the best to the worst (3: best, median, worst), without repetition."""
    places = np.linspace(0, len(by_video) - 1, min(count, len(by_video))).round().astype(int)
    return list(dict.fromkeys(by_video.index[places]))


def resample(
    gt: pd.DataFrame,
    runs: Sequence[pd.DataFrame],
    tious: Sequence[float] | np.ndarray,
    resamples: int,
    seed: int,
    label_remap: str = "fixed",
    groups: Mapping[str, str] | None = None,
) -> Resamples:
    """Score tables of predictions on the same draws of as many videos (or groups) as gt and they have together."""
    tious = check_tious(tious)
    if resamples < 2:
        raise ValueError(f"resamples is {resamples}; draw at least 2")
    pairings = [pair_up(gt, predictions, label_remap) for predictions in runs]
    for predictions in runs:
        check_common_videos(gt, predictions)
    tables = [videos_of(gt, "gt"), *(videos_of(predictions, "predictions") for predictions in runs)]
    codes, videos = pd.factorize(np.concatenate(tables))
    units, what = _units(videos, groups)
    if what != "groups" and groups is not None and any(pd.notna(group) for _, group in groups.items()):
        other = f"no key of groups is a video: {next(iter(groups.keys()))!r} is none, {videos[0]!r} is one"
        raise ValueError(f"{other}; give {{video: group}}")
    number = len(np.unique(units))
    gt_video, *run_videos = np.split(units[codes], np.cumsum([len(table) for table in tables])[:-1])
    ranked = [_rank(*each, tious) for each in zip(pairings, run_videos, strict=True)]
    num_gt = np.zeros((number, len(pairings[0].classes)))  # (V, K), float: matrices of integers multiply slowly
    np.add.at(num_gt, (gt_video, pairings[0].gt_class), 1)

    largest = max([number, *(len(one.video) for run in ranked for one in run)])
    maps, left_out, done, tell = [], 0, 0, teller("bootstrap", resamples, unit=" resamples")
    for weights in _draw(number, resamples, seed, max(1, CELLS // largest)):
        drawn_gt = weights.T.astype(np.float64) @ num_gt  # (C, K)
        maps.append(np.stack([_mean_ap(run, weights, drawn_gt, len(tious)) for run in ranked]))
        left_out += int((drawn_gt[drawn_gt.any(axis=1)] == 0).sum())
        tell(done := done + len(drawn_gt))
    sampled = np.concatenate(maps, axis=1)  # (runs, resamples, S)
    usable = ~np.isnan(sampled[0, :, 0])
    if usable.sum() < 2:
        raise ValueError(f"{usable.sum()} of {resamples} resamples have ground truth; raise resamples")
    once = np.ones((number, 1), np.int64)
    measured = [_mean_ap(run, once, num_gt.sum(axis=0)[None], len(tious))[0] for run in ranked]
    counts = {
        "videos": len(videos),
        **({"groups": number} if what == "groups" else {}),
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

    weights (V, C): how often each video counts; num_gt (C, K): ground truths, so weighted.
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
