"""Progress in a notebook: one display, few lines, and what they say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from afkit.workbench.progress import EVERY
from afkit.workbench.view import live


class Clock:
    """Stands for the module time; each reading of it takes `step_sec`."""

    def __init__(self):
        self.now, self.step_sec = 100.0, 0.0

    def monotonic(self):
        self.now += self.step_sec
        return self.now


@pytest.fixture
def drawn(monkeypatch):
    """The pictures that a training has shown, on its one display."""
    shown, displays = [], []

    def display(text, display_id):
        displays.append(text)
        assert display_id is True and len(displays) == 1, "one display for the whole training"
        return SimpleNamespace(update=shown.append)

    monkeypatch.setattr(live, "display", display)
    return shown


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    made = Clock()
    monkeypatch.setattr(live, "time", made)
    return made


def metrics(rows, seconds=0.5):
    """A table of that many steps, ten per epoch."""
    steps = np.arange(rows)
    table = pd.DataFrame({"step": steps, "epoch": steps // 10, "learning_rate": 1e-4, "seconds": seconds})
    return table.assign(loss_cls=0.3, loss_reg=0.25, loss_total=0.55, grad_norm=1.0)


def test_what_the_lines_say():
    lines = live.describe_progress(metrics(120), 400, 10, lambda: 812.4)
    assert lines[0] == "step 120/400, epoch 12/40, 2 steps/s, 2 min left"
    assert lines[1] == "loss 0.550 (class 0.300, offset 0.250), rate 1.0e-04, 812 MB"
    assert live.describe_progress(metrics(121), 400, 10)[0].startswith("step 121/400, epoch 13/40")
    assert "MB" not in live.describe_progress(metrics(1), 400, 10)[1]


def test_the_time_left_follows_the_recent_steps():
    table = metrics(300)
    table.loc[:199, "seconds"] = 100.0  # a slow beginning that is over
    assert live.describe_progress(table, 320, 10)[0].endswith("2 steps/s, 10 s left")


@pytest.mark.parametrize(("begin", "printed"), [(1, [5, 25, 45, 60]), (50, [54, 60])])
def test_a_line_after_two_seconds_then_every_ten_and_at_the_end(drawn, clock, capsys, monkeypatch, begin, printed):
    monkeypatch.setenv(EVERY, "10")
    show = live.live_progress(60, 10)
    for rows in range(begin, 61):
        show(metrics(rows))
        clock.now += 0.5
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split("/")[0].removeprefix("step ")) for line in lines] == printed
    assert all("loss 0.550" in line for line in lines) and lines[-1].startswith(
        "step 60/60, epoch 6/6, 2 steps/s, done"
    )


def test_the_picture_is_redrawn_every_three_seconds_and_at_the_end(drawn, clock):
    show = live.live_progress(400, 10)
    for rows in range(1, 101):
        show(metrics(rows))
        clock.now += 0.5
    assert len(drawn) == 17  # 50 s
    assert all(isinstance(figure, Figure) for figure in drawn)
    clock.now += 0.1
    show(metrics(400))
    assert len(drawn) == 18
    title = drawn[-1].get_suptitle()
    assert title == "\n".join(live.describe_progress(metrics(400), 400, 10))


def test_slow_drawing_is_done_less_often(drawn, clock):
    clock.step_sec = 0.3  # a drawing then takes 0.3 s, which is 3 % of 10 s
    show = live.live_progress(10_000, 10)
    for rows in range(1, 201):
        show(metrics(rows))
        clock.now += 0.2  # and every call half a second
    assert 9 <= len(drawn) <= 11
