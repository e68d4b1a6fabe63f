"""Commands that make runs and look at many of them: run, rerun, compare, sweep, status."""

import argparse

from afkit.recipes import recipe
from afkit.workbench.commands.options import (
    Command,
    add_cluster_arguments,
    add_data_arguments,
    assignments,
    given,
    seed,
    words,
)

PARAMETER = "parameter of the notebooks, e.g. {}; each has its own in the first cell of code"


def _run_arguments(command: argparse.ArgumentParser) -> None:
    add_data_arguments(command)
    add = command.add_argument
    add("--seed", type=seed, default=1234567891, help="of all random numbers (default: 1234567891)")
    add("--set", action="append", default=[], metavar="SETTING=VALUE", help="of the recipe, e.g. optim.epochs=2")
    add("-p", action="append", default=[], metavar="NAME=VALUE", help=PARAMETER.format("evaluate_every=5"))
    add("--results", default="results", help="folder of all runs (default: results)")
    add("--stages", default="01,02,03,04", help="notebooks to run, e.g. 03,04")
    anew = "of these, those to do anew (once interrupted, go on without it)"
    add("--again", default="", metavar="STAGES", help=anew)
    add("--name", default="", help="name of the run folder instead of seed and digest")
    add("--html", action="store_true", help="also write the executed notebooks as one page, to open or to send")


def _run(options: argparse.Namespace) -> None:
    from afkit.workbench.analysis.report import headline
    from afkit.workbench.runs.opened import OUTDATED, open_run
    from afkit.workbench.runs.pages import write_notebooks
    from afkit.workbench.runs.paths import split_suffix
    from afkit.workbench.runs.pipeline import run
    from afkit.workbench.trust import project_root

    overrides, parameters = assignments(options.set, "--set"), assignments(options.p, "-p")
    folder = run(
        options.recipe,
        options.seed,
        overrides,
        parameters,
        options.data_root,
        options.results,
        [stage.strip() for stage in options.stages.split(",")],
        options.name,
        again=words(options.again),
    )
    data_root = project_root() / options.data_root
    suffix = split_suffix(recipe(options.recipe, overrides), data_root, str(parameters.get("split", "")))
    made, scores = open_run(folder), folder / f"eval{suffix}.json"
    if made.stage(f"03_eval{suffix}").status == "done" and scores.is_file():
        print(headline(scores) if made.up_to_date(f"03_eval{suffix}") else OUTDATED)
    if (folder / "04_visualize.ipynb").is_file():
        print(f"open {folder / '04_visualize.ipynb'} in JupyterLab, or look at {folder / 'figures'}")
    if options.html:
        print(f"open {write_notebooks(folder)} in a browser, or send it: one file holds all of it")
    print(folder)


def _rerun_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("run", metavar="RUN", help="run folder; of its files, run.json is enough")
    add("--out", default="", help="folder of the new run (default: that of RUN with -rerun)")
    add("--data-root", default="", help="folder of all data sets (default: where the run found it)")
    add("--dry-run", action="store_true", help="only say what has changed since the run")


def _rerun(options: argparse.Namespace) -> int:
    """1 where a result differs."""
    from afkit.workbench.runs.rerun import rerun

    return int(not rerun(options.run, **given(options, "run")))


def _compare_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("runs", metavar="RUN", nargs="*", help="run folder, or folder of runs (default: all in results)")
    add("--results", default="results", help="folder of all runs (default: results)")
    add("--out", default="", help="folder for report.html and summary.csv (default: that of --results)")
    add("--data-root", default="", help="folder of all data sets (default: where each run found it)")
    add("-p", action="append", default=[], metavar="NAME=VALUE", help=PARAMETER.format("resamples=200"))


def _compare(options: argparse.Namespace) -> None:
    from afkit.workbench.runs.comparing import compare

    folder = compare(options.runs, options.results, options.out, options.data_root, assignments(options.p, "-p"))
    print(folder / "summary.csv", folder / "report.html", sep="\n")


def _sweep_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("file", metavar="FILE", help="e.g. sweeps/twins.yaml; what may stand in it: sweeps/README.md")
    add("--dry-run", action="store_true", help="list the runs and what is done; start nothing")
    add("--resume", action="store_true", help="go on, which a second start does anyway")
    add("--only-failed", action="store_true", help="only runs that have failed")
    leave_out = "test each group (person, animal, site) or subset of the data once, and train on all others"
    add("--folds", default="", choices=("group", "subset"), help=leave_out)
    add("--workers", type=int, default=0, help="runs at once (default: what fits, or the file's jobs)")
    add_cluster_arguments(command)
    add("--html", action="store_true", help="also write the executed notebooks as one page, to open or to send")


def _sweep(options: argparse.Namespace) -> int:
    if options.workers < 0:
        raise ValueError(f"--workers is {options.workers}; give the number of runs at once, or 0 for what fits")
    try:
        from afkit.workbench.sweeps.sweep import dry_run, sweep
    except ImportError as error:
        raise ValueError(f"a sweep needs dask ({error}); install it with: pip install 'afkit[sweep]'") from None
    if options.dry_run:
        print(dry_run(options.file, options.cluster, options.folds))
        return 0
    outcomes = sweep(options.file, **given(options, "file", "dry_run", "resume"))
    return int(any(outcome.state != "done" for outcome in outcomes.values()))


def _status_arguments(command: argparse.ArgumentParser) -> None:
    where = "sweep file, or folder (default: results)"
    command.add_argument("where", metavar="FILE_OR_RESULTS", nargs="?", default="results", help=where)
    command.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")


def _status(options: argparse.Namespace) -> None:
    from afkit.workbench.runs.status import show_status

    show_status(options.where, options.watch)


COMMANDS = {
    "run": Command(_run, _run_arguments, "execute the notebooks 01 to 04 of a recipe into a run folder"),
    "rerun": Command(_rerun, _rerun_arguments, "make a run again from its run.json, and compare the results"),
    "compare": Command(_compare, _compare_arguments, "runs side by side: a table, a page, and which is better"),
    "sweep": Command(_sweep, _sweep_arguments, "make the runs of a file: recipes x seeds x settings, several at once"),
    "status": Command(_status, _status_arguments, "how far runs are: stage, epoch, time left, mAP, failures"),
}
