"""Moving through the timelines of a run: which part of which video went wrong, and how."""

import importlib.util
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from afkit.view.inspector_data import Inspected, list_videos, read_inspected
from afkit.view.inspector_picture import draw_stand_in


def inspect_run(
    run_dir: str | Path, data_root: str | Path = "", video: str = "", tiou: float = 0.5, min_score: float = 0.2
) -> Any:
    """The inspector of a run, as the last value of a notebook's cell.

    Args:
        run_dir: the run folder.
        data_root: folder of all data sets; "" for where the run found it.
        video, tiou, min_score: as of `inspect_segments`.

    Returns:
        As `inspect_segments`.

    Raises:
        ValueError: the folder holds no run, its annotation file is not found, or as `inspect_segments`.
    """
    return inspect_segments(read_inspected(run_dir, data_root), video, tiou, min_score)


def inspect_segments(inspected: Inspected, video: str = "", tiou: float = 0.5, min_score: float = 0.2) -> Any:
    """The inspector of any tables of segments.

    Args:
        inspected: ground truth and predictions.
        video: id of the first video; "" for the one with the most errors.
        tiou: overlap from which a prediction is a hit.
        min_score: predictions with a lower score are hidden to begin with.

    Returns:
        an `afkit.view.inspector_widget.Inspector`; where anywidget is not installed, a picture of the video's timeline.

    Raises:
        ValueError: an unknown video, an unusable threshold, or a number in the tables that is not finite.
    """
    if importlib.util.find_spec("anywidget") is None:
        print("the inspector needs anywidget (pip install anywidget); this is a picture of one video instead")
        return _picture(inspected, video, tiou, min_score)
    from afkit.view.inspector_widget import Inspector  # an extra

    return Inspector(inspected, video, tiou, min_score)


def _picture(inspected: Inspected, video: str, tiou: float, min_score: float) -> Figure:
    if video and video not in inspected.videos:
        raise ValueError(f"there is no video '{video}' in {inspected.title or 'this inspector'}")
    worst = list_videos(inspected, tiou, min_score)["errors"].sort_values(ascending=False, kind="stable")
    return draw_stand_in(inspected, video or worst.index[0], tiou, min_score)
