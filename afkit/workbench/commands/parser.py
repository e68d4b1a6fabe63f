"""The command line as a whole: commands in groups, an example of each, and what was meant where a word is unknown."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import afkit
from afkit.config import nearest, parameter_names
from afkit.workbench.commands import build, data, results, runs, start
from afkit.workbench.commands.options import Command


def _completion_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="whose script is printed")


def _completion(options: argparse.Namespace) -> None:
    try:
        import shtab
    except ImportError:
        raise ValueError("completion needs shtab; install it with: pip install 'afkit[complete]'") from None
    parser = whole_parser()
    parser.prog = "afkit"
    for name in COMMANDS:
        for action in parser_of(parser, name)._actions:
            if action.nargs != 0 and not action.choices:  # a text: most are files
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # as shtab wants it
    print(shtab.complete(parser, options.shell))


GROUPS = {
    "from data to a result": start.COMMANDS | runs.COMMANDS,
    "what was found, and labels": results.COMMANDS,
    "data": data.COMMANDS,
    "this installation": build.COMMANDS
    | {"completion": Command(_completion, _completion_arguments, "print a script that completes words in a shell")},
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
EXAMPLES = {
    "start": "start labels.csv films",
    "run": "run watch --seed 2 --set optim.epochs=10 -p evaluate_every=5",
    "rerun": "rerun results/watch/seed1234567891",
    "compare": "compare results/watch",
    "sweep": "sweep sweeps/watch.yaml --dry-run",
    "status": "status sweeps/watch.yaml --watch",
    "view": "view results/watch/seed1234567891",
    "label": "label films --labels walk,sit",
    "predict": "predict results/watch/seed1234567891 new/person9.npy --format vtt",
    "evaluate": "evaluate thumos14.json eval_results.pkl --recipe thumos_i3d",
    "next": "next results/watch/seed1234567891",
    "agreement": "agreement ann.json bob.json --csv differences.csv",
    "actions": "actions results/epic_verb/seed1234567891 results/epic_noun/seed1234567891",
    "prepare": "prepare thumos_i3d --download",
    "import": "import labels.csv data/mine/annotations/mine.json --column label=action",
    "join": "join data/mine/annotations/mine.json labelled.json --out data/mine/annotations/more.json",
    "export": "export results/watch/seed1234567891 --to onnx",
    "signals": "signals raw/acc@50 raw/gyro@20 --out data/mine/features --window 50 --stride 25",
    "features": "features films --out data/mine/features --backbone MCG-NJU/videomae-base",
    "suggest": "suggest data/mine/annotations/mine.json --features data/mine/features --write recipes/mine.yaml",
    "twin": "twin thumos_i3d --data-root twins",
    "doctor": "doctor",
    "notebooks": "notebooks mine",
    "build-ext": "build-ext",
    "completion": "completion bash > ~/.local/share/bash-completion/completions/afkit",
}
TAKES_PARAMETERS = ("run", "compare")  # of notebooks, by -p


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one sentence, with the nearest valid name for an unknown command or option."""

    def error(self, message: str) -> NoReturn:
        wrong = message.split("invalid choice: ")[-1].split("'")[1] if "invalid choice" in message else ""
        hint = f"; {nearest(wrong, list(COMMANDS))}" if wrong and "argument COMMAND" in message else ""
        text = f"there is no command '{wrong}'{hint}" if hint else message
        print(f"afkit: {text} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


class _Whole(_Parser):
    """That of all commands, whose help is an overview in groups."""

    def format_help(self) -> str:
        """The overview."""
        lines = [
            "Temporal action localisation: ActionFormer, TriDet, TemporalMaxer.",
            "",
            f"usage: {self.prog} COMMAND ...",
        ]
        for title, commands in GROUPS.items():
            lines += ["", f"{title}:", *(f"  {name:<10}  {command.help}" for name, command in commands.items())]
        lines += ["", f"{self.prog} COMMAND --help tells what a command takes, with an example."]
        return "\n".join([*lines, f"{self.prog} --version tells which afkit this is.", ""])


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, with its function as `command`; without any words the help.

    SystemExit (2) after one sentence where a word is wrong.
    """
    parser = whole_parser()
    if not words:
        parser.print_help()
        raise SystemExit(0)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        _refuse(parser_of(parser, words[0]), words[0], unknown[0])
    return options


def whole_parser() -> argparse.ArgumentParser:
    """That of all commands."""
    called = "afkit" if Path(sys.argv[0]).stem == "afkit" else "python -m afkit"
    parser = _Whole(prog=called)
    parser.add_argument("--version", action="version", version=f"afkit {afkit.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for name, command in COMMANDS.items():
        example = f"example: {called} {EXAMPLES[name]}"
        parser_of_command = commands.add_parser(
            name,
            help=command.help,
            prog=f"{called} {name}",
            description=f"{command.help}\n\n{example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser_of_command.set_defaults(command=command.do)
        command.add_arguments(parser_of_command)
    return parser


def parser_of(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """That of one command, in that of all."""
    return next(action.choices[command] for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _refuse(parser: argparse.ArgumentParser, command: str, word: str) -> NoReturn:
    """End with a sentence on a word that a command does not know."""
    if not word.startswith("-"):
        parser.error(f"'{word}' is one word too many for {command}")
    option, name = word.partition("=")[0], word.partition("=")[0].lstrip("-").replace("-", "_")
    if command in TAKES_PARAMETERS and name in _notebook_parameters(command):
        parser.error(f"{option} is a parameter of the notebooks: write -p {name}=VALUE")
    settings = [dotted for dotted in parameter_names() if name in (dotted, dotted.partition(".")[2])]
    if command == "run" and settings:
        parser.error(f"{option} is a setting of the recipe: write --set {settings[0]}=VALUE")
    known = [name for action in parser._actions for name in action.option_strings]
    parser.error(f"{command} has no option {option}; {nearest(option, known)}")


def _notebook_parameters(command: str) -> set[str]:
    from afkit.workbench.runs.notebooks import STAGES, notebook_parameters

    stages = STAGES if command == "run" else ("05_compare",)
    return {name for stage in stages for name in notebook_parameters(stage)}
