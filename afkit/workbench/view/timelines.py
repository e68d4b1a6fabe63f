"""Timelines of one video: what happened (ground truth) above what was predicted, one lane per class."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from afkit.workbench.view.signals import Panel, Spectrogram, draw_panel, signal_panels
from afkit.workbench.view.style import BARS, SYMBOLS, Look, class_name, make_figure

MIN_WIDTH = 0.004  # of the time axis; a narrower bar (under 2 pt) is drawn this wide, or nobody sees it
SYMBOL_PT = (4.5, 7.0)  # a symbol is nearly as high as its row, within these; in a lower row there is none
LANES_IN = 7.0  # height that the lanes share, as long as each row keeps between ROW_IN[0] and ROW_IN[1]
ROW_IN = (0.11, 0.26)
NAME_PT = (7.0, 11.5)  # height of the letters of a lane's name
PANEL_IN = 1.3  # height of a panel of signals
MAX_LANES = 40
PREDICTION_ROW = 0.7  # height of a row of predictions, where that of the ground truth is 1
FULL_ROWS = 4  # rows of predictions at that height; when more are needed, all share the height of these
LANE_GAP = 0.5
LOWEST_HEIGHT = 0.45  # share of its row that a prediction of score 0 fills; one of score 1 fills it all

IGNORED: Look = {"facecolor": "#e4e4e4", "edgecolor": "#a0a0a0", "hatch": "//", "linewidth": 0, "zorder": 0.4}
LEGEND = {
    "ground truth": "ground truth, found",
    "miss": "ground truth, missed",
    "hit": "prediction, hit",
    "false alarm": "prediction, false alarm",
}


def draw_timeline(
    gt: pd.DataFrame,
    predictions: pd.DataFrame,
    label_names: Mapping[int, str],
    title: str = "",
    duration_sec: float | None = None,
    signal: np.ndarray | None = None,
    signal_rate_hz: float | None = None,
    signal_names: Sequence[str] = (),
    signal_groups: Mapping[str, Sequence[int]] | None = None,
    min_score: float = 0.0,
    ignored_sec: np.ndarray | None = None,
    spectrogram: Spectrogram | None = None,
) -> Figure:
    """One video after matching: in each class's lane the ground truth above the predictions.

    Lanes stand in the order in which the classes first happen; at most 40 are drawn.

    Args:
        gt: start_sec, end_sec, label and `found` (bool), all of one video.
        predictions: start_sec, end_sec, label, score and `outcome` ("hit" | "false alarm"), all of one video.
        duration_sec: length of the video; None: up to the last segment or the signal's end.
        signal: (T, channels) of a sensor, drawn below on the same time axis.
        signal_rate_hz: its samples per second.
        signal_groups: axis label with unit -> indices of channels, a panel each; None: one panel with all channels.
        ignored_sec: (R, 2) spans that are not judged, see `afkit.data.annotations.Video`; they are shaded.
        spectrogram: drawn below all.

    Raises:
        ValueError: a column is missing, there are several videos, a time is not finite, or the signal's shape, rate,
            names and groups do not fit together.
    """
    _check_segments("gt", gt, ["start_sec", "end_sec", "label", "found"])
    _check_segments("predictions", predictions, ["start_sec", "end_sec", "label", "score", "outcome"])
    panels = signal_panels(signal, signal_rate_hz, signal_names, signal_groups, spectrogram)
    shown = predictions[predictions["score"] >= min_score]
    remarks = ["no ground truth"] if gt.empty else []
    if shown.empty:
        remarks += [f"no prediction scores {min_score:g} or more" if len(predictions) else "no predictions"]
    if not remarks:
        remarks = ["upper bars: ground truth; lower: predictions, tall = high score"]
    return _draw(gt, shown, label_names, title, duration_sec, panels, remarks, ignored_sec)


def draw_ground_truth(
    gt: pd.DataFrame,
    label_names: Mapping[int, str],
    duration_sec: float | None = None,
    title: str = "",
    signal: np.ndarray | None = None,
    signal_rate_hz: float | None = None,
    signal_names: Sequence[str] = (),
    signal_groups: Mapping[str, Sequence[int]] | None = None,
    ignored_sec: np.ndarray | None = None,
    spectrogram: Spectrogram | None = None,
) -> Figure:
    """The ground truth of one video alone; a ValueError as of `draw_timeline`."""
    _check_segments("gt", gt, ["start_sec", "end_sec", "label"])
    panels = signal_panels(signal, signal_rate_hz, signal_names, signal_groups, spectrogram)
    nothing = pd.DataFrame(columns=["start_sec", "end_sec", "label", "score", "outcome"])
    remarks = ["no ground truth"] if gt.empty else []
    gt = gt.drop(columns="found", errors="ignore")
    return _draw(gt, nothing, label_names, title, duration_sec, panels, remarks, ignored_sec)


def _check_segments(name: str, frame: pd.DataFrame, columns: list[str]) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        hint = "; call match_segments first" if missing[0] in ("found", "outcome") else ""
        raise ValueError(f"{name} lacks the column '{missing[0]}'{hint}")
    num_videos = len(frame["video"].unique()) if "video" in frame else 1
    if num_videos > 1:
        raise ValueError(f"a timeline shows one video, but {name} holds {num_videos}")
    if not np.isfinite(frame[["start_sec", "end_sec"]].to_numpy(np.float64)).all():
        raise ValueError(f"{name} holds times that are not finite")


def _draw(
    gt: pd.DataFrame,
    shown: pd.DataFrame,
    label_names: Mapping[int, str],
    title: str,
    duration_sec: float | None,
    panels: Sequence[Panel | Spectrogram],
    remarks: list[str],
    ignored_sec: np.ndarray | None,
) -> Figure:
    """Lanes, and below them a panel per entry of `panels`, on one time axis."""
    if duration_sec is not None and not 0 < duration_sec < np.inf:
        raise ValueError(f"duration_sec is above 0, not {duration_sec}")
    starts = [0.0, *gt["start_sec"], *shown["start_sec"]]
    ends = [duration_sec or 0.0, *gt["end_sec"], *shown["end_sec"], *(panel.times_sec[-1] for panel in panels)]
    span_sec = (min(starts), max(ends) if max(ends) > min(starts) else 1.0)
    bars, lanes, left_out = arrange_lanes(gt, shown, MIN_WIDTH * (span_sec[1] - span_sec[0]))
    bottom = max((lane[1] for lane in lanes.values()), default=2.0)
    row_in = float(np.clip(LANES_IN / bottom, *ROW_IN))
    heights = [max(bottom * row_in, 0.5)] + [PANEL_IN] * len(panels)
    figure, axes = make_figure(sum(heights) + 1.5, len(heights), title, sharex=True, height_ratios=heights)
    remarks = remarks + ([f"{left_out} more classes are left out"] if left_out else [])
    _draw_lanes(axes[0], lanes, label_names, row_in * 72)
    _draw_bars(axes[0], bars, row_in * 72)
    for panel_axes, panel in zip(axes[1:], panels, strict=True):
        draw_panel(panel_axes, panel)
    for begin, end in () if ignored_sec is None else ignored_sec.clip(*span_sec):
        for part in axes if end > begin else ():
            part.axvspan(begin, end, **IGNORED)
    axes[-1].set(xlabel="time [s]", xlim=span_sec)
    figure.align_ylabels(axes[1:])
    kinds = [kind for kind in LEGEND if kind in set(bars["kind"])]
    symbols = {kind: [Line2D([], [], linestyle="", markersize=SYMBOL_PT[1], **SYMBOLS[kind])] for kind in SYMBOLS}
    handles = [(Patch(**BARS[kind]), *symbols.get(kind, [])) for kind in kinds]
    texts = [LEGEND[kind] if "found" in gt else kind for kind in kinds]
    if ignored_sec is not None and len(ignored_sec):
        handles, texts = [*handles, (Patch(**IGNORED),)], [*texts, "not annotated, not judged"]
    place: Look = {"loc": "outside lower center", "ncols": 2, "handlelength": 2.5, "handleheight": 1.1}
    figure.legend(handles, texts, title="; ".join(remarks), **place)  # type: ignore[arg-type]  # tuples are handles
    return figure


def _draw_lanes(
    axes: Axes, lanes: Mapping[int, tuple[float, float]], label_names: Mapping[int, str], row_pt: float
) -> None:
    """Name the lanes and part them by thin lines; the y axis runs downwards, in rows."""
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    if not lanes:
        axes.set_yticks([])
        return
    middles = [(top + bottom) / 2 for top, bottom in lanes.values()]
    axes.set_yticks(middles, [class_name(label, label_names, longest=22) for label in lanes])
    lowest_pt = min(bottom - top + LANE_GAP for top, bottom in lanes.values()) * row_pt
    axes.tick_params(axis="y", labelsize=float(np.clip(0.9 * lowest_pt, *NAME_PT)))  # names stay in their lanes
    for (_, bottom), (next_top, _) in pairwise(lanes.values()):
        axes.axhline((bottom + next_top) / 2, color="#d0d0d0", linewidth=0.8, zorder=0.5)
    axes.set_ylim(max(bottom for _, bottom in lanes.values()) + LANE_GAP / 2, -LANE_GAP / 2)


def _draw_bars(axes: Axes, bars: pd.DataFrame, row_pt: float) -> None:
    """A rectangle per bar, and a symbol on each error whose row is high enough for one."""
    for bar in bars.itertuples():
        width_pt = 1.0 if bar.height * row_pt > 4 else 0.5
        look: Look = {"linewidth": width_pt, "label": bar.kind, **BARS[bar.kind]}
        axes.add_patch(Rectangle((bar.left_sec, bar.top), bar.width_sec, bar.height, **look))
    for kind, symbol in SYMBOLS.items():
        errors = bars[(bars["kind"] == kind) & (bars["row_height"] * row_pt >= SYMBOL_PT[0])]
        for error in errors.itertuples():
            middle = (error.left_sec + error.width_sec / 2, error.top + error.height / 2)
            size_pt = min(0.9 * error.row_height * row_pt, SYMBOL_PT[1])
            axes.plot(*middle, linestyle="", markersize=size_pt, clip_on=False, label=f"{kind} symbol", **symbol)


def arrange_lanes(
    gt: pd.DataFrame, predictions: pd.DataFrame, min_width_sec: float
) -> tuple[pd.DataFrame, dict[int, tuple[float, float]], int]:
    """Give every segment of one video a bar in its class's lane, overlapping ones in rows of their own.

    Classes stand as they first happen, so that the eye moves down with time; those only predicted follow, best first.

    Args:
        gt: start_sec, end_sec, label, and `found` (bool) once matched.
        min_width_sec: shorter segments become bars of this width, about their middle.

    Returns:
        bars: one row per bar with kind ("ground truth" | "miss" | "hit" | "false alarm"), left_sec, width_sec,
            top, height, row_height; y counts downwards from 0, and a row of ground truth is 1 high.
        lanes: label -> (top, bottom), at most 40.
        The number of classes without a lane.
    """
    happened = gt.sort_values("start_sec", kind="stable")["label"]
    predicted = predictions.sort_values("score", ascending=False, kind="stable")["label"]
    labels = list(dict.fromkeys(int(label) for label in [*happened, *predicted]))
    lanes, tables, top = {}, [], 0.0
    for label in labels[:MAX_LANES]:
        truth = _bars(gt[gt["label"] == label], min_width_sec)
        truth["kind"] = np.where(truth["found"], "ground truth", "miss") if "found" in truth else "ground truth"
        truth["height"] = truth["row_height"] = 1 / (truth["row"].max() + 1)
        truth["top"] = top + truth["row"] * truth["height"]
        found = _bars(predictions[predictions["label"] == label].sort_values("score", ascending=False), min_width_sec)
        found["kind"] = found["outcome"]
        num_rows = 0 if found.empty else found["row"].max() + 1
        found["row_height"] = row_height = PREDICTION_ROW * min(1, FULL_ROWS / max(num_rows, 1))
        found["height"] = row_height * (LOWEST_HEIGHT + (1 - LOWEST_HEIGHT) * found["score"].clip(0, 1))
        found["top"] = top + 1 + found["row"] * row_height
        lanes[label] = (top, top + 1 + num_rows * row_height)
        top = lanes[label][1] + LANE_GAP
        tables += [truth, found]
    columns = ["kind", "left_sec", "width_sec", "top", "height", "row_height"]
    tables = [table[columns] for table in tables if len(table)]
    bars = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return bars, lanes, max(len(labels) - MAX_LANES, 0)


def pack_rows(starts: Iterable[float], ends: Iterable[float]) -> list[int]:
    """The row of each segment, such that no two of a row overlap; the first ones get the upper rows.

    Examples:
        >>> pack_rows([0, 1, 5], [3, 4, 6])
        [0, 1, 0]
    """
    rows: list[list[tuple[float, float]]] = []
    chosen = []
    for start, end in zip(starts, ends, strict=True):
        fits = (all(end <= left or right <= start for left, right in row) for row in rows)
        chosen.append(next((i for i, fit in enumerate(fits) if fit), len(rows)))
        rows += [[]] * (chosen[-1] == len(rows))
        rows[chosen[-1]] = [*rows[chosen[-1]], (start, end)]
    return chosen


def _bars(segments: pd.DataFrame, min_width_sec: float) -> pd.DataFrame:
    width_sec = (segments["end_sec"] - segments["start_sec"]).clip(lower=min_width_sec)
    left_sec = (segments["start_sec"] + segments["end_sec"] - width_sec) / 2
    return segments.assign(left_sec=left_sec, width_sec=width_sec, row=pack_rows(left_sec, left_sec + width_sec))
