"""Which recordings to label next, by what a trained run finds in them: `python -m afkit next`."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from afkit.data.annotations import AnnotationFile, to_frame
from afkit.data.features import locate, read_features
from afkit.files import write_text
from afkit.workbench.media.reading import has_media
from afkit.workbench.progress import progress
from afkit.workbench.runs.new_recordings import recordings_for
from afkit.workbench.runs.opened import open_run
from afkit.workbench.runs.predicting import (
    MIN_SCORE,
    Predictor,
    Recording,
    detect,
    open_predictor,
    read_recording,
)
from afkit.workbench.survey.queue import look_of, queue_of


def queue_recordings(
    run_dir: str | Path,
    places: Sequence[str | Path] = (),
    out: str | Path = "",
    *,
    fps: float | None = None,
    signal: bool = False,
    backbone: str = "",
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Write which recordings to label next, the first first, see `afkit.workbench.survey.queue.queue_of`; the table.

    Recordings of the run's test subsets never enter the queue, nor do those it was trained on.

    Args:
        places: files or folders, as of `predict_recordings`; () for the run's own feature folders.
        out: the CSV file; "" for `next.csv` in the run folder.
        fps, signal, backbone, data_root: as of `predict_recordings`.

    Raises:
        ValueError: a wrong argument or run, a recording that cannot be read, or none to label; nothing is written.
    """
    folder, run = Path(run_dir), open_run(run_dir)
    root, annotations, data = run.data_root(data_root), run.annotations(data_root), run.recipe.data
    places = places or [locate(root, features) for features in data.features]
    media = has_media(places) and not signal
    predictor, _ = open_predictor(folder, "ema", fps, None, signal, data_root, media=media, backbone=backbone)
    found = recordings_for(predictor.recipe, predictor.signals, places, media)
    waiting = _unlabelled(found, predictor, annotations, say)
    minutes, looks, tables = {}, {}, []
    for recording in progress(waiting, "recordings", say):
        raw, gaps_sec = read_recording(predictor, recording)
        tables.append(detect(predictor._replace(thresholds=0.0), recording, say, (raw, gaps_sec)))
        looks[recording.name] = look_of(raw.rows())
        frames = (len(raw) - 1) * data.stride_frames + data.num_frames
        minutes[recording.name] = frames / predictor.fps / 60
    trained = annotations.of_subsets(data.train_subsets)
    labelled = []
    for video in trained:
        with suppress(ValueError, OSError):  # its features need not be on this machine
            labelled.append(look_of(read_features(data, root, video.name)))
    counts = Counter(to_frame(trained)["label"].tolist())
    queue = queue_of(pd.concat(tables), _thresholds(predictor), counts, minutes, looks, np.array(labelled))
    target = Path(out) if str(out) else folder / "next.csv"
    write_text(target, queue.to_csv(index=False))
    say(queue.to_string(index=False, float_format="{:.2f}".format))
    say(f"{target}")
    return queue


def _unlabelled(
    recordings: Sequence[Recording], predictor: Predictor, annotations: AnnotationFile, say: Callable[[str], None]
) -> list[Recording]:
    """Those that are neither for the test nor trained on."""
    data = predictor.recipe.data
    kinds = {"of the test": data.test_subsets, "trained on": data.train_subsets}
    subsets = {subset.lower(): why for why, names in kinds.items() for subset in names}
    left, out = [], Counter[str]()
    for recording in recordings:
        video = annotations.videos.get(recording.name)
        if video is not None and video.subset in subsets:
            out[subsets[video.subset]] += 1
        else:
            left.append(recording)
    if out:
        say("left out: " + ", ".join(f"{number} recordings {why}" for why, number in sorted(out.items())))
    if not left:
        raise ValueError(
            f"all {len(recordings)} recordings are of the run's test or training subsets; name some that are unlabelled"
        )
    return left


def _thresholds(predictor: Predictor) -> dict[int, float]:
    """Of each label; of one that 03_eval found no useful threshold for, the middle of the others'."""
    given = predictor.thresholds
    known = given if isinstance(given, dict) else dict.fromkeys(predictor.label_names, given)
    useful = [value for value in known.values() if 0 < value < math.inf]
    rest = float(np.median(useful)) if useful else MIN_SCORE
    return {label: value if 0 < value < math.inf else rest for label, value in known.items()}
