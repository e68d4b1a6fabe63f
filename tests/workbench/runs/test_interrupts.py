"""Ctrl-C breaks off a block where it asks for it, or at its end, and temporary folders go with the process."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from afkit.workbench.runs.interrupts import interrupts_wait, temporary_folder

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


@pytest.mark.parametrize("error", [None, RuntimeError("what an interrupted library makes of it")])
def test_an_interrupt_that_nothing_asked_for_comes_at_the_end(error):
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        press()
        if error:
            raise error
    with interrupts_wait():
        pass


def test_a_second_interrupt_ends_the_process():
    program = "import os, signal, time\nfrom afkit.workbench.runs.interrupts import interrupts_wait\n"
    program += "with interrupts_wait():\n for _ in range(2): os.kill(os.getpid(), signal.SIGINT)\n time.sleep(600)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 130 and done.stderr.count("\n") == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_process_removes_the_folder_first(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), temporary_folder() as folder:
        (folder / "file").write_text("")
        os.kill(os.getpid(), number)
        signal.pause()
    assert not folder.exists()
    assert signal.getsignal(number) == before


def test_a_thread_leaves_signals_alone():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def work():
        with interrupts_wait() as look, temporary_folder() as folder:
            look()
            found.extend([folder, folder.is_dir(), [signal.getsignal(number) for number in numbers]])

    found, before = [], [signal.getsignal(number) for number in numbers]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    folder, was_there, within = found
    assert was_there and not folder.exists() and within == before
