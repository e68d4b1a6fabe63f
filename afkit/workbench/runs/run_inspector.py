"""The inspector of finished and unfinished runs, with all that the run folder and its data have to show."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from afkit.config import DataConfig
from afkit.workbench.datasets.sensors import has_signal, sensor_arguments
from afkit.workbench.inspector.inspected import Inspected, read_inspected
from afkit.workbench.inspector.show import compare_segments, inspect_segments
from afkit.workbench.inspector.tracks import Curves, Tracks
from afkit.workbench.runs.opened import OpenedRun, open_run
from afkit.workbench.runs.paths import without_paths
from afkit.workbench.survey.facts import durations_of


def inspect_run(
    run_dir: str | Path,
    data_root: str | Path = "",
    video: str = "",
    tiou: float = 0.5,
    min_score: float | None = None,
    videos: str | Path = "",
    address: str = "",
) -> Any:
    """The inspector of a run, as the last value of a notebook's cell; it is that of `inspect_segments`.

    `videos` is a folder of video files that are named like the videos; "" for none. The kernel sends them to the
    browser, up to 100 MB each; or a server gives them, of any size, below `address`. Errors are those of
    `collect_inspected` and `inspect_segments`.
    """
    return inspect_segments(collect_inspected(run_dir, data_root, videos, address), video, tiou, min_score)


def inspect_runs(
    run_dirs: Sequence[str | Path],
    data_root: str | Path = "",
    video: str = "",
    tiou: float = 0.5,
    min_score: float | None = None,
    videos: str | Path = "",
    address: str = "",
) -> Any:
    """As `inspect_run`, of several runs, one above the other, of the videos that all of them have."""
    runs = [collect_inspected(run, data_root, videos, address) for run in run_dirs]
    return compare_segments(runs, video, tiou, min_score)


def collect_inspected(
    run_dir: str | Path, data_root: str | Path = "", videos: str | Path = "", address: str = ""
) -> Inspected:
    """A run with its tracks. Weights and features are read when a score curve is asked for, and may be missing.

    Raises:
        ValueError: the folder holds no run, its annotation file or the folder of videos is not found, or a file is
            malformed.
    """
    inspected, run = read_inspected(run_dir, data_root), open_run(Path(run_dir).absolute())
    root = run.data_root(data_root)
    if videos and not Path(videos).is_dir():
        raise ValueError(f"the folder of videos '{videos}' does not exist")
    try:
        config: DataConfig | None = run.recipe.data
    except ValueError:  # settings of another version
        config = None
    signal = functools.partial(sensor_arguments, config, root) if config and has_signal(config, root) else None
    remark = inspected.remark
    if run.stage("03_eval").status == "done" and not run.up_to_date("03_eval"):
        remark += " The weights have changed since these predictions were made: run 03_eval again."
    return replace(
        inspected,
        durations_sec=_durations(inspected, config, root),
        remark=remark.strip(),
        tracks=Tracks(score_curves_of(run, root), signal, Path(videos) if videos else None, address),
    )


def _durations(inspected: Inspected, config: DataConfig | None, root: Path) -> dict[str, float | None]:
    """Those of the annotation file and, where it has none and features can be read, what these cover."""
    durations, annotations = inspected.durations_sec, inspected.annotations
    if annotations is None or config is None or None not in durations.values():
        return durations
    try:
        return durations_of(config, root, [annotations.videos[video] for video in durations])
    except ValueError:  # features that cannot be read, which need not be there to look
        return durations


def score_curves_of(run: OpenedRun, data_root: Path) -> Curves:
    """A function that gives the score curves of a run's test videos, made with the weights that 03_eval used, if any.

    It keeps the network, and raises a ValueError where a weights or feature file is missing or unusable.
    """
    opened = functools.cache(functools.partial(_open_curves, run, data_root))

    @functools.lru_cache(maxsize=8)
    def curves(video: str) -> tuple[np.ndarray, np.ndarray]:
        try:
            return opened()(video)
        except ValueError as error:
            raise ValueError(f"no score curve: {without_paths(error)}") from None

    return curves


def _open_curves(run: OpenedRun, data_root: Path) -> Curves:
    import torch  # it takes seconds to load, as do those that need it

    from afkit.data.items import Dataset
    from afkit.detect.prediction import needed_window_steps
    from afkit.model.actionformer import build_model
    from afkit.model.checkpoints import load_weights
    from afkit.workbench.analysis.score_curves import score_curves

    recipe = run.recipe
    model = build_model(recipe).to("cuda" if torch.cuda.is_available() else "cpu")
    load_weights(model, *run.weights())
    dataset = Dataset(recipe.data, data_root, recipe.data.test_subsets)

    def curves(video: str) -> tuple[np.ndarray, np.ndarray]:
        place = [known.name for known in dataset.videos].index(video) if video not in dataset.missing else -1
        if place < 0:
            raise ValueError(f"a feature file of the video '{video}' is missing")
        item = dataset.unread(place)
        try:
            return score_curves(model, recipe, item, needed_window_steps(item.features.shape[1], recipe))
        except torch.OutOfMemoryError:
            raise ValueError("the video does not fit into the memory of the GPU") from None

    return curves
