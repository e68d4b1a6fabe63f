"""Pictures of the concept pages, drawn from what the package itself computes: python docs/tools/pictures.py."""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # so that it also runs as a script

from afkit.config import Recipe  # noqa: E402
from afkit.detect.decoding import decode  # noqa: E402
from afkit.detect.suppression import nms  # noqa: E402
from afkit.model.actionformer import Output, build_model  # noqa: E402
from afkit.recipes import recipe  # noqa: E402
from afkit.segments import grid_to_sec, sec_to_grid  # noqa: E402
from afkit.workbench.analysis.steps import targets_by_level  # noqa: E402
from afkit.workbench.view.levels import draw_targets, name_levels  # noqa: E402
from afkit.workbench.view.style import (  # noqa: E402
    BARS,
    COLORS,
    INK,
    MARKERS,
    legend_above,
    line_look,
    make_figure,
    save_figure,
    use_style,
)

FPS, STRIDE, NUM_FRAMES = 25.0, 8, 16  # of the grid in the first picture
STEPS = 64  # of the sequence in the others
ACTIONS = {"jump": (10.0, 16.0), "walk": (22.0, 50.0), "wave": (40.0, 48.0)}  # on the grid
EFFORT = {"next": "by worth", "doubt": "by doubt alone", "random": "random"}  # orders of the table
CANDIDATES = [(20, 50, 0.9), (23, 52, 0.8), (18, 45, 0.6), (46, 60, 0.4), (68, 82, 0.7), (70, 85, 0.5)]  # of one class


def small_recipe() -> Recipe:
    """The defaults, but for the width of the network, which plays no part here."""
    own = {"data.max_seq_len": STEPS, "data.num_classes": len(ACTIONS), "model.embed_dim": 32}
    return recipe("thumos_i3d", own)


def level_points(settings: Recipe) -> list[Tensor]:
    """The points (T_l, 4) of each level for a sequence of `STEPS`."""
    lengths = [STEPS // stride for stride in settings.model.level_strides]
    return build_model(settings).points(lengths, torch.device("cpu"))


def draw_time_grid() -> Figure:
    """Which frames each vector covers, where its time is, and an action on both axes."""
    figure, (axes,) = make_figure(3.1)
    for index in range(8):
        first_sec = index * STRIDE / FPS
        axes.barh(index, NUM_FRAMES / FPS, left=first_sec, height=0.62, color="#cfe3f1", edgecolor=COLORS[0], lw=0.9)
        axes.plot(grid_to_sec(index, FPS, STRIDE, NUM_FRAMES), index, MARKERS[0], color=INK, ms=6)
    action_sec = np.array([1.0, 1.8])
    axes.axvspan(*action_sec, color=BARS["ground truth"]["facecolor"], alpha=0.6, lw=0, zorder=0)
    axes.text(action_sec.mean(), 7.75, "an action", ha="center", va="bottom", color=INK)
    axes.set(xlabel="time [s]", ylabel="feature vector", xlim=(0, 3), ylim=(-0.7, 8.6), yticks=range(8))
    to_grid = (lambda sec: sec_to_grid(sec, FPS, STRIDE, NUM_FRAMES), lambda g: grid_to_sec(g, FPS, STRIDE, NUM_FRAMES))
    above = axes.secondary_xaxis("top", functions=to_grid)
    above.set_xlabel("position on the grid")
    above.set_xticks(range(-1, 9))
    return figure


def show_levels(axes: Axes, settings: Recipe) -> None:
    """A row for each level, the finest at the bottom, named by stride and range."""
    names = name_levels(settings.model.level_strides, settings.model.regression_ranges)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="position on the grid [steps]", xlim=(-1, STEPS), xticks=range(0, STEPS + 1, 8))


def draw_levels() -> Figure:
    """All points of all levels, and how far one point of each level looks for the farther end of an action."""
    settings = small_recipe()
    figure, (axes,) = make_figure(3.4)
    for level, points in enumerate(level_points(settings)):
        axes.plot(points[:, 0], [level] * len(points), MARKERS[0], color=COLORS[0], ms=4.5)
        position, low, high, _ = points[len(points) // 2].tolist()
        for side in (-1, 1) if low < STEPS / 2 else ():  # else they lie outside
            ends = np.clip([position + side * low, position + side * high], 0, STEPS)
            axes.plot(ends, [level + 0.3] * 2, "-", color=COLORS[4], lw=3.5, solid_capstyle="butt")
        axes.plot(position, level, MARKERS[1], color=INK, ms=7)
    show_levels(axes, settings)
    axes.set(ylim=(-0.5, len(level_points(settings)) - 0.2))
    return figure


def draw_learned() -> Figure:
    """Which point learns which action, as the package assigns them."""
    settings = small_recipe()
    segments, labels = torch.tensor(list(ACTIONS.values())), torch.arange(len(ACTIONS))  # (N, 2), (N,)
    levels = targets_by_level(settings, segments, labels, STEPS)
    names = name_levels(settings.model.level_strides, settings.model.regression_ranges)
    figure = draw_targets(levels, names, segments.numpy(), labels.numpy(), dict(enumerate(ACTIONS)))
    show_levels(figure.axes[1], settings)
    return figure


def one_level_output() -> Output:
    """What a network might say at the eight points of a level of stride 8, about one class."""
    points = level_points(small_recipe())[3]  # (8, 4)
    probability = torch.tensor([0.0005, 0.0005, 0.2, 0.6, 0.9, 0.7, 0.05, 0.0005])
    offsets = torch.tensor([[0, 0], [0, 0], [0.2, 3.6], [0.4, 2.6], [1.4, 2.2], [2.2, 1.4], [3.0, 0.4], [0, 0]])
    mask = torch.ones(1, len(points), dtype=torch.bool)
    return Output([probability.logit()[None, :, None]], [offsets[None]], [mask], [points])


def draw_decoding() -> Figure:
    """Offsets at the points of one level, and the candidates that they are decoded to."""
    out = one_level_output()
    ((segments, scores, _),) = decode(out, small_recipe())
    figure, (above, axes) = make_figure(4.0, rows=2, sharex=True, height_ratios=[1, 1.25])
    points, probability = out.points[0], out.logits[0].sigmoid()[0, :, 0]
    above.vlines(points[:, 0], 0, probability, color=COLORS[0], lw=3)
    above.plot(points[:, 0], probability, MARKERS[0], color=COLORS[0], ms=6)
    above.set(ylabel="probability", ylim=(0, 1.05))
    for row, ((start, end), score) in enumerate(zip(segments.tolist(), scores.tolist(), strict=True)):
        point = points[(probability - score).abs().argmin(), 0].item()
        axes.annotate("", (start, row), (point, row), arrowprops={"arrowstyle": "->", "lw": 1.6, "color": INK})
        axes.annotate("", (end, row), (point, row), arrowprops={"arrowstyle": "->", "lw": 1.6, "color": INK})
        axes.plot(point, row, MARKERS[0], color=COLORS[0], ms=6)
        axes.text(end + 1, row, f"score {score:.2f}", va="center")
    axes.set(xlabel="position on the grid [steps]", ylabel="candidates", yticks=[], xlim=(-1, STEPS + 4))
    axes.set(xticks=range(0, STEPS + 1, 8), ylim=(len(scores) - 0.4, -0.6))
    return figure


def draw_suppression() -> Figure:
    """Candidates of one class before and after soft NMS."""
    table = torch.tensor(CANDIDATES)  # (N, 3)
    labels = torch.zeros(len(table), dtype=torch.int64)
    after = nms(table[:, :2], table[:, 2], labels, sigma=0.5, backend="torch")
    figure, pair = make_figure(4.4, rows=2, sharex=True, sharey=True)
    for axes, segments, scores, title in (
        (pair[0], table[:, :2], table[:, 2], "before"),
        (pair[1], after[0], after[1], "after: a candidate that repeats a better one has lost most of its score"),
    ):
        for (start, end), score in zip(segments.tolist(), scores.tolist(), strict=True):
            axes.plot([start, end], [score] * 2, "-", color=COLORS[0], lw=5, solid_capstyle="butt")
            axes.text(end + 0.5, score, f"{score:.2f}", va="center", fontsize=11)
        axes.set(ylabel="score", ylim=(-0.06, 1.0), xlim=(15, 92))
        axes.set_title(title)
    pair[1].set(xlabel="position on the grid [steps]")
    return figure


def draw_effort() -> Figure:
    """Average mAP against minutes of labelling, of the table that the page shows."""
    page = (ROOT / "docs" / "concepts" / "labelling-effort.md").read_text(encoding="utf-8")
    lines = page.partition("\norder ")[2].partition("\n\n")[0].splitlines()[1:]
    figure, (axes,) = make_figure(3.8)
    for number, order in enumerate(EFFORT):
        own = [line.split()[2:] for line in lines if line.startswith(order)]
        rows = np.array(own, float)  # (recordings, [mean, each of three seeds, minutes watched, keys, minutes, ...])
        look = line_look(number)
        axes.plot(rows[:, 6], rows[:, 0], **look, label=EFFORT[order])
        for column in (1, 2, 3):
            axes.plot(rows[:, 6], rows[:, column], MARKERS[number], color=look["color"], ms=4.5, mfc="white")
    axes.set(xlabel="minutes of labelling, by the model", ylabel="average mAP [%]", xlim=(0, None))
    legend_above(axes, ncols=3)
    return figure


PICTURES = {
    "time-grid": draw_time_grid,
    "levels": draw_levels,
    "targets": draw_learned,
    "decoding": draw_decoding,
    "suppression": draw_suppression,
    "labelling-effort": draw_effort,
}


def write_pictures(folder: Path) -> None:
    """Draw every picture into a folder, as SVG."""
    use_style()
    for name, draw in PICTURES.items():
        save_figure(draw(), folder / f"{name}.svg")


if __name__ == "__main__":
    write_pictures(ROOT / "docs" / "images")
