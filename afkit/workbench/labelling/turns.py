"""Who may write a journal: one process (and those that it starts) at a time, and of its pages the newest."""

import atexit
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from afkit.files import NO_LOCKS, BusyError, holder, locked, write_text
from afkit.opening import read_text

TAKEN = "another page of the same file was opened later, and changes are made there; reload this page to go on here"
ENDED = "what served this page has ended; start it again"
_TURNS: dict[Path, Path] = {}  # of journals that this process holds


def hold(journal: Path, stack: ExitStack) -> str:
    """Hold a journal until the stack is closed; "", or a sentence on who else holds it."""
    lock = journal.with_name(f"{journal.name}.lock")
    try:
        stack.enter_context(locked(lock, patience_sec=0))
    except BusyError:
        who = holder(lock.parent, lock.name) or "another process"
        return f"{journal.name} is being written by {who}; here it can be looked at, not changed"
    except OSError as error:
        if error.errno not in NO_LOCKS:  # there, nobody is told of anybody else
            raise
    return ""


def hold_for_ever(journal: Path) -> tuple[Path | None, str]:
    """As `hold`, until this process ends; the file of turns, None where others hold the journal."""
    journal = journal.resolve()
    if journal not in _TURNS:
        stack = ExitStack()
        if reason := hold(journal, stack):
            return None, reason
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="afkit-label-")))
        _TURNS[journal] = folder / "turn"
        atexit.register(stack.close)
    return _TURNS[journal], ""


class Turn:
    """A page's right to write, until a newer page of the same file of turns takes it.

    Args:
        path: the file of turns, which names the page whose turn it is.
    """

    def __init__(self, path: Path):
        self.path, self.name = path, secrets.token_hex(8)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the turn; nobody else writes while the block runs."""
        with self._alone():
            write_text(self.path, self.name)
            yield

    @contextmanager
    def writing(self) -> Iterator[str]:
        """The block gets "" and nobody takes the turn meanwhile, or why this page may not write."""
        if not self.path.parent.is_dir():
            yield ENDED
            return
        with self._alone():
            yield "" if self.path.is_file() and read_text(self.path) == self.name else TAKEN

    def _alone(self) -> AbstractContextManager[int]:
        return locked(self.path.with_name("turn.lock"))
