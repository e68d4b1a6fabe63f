"""Commands that show what a run has found: view."""

import argparse
from pathlib import Path


def view_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="run folder, e.g. results/watch/seed1234567891")
    command.add_argument("--html", metavar="FILE", default="", help="page to write (default: RUN/inspector.html)")
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where the run found it)")


def run_view(options: argparse.Namespace) -> int:
    from afkit.view.inspector_data import read_inspected
    from afkit.view.inspector_page import write_inspector

    path = Path(options.html or Path(options.run) / "inspector.html")
    write_inspector(path, read_inspected(options.run, options.data_root))
    print(f"open {path} in a browser; it needs no server and no network")
    return 0
