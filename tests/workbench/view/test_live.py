"""Progress in a notebook: one display, few lines, and what they say."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("IPython", reason="progress is shown in notebooks")
pytest.importorskip("matplotlib", reason="progress is shown in notebooks")

from matplotlib.figure import Figure

from afkit.workbench.view import live


class Handle:
    """Stands for a notebook's display."""

    def __init__(self):
        self.shown = []

    def update(self, figure):
        self.shown.append(figure)


class Clock:
    """Stands for the module time; each reading of it takes `step_sec`."""

    def __init__(self):
        self.now, self.step_sec = 100.0, 0.0

    def monotonic(self):
        self.now += self.step_sec
        return self.now


@pytest.fixture
def handle(monkeypatch):
    """What is displayed, once per call of live_progress."""
    made = []

    def display(text, display_id):
        made.append(Handle())
        assert display_id is True and len(made) == 1, "one display for the whole training"
        return made[0]

    monkeypatch.setattr(live, "display", display)
    return made


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    made = Clock()
    monkeypatch.setattr(live, "time", made)
    return made


def metrics(rows, seconds=0.5):
    """A table of that many steps, ten per epoch."""
    steps = np.arange(rows)
    return pd.DataFrame(
        {
            "step": steps,
            "epoch": steps // 10,
            "learning_rate": 1e-4,
            "loss_cls": 0.3,
            "loss_reg": 0.25,
            "loss_total": 0.55,
            "grad_norm": 1.0,
            "seconds": seconds,
        }
    )


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


@pytest.mark.parametrize(
    ("left", "text"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6060, "1 h 41 min"), (1e5, "27 h 47 min")],
)
def test_durations(left, text):
    assert live.describe_progress(metrics(1, seconds=left), 2, 10)[0].endswith(f", {text} left")


def test_about_ten_lines_however_often_it_is_called(handle, capsys):
    show = live.live_progress(400, 10)
    for rows in range(1, 401, 3):
        show(metrics(rows))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("step 40/400") and lines[-1].startswith("step 400/400")
    assert all("loss 0.550" in line for line in lines)


def test_a_resumed_training_prints_what_is_left(handle, capsys):
    show = live.live_progress(400, 10)
    for rows in range(280, 401):
        show(metrics(rows))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"step {n}/400" for n in (280, 320, 360, 400)]


def test_the_picture_is_redrawn_every_three_seconds_and_at_the_end(handle, clock):
    show = live.live_progress(400, 10)
    for rows in range(1, 101):
        show(metrics(rows))
        clock.now += 0.5
    assert len(handle[0].shown) == 17  # 50 s
    assert all(isinstance(figure, Figure) for figure in handle[0].shown)
    clock.now += 0.1
    show(metrics(400))
    assert len(handle[0].shown) == 18
    title = handle[0].shown[-1].get_suptitle()
    assert title == "\n".join(live.describe_progress(metrics(400), 400, 10))


def test_slow_drawing_is_done_less_often(handle, clock):
    clock.step_sec = 0.3  # a drawing then takes 0.3 s, which is 3 % of 10 s
    show = live.live_progress(10_000, 10)
    for rows in range(1, 201):
        show(metrics(rows))
        clock.now += 0.2  # and every call half a second
    assert 9 <= len(handle[0].shown) <= 11
