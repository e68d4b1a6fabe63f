"""The inspector of finished and unfinished runs, with all that the run folder and its data have to show."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from afkit.config import DataConfig
from afkit.files import read_json
from afkit.workbench.datasets.sensors import has_signal, sensor_arguments
from afkit.workbench.inspector.inspected import Inspected, read_inspected
from afkit.workbench.inspector.show import compare_segments, inspect_segments
from afkit.workbench.inspector.tracks import Curves, Tracks
from afkit.workbench.runs.collection import dictionary, entry
from afkit.workbench.runs.folder import up_to_date
from afkit.workbench.runs.opened import data_root_of
from afkit.workbench.survey.facts import durations_of


def inspect_run(
    run_dir: str | Path,
    data_root: str | Path = "",
    video: str = "",
    tiou: float = 0.5,
    min_score: float = 0.2,
    videos: str | Path = "",
) -> Any:
    """The inspector of a run, as the last value of a notebook's cell.

    Args:
        data_root: folder of all data sets; "" for where the run found it.
        videos: folder of video files that are named like the videos; "" for none. The kernel sends them to the browser,
            up to 100 MB each.

    Returns:
        As `inspect_segments`.

    Raises:
        ValueError: the folder holds no run, its annotation file or the folder of videos is not found, or as
            `inspect_segments`.
    """
    return inspect_segments(collect_inspected(run_dir, data_root, videos), video, tiou, min_score)


def compare_runs(
    run_dirs: Sequence[str | Path],
    data_root: str | Path = "",
    video: str = "",
    tiou: float = 0.5,
    min_score: float = 0.2,
    videos: str | Path = "",
) -> Any:
    """The inspector of several runs, one above the other, of the videos that all of them have.

    Returns:
        As `afkit.workbench.inspector.show.compare_segments`.

    Raises:
        ValueError: as `inspect_run` and `afkit.workbench.inspector.comparison.make_comparable`.
    """
    return compare_segments([collect_inspected(run, data_root, videos) for run in run_dirs], video, tiou, min_score)


def collect_inspected(run_dir: str | Path, data_root: str | Path = "", videos: str | Path = "") -> Inspected:
    """A run with its tracks. Weights and features are read when a score curve is asked for, and may be missing.

    Raises:
        ValueError: the folder holds no run, its annotation file or the folder of videos is not found, or a file is
            malformed.
    """
    inspected = read_inspected(run_dir, data_root)
    folder = Path(run_dir).absolute()
    facts = read_json(folder / "run.json")
    annotations = entry(facts, "recipe", "data", "annotations")
    root = data_root_of(facts, annotations, folder, data_root)
    if videos and not Path(videos).is_dir():
        raise ValueError(f"the folder of videos '{videos}' does not exist")
    signal = functools.partial(sensor_arguments, annotations, root) if has_signal(annotations) else None
    opened = functools.cache(functools.partial(_open_curves, folder, facts, root))
    inspected = replace(inspected, durations_sec=_durations(inspected, facts, root))
    tracks = Tracks(lambda name: opened()(name), signal, Path(videos) if videos else None)
    stages = dictionary(facts, "stages")
    if entry(stages, "03_eval", "status") == "done" and not up_to_date(folder, stages, "03_eval"):
        remark = "The weights have changed since these predictions were made: run 03_eval again."
        inspected = replace(inspected, remark=f"{inspected.remark} {remark}".strip())
    return replace(inspected, tracks=tracks)


def _durations(inspected: Inspected, facts: dict[str, Any], root: Path) -> dict[str, float | None]:
    """Those of the annotation file and, where it has none and features can be read, what these cover."""
    durations, annotations = inspected.durations_sec, inspected.annotations
    if annotations is None or None not in durations.values():
        return durations
    try:
        config = DataConfig.model_validate(entry(facts, "recipe", "data"))
        return durations_of(config, root, [annotations.videos[video] for video in durations])
    except ValueError:  # settings of another version, or features that cannot be read, which need not be there to look
        return durations


def _open_curves(folder: Path, facts: dict[str, Any], data_root: Path) -> Curves:
    from afkit.workbench.runs.score_curves import curves_of_run  # with torch, which takes seconds to load

    return curves_of_run(folder, facts, data_root)
