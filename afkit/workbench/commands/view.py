"""Commands that show what a run has found: view, gallery."""

import argparse
from dataclasses import replace
from pathlib import Path


def view_arguments(command: argparse.ArgumentParser) -> None:
    """What `view` is told."""
    command.add_argument(
        "runs", metavar="RUN", nargs="+", help="run folder, e.g. results/watch/seed1234567891; several to compare them"
    )
    command.add_argument(
        "--html",
        metavar="FILE",
        nargs="?",
        const="",
        help="write one page that needs no server (default: inspector.html, or comparison.html, in RUN)",
    )
    command.add_argument("--port", type=int, default=0, help="of the server on this machine (default: any free one)")
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where the run found it)")
    command.add_argument(
        "--curves",
        action="store_true",
        help="the page also has the network's score over time, at most 500 points of each class and video",
    )
    command.add_argument(
        "--videos",
        metavar="DIR",
        default="",
        help="folder of video files named like the videos; for a page in the page's folder or below it, as the page "
        "refers to them relative to itself, so that they move together",
    )


def run_view(options: argparse.Namespace) -> int:
    """Do what `view` is for; the exit status."""
    if options.html is None:
        from afkit.workbench.runs.serving import serve_inspector

        serve_inspector(options.runs, options.data_root, options.videos, options.port)
        return 0
    from afkit.workbench.inspector.comparison import write_comparison
    from afkit.workbench.inspector.page import write_inspector
    from afkit.workbench.runs.run_inspector import collect_inspected

    several = len(options.runs) > 1
    path = Path(options.html or Path(options.runs[0]) / ("comparison.html" if several else "inspector.html"))
    runs = [collect_inspected(run, options.data_root, options.videos) for run in options.runs]
    if not options.curves:
        runs = [replace(run, tracks=replace(run.tracks, curves=None)) for run in runs]
    if several:
        write_comparison(path, runs)
    else:
        write_inspector(path, runs[0])
    print(f"open {path} in a browser; it needs no server and no network")
    return 0


def gallery_arguments(command: argparse.ArgumentParser) -> None:
    """What `gallery` is told."""
    command.add_argument("run", metavar="RUN", help="a finished run folder")
    command.add_argument("--out", default="results/gallery", help="folder to write (default: results/gallery)")
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where the run found it)")


def run_gallery(options: argparse.Namespace) -> int:
    """Do what `gallery` is for; the exit status."""
    from afkit.workbench.runs.gallery import write_gallery

    for path in write_gallery(options.run, options.out, options.data_root):
        print(path)
    return 0
