"""The inspector on a server: what is served, and what is refused before it starts. The server itself: tests/browser."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from run_folders import write_scored_run, write_test_data

from afkit.__main__ import main
from afkit.workbench.runs.serving import inspector_notebook, open_browser, serve_inspector

pytest.importorskip("nbformat", reason="notebooks are made by it")
ROOT = Path(__file__).parents[3]


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
    assert called["one"] == ((str(odd), str(tmp_path / "data")), {"videos": "", "address": ""})
    assert "\ninspect_runs(*([" in inspector_notebook([odd, tmp_path]).cells[0].source


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


@contextmanager
def viewing(run, temporary):
    """A server of the inspector that works beside the data; its process, and its address."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment |= {"TMPDIR": temporary, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(run / "none")}
    command = [sys.executable, "-P", "-m", "afkit", "view", str(run)]
    here = run.parents[2]
    with subprocess.Popen(command, cwd=here, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split()[1]  # it comes through a pipe while the server runs
        finally:
            process.kill()


@pytest.fixture
def temporary():
    """A folder with a short name, as sockets need it."""
    with TemporaryDirectory() as folder:
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])  # Ctrl-C: tests/browser
def test_nothing_in_the_working_directory_is_executed_and_nothing_stays_however_it_is_ended(
    run, tmp_path, temporary, number
):
    pytest.importorskip("voila", reason="an extra")
    (tmp_path / "lab").mkdir()
    for name in ("voila", "jupyter_config", "pandas", "anywidget"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({name!r})\n")
    (tmp_path / "lab" / "index.html.j2").write_text("a template of somebody else")
    with viewing(run, temporary) as (process, address):
        assert address.startswith("http://127.0.0.1:") and any(Path(temporary).iterdir())
        with urllib.request.urlopen(address, timeout=120) as answer:
            page = answer.read().decode()
        process.send_signal(number)
        process.wait(60)
        assert not any(Path(temporary).iterdir())
    assert "a template of somebody else" not in page and "afkit.workbench.inspector.widget" in page
    assert not (tmp_path / "executed").exists(), (tmp_path / "executed").read_text()


@pytest.mark.parametrize(
    ("screen", "terminal", "browser"), [(":0", True, ""), ("", True, ""), (":0", False, ""), (":0", True, "none")]
)
def test_a_browser_opens_where_somebody_sits_and_its_arguments_hold_no_token(
    tmp_path, monkeypatch, screen, terminal, browser
):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: terminal))
    for name, value in (("DISPLAY", screen), ("WAYLAND_DISPLAY", ""), ("BROWSER", browser)):
        monkeypatch.setenv(name, value)
    open_browser(tmp_path / "open.html", "http://127.0.0.1:1/?token=secret")
    assert len(opened) == (screen == ":0" and terminal and browser == "")
    for address in opened:
        assert "secret" not in address
        assert "url=http://127.0.0.1:1/?token=secret" in Path(urlsplit(address).path).read_text()
