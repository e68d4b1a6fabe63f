"""What stands in for the inspector where it cannot run: the timeline of one video as a picture."""

import io

from matplotlib.figure import Figure

from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.view.timelines import draw_timeline

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
    duration_sec, ignored_sec = inspected.duration_sec(video) or None, inspected.ignored_sec(video)
    return draw_timeline(first, matched, names, title, duration_sec=duration_sec, ignored_sec=ignored_sec)


def picture_png(inspected: Inspected, video: str, tiou: float = 0.5, min_score: float = 0.2) -> bytes:
    """`draw_stand_in` as PNG; a remark without a timeline where there is nothing to draw."""
    buffer = io.BytesIO()
    draw_stand_in(inspected, video, tiou, min_score).savefig(buffer, format="png")
    return buffer.getvalue()
