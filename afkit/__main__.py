"""The command line: `python -m afkit COMMAND`, or `afkit COMMAND`."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

_INTERRUPT = signal.getsignal(signal.SIGINT)
if __name__ == "__main__" and _INTERRUPT is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while the following loads, Ctrl-C ends the process without a word

from afkit.opening import home_folder, private_folder  # noqa: E402
from afkit.workbench.commands.output import forgiving_output  # noqa: E402
from afkit.workbench.commands.parser import parse  # noqa: E402
from afkit.workbench.runs.interrupts import signals_call  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did all it was asked for, 2 on a wrong input, 1 when a notebook or the disk failed."""
    with forgiving_output():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["import"], ["start"]):  # argparse would take the word behind --fix for its KIND
        given = ["--fix=" if word == "--fix" else word for word in given]
    options = parse(given)
    try:
        with signals_call(signal.default_int_handler, "SIGTERM"):  # by which batch systems end a job
            _give_home()
            return options.command(options) or 0
    except ValueError as error:
        _complain(error)
        return 2
    except RuntimeError as error:
        _complain(error)
        return 1
    except OSError as error:  # a full disk, a folder that cannot be written to
        _complain(_explained(error))
        return 1
    except ModuleNotFoundError as error:  # without the extra; others are named where they are used
        if (error.name or "afkit").startswith("afkit"):
            raise
        _complain(f"{given[0]} needs {error.name}, which is not there; install it with: pip install 'afkit[notebooks]'")
        return 2
    except KeyboardInterrupt as interruption:
        print(f"afkit: interrupted; the same command goes on {str(interruption) or 'from here'}", file=sys.stderr)
        return 130


def _give_home() -> None:
    """What executes notebooks writes into the home folder, which users of containers often have not."""
    home = home_folder()
    if home is None or not os.access(home, os.W_OK):
        os.environ["HOME"] = str(private_folder())
        print(f"afkit: this user has no home folder to write to; {os.environ['HOME']} is taken for it", file=sys.stderr)


def _complain(what: object) -> None:
    """Print a message; file names in it may hold what a terminal would obey, which is shown as codes instead."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in str(what))
    print(f"afkit: {shown}", file=sys.stderr)


def _explained(error: OSError) -> str:
    if error.errno is None or error.filename is None:
        return " ".join(str(error).split())
    return f"{error.filename}: {error.strerror}; when that is mended, the same command goes on from here"


def script() -> NoReturn:
    """The command line as a program of its own: `afkit COMMAND`."""
    if sys.stdout is not None:  # as where it is closed (>&-)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # seen at once, also in a pipe
    raise SystemExit(main())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _INTERRUPT)
    script()
