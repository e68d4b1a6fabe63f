"""Progress of a training inside a notebook: one picture that is redrawn, and a few plain lines."""

import time
from collections.abc import Callable

import pandas as pd
from IPython.display import display

from afkit.workbench.progress import FIRST_SEC, duration, every_sec
from afkit.workbench.view.curves import draw_learning_curves

REDRAW_SEC = 3.0
REDRAW_SHARE = 0.03  # of the time at most is spent on drawing
WINDOW = 100  # steps over which speed and losses are averaged


def live_progress(
    total_steps: int, steps_per_epoch: int, memory_mb: Callable[[], float] | None = None
) -> Callable[[pd.DataFrame], None]:
    """A function to call now and then with the metrics so far, e.g. as `on_progress` of `afkit.train.loop.train`.

    It redraws the learning curves in place under two lines of progress, at most every 3 s and at the end, and prints
    those lines as `afkit.workbench.progress` does (a notebook that runs without a browser shows these only).

    Args:
        memory_mb: gives the memory taken, in MB; None: not shown.
    """
    handle = display("training starts", display_id=True)
    next_line, next_drawing = time.monotonic() + FIRST_SEC, 0.0

    def on_progress(metrics: pd.DataFrame) -> None:
        nonlocal next_line, next_drawing
        done, began = int(metrics["step"].iloc[-1]) + 1, time.monotonic()
        ends = done == total_steps
        prints, redraws = ends or began >= next_line, ends or began >= next_drawing
        if not prints and not redraws:
            return
        lines = describe_progress(metrics, total_steps, steps_per_epoch, memory_mb)
        if prints:
            next_line = began + every_sec()
            print("  ".join(lines), flush=True)
        if redraws:
            figure = draw_learning_curves(metrics)
            figure.suptitle("\n".join(lines), x=0.01, ha="left")
            handle.update(figure)
            ended = time.monotonic()
            next_drawing = ended + max(REDRAW_SEC, (ended - began) / REDRAW_SHARE)

    return on_progress


def describe_progress(
    metrics: pd.DataFrame, total_steps: int, steps_per_epoch: int, memory_mb: Callable[[], float] | None = None
) -> tuple[str, str]:
    """Two lines on how far a training is and how it goes; speed and losses are those of the last 100 steps.

    E.g. "step 120/400, epoch 12/40, 8.3 steps/s, 34 s left", "loss 0.531 (class 0.300, offset 0.231), rate 1.0e-04".

    Args:
        metrics: a row per step, at least one; columns step, learning_rate, loss_cls, loss_reg, loss_total, seconds.
    """
    recent, done = metrics.iloc[-WINDOW:], int(metrics["step"].iloc[-1]) + 1
    step_sec = max(recent["seconds"].mean(), 1e-9)
    epoch, epochs = -(-done // steps_per_epoch), -(-total_steps // steps_per_epoch)
    loss, loss_cls, loss_reg = (recent[name].mean() for name in ("loss_total", "loss_cls", "loss_reg"))
    memory = "" if memory_mb is None else f", {memory_mb():.0f} MB"
    return (
        f"step {done}/{total_steps}, epoch {epoch}/{epochs}, {1 / step_sec:.3g} steps/s, "
        + (f"{duration((total_steps - done) * step_sec)} left" if done < total_steps else "done"),
        f"loss {loss:.3f} (class {loss_cls:.3f}, offset {loss_reg:.3f}), "
        f"rate {recent['learning_rate'].iloc[-1]:.1e}{memory}",
    )
