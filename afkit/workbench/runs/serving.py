"""The inspector in a browser, with a kernel of its own behind it: Voila on this machine's loopback, with a token.

Films and sounds go to the browser from this server in ranges, as players ask for them, however large they are.
"""

import os
import secrets
import shutil
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

import afkit
from afkit.workbench.inspector.inspected import read_inspected
from afkit.workbench.inspector.tracks import find_media
from afkit.workbench.runs.interrupts import temporary_folder
from afkit.workbench.trust import project_root

HOST = "127.0.0.1"
# What a page may fetch: from this server alone. Voila's own template would ask another host for a font with each visit.
ONLY_HERE = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; connect-src 'self' ws://127.0.0.1:* blob: data:; "
    "frame-ancestors 'self'"
)
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")  # variables of a Linux that has one
MEDIA = "media/"  # address below which films and sounds are, each by the name of its recording
# The kernel starts in the folder of the notebook, and relative paths begin at the project, from which no modules come.
_SOURCE = """\
import os
import sys

sys.path[:] = [*filter(None, sys.path), {package!r}]
os.chdir({project!r})
from {module} import {function}

{function}(*{given!r}, **{named!r})"""


def serve_inspector(
    runs: Sequence[str | Path],
    data_root: str | Path = "",
    videos: str | Path = "",
    port: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the inspector of one run, or of several one above the other, until Ctrl-C.

    Nobody else gets in: it listens on 127.0.0.1 alone, at `port` or any that is free, and the address that is printed
    holds a token made for this start. A ValueError where Voila or data is missing, or the port is taken.
    """
    for run in runs:
        read_inspected(run, data_root)  # so that what is wrong is said here, not in the browser
    find = partial(find_media, Path(videos)) if videos else None
    serve_notebook(inspector_notebook(runs, data_root, videos), find, port, say)


def serve_annotators(
    one: str | Path,
    other: str | Path,
    tolerance_sec: float = 0.5,
    videos: str | Path = "",
    port: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the inspector of two annotation files as `serve_inspector` does that of a run."""
    folder = Path(videos).absolute() if videos else None
    given = str(Path(one).absolute()), str(Path(other).absolute()), tolerance_sec
    where = {"videos": str(folder or ""), "address": MEDIA if folder else ""}
    notebook = one_call("afkit.workbench.inspector.annotators", "inspect_annotators", *given, **where)
    serve_notebook(notebook, partial(find_media, folder) if folder else None, port, say)


def serve_notebook(
    notebook: nbformat.NotebookNode,
    find: Callable[[str], Path] | None = None,
    port: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a notebook's values until Ctrl-C, to nobody else, as `serve_inspector` says.

    Args:
        notebook: as of `one_call`.
        find: gives the film or sound of a recording, a ValueError where it has none; None: there are none.
        port: of the server; 0 for any that is free.
        say: receives the address.

    Raises:
        ValueError: Voila is not installed, or the port is taken.
    """
    try:
        from jupyter_core.paths import jupyter_config_path
        from tornado.ioloop import IOLoop
        from voila.app import Voila
    except ImportError:
        raise ValueError(
            "the inspector on a server needs Voila; install it with: pip install 'afkit[inspect]', or write a page "
            "that needs no server with --html"
        ) from None

    class Server(Voila):
        def init_handlers(self) -> list[Any]:
            return [*([_media_handler(find)] if find else []), *super().init_handlers()]

    token = secrets.token_urlsafe()
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ValueError(f"port {port} cannot be listened on ({error.strerror}); give another one") from None
        port = probe.getsockname()[1]
    print("a server is being started, which takes some seconds", file=sys.stderr, flush=True)
    with temporary_folder() as folder:
        path = folder / "inspector.ipynb"
        nbformat.write(notebook, path)
        app = Server.instance(
            token=token, ip=HOST, port=port, port_retries=0, open_browser=False, log_level="ERROR",
            tornado_settings={"headers": {"Content-Security-Policy": ONLY_HERE}},
            config_file_paths=jupyter_config_path(),  # not the working directory, whose settings may be a stranger's
        )  # fmt: skip
        if os.name == "posix":  # the kernel then listens on files that are this user's alone, not on ports
            app.config.KernelManager.transport = "ipc"
        app.initialize([str(path)])
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Voila's own needs a server that runs
        address = f"http://{HOST}:{port}/?token={token}"

        def announce() -> None:
            say(f"open {address} in a browser; Ctrl-C ends it")
            open_browser(folder / "open.html", address)

        IOLoop.current().add_callback(announce)  # when it listens
        try:
            app.start()
        finally:
            shutil.rmtree(app.connection_dir, ignore_errors=True)


def open_browser(page: Path, address: str) -> None:
    """Show an address in a browser where this terminal has a screen, unless BROWSER is `none`.

    By a page in a folder of this user's alone: a browser's arguments, and so the token, could be seen by all others.
    """
    has_screen = sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in SCREENS)
    if has_screen and sys.stdout.isatty() and os.environ.get("BROWSER") != "none":
        page.write_text(f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={address}">\n', "utf-8")
        webbrowser.open(page.as_uri())


def inspector_notebook(
    runs: Sequence[str | Path], data_root: str | Path = "", videos: str | Path = ""
) -> nbformat.NotebookNode:
    """The notebook that is served: one cell, whose value is the inspector."""
    folders = [str(Path(run).absolute()) for run in runs]
    several = len(folders) > 1
    where = {"videos": str(videos and Path(videos).absolute()), "address": MEDIA if videos else ""}
    given = folders if several else folders[0], str(data_root and Path(data_root).absolute())
    room = "afkit.workbench.runs.run_inspector"
    return one_call(room, "inspect_runs" if several else "inspect_run", *given, **where)


def one_call(module: str, function: str, *given: Any, **named: Any) -> nbformat.NotebookNode:
    """A notebook of one cell, whose value is that of a function of afkit; its arguments are of plain kinds."""
    source = _SOURCE.format(
        package=str(Path(afkit.__file__).parents[1]),
        project=str(project_root()),
        module=module,
        function=function,
        given=given,
        named=named,
    )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata={"kernelspec": kernel})


def _media_handler(find: Callable[[str], Path]) -> tuple[str, type, dict[str, str]]:
    """Of the server: films and sounds, by the names of their recordings, for who has the token."""
    from jupyter_server.base.handlers import AuthenticatedFileHandler
    from tornado.web import HTTPError

    class Media(AuthenticatedFileHandler):
        @classmethod
        def get_absolute_path(cls, root: str, path: str) -> str:
            return path

        def validate_absolute_path(self, root: str, absolute_path: str) -> str:
            try:
                return str(find(absolute_path))
            except ValueError:
                raise HTTPError(404) from None

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.finish()  # Jupyter's own page would need files that Voila does not have

    return rf"/{MEDIA}(.*)", Media, {"path": ""}
