"""Score fusion: class scores that another network gave to whole videos replace the detections' labels."""

import io
import pickle
import pickletools
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from afkit.config import Recipe
from afkit.data.features import locate
from afkit.evaluation.pairs import check_columns
from afkit.files import read_json
from afkit.opening import read_bytes

ROUNDING = 1e-6  # by which a sum of probabilities may exceed 1
NEEDED = ["video", "start_sec", "end_sec", "score"]  # the label is replaced, so it may be missing


def fuse_scores(
    predictions: pd.DataFrame,
    score_file: str | Path | Mapping[str, np.ndarray],
    top_k: int = 2,
    max_predictions: int = 200,
) -> pd.DataFrame:
    """Repeat each video's best detections for its best external classes (ActionFormer on ActivityNet).

    Args:
        predictions: DataFrame video, start_sec, end_sec, score.
        score_file: file that `read_scores` reads, or what it returned. A key may carry or lack the prefix `v_`.
        max_predictions: detections of each video that are kept, by score, before they are repeated.

    Returns:
        DataFrame video, start_sec, end_sec (float64), label (int64, position in the class scores) and score
        (float64, sqrt(class score * score)). Videos by name, in each the best class first, then by score.

    Raises:
        ValueError: videos without class scores, or unfit scores, columns or arguments.
    """
    where = "score_file" if isinstance(score_file, Mapping) else str(score_file)
    class_scores = _check_scores(score_file, where) if isinstance(score_file, Mapping) else read_scores(score_file)
    scores = _detection_scores(predictions)  # (N,)
    missing = uncovered_videos(predictions, class_scores)
    if missing:
        raise ValueError(
            f"{where} has no class scores for {len(missing)} of {predictions['video'].nunique()} videos "
            f"({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}); complete it, or leave out the "
            f"detections of these videos (afkit.workbench.analysis.fusion.uncovered_videos lists them)"
        )
    num_classes = len(next(iter(class_scores.values())))
    if not 1 <= top_k <= num_classes or max_predictions < 1:
        raise ValueError(f"give top_k between 1 and {num_classes} (classes of {where}) and max_predictions >= 1")

    codes, videos = pd.factorize(predictions["video"], sort=True)  # (N,), (V,)
    # of equal scores the later row comes first, as when the original reverses an ascending order
    order = np.lexsort((-np.arange(len(codes)), -scores, codes))
    blocks = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)  # rows of each video
    rows, labels, fused = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for video, block in zip(videos, blocks, strict=False):  # without detections: no video, one empty block
        best = block[:max_predictions]  # (n,)
        values = class_scores[_key(video, class_scores)]  # (K,)
        classes = np.argsort(values, kind="stable")[::-1][:top_k]  # (top_k,) best first
        weights = values[classes]
        for weight in weights[(weights < 0) | (weights > 1 + ROUNDING)]:  # lower ones are never used
            seen = f"{where}, video '{video}': a class score of {weight:g} is among the {top_k} best"
            raise ValueError(f"{seen}; give probabilities, from 0 to 1")
        rows.append(np.tile(best, top_k))
        labels.append(np.repeat(classes, len(best)))
        fused.append(np.sqrt(np.outer(weights.clip(max=1), scores[best])).ravel())  # (top_k, n) -> (top_k * n,)
    table = predictions[NEEDED[:3]].iloc[np.concatenate(rows)].reset_index(drop=True)
    table = table.astype({"start_sec": np.float64, "end_sec": np.float64})
    return table.assign(label=np.concatenate(labels), score=np.concatenate(fused))


def classify(predictions: pd.DataFrame, recipe: Recipe, data_root: str | Path, num_labels: int) -> pd.DataFrame:
    """Detections with their final labels: fused with the recipe's external scores where it names a score file.

    A ValueError where the recipe finds segments of one class, the data has several, and no scores say which.
    """
    if recipe.decode.score_file:
        return fuse_scores(predictions, locate(data_root, recipe.decode.score_file))
    if recipe.data.num_classes == 1 and num_labels > 1:
        raise ValueError(
            f"recipe '{recipe.name}' finds segments without a class (data.num_classes 1), but the annotations have "
            f"{num_labels} labels; name a file of video-level class scores with decode.score_file"
        )
    return predictions


def num_labels(recipe: Recipe, data_root: str | Path) -> int:
    """How many label ids the detections of a recipe may have: the external classes, or the network's own."""
    if recipe.decode.score_file:
        return len(next(iter(read_scores(locate(data_root, recipe.decode.score_file)).values())))
    return recipe.data.num_classes


def uncovered_videos(predictions: pd.DataFrame, scores: Mapping[str, np.ndarray]) -> list[str]:
    """Videos of a table that have no class scores, with or without the prefix `v_`; sorted."""
    return sorted(str(video) for video in predictions["video"].unique() if not _key(video, scores))


def read_scores(path: str | Path) -> dict[str, np.ndarray]:
    """Class scores of whole videos, {video: (K,) float64}, from a `.json` or `.pkl` file, bare or under "results".

    Of a pickle only plain containers, numbers and text and NumPy arrays of numbers are read; nothing in it is executed.
    What is missing, malformed or not finite, or of another K, is a ValueError.
    """
    path = Path(path)
    if path.suffix not in (".json", ".pkl"):
        raise ValueError(f"{path} must be a .json or .pkl file of class scores")
    return _check_scores(read_json(path) if path.suffix == ".json" else read_pickle(path), str(path))


def _check_scores(content: Any, where: str) -> dict[str, np.ndarray]:
    if isinstance(content, Mapping) and isinstance(content.get("results"), Mapping):
        content = content["results"]
    if not isinstance(content, Mapping) or not content or not all(isinstance(video, str) for video in content):
        raise ValueError(f"{where} has no class scores; expected {{video: [a score for each class]}}")
    scores = {video: _vector(values, f"{where}, video '{video}'") for video, values in content.items()}
    count = len(next(iter(scores.values())))
    for video, values in scores.items():
        if len(values) != count:
            raise ValueError(f"{where}, video '{video}': {len(values)} class scores, not {count}; give one per class")
    return scores


def _vector(values: Any, where: str) -> np.ndarray:
    """(K,) float64."""
    array = plain_array(values)
    if array.dtype.kind not in "fiu" or array.ndim != 1 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError(f"{where}: class scores must be a list of finite numbers, one for each class")
    return array.astype(np.float64)


def plain_array(values: Any) -> np.ndarray:
    """A list of numbers, or what stands for an array in `read_pickle`, as an array; an empty one for all else."""
    numbers = isinstance(values, list | tuple) and all(isinstance(value, int | float | np.number) for value in values)
    plain = numbers or isinstance(values, np.ndarray)  # lists in lists, which a pickle may share, would be unrolled
    try:
        return _to_array(values) if isinstance(values, _Recorded) else np.asarray(values if plain else [])
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError, SyntaxError):
        return np.zeros(0)


def _detection_scores(predictions: pd.DataFrame) -> np.ndarray:
    """(N,) float64, after a check of the table."""
    check_columns(predictions, "predictions", NEEDED)
    scores = pd.to_numeric(predictions["score"], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = ~(np.isfinite(scores) & (scores >= 0)) | predictions["video"].isna().to_numpy()
    if bad.any():
        row = predictions.iloc[int(bad.argmax())]
        raise ValueError(
            f"row {row.name} of predictions has video {row['video']} and score {row['score']}; give each row a "
            f"video and a score of at least 0"
        )
    return scores


def _key(video: Any, scores: Mapping[str, np.ndarray]) -> str:
    """Under which key the scores have a video, with or without ActivityNet's prefix `v_`; "" where they have not."""
    return next((key for key in (str(video), f"v_{video}", str(video).removeprefix("v_")) if key in scores), "")


class _Recorded:
    """What a pickle says of an array or of a data type, in place of the thing itself.

    NumPy's own reconstruction is unsafe even where nothing else is allowed: with a forged state of a data type it
    takes any bytes for addresses of objects.
    """

    state: tuple = ()

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: tuple) -> None:
        self.state = state


def _to_array(recorded: _Recorded) -> np.ndarray:
    """The array, if it holds numbers; anything else raises one of several errors."""
    raw, dtype, shape, *_ = recorded.arguments  # of _frombuffer
    if recorded.state:  # of _reconstruct
        _, shape, dtype, _, raw = recorded.state
    if isinstance(raw, _Recorded):  # of _codecs.encode, which is how protocol 2 writes bytes
        raw = raw.arguments[0]
    data = raw.encode("latin1") if isinstance(raw, str) else raw  # text: written by Python 2, too
    # a type made from its byte order and name; frombuffer refuses types that hold addresses
    return np.frombuffer(data, f"{dtype.state[1]}{dtype.arguments[0]}").reshape(shape)


_STAND_INS = {
    ("numpy", "ndarray"): "ndarray",  # only ever an argument
    ("numpy", "dtype"): _Recorded,
    ("numpy._core.multiarray", "_reconstruct"): _Recorded,
    ("numpy._core.numeric", "_frombuffer"): _Recorded,  # protocol 5
    ("_codecs", "encode"): _Recorded,  # protocol 2
}


class _ScoreUnpickler(pickle._Unpickler):
    """The one in Python: that in C takes memory for as many objects as a file claims to hold."""

    def find_class(self, module: str, name: str) -> Any:
        key = (module.replace("numpy.core.", "numpy._core."), name)  # as NumPy 1 and 2 spell it
        if key not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _STAND_INS[key]


def read_pickle(path: Path) -> Any:
    """Plain containers, numbers and text of a pickle, and stand-ins for `plain_array`; ValueError for anything else."""
    try:
        data = read_bytes(path)
        deque(pickletools.genops(data), maxlen=0)  # reads over it: what claims more bytes than there are ends here
        return _ScoreUnpickler(io.BytesIO(data), encoding="latin1").load()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except Exception as error:  # what is no pickle, or a forged one, can fail in any way
        raise ValueError(
            f"{path} is not a pickle of NumPy arrays of numbers, and no other is read ({str(error)[:500]})"
        ) from None
