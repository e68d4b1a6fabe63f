"""Folders that appear whole or not at all, made by one process at a time."""

import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from afkit.files import LOCK, NO_LOCKS, locked, name_in
from afkit.opening import make_way


@contextmanager
def scratch_folder(final: Path, say: Callable[[str], object] = print) -> Iterator[Path]:
    """An empty folder beside `final`, to be renamed to it when complete; otherwise it goes when the block ends.

    So do the parent folders that were made for it, as long as they are empty. One process at a time has it; the others
    wait, which `say` is told, and look at the beginning of their block whether `final` is there now. What killed ones
    left is removed. An OSError names `final`.
    """
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    made = [parent for parent in part.parents if not parent.exists()]  # nearest first
    try:
        with alone(final, say):
            part.mkdir(parents=True)
            try:
                yield part
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        name_in(error, final, part, _lock_of(final))
        raise
    finally:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def clear_scratch(final: Path) -> None:
    """Remove what a process left that was killed when `final` was complete already."""
    if os.path.lexists(_lock_of(final)):
        with suppress(OSError, ValueError), locked(_lock_of(final), 0):
            _remove_parts(final)


def _lock_of(final: Path) -> Path:
    return final.with_name(f".{final.name}{LOCK}")


@contextmanager
def alone(final: Path, say: Callable[[str], object] = print) -> Iterator[None]:
    """Keep other processes from writing a folder while the block runs; `say` is told where one is waited for.

    Where there are no locks, each has a scratch folder of its own at least. ValueError where that lock is none.
    """
    with ExitStack() as held:
        try:
            lock = locked(_lock_of(final), math.inf, lambda who: say(f"waiting for {who}, which writes {final}"))
            held.enter_context(lock)
            _remove_parts(final)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield


def _remove_parts(final: Path) -> None:
    """Remove the scratch folders of killed processes."""
    for path in final.parent.iterdir():
        if re.fullmatch(rf"\.{re.escape(final.name)}(\.\d+)?\.part", path.name):
            make_way(path)  # if it is a link
            shutil.rmtree(path, ignore_errors=True)
