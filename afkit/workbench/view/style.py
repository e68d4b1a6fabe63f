"""One look for every picture: readable when shrunk to a column of 88 mm, and told apart without colour."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from matplotlib.typing import LineStyleType

from afkit.files import atomic_open

Look = dict[str, Any]  # keywords of an artist of matplotlib, such as color and marker

SEEN = 0.05  # percent: less is written as 0.0, and no bar is seen
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
# A number without an interval.
DIAMOND: Look = {"linestyle": "", "marker": "D", "markersize": 8, "markerfacecolor": "white", "markeredgecolor": INK}
DIAMOND |= {"markeredgewidth": 1.5}


def use_style() -> None:
    """Set defaults for all later pictures (fonts, palette, light grid, 110 dots per inch); tables show $ as it is."""
    pd.options.display.html.use_mathjax = False
    plt.style.use(Path(__file__).with_name("pictures.mplstyle"))
    plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)


def make_figure(
    height_in: float, rows: int = 1, title: str = "", columns: int = 1, **settings: Any
) -> tuple[Figure, np.ndarray]:
    """An empty figure of the common width and its (rows * columns,) axes; `settings` are of `plt.subplots`.

    pyplot forgets the figure at once: a notebook then shows it once (as the value of a cell, or by `display`)
    instead of twice, and a loop over videos keeps no figures in memory. A title stands over the whole width.
    """
    size: Look = {"figsize": (WIDTH_IN, height_in), "layout": "constrained", "squeeze": False}
    figure, axes = plt.subplots(rows, columns, **size, **settings)
    plt.close(figure)
    if title:
        figure.suptitle(plain(title, 68), x=0.01, ha="left")
    return figure, axes.ravel()


def make_chart(height_in: float, title: str = "", **settings: Any) -> tuple[Figure, Axes]:
    """A figure with one axes; `settings` are of `Axes.set`."""
    figure, (axes,) = make_figure(height_in, title=title)
    axes.set(**settings)
    return figure, axes


def plain(text: object, longest: int = 60) -> str:
    """A name as matplotlib draws it literally: dollar signs start no formula, line breaks become blanks, long ones end
    in an ellipsis.

    Examples:
        >>> plain("costs $5,\\nor more")
        'costs \\\\$5, or more'
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
    line = f" {line}" if line.startswith("_") else line  # matplotlib keeps names with a leading _ out of legends
    return line.replace("$", r"\$")


def class_name(label: int, label_names: Mapping[int, str], longest: int = 60) -> str:
    """The name of a class as matplotlib draws it literally, or 'class 7' where 7 has no name."""
    return plain(label_names.get(label, f"class {label}"), longest)


def say(figure: Figure, text: str) -> Figure:
    """Write a remark in the middle of a figure's first axes, which have nothing to show; the figure.

    It is its label, too: `show` prints it instead of the figure.
    """
    axes = figure.axes[0]
    figure.set_label(text)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET, parse_math=False)
    axes.set(xticks=[], yticks=[])
    return figure


def line_look(i: int) -> Look:
    """Of the i-th of several curves."""
    return {"color": COLORS[i % 7], "linestyle": LINES[i % 7], "linewidth": 1.8}


def legend_above(axes: Axes, **settings: Any) -> Any:
    """A legend over the axes, where no curve can lie."""
    return axes.legend(loc="lower left", bbox_to_anchor=(0, 1), **settings)


def name_rows(axes: Axes, names: Sequence[str], y: Sequence[float] | np.ndarray | None = None) -> None:
    """Names beside horizontal bars or dots; those at the lowest y are to be on top."""
    axes.set_yticks(range(len(names)) if y is None else y, names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def three_digits(number: float) -> str:
    """Never a power of ten."""
    return f"{number:.3g}" if 1e-4 <= number < 999.5 else f"{number:.0f}"


def plain_numbers(axis: Axis) -> None:
    """1, 2, 5, 10 instead of powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def draw_interval(axes: Axes, value: float, low: float, high: float, y: float) -> None:
    """A dot with whiskers."""
    axes.hlines(y, low, high, color=COLORS[0], linewidth=2)
    axes.plot([low, high], [y, y], linestyle="", marker="|", markersize=9, markeredgewidth=2, color=COLORS[0])
    axes.plot(value, y, "o", markersize=8, color=COLORS[0])


def both_ends(length: int, num_each: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the first and the last rows of a table, and their y, with a gap where others are left out."""
    if length <= 2 * num_each:
        return np.arange(length), np.arange(length)
    rows = np.arange(2 * num_each)
    return np.where(rows < num_each, rows, rows + length - 2 * num_each), rows + (rows >= num_each)


def in_words(figure: Figure) -> str:
    """The remark of a figure that has nothing to show as a sentence; "" of any other."""
    remark = str(figure.get_label())
    return remark and f"{remark[0].upper()}{remark[1:]}."


def show(figure: Figure, path: str | Path | None = None) -> None:
    """Display a figure in a notebook, and save it as .png and .svg; print a sentence where it has nothing to show.

    `path` is without an ending; an older picture there goes where there is none now.
    """
    from IPython.display import display  # pictures need no notebook

    if remark := in_words(figure):
        print(remark)
        for ending in (".png", ".svg") if path else ():
            Path(f"{path}{ending}").unlink(missing_ok=True)
        return
    if path:
        save_figure(figure, path)
    display(figure)


def save_figure(figure: Figure, path: str | Path) -> Figure:
    """Write a picture atomically, and give it back.

    The same picture gives the same bytes (no time stamp, no random names inside).

    Args:
        path: ends in .png, .svg or .pdf, which decides the format; without an ending both .png (for a look) and .svg
            (for print, at any size) are written.

    Raises:
        ValueError: another suffix.
    """
    if not Path(path).suffix:
        for ending in (".png", ".svg"):
            save_figure(figure, f"{path}{ending}")
        return figure
    kind = Path(path).suffix.lower().removeprefix(".")
    metadata = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in metadata:
        raise ValueError(f"a picture's name ends in .png, .svg or .pdf, not as in '{Path(path).name}'")
    with plt.rc_context({"svg.hashsalt": "afkit"}), atomic_open(path) as file:
        figure.savefig(file, format=kind, metadata=metadata[kind])
    return figure
