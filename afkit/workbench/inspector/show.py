"""Moving through the timelines of a run, in a widget or, where there is none, on a picture."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from afkit.workbench.inspector.comparison import make_comparable
from afkit.workbench.inspector.inspected import Inspected, first_score, list_videos
from afkit.workbench.inspector.picture import draw_stand_in


def inspect_segments(inspected: Inspected, video: str = "", tiou: float = 0.5, min_score: float | None = None) -> Any:
    """The inspector of any tables of segments: a widget, or where anywidget is not installed, a picture of one video.

    Args:
        video: id of the first video; "" for the one with the most errors.
        min_score: predictions with a lower score are hidden to begin with; None for the threshold that 03_eval chose.

    Raises:
        ValueError: an unknown video, an unusable threshold, or a number in the tables that is not finite.
    """
    return _show([inspected], video, tiou, min_score)


def compare_segments(
    runs: Sequence[Inspected], video: str = "", tiou: float = 0.5, min_score: float | None = None
) -> Any:
    """Several runs above each other: video, time, thresholds and classes are the same in all; else a picture.

    Raises:
        ValueError: as of `inspect_segments` and `afkit.workbench.inspector.comparison.make_comparable`.
    """
    return _show(make_comparable(runs), video, tiou, min_score)


def _show(runs: Sequence[Inspected], video: str, tiou: float, min_score: float | None) -> Any:
    if importlib.util.find_spec("anywidget") is not None:
        from afkit.workbench.inspector.widget import Inspector  # an extra

        return Inspector(runs, video, tiou, min_score)
    print("the inspector needs anywidget (pip install anywidget); this is a picture of one video instead")
    first = runs[0]
    min_score = first_score(first, min_score)
    if video and video not in first.videos:
        raise ValueError(f"there is no video '{video}' in {first.title or 'this inspector'}")
    worst = list_videos(first, tiou, min_score)["errors"].sort_values(ascending=False, kind="stable")
    return draw_stand_in(first, video or worst.index[0], tiou, min_score)
