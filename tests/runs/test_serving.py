"""The inspector on a server: what is served, and what is refused before it starts. The server itself: tests/browser."""

import socket
import sys

import pytest
from run_folders import write_scored_run, write_test_data

from afkit.__main__ import main
from afkit.runs.serving import inspector_notebook, serve_inspector

pytest.importorskip("nbformat", reason="notebooks are made by it")


@pytest.fixture
def run(tmp_path):
    gt = write_test_data(tmp_path / "data")
    return write_scored_run(tmp_path / "results" / "tiny" / "seed1", gt, 3, tmp_path / "data")


def test_the_notebook_names_runs_and_folders_as_text(tmp_path):
    odd = tmp_path / 'it\'s "odd"'
    (cell,) = inspector_notebook([odd], tmp_path / "data").cells
    called = {}
    names = {"inspect_run": lambda *given, **named: called.update(one=(given, named))}
    exec(cell.source.partition("inspect_run\n")[2], names)
    assert called["one"] == ((str(odd), str(tmp_path / "data")), {"videos": ""})
    assert "compare_runs([" in inspector_notebook([odd, tmp_path]).cells[0].source


def test_what_is_wrong_is_said_before_the_server_starts(run, tmp_path, monkeypatch, capsys):
    pytest.importorskip("voila", reason="an extra")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["view", str(run), "--data-root", str(tmp_path / "data"), "--port", str(port)]) == 2
        assert f"port {port} cannot be listened on" in capsys.readouterr().err
    assert main(["view", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "voila.app", None)
    with pytest.raises(ValueError, match=r"pip install 'afkit\[inspect\]'.*--html"):
        serve_inspector([run], tmp_path / "data")
