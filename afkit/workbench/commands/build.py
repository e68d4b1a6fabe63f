"""Commands about the installation itself: build-ext, doctor, notebooks."""

import argparse


def build_ext_arguments(command: argparse.ArgumentParser) -> None:
    """What `build-ext` is told."""
    command.add_argument("--quiet", action="store_true", help="without the compiler's output")


def run_build_ext(options: argparse.Namespace) -> int:
    """Do what `build-ext` is for; the exit status."""
    import torch

    from afkit.detect.operator import load

    for backend in ("cpp", "cuda") if torch.cuda.is_available() else ("cpp",):
        print(load(backend, verbose=not options.quiet) or f"{backend} is loaded")
    return 0


def doctor_arguments(command: argparse.ArgumentParser) -> None:
    """What `doctor` is told."""
    command.add_argument("--data-root", default="data", help="folder of all data sets (default: data)")
    command.add_argument("--results", default="results", help="folder of all runs (default: results)")


def run_doctor(options: argparse.Namespace) -> int:
    """Do what `doctor` is for; the exit status, 1 where something is broken that everybody needs."""
    from afkit.workbench.runs.doctor import BAD, examine, table

    found = examine(options.data_root, options.results)
    print(table(found))
    return int(any(check.state == BAD for check in found.values()))


def notebooks_arguments(command: argparse.ArgumentParser) -> None:
    """What `notebooks` is told."""
    command.add_argument("folder", metavar="FOLDER", help="where the copies go, e.g. notebooks")


def run_copy_notebooks(options: argparse.Namespace) -> int:
    """Do what `notebooks` is for; the exit status."""
    from afkit.workbench.shipped import copy_notebooks

    for path in copy_notebooks(options.folder):
        print(path)
    return 0
