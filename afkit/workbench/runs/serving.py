"""The inspector in a browser, with a kernel of its own behind it: Voila on this machine's loopback, with a token."""

import os
import secrets
import shutil
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat

import afkit
from afkit.workbench.inspector.inspected import read_inspected
from afkit.workbench.runs.interrupts import temporary_folder
from afkit.workbench.trust import project_root

HOST = "127.0.0.1"
# The kernel starts in the folder of the notebook, and relative paths begin at the project, from which no modules come.
_SOURCE = """\
import os
import sys

sys.path[:] = [*filter(None, sys.path), {package!r}]
os.chdir({project!r})
from afkit.workbench.runs.run_inspector import {function}

{function}({runs!r}, {data_root!r}, videos={videos!r})"""


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
    try:
        from jupyter_core.paths import jupyter_config_path
        from tornado.ioloop import IOLoop
        from voila.app import Voila
    except ImportError:
        raise ValueError(
            "the inspector on a server needs Voila; install it with: pip install 'afkit[inspect]', or write a page "
            "that needs no server with --html"
        ) from None
    for run in runs:
        read_inspected(run, data_root)  # so that what is wrong is said here, not in the browser
    token = secrets.token_urlsafe()
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ValueError(f"port {port} cannot be listened on ({error.strerror}); give another one") from None
        port = probe.getsockname()[1]
    with temporary_folder() as folder:
        path = folder / "inspector.ipynb"
        nbformat.write(inspector_notebook(runs, data_root, videos), path)
        app = Voila.instance(
            token=token, ip=HOST, port=port, port_retries=0, open_browser=False, log_level="ERROR",
            config_file_paths=jupyter_config_path(),  # not the working directory, whose settings may be a stranger's
        )  # fmt: skip
        if os.name == "posix":  # the kernel then listens on files that are this user's alone, not on ports
            app.config.KernelManager.transport = "ipc"
        app.initialize([str(path)])
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Voila's own needs a server that runs
        text = f"open http://{HOST}:{port}/?token={token} in a browser; Ctrl-C ends it"
        IOLoop.current().add_callback(say, text)  # when it listens
        try:
            app.start()
        finally:
            shutil.rmtree(app.connection_dir, ignore_errors=True)


def inspector_notebook(
    runs: Sequence[str | Path], data_root: str | Path = "", videos: str | Path = ""
) -> nbformat.NotebookNode:
    """The notebook that is served: one cell, whose value is the inspector."""
    folders = [str(Path(run).absolute()) for run in runs]
    several = len(folders) > 1
    source = _SOURCE.format(
        package=str(Path(afkit.__file__).parents[1]),
        project=str(project_root()),
        function="inspect_runs" if several else "inspect_run",
        runs=folders if several else folders[0],
        data_root=str(data_root and Path(data_root).absolute()),
        videos=str(videos and Path(videos).absolute()),
    )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata={"kernelspec": kernel})
