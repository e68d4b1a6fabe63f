"""Moving through the timelines of a run, in a widget or, where there is none, on a picture."""

import importlib.util
import io
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.inspector.comparison import make_comparable
from afkit.workbench.inspector.inspected import Inspected, list_videos
from afkit.workbench.view.timelines import draw_timeline


def inspect_segments(inspected: Inspected, video: str = "", tiou: float = 0.5, min_score: float = 0.2) -> Any:
    """The inspector of any tables of segments.

    Args:
        video: id of the first video; "" for the one with the most errors.
        min_score: predictions with a lower score are hidden to begin with.

    Returns:
        an `workbench.inspector.widget.Inspector`; where anywidget is not installed, a picture of the video's timeline.

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


MOST_DRAWN = 300  # of either table; a picture with more says nothing, and takes long to draw


def draw_stand_in(inspected: Inspected, video: str, tiou: float = 0.5, min_score: float = 0.2) -> Figure:
    """The timeline of one video, with its best 300 predictions and its first 300 ground truths at most."""
    gt, predictions = inspected.of_video(video)
    predictions = predictions[predictions["score"] >= min_score]
    best = predictions.sort_values("score", ascending=False, kind="stable").head(MOST_DRAWN)
    matched_gt, matched = match_segments(gt, best, tiou)
    first = matched_gt.sort_values("start_sec", kind="stable").head(MOST_DRAWN)
    names = dict(zip(inspected.labels.tolist(), inspected.names(), strict=True))
    drawn = [f"the {MOST_DRAWN} best of {len(predictions)} predictions"] if len(predictions) > MOST_DRAWN else []
    drawn += [f"the first {MOST_DRAWN} of {len(gt)} actions"] if len(gt) > MOST_DRAWN else []
    title = f"{video}, tIoU {tiou:g}{': ' if drawn else ''}{', '.join(drawn)}"
    return draw_timeline(first, matched, names, title, duration_sec=inspected.duration_sec(video) or None)


def picture_png(inspected: Inspected, video: str, tiou: float = 0.5, min_score: float = 0.2) -> bytes:
    """`draw_stand_in` as PNG; a remark without a timeline where there is nothing to draw."""
    buffer = io.BytesIO()
    draw_stand_in(inspected, video, tiou, min_score).savefig(buffer, format="png")
    return buffer.getvalue()
