"""The command line: python -m afkit COMMAND."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from afkit.config import nearest
from afkit.recipes import recipe, recipe_names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did all it was asked for, 2 on a wrong input, 1 when a notebook failed."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except ValueError as error:
        print(f"afkit: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"afkit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("afkit: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """argparse with the nearest valid name for an unknown command or option."""

    def error(self, message: str):
        wrong = message.split("invalid choice: ")[-1].split("'")[1] if "invalid choice" in message else ""
        hint = f"; {nearest(wrong, list(_COMMANDS))}" if wrong and "argument COMMAND" in message else ""
        text = f"there is no command '{wrong}'{hint}" if hint else message
        print(f"afkit: {text} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m afkit", description="Temporal action localisation with ActionFormer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for name, (function, arguments, help_text) in _COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(command=function)
        arguments(command)
    return parser


def _run_arguments(command: argparse.ArgumentParser) -> None:
    _data_arguments(command)
    command.add_argument("--seed", type=int, default=1234567891)
    command.add_argument(
        "--set", action="append", default=[], metavar="PARAMETER=VALUE", help="recipe parameter, e.g. optim.epochs=2"
    )
    command.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", help="notebook parameter")
    command.add_argument("--results", default="results", help="folder of all runs (default: results)")
    command.add_argument("--stages", default="01,02,03,04", help="notebooks to run, e.g. 03,04")
    command.add_argument("--name", default="", help="name of the run folder instead of seed and digest")
    command.add_argument("--html", action="store_true", help="also write the executed notebooks as pages")


def _run(options: argparse.Namespace) -> int:
    from afkit.runs.pipeline import run

    overrides, parameters = _assignments(options.set, "--set"), _assignments(options.p, "-p")
    folder = run(
        options.recipe,
        options.seed,
        overrides,
        parameters,
        options.data_root,
        options.results,
        [stage.strip() for stage in options.stages.split(",")],
        options.name,
    )
    if options.html:
        from afkit.runs.html import write_pages

        write_pages(folder)
    from afkit.evaluation.report import headline
    from afkit.runs.folder import project_root, split_suffix

    data_root = project_root() / options.data_root
    suffix = split_suffix(recipe(options.recipe, overrides), data_root, parameters.get("split", ""))
    if (folder / f"eval{suffix}.json").is_file():
        print(headline(folder / f"eval{suffix}.json"))
    if (folder / "04_visualize.ipynb").is_file():
        print(f"open {folder / '04_visualize.ipynb'} in JupyterLab (make lab), or look at {folder / 'figures'}")
    print(folder)
    return 0


def _compare_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "runs", metavar="RUN", nargs="*", help="run folder, or folder of runs (default: all in results)"
    )
    command.add_argument("--results", default="results", help="folder of all runs (default: results)")
    command.add_argument(
        "--out", default="", help="folder for report.html and summary.csv (default: that of --results)"
    )
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where each run found it)")
    command.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", help="notebook parameter")


def _compare(options: argparse.Namespace) -> int:
    from afkit.runs.comparing import compare

    folder = compare(options.runs, options.results, options.out, options.data_root, _assignments(options.p, "-p"))
    print(folder / "summary.csv")
    print(folder / "report.html")
    return 0


def _sweep_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="e.g. sweeps/twins.yaml; what may stand in it: sweeps/README.md")
    command.add_argument("--dry-run", action="store_true", help="list the runs and what is done; start nothing")
    command.add_argument("--resume", action="store_true", help="go on, which a second start does anyway")
    command.add_argument("--only-failed", action="store_true", help="only runs that have failed")
    command.add_argument("--workers", type=int, default=0, help="runs at once (default: what fits, or the file's jobs)")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", default="", help="a running dask cluster")
    where.add_argument(
        "--cluster", metavar="FILE", default="", help="a batch system: kind (slurm, pbs, lsf), jobs, ..."
    )
    command.add_argument("--html", action="store_true", help="also write the executed notebooks as pages")


def _sweep(options: argparse.Namespace) -> int:
    if options.workers < 0:
        raise ValueError(f"--workers is {options.workers}; give the number of runs at once, or 0 for what fits")
    try:
        from afkit.runs.sweep import dry_run, sweep
    except ImportError as error:
        raise ValueError(f"a sweep needs dask ({error}); install it with: pip install 'afkit[sweep]'") from None
    if options.dry_run:
        print(dry_run(options.file, options.cluster))
        return 0
    where = (options.workers, options.scheduler, options.cluster)
    outcomes = sweep(options.file, options.only_failed, *where, options.html)
    return int(any(outcome.state != "done" for outcome in outcomes.values()))


def _status_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "where",
        metavar="FILE_OR_RESULTS",
        nargs="?",
        default="results",
        help="sweep file, or folder (default: results)",
    )
    command.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")


def _status(options: argparse.Namespace) -> int:
    from afkit.runs.status import show_status

    show_status(options.where, options.watch)
    return 0


def _assignments(texts: Sequence[str], option: str) -> dict[str, object]:
    """["a.b=1"] -> {"a.b": 1}; values are JSON, or text where they are not."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} takes NAME=VALUE, not '{text}'")
        pairs[name.strip()] = _value(value)
    return pairs


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _prepare_arguments(command: argparse.ArgumentParser) -> None:
    _data_arguments(command)
    command.add_argument(
        "source", metavar="SRC", nargs="?", default="", help="the published archive, or a folder of official files"
    )
    command.add_argument("--download", action="store_true", help="fetch the archive where it is not found")


def _prepare(options: argparse.Namespace) -> int:
    from afkit.data.prepare import prepare

    resolved = recipe(options.recipe)
    prepare(resolved, options.data_root, options.source, options.download)
    print(_data_folder(options))
    return 0


def _import_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("source", metavar="SOURCE", help="file, or folder with a file per recording")
    add("target", metavar="TARGET", help="annotation file to write (.json)")
    add("--format", dest="form", default="", help="csv, json, elan, audacity, text or steps (default: by the ending)")
    add("--column", dest="columns", action="append", default=[], metavar="FIELD=NAME", help="e.g. start=onset")
    add("--unit", default="seconds", help="of the times: seconds, frames or samples")
    add("--rate", type=float, help="frames or samples per second")
    add("--labels", default="", metavar="A,B,...", help="order of the label ids")
    add("--background", action="append", default=[], metavar="LABEL", help="means that nothing happens")
    add("--recordings", default="", metavar="FILE", help="table: video, duration, fps, subset, group")
    add("--test-share", type=float, default=0.3, help="of recordings or groups (default: 0.3)")
    add("--seed", type=int, default=0, help="of the split")
    add("--fix", action="store_true", help="repair what can be repaired, and list it")
    add("--allow-overlaps", action="store_true", help="accept overlaps of the same label")


def _import(options: argparse.Namespace) -> int:
    from afkit.data.import_report import describe
    from afkit.data.importing import import_annotations

    for text in options.columns:
        if not all(text.partition("=")):
            raise ValueError(f"--column takes FIELD=NAME, not '{text}'")
    columns = dict(text.split("=", 1) for text in options.columns)
    labels = [label.strip() for label in options.labels.split(",") if label.strip()]
    arguments = vars(options) | {"columns": columns, "labels": labels}
    del arguments["command"]
    print(describe(import_annotations(**arguments)))
    return 0


def _twin_arguments(command: argparse.ArgumentParser) -> None:
    _data_arguments(command)
    command.add_argument("--annotations", metavar="FILE", help="real annotations: a twin of their size")
    command.add_argument("--seed", type=int, default=0)


def _twin(options: argparse.Namespace) -> int:
    from afkit.data.twin import write_twin

    write_twin(recipe(options.recipe), options.data_root, options.annotations, options.seed)
    print(_data_folder(options))
    return 0


def _view_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="run folder, e.g. results/watch/seed1234567891")
    command.add_argument("--html", metavar="FILE", default="", help="page to write (default: RUN/inspector.html)")
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where the run found it)")


def _view(options: argparse.Namespace) -> int:
    from afkit.view.inspector_data import read_inspected
    from afkit.view.inspector_page import write_inspector

    path = Path(options.html or Path(options.run) / "inspector.html")
    write_inspector(path, read_inspected(options.run, options.data_root))
    print(f"open {path} in a browser; it needs no server and no network")
    return 0


def _build_ext_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quiet", action="store_true", help="without the compiler's output")


def _build_ext(options: argparse.Namespace) -> int:
    import torch

    from afkit.detect.operator import load

    for backend in ("cpp", "cuda") if torch.cuda.is_available() else ("cpp",):
        print(load(backend, verbose=not options.quiet) or f"{backend} is loaded")
    return 0


def _data_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", metavar="RECIPE", help="one of: " + ", ".join(recipe_names()))
    command.add_argument("--data-root", default="data", help="folder of all data sets (default: data)")


def _data_folder(options: argparse.Namespace) -> Path:
    return Path(options.data_root) / Path(recipe(options.recipe).data.annotations).parts[0]


_COMMANDS = {
    "run": (_run, _run_arguments, "execute the notebooks 01 to 04 of a recipe into a run folder"),
    "compare": (_compare, _compare_arguments, "runs side by side: a table, a page, and which is better"),
    "sweep": (_sweep, _sweep_arguments, "make the runs of a file: recipes x seeds x settings, several at once"),
    "status": (_status, _status_arguments, "how far runs are: stage, epoch, time left, mAP, failures"),
    "view": (_view, _view_arguments, "write the timeline inspector of a run as one HTML file"),
    "prepare": (_prepare, _prepare_arguments, "bring a data set into its layout below the data root"),
    "import": (_import, _import_arguments, "turn annotations of other tools into an annotation file"),
    "twin": (_twin, _twin_arguments, "write generated data in exactly the format of an experiment"),
    "build-ext": (_build_ext, _build_ext_arguments, "compile the NMS operator ahead of its first use"),
}

if __name__ == "__main__":
    raise SystemExit(main())
