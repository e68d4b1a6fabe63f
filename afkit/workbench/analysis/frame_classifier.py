"""A classifier of single time steps, smoothed and merged into segments: what many try first, and a network has to beat.

A small perceptron sees a feature vector and the means of its neighbours, and tells each class from the rest, so that
actions may overlap. How wide the filter is, and from which probability on there is an action, is chosen on the training
videos, each half of which is predicted by a classifier that learned from the other half.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from afkit.data.annotations import Video, leave_out_ignored, to_frame
from afkit.data.items import Dataset, Item, read_finite
from afkit.evaluation.pairs import PREDICTION_COLUMNS
from afkit.evaluation.scores import evaluate
from afkit.segments import grid_to_sec
from afkit.workbench.progress import progress

CONTEXT = (5, 25)  # steps over which means are taken
CHANNELS, COMPONENTS = 256, 128  # features of more channels are reduced to so many components
MOST_VIDEOS, MOST_STEPS = 500, 20_000  # that are learned from
LOOKED_AT, MOST_ROWS = 50, 4_000  # videos and their steps that the reduction is told from
MOST_JUDGED = 100  # training videos that filter and threshold are chosen on
MOST_SEGMENTS = 1_000  # of a video
HIDDEN, EPOCHS = 64, 30
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)  # of the smoothed probability
SHARES, WIDEST = (0.0, 0.1, 0.25, 0.5, 1.0), 301  # widths of the filter: of the median duration; steps

Reduce = Callable[[np.ndarray], np.ndarray]  # (T, C) to (T, c)


class Choice(NamedTuple):
    """How probabilities become segments."""

    filter_steps: int  # of the median filter, odd
    threshold: float  # of the smoothed probability


class Sample(NamedTuple):
    """Steps to learn from."""

    x: np.ndarray  # (N, D) float32
    y: np.ndarray  # (N, K + 1) bool: the classes, and background
    half: np.ndarray  # (N,) 0 or 1, of the videos


class Frames(NamedTuple):
    """What the classifier found, and how."""

    predictions: pd.DataFrame  # video, start_sec, end_sec, label, score
    facts: dict[str, Any]  # those of Choice, and learned_from_steps


def frame_predictions(train: Dataset, test: Dataset, tious: Sequence[float], seed: int = 0) -> Frames:
    """Segments in the test videos by a classifier of steps that learned from the training videos.

    Memory does not grow with the data: some steps of each video are learned from, and one video is read at a time.

    Raises:
        ValueError: scikit-learn is not installed, no training video has an action, or features are not finite.
    """
    try:
        import sklearn.neural_network  # noqa: F401  # an extra
    except ImportError:
        raise ValueError("the frame classifier needs scikit-learn; pip install 'afkit[media]'") from None
    rng = np.random.default_rng(seed)
    reduce = _reduction(train, rng)
    halves = _halves(train.videos)
    sample = _sample(train, reduce, halves, rng)
    if not sample.y[:, :-1].any():
        raise ValueError("the frame classifier has no training video with an action to learn from")
    choice = _choose(train, reduce, halves, sample, tious, seed)
    model = _fit(sample.x, sample.y, seed)
    tables = [_table(item, _segments(_probabilities(model, item, reduce), choice)) for item in _items(test, "predicts")]
    found = pd.concat(tables, ignore_index=True)
    return Frames(found, {**choice._asdict(), "learned_from_steps": len(sample.x)})


def _items(dataset: Dataset, why: str, most: int | None = None) -> Iterator[Item]:
    """The items of a data set, or some that lie evenly among them, one at a time; their features are not read yet."""
    number = len(dataset) if most is None else min(most, len(dataset))
    for index in progress(np.linspace(0, len(dataset) - 1, number).round().tolist(), f"frame classifier {why}"):
        yield dataset.unread(int(index))


def _halves(videos: Sequence[Video]) -> dict[str, int]:
    """{video: 0 or 1}; the videos of a group are in one half."""
    numbers: dict[tuple[bool, str], int] = {}
    for video in videos:
        numbers.setdefault((video.group is None, video.group or video.name), len(numbers))
    return {video.name: numbers[video.group is None, video.group or video.name] % 2 for video in videos}


def _reduction(train: Dataset, rng: np.random.Generator) -> Reduce:
    """What scales each channel of features, and reduces many channels to their principal components."""
    from sklearn.decomposition import PCA

    rows, quota = [], MOST_ROWS // min(LOOKED_AT, len(train))
    for item in _items(train, "looks", LOOKED_AT):
        features = read_finite(item).numpy().T  # (T, C)
        rows.append(features[rng.permutation(len(features))[:quota]])
    known = np.concatenate(rows)
    mean, scale = known.mean(axis=0), known.std(axis=0)
    scale[scale == 0] = 1
    if known.shape[1] <= CHANNELS or len(known) <= COMPONENTS:
        return lambda features: (features - mean) / scale
    pca = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit((known - mean) / scale)
    return lambda features: pca.transform((features - mean) / scale).astype(np.float32)


def _in_context(item: Item, reduce: Reduce) -> np.ndarray:
    """(T, D) float32: each vector of an item, reduced, and the means of its neighbours."""
    from scipy.ndimage import uniform_filter1d

    features = reduce(read_finite(item).numpy().T)  # (T, c)
    means = [uniform_filter1d(features, steps, axis=0, mode="nearest") for steps in CONTEXT]
    return np.concatenate([features, *means], axis=1).astype(np.float32, copy=False)


def _targets(item: Item, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, K + 1) which classes each step of an item is in, the last for none; (T,) which steps can be learned from."""
    steps = np.arange(item.features.shape[1])
    classes = np.zeros((len(steps), num_classes + 1), bool)
    if item.segments is not None and item.labels is not None:
        for (start, end), label in zip(item.segments.tolist(), item.labels.tolist(), strict=True):
            classes[(start <= steps) & (steps <= end), label] = True
    classes[:, -1] = ~classes.any(axis=1)
    usable = np.ones(len(steps), bool)
    for start, end in [] if item.ignored is None else item.ignored.tolist():
        usable &= (steps < start) | (steps >= end)
    return classes, usable


def _sample(train: Dataset, reduce: Reduce, halves: dict[str, int], rng: np.random.Generator) -> Sample:
    """Equally many steps of each video; where it has more, half of them from actions."""
    quota, x, y, half = -(-MOST_STEPS // min(MOST_VIDEOS, len(train))), [], [], []
    for item in _items(train, "reads", MOST_VIDEOS):
        classes, usable = _targets(item, train.config.num_classes)
        action, others = (rng.permutation(np.flatnonzero(usable & (classes[:, -1] == idle))) for idle in (False, True))
        action = action[: max(quota // 2, quota - len(others))]
        chosen = np.sort(np.concatenate([action, others[: quota - len(action)]]))
        x.append(_in_context(item, reduce)[chosen])
        y.append(classes[chosen])
        half.append(np.full(len(chosen), halves[item.video]))
    return Sample(np.concatenate(x), np.concatenate(y), np.concatenate(half))


def _fit(x: np.ndarray, y: np.ndarray, seed: int) -> Any:
    """The perceptron, whose outputs are independent of each other."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seed %= 2**32  # that is as many as there are
    network = MLPClassifier((HIDDEN,), alpha=1e-2, max_iter=EPOCHS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is meant
        return make_pipeline(StandardScaler(), network).fit(x, y.astype(int))


def _probabilities(model: Any, item: Item, reduce: Reduce) -> np.ndarray:
    """(T, K) of the classes."""
    return model.predict_proba(_in_context(item, reduce))[:, :-1]


def _choose(
    train: Dataset, reduce: Reduce, halves: dict[str, int], sample: Sample, tious: Sequence[float], seed: int
) -> Choice:
    """The filter and the threshold with the best average mAP on training videos, as the other half predicts them."""
    names, durations = set(), []
    for item in _items(train, "reads", MOST_JUDGED):
        names.add(item.video)
        durations += [] if item.segments is None else [(item.segments[:, 1] - item.segments[:, 0]).numpy()]
    median = float(np.median(np.concatenate([*durations, np.ones(1)])))
    widths = sorted({min(int(share * median) | 1, WIDEST) for share in SHARES})
    choices = [Choice(*pair) for pair in itertools.product(widths, THRESHOLDS)]
    videos = [video for video in train.videos if video.name in names]
    gt = to_frame(videos)
    if train.config.num_classes == 1:  # a classifier of whole videos names the segments afterwards
        gt = gt.assign(label=0)
    learned = [sample.half != half for half in (0, 1)]  # for the videos of each half
    if gt.empty or not all(sample.y[rows, :-1].any() for rows in learned):
        return Choice(widths[len(widths) // 2], THRESHOLDS[1])
    models = [_fit(sample.x[rows], sample.y[rows], seed) for rows in progress(learned, "frame classifier learns")]
    tables: dict[Choice, list[pd.DataFrame]] = {choice: [] for choice in choices}
    for item in _items(train, "is judged", MOST_JUDGED):
        probabilities = _probabilities(models[halves[item.video]], item, reduce)
        for width in widths:
            smooth = _smooth(probabilities, width)
            for choice in choices:
                if choice.filter_steps == width:
                    tables[choice].append(_table(item, _segments(smooth, Choice(1, choice.threshold))))
    scores = {}
    for choice, found in tables.items():
        predictions = leave_out_ignored(pd.concat(found, ignore_index=True), videos)
        scores[choice] = evaluate(gt, predictions, tious).average_map if len(predictions) else 0.0
    return max(choices, key=lambda choice: scores[choice])  # the first of equal ones


def _smooth(probabilities: np.ndarray, steps: int) -> np.ndarray:
    """(T, K) by a median filter over time."""
    from scipy.ndimage import median_filter

    return median_filter(probabilities, size=(steps, 1), mode="nearest") if steps > 1 else probabilities


def _segments(probabilities: np.ndarray, choice: Choice) -> np.ndarray:
    """(M, 4) start and end on the grid, label, score of the runs of steps whose probabilities (T, K) are high.

    A run reaches half a step beyond its first and last step; its score is the mean probability. The best come first.
    """
    smooth = _smooth(probabilities, choice.filter_steps)
    high = np.pad(smooth >= choice.threshold, ((1, 1), (0, 0))).astype(np.int8)
    label, edge = np.nonzero(np.diff(high, axis=0).T)  # of each class in turn: first step, step after the last, ...
    label, start, end = label[::2], edge[::2], edge[1::2]
    total = np.pad(smooth.cumsum(axis=0), ((1, 0), (0, 0)))
    score = (total[end, label] - total[start, label]) / np.maximum(end - start, 1)
    best = np.argsort(-score, kind="stable")[:MOST_SEGMENTS]
    return np.column_stack([start - 0.5, end - 0.5, label, score])[best]


def _table(item: Item, segments: np.ndarray) -> pd.DataFrame:
    """Segments (M, 4) of a video, in seconds within it."""
    last = np.inf if item.duration is None else item.duration
    times = grid_to_sec(segments[:, :2], item.fps, item.stride, item.num_frames).clip(0, last)  # (M, 2)
    columns = (item.video, *times.T, segments[:, 2].astype(np.int64), segments[:, 3])
    table = pd.DataFrame(dict(zip(PREDICTION_COLUMNS, columns, strict=True)))
    return table.astype({"video": "str"})
