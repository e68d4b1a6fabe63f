"""Signals that end a training: between two steps, with all of them saved, and with the same bits afterwards."""

import multiprocessing
import os
import signal
import threading
import time

import pytest
from trainings import assert_same_training, checkpoints_in, start

from afkit.train import loop
from afkit.train.execution import Execution
from afkit.train.loop import SIGNALS, interruptible


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


def sends(number, function, at):
    """The function, which at its call of that number (from 1) gets a signal before it does its work."""
    calls = []

    def with_signal(*arguments, **named):
        calls.append(None)
        if len(calls) == at:
            os.kill(os.getpid(), number)
        return function(*arguments, **named)

    return with_signal


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("within", "at", "saved"), [("train_step", 5, 5), ("Note", 3, 2)])
def test_a_step_is_ended_and_saved_and_the_training_goes_on_from_it(
    data, finished, tmp_path, monkeypatch, capsys, number, within, at, saved
):
    """Between two steps, too."""
    before = handlers()
    with monkeypatch.context() as patch:
        patch.setattr(loop, within, sends(number, getattr(loop, within), at))
        with pytest.raises(KeyboardInterrupt):
            start(data, tmp_path)
    assert checkpoints_in(tmp_path) == [saved]
    assert handlers() == before
    assert "goes on" not in capsys.readouterr().out
    assert_same_training(tmp_path, start(data, tmp_path), finished)
    assert f"afkit: training goes on after step {saved}\n" in capsys.readouterr().out
    start(data, tmp_path)
    assert "goes on" not in capsys.readouterr().out, "it is complete"


def test_an_evaluation_ends_at_once_and_is_done_again(data, finished, tmp_path):
    every_epoch = Execution(checkpoint_minutes=0, evaluate_every=1)
    with pytest.raises(KeyboardInterrupt):
        start(data, tmp_path, execution=every_epoch, evaluate=sends(signal.SIGINT, lambda model: 0.5, at=2))
    assert checkpoints_in(tmp_path) == [3, 6]
    evaluated = []
    table = start(data, tmp_path, execution=every_epoch, evaluate=lambda model: evaluated.append(None) or 0.5)
    assert_same_training(tmp_path, table, finished)
    assert len(evaluated) == 3


def test_the_second_signal_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), interruptible() as whole, whole():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("held back")
        os.kill(os.getpid(), signal.SIGINT)
        done.append("too late")
    assert done == ["held back"]


def _wait(began):
    began.set()  # Python drops a signal that comes while a process is being forked
    time.sleep(60)


def test_processes_that_load_features_end_as_without_it():
    with interruptible() as whole, whole():
        began = multiprocessing.get_context("fork").Event()
        process = multiprocessing.get_context("fork").Process(target=_wait, args=(began,), daemon=True)
        process.start()
        assert began.wait(30)
        process.terminate()
        process.join(30)
        assert process.exitcode == -signal.SIGTERM


def test_in_another_thread_nothing_is_changed():
    before, seen = handlers(), []

    def work():
        with interruptible() as whole, whole():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
