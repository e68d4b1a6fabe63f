"""What a command prints never ends it: neither a letter that a terminal cannot show, nor a reader that has gone."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class _Forgiving(io.TextIOWrapper):
    """A text stream that shows other letters as codes, and writes to nowhere once its reader (`| head`) has gone."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._forget_reader()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._forget_reader()

    def _forget_reader(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # of what is still in the buffer, too
        os.close(nowhere)


@contextmanager
def forgiving_output() -> Iterator[None]:
    """Make standard output and errors forgiving while the block runs."""
    before = sys.stdout, sys.stderr
    wrapped = [_wrapped(stream) for stream in before]
    sys.stdout, sys.stderr = (new or old for new, old in zip(wrapped, before, strict=True))
    try:
        yield
    finally:
        for stream in filter(None, wrapped):
            stream.flush()
            stream.detach()  # else the stream below would be closed with it
        sys.stdout, sys.stderr = before


def _wrapped(stream: object) -> _Forgiving | None:
    """None for what has no bytes below it, e.g. the output of a notebook."""
    if not isinstance(stream, io.TextIOWrapper):
        return None
    with suppress(BrokenPipeError):
        stream.flush()
    return _Forgiving(
        stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=stream.line_buffering
    )
