"""Commands about the installation itself: doctor, notebooks, build-ext."""

import argparse

from afkit.workbench.commands.options import Command


def _build_ext_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quiet", action="store_true", help="without the compiler's output")


def _build_ext(options: argparse.Namespace) -> None:
    import torch

    from afkit.detect.operator import load

    for backend in ("cpp", "cuda") if torch.cuda.is_available() else ("cpp",):
        print(load(backend, verbose=not options.quiet) or f"{backend} is loaded")


def _doctor_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data-root", default="data", help="folder of all data sets (default: data)")
    command.add_argument("--results", default="results", help="folder of all runs (default: results)")


def _doctor(options: argparse.Namespace) -> int:
    from afkit.workbench.runs.doctor import BAD, examine, table

    found = examine(options.data_root, options.results)
    print(table(found))
    return int(any(check.state == BAD for check in found.values()))


def _notebooks_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="FOLDER", help="where the copies go, e.g. notebooks")


def _notebooks(options: argparse.Namespace) -> None:
    from afkit.workbench.shipped import copy_notebooks

    print(*copy_notebooks(options.folder), sep="\n")


COMMANDS = {
    "doctor": Command(_doctor, _doctor_arguments, "what works on this machine, and what to do about the rest"),
    "notebooks": Command(_notebooks, _notebooks_arguments, "copy the notebooks, to read and change them"),
    "build-ext": Command(_build_ext, _build_ext_arguments, "compile the suppression of duplicates (NMS) ahead of time"),
}
