"""The table of classes as a picture: what was there against what was said."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from afkit.workbench.analysis.confusion import MISSED, NOTHING
from afkit.workbench.view.style import INK, WIDTH_IN, class_name, make_chart, say

MOST_CLASSES = 40  # that are drawn, those with the most errors
MOST_NUMBERED = 24  # in larger tables numbers would overlap: the colour alone says how many


def draw_confusion(counts: pd.DataFrame, label_names: Mapping[int, str], title: str = "") -> Figure:
    """Cells coloured by their share of the row, with their numbers.

    `counts` is that of `afkit.workbench.analysis.confusion.confusion_counts`.
    """
    shown = _worst_classes(counts)
    size = len(shown) + 1
    left_out = len(counts) - size
    labels = {"xlabel": "what was said", "ylabel": "what was there"}
    figure, axes = make_chart(max(0.62 * WIDTH_IN, min(0.3 * size + 1.6, 1.25 * WIDTH_IN)), title, **labels)
    said = counts.to_numpy()[:, :-1].sum()
    if not said:
        return say(figure, f"no detection is kept: all {counts.to_numpy().sum()} actions are missed")
    table = counts.loc[[*shown, NOTHING], [*shown, MISSED]].to_numpy()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="auto")  # rare errors are to be seen
    names = [class_name(label, label_names, 18) for label in shown]
    size_pt = 12 if size <= 12 else 9 if size <= MOST_NUMBERED else 7
    axes.set_xticks(range(size), [*names, MISSED], rotation=90, fontsize=size_pt)
    axes.set_yticks(range(size), [*names, NOTHING], fontsize=size_pt)
    axes.grid(visible=False)
    axes.axhline(size - 1.5, color=INK, linewidth=0.8)
    axes.axvline(size - 1.5, color=INK, linewidth=0.8)
    if size <= MOST_NUMBERED:
        for row, column in zip(*np.nonzero(table), strict=True):
            color = "white" if shares[row, column] > 0.3 else INK
            number = f"{table[row, column]}"
            axes.text(column, row, number, ha="center", va="center", color=color, fontsize=size_pt)
    if left_out:
        axes.set_xlabel(f"what was said\n({left_out} classes with fewer errors are left out)")
    return figure


def _worst_classes(counts: pd.DataFrame) -> list[int]:
    """The labels with the most errors, at most MOST_CLASSES, in their own order."""
    table = counts.to_numpy()[:-1, :-1]
    errors = counts.to_numpy()[:-1].sum(axis=1) + counts.to_numpy()[:, :-1].sum(axis=0) - 2 * np.diag(table)
    worst = np.sort(np.argsort(-errors, kind="stable")[:MOST_CLASSES])
    return [int(counts.index[place]) for place in worst]
