"""Lines of progress: when they come, what they say, and where they go."""

import io
import sys
from types import SimpleNamespace

import pytest

from afkit.workbench import progress
from afkit.workbench.progress import LINES, duration, teller


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def passed(clock, items, seconds, said):
    """The seconds at which lines came, of a loop that takes so long for each item."""
    times = []

    def say(line):
        times.append(clock.now - 100)
        said.append(line)

    for _ in progress.progress(range(items), "checks", say):
        clock.now += seconds
    return times


def test_a_step_under_two_seconds_says_nothing(clock):
    assert passed(clock, 19, 0.1, []) == []


@pytest.mark.parametrize(
    ("terminal", "wanted", "times"), [(True, "", [2, 12, 22]), (False, "x", [2]), (False, "5", [2, 7, 12, 17, 22, 27])]
)
def test_the_first_line_comes_after_two_seconds_and_then_every_so_many(clock, monkeypatch, terminal, wanted, times):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv(progress.EVERY, wanted)
    said = []
    assert passed(clock, 30, 1.0, said) == times
    assert said[0] == "checks: 2 of 30, 28 s left"


def test_time_left_is_by_what_is_done_not_by_the_number_of_calls(clock, monkeypatch):
    monkeypatch.setenv(progress.EVERY, "10")
    said = []
    tell = teller("unpacking a.tar.gz", 3000, said.append, " MB")
    for done in (0, 100, 120, 2700, 3000):
        tell(done)
        clock.now += 11
    assert said == [
        "unpacking a.tar.gz: 100 of 3000 MB, 5 min left",
        "unpacking a.tar.gz: 120 of 3000 MB, 9 min left",
        "unpacking a.tar.gz: 2700 of 3000 MB, 4 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6060, "1 h 41 min"), (1e5, "27 h 47 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
    training = f"step 3/9, epoch 1/3, 2.5 steps/s, {text} left  loss 0.531 (class 0.300, offset 0.231), rate 1.0e-04"
    assert LINES.sub("", f"before\nchecks: 2 of 30, {text} left\n{training}\nafter\n") == "before\nafter\n"
    assert not LINES.search(f"2 labels, {text} left out\nafter {text} left hand\n"), "not progress"


def test_lines_of_a_command_leave_its_output_alone_and_those_of_a_notebook_are_output(clock, monkeypatch, capsys):
    tell = teller("checks", 2)
    clock.now += 5
    tell(1)
    assert capsys.readouterr() == ("", "checks: 1 of 2, 5 s left\n")
    monkeypatch.setattr(sys, "stdout", cell := io.StringIO())  # as that of a kernel, it has no bytes below it
    tell = teller("checks", 2)
    clock.now += 5
    tell(1)
    assert cell.getvalue() == "checks: 1 of 2, 5 s left\n" and capsys.readouterr().err == ""
