"""The command that compiles: build-ext."""

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
