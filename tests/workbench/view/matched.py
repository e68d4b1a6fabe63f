"""Small matched tables for the tests of pictures, and what a picture says."""

import pandas as pd

NAMES = {0: "Run", 1: 'Say "hi"', 2: "Pay $5 or $6", 3: "<b>Jump</b> & more"}


def truth(*rows: tuple) -> pd.DataFrame:
    """Rows of (start_sec, end_sec, label, found), of video v."""
    table = pd.DataFrame(rows, columns=["start_sec", "end_sec", "label", "found"])
    return table.astype({"label": int, "found": bool}).assign(video="v")


def predicted(*rows: tuple) -> pd.DataFrame:
    """Rows of (start_sec, end_sec, label, score, outcome, tiou), of video v."""
    table = pd.DataFrame(rows, columns=["start_sec", "end_sec", "label", "score", "outcome", "tiou"])
    return table.astype({"label": int, "score": float, "tiou": float}).assign(video="v")


def small_case() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two found, one missed; two hits, three false alarms; four classes, the last of which never happens."""
    gt = truth((10, 40, 0, True), (50, 80, 1, False), (100, 130, 2, True))
    predictions = predicted(
        (12, 38, 0, 0.9, "hit", 0.87),
        (15, 30, 0, 0.3, "false alarm", 0.5),
        (51, 60, 1, 0.4, "false alarm", 0.3),
        (99, 131, 2, 0.8, "hit", 0.94),
        (150, 160, 3, 0.2, "false alarm", 0.0),
    )
    return gt, predictions


def legend_texts(axes) -> list[str]:
    """What the legend of some axes says, from the top."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def row_names(axes) -> list[str]:
    """Names beside the rows."""
    return [text.get_text() for text in axes.get_yticklabels()]


def texts(axes) -> list[str]:
    """What is written into the axes."""
    return [text.get_text() for text in axes.texts]


def only_says(figure, text: str) -> bool:
    """Whether a picture that can be drawn shows nothing but a remark."""
    figure.canvas.draw()
    axes = figure.axes[0]
    return texts(axes) == [text] and not axes.patches and not axes.collections
