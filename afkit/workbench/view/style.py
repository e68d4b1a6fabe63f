"""One look for every picture: readable when shrunk to a column of 88 mm, and told apart without colour."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from afkit.files import atomic_open

Look = dict[str, Any]  # keywords of an artist of matplotlib, such as color and marker

WIDTH_IN = 7.0  # of every picture; in a column of 3.5 in, letters of 12 pt are as high as small print
INK, QUIET = "#222222", "#6b6b6b"  # text and lines; remarks

# Okabe and Ito's palette in an order whose neighbours differ in grey, too; its yellow is too pale for lines on white.
COLORS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")
LINES: tuple[LineStyleType, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "////", "....", "xxxx", "----", "++++", "oooo")

# In grey: ground truth pale, a miss white with a dashed edge, a hit dark, a false alarm light with upright strokes.
BARS: dict[str, Look] = {
    "ground truth": {"facecolor": "#cfcfcf", "edgecolor": INK, "linestyle": "-", "hatch": ""},
    "miss": {"facecolor": "white", "edgecolor": "#a8447c", "linestyle": "--", "hatch": "////"},
    "hit": {"facecolor": "#0072B2", "edgecolor": "#00324f", "linestyle": "-", "hatch": ""},
    "false alarm": {"facecolor": "#fde3c4", "edgecolor": "#D55E00", "linestyle": "-", "hatch": "||||"},
}
# Errors also bear a symbol, since a hatch needs more width than a short action has.
SYMBOLS: dict[str, Look] = {
    "miss": {"marker": "D", "markerfacecolor": "white", "markeredgecolor": INK, "markeredgewidth": 1.2},
    "false alarm": {"marker": "X", "markerfacecolor": "#8f3f00", "markeredgecolor": "white", "markeredgewidth": 0.5},
}


def use_style() -> None:
    """Set defaults for all later pictures (fonts, palette, light grid, 110 dots per inch); tables show $ as it is."""
    pd.options.display.html.use_mathjax = False
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "figure.facecolor": "white",
            "font.size": 12,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "figure.titlesize": 13,
            "axes.labelsize": 12,
            "xtick.labelsize": 11.5,
            "ytick.labelsize": 11.5,
            "legend.fontsize": 11.5,
            "legend.title_fontsize": 11.5,
            "legend.frameon": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": QUIET,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.8,
            "hatch.linewidth": 0.9,
            "axes.prop_cycle": plt.cycler(color=COLORS),
        }
    )


def make_figure(height_in: float, rows: int = 1, **settings: Any) -> tuple[Figure, np.ndarray]:
    """An empty figure of the common width and its axes, one below the other.

    pyplot forgets the figure at once: a notebook then shows it once (as the value of a cell, or by `display`)
    instead of twice, and a loop over videos keeps no figures in memory.

    Args:
        settings: passed on to `plt.subplots`, e.g. `sharex`, `height_ratios`.

    Returns:
        The figure and a (rows,) array of axes.
    """
    figure, axes = plt.subplots(rows, 1, figsize=(WIDTH_IN, height_in), layout="constrained", squeeze=False, **settings)
    plt.close(figure)
    return figure, axes[:, 0]


def set_title(figure: Figure, title: str) -> None:
    """Write a title over the whole width, longer than one over the axes could be; nothing for an empty one."""
    if title:
        figure.suptitle(plain(title, 68), x=0.01, ha="left")


def plain(text: object, longest: int = 60) -> str:
    """A name as matplotlib draws it literally: dollar signs start no formula, line breaks become blanks.

    Args:
        text: anything; its `str` is drawn.
        longest: letters after which the name is cut, with an ellipsis.

    Examples:
        >>> plain("costs $5,\\nor more")
        'costs \\\\$5, or more'
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
    line = f" {line}" if line.startswith("_") else line  # matplotlib keeps names with a leading _ out of legends
    return line.replace("$", r"\$")


def class_name(label: int, label_names: Mapping[int, str], longest: int = 60) -> str:
    """The name of a class as matplotlib draws it literally, or 'class 7' where 7 has no name.

    Args:
        longest: letters, as of `plain`.
    """
    return plain(label_names.get(label, f"class {label}"), longest)


def say(axes: Axes, text: str) -> None:
    """Write a remark in the middle of axes that have nothing to show, and take their ticks away."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET, parse_math=False)
    axes.set(xticks=[], yticks=[])


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a picture atomically; the same picture gives the same bytes (no time stamp, no random names inside).

    Args:
        path: ends in .png, .svg or .pdf, which decides the format; without an ending both .png (for a look) and .svg
            (for print, at any size) are written. Missing folders are made.

    Raises:
        ValueError: another suffix.
        OSError: the folder cannot be written to.
    """
    if not Path(path).suffix:
        for ending in (".png", ".svg"):
            save_figure(figure, f"{path}{ending}")
        return
    kind = Path(path).suffix.lower().removeprefix(".")
    metadata = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in metadata:
        raise ValueError(f"a picture's name ends in .png, .svg or .pdf, not as in '{Path(path).name}'")
    with plt.rc_context({"svg.hashsalt": "afkit"}), atomic_open(path) as file:
        figure.savefig(file, format=kind, metadata=metadata[kind])
