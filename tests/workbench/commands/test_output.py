"""Output that cannot be shown, or that nobody reads, ends no command."""

import io
import os
import subprocess
import sys

import pytest
from run_folders import write_run

from afkit.workbench.commands.output import forgiving_output

STATUS = [sys.executable, "-m", "afkit", "status"]


@pytest.mark.parametrize(("encoding", "shown"), [("latin-1", b"\xfcbung \\u4e2d"), ("cp1252", b"\xfcbung \\u4e2d")])
def test_letters_that_the_terminal_lacks_are_shown_as_codes(tmp_path, encoding, shown):
    write_run(tmp_path / "übung 中")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([*STATUS, str(tmp_path)], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout
    wrong = subprocess.run([*STATUS, str(tmp_path / "中")], capture_output=True, env=environment)
    assert wrong.returncode == 2 and wrong.stderr.startswith(b"afkit: ") and b"\\u4e2d" in wrong.stderr


def test_a_reader_that_has_gone_ends_nothing(tmp_path):
    write_run(tmp_path / "one")
    process = subprocess.Popen([*STATUS, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()  # before the command can have printed
    assert (process.wait(), process.stderr.read()) == (0, b"")


@pytest.mark.parametrize("flush_first", [True, False])
def test_work_goes_on_after_the_reader_has_gone_and_what_was_there_before_is_back(monkeypatch, flush_first):
    reading, writing = os.pipe()
    os.close(reading)
    done = []
    with os.fdopen(writing, "w", encoding="ascii") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with forgiving_output():
            for letters, flush in ((1, flush_first), (100_000, False), (1, True)):
                print(letters * "ä", flush=flush)
                done.append(letters)
        assert sys.stdout is pipe and len(done) == 3


def test_what_has_no_bytes_below_it_stays(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    with forgiving_output():
        assert sys.stdout is text
