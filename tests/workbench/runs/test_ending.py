"""Temporary folders go with the process."""

import os
import signal
import threading

import pytest

from afkit.workbench.runs.interrupts import temporary_folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_process_removes_the_folder_first(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), temporary_folder() as folder:
        (folder / "file").write_text("")
        os.kill(os.getpid(), number)
        signal.pause()
    assert not folder.exists()
    assert signal.getsignal(number) == before


def test_a_thread_has_such_a_folder_and_leaves_signals_alone():
    found = []

    def work():
        with temporary_folder() as folder:
            found.append((folder, folder.is_dir(), signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    ((folder, was_there, handler),) = found
    assert was_there and not folder.exists() and handler == before
