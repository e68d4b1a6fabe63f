"""Moving through the timelines of a run, in a widget or, where there is none, on a picture."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from afkit.workbench.inspector.comparison import make_comparable
from afkit.workbench.inspector.inspected import Inspected, list_videos
from afkit.workbench.inspector.picture import draw_stand_in


def inspect_segments(inspected: Inspected, video: str = "", tiou: float = 0.5, min_score: float = 0.2) -> Any:
    """The inspector of any tables of segments.

    Args:
        video: id of the first video; "" for the one with the most errors.
        min_score: predictions with a lower score are hidden to begin with.

    Returns:
        a widget; where anywidget is not installed, a picture of the video's timeline.

    Raises:
        ValueError: an unknown video, an unusable threshold, or a number in the tables that is not finite.
    """
    if importlib.util.find_spec("anywidget") is None:
        print("the inspector needs anywidget (pip install anywidget); this is a picture of one video instead")
        return _picture(inspected, video, tiou, min_score)
    from afkit.workbench.inspector.widget import Inspector  # an extra

    return Inspector(inspected, video, tiou, min_score)


def compare_segments(runs: Sequence[Inspected], video: str = "", tiou: float = 0.5, min_score: float = 0.2) -> Any:
    """Several runs above each other: video, time, thresholds and classes are the same in all.

    Returns:
        an `workbench.inspector.comparison_widget.Comparison`; where anywidget is not installed, a picture of the first
        run's video.

    Raises:
        ValueError: as of `inspect_segments` and `afkit.workbench.inspector.comparison.make_comparable`.
    """
    runs = make_comparable(runs)
    if importlib.util.find_spec("anywidget") is None:
        return inspect_segments(runs[0], video, tiou, min_score)
    from afkit.workbench.inspector.comparison_widget import Comparison  # an extra

    return Comparison(runs, video, tiou, min_score)


def _picture(inspected: Inspected, video: str, tiou: float, min_score: float) -> Figure:
    if video and video not in inspected.videos:
        raise ValueError(f"there is no video '{video}' in {inspected.title or 'this inspector'}")
    worst = list_videos(inspected, tiou, min_score)["errors"].sort_values(ascending=False, kind="stable")
    return draw_stand_in(inspected, video or worst.index[0], tiou, min_score)
