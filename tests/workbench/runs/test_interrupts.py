"""Ctrl-C breaks off a block where it asks for it, or at its end; a second one ends the process."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from afkit.workbench.runs.interrupts import interrupts_wait

ROOT = Path(__file__).parents[3]


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_comes_where_it_is_asked_for(capfd):
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), interrupts_wait() as look:
        look()
        press()
        done.append("what may not be broken off")
        look()
        done.append("what comes after it")
    assert done == ["what may not be broken off"]
    assert signal.getsignal(signal.SIGINT) is before
    assert "Ctrl-C once more ends it at once" in capfd.readouterr().err


def test_an_interrupt_that_nothing_asked_for_comes_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        press()
        done.append(1)
    with interrupts_wait():
        done.append(2)
    assert done == [1, 2]


def test_an_error_after_an_interrupt_is_the_interrupt():
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        press()
        raise RuntimeError("what an interrupted library makes of it")


def test_a_second_interrupt_ends_the_process():
    program = "import os, signal, time\nfrom afkit.workbench.runs.interrupts import interrupts_wait\n"
    program += (
        "with interrupts_wait():\n    for _ in range(2): os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(600)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 130 and done.stderr.count("\n") == 2 and "Traceback" not in done.stderr


def test_in_a_thread_there_is_nothing_to_wait_for():
    def work():
        with interrupts_wait() as look:
            look()
            done.append(signal.getsignal(signal.SIGINT))

    done = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
