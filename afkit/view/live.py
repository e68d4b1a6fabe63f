"""Progress of a training inside a notebook: one picture that is redrawn, and a few plain lines."""

import time
from collections.abc import Callable

import pandas as pd
from IPython.display import display

from afkit.view.curves import draw_learning_curves

REDRAW_SEC = 3.0
NUM_LINES = 10  # of plain progress in a whole training


def live_progress(total_epochs: int) -> Callable[[pd.DataFrame], None]:
    """A function to call after each epoch with the metrics so far.

    It redraws the learning curves in place, at most every 3 s and at the end, and prints about ten lines in all (a
    notebook that runs without a browser shows these only).

    Args:
        total_epochs: of the whole training.
    """
    handle = display("training starts", display_id=True)
    drawn = [0.0]
    line_every = max(total_epochs // NUM_LINES, 1)

    def on_epoch(metrics: pd.DataFrame) -> None:
        done = int(metrics["epoch"].iloc[-1]) + 1
        finished = done == total_epochs
        if done % line_every == 0 or finished:
            print(_line(metrics, done, total_epochs), flush=True)
        if finished or time.monotonic() - drawn[0] > REDRAW_SEC:
            handle.update(draw_learning_curves(metrics))
            drawn[0] = time.monotonic()

    return on_epoch


def _line(metrics: pd.DataFrame, done: int, total: int) -> str:
    """e.g. 'epoch 12/40  loss 0.531  1.6 s per epoch, 45 s left'."""
    last = metrics[metrics["epoch"] == done - 1]
    per_epoch_sec = metrics["seconds"].sum() / done
    return (
        f"epoch {done}/{total}  loss {last['loss_total'].mean():.3f}  "
        f"{per_epoch_sec:.1f} s per epoch, {per_epoch_sec * (total - done):.0f} s left"
    )
