"""Commands that make runs and look at many of them: run, rerun, compare, sweep, status."""

import argparse

from afkit.recipes import recipe
from afkit.workbench.commands.options import add_data_arguments, assignments


def run_arguments(command: argparse.ArgumentParser) -> None:
    """What `run` is told."""
    add_data_arguments(command)
    command.add_argument("--seed", type=int, default=1234567891, help="of all random numbers (default: 1234567891)")
    command.add_argument(
        "--set", action="append", default=[], metavar="PARAMETER=VALUE", help="recipe parameter, e.g. optim.epochs=2"
    )
    command.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", help="notebook parameter")
    command.add_argument("--results", default="results", help="folder of all runs (default: results)")
    command.add_argument("--stages", default="01,02,03,04", help="notebooks to run, e.g. 03,04")
    command.add_argument(
        "--again", default="", metavar="STAGES", help="of these, those to do anew (once interrupted, go on without it)"
    )
    command.add_argument("--name", default="", help="name of the run folder instead of seed and digest")
    command.add_argument("--html", action="store_true", help="also write the executed notebooks as pages")


def run_notebooks(options: argparse.Namespace) -> int:
    """Do what `run` is for; the exit status."""
    from afkit.workbench.runs.pipeline import run

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
        again=[stage.strip() for stage in options.again.split(",") if stage.strip()],
    )
    if options.html:
        from afkit.workbench.runs.notebooks import write_pages

        write_pages(folder)
    from afkit.workbench.analysis.report import headline
    from afkit.workbench.runs.folder import project_root
    from afkit.workbench.runs.paths import split_suffix

    data_root = project_root() / options.data_root
    suffix = split_suffix(recipe(options.recipe, overrides), data_root, str(parameters.get("split", "")))
    if (folder / f"eval{suffix}.json").is_file():
        print(headline(folder / f"eval{suffix}.json"))
    if (folder / "04_visualize.ipynb").is_file():
        print(f"open {folder / '04_visualize.ipynb'} in JupyterLab (make lab), or look at {folder / 'figures'}")
    print(folder)
    return 0


def rerun_arguments(command: argparse.ArgumentParser) -> None:
    """What `rerun` is told."""
    command.add_argument("run", metavar="RUN", help="run folder; of its files, run.json is enough")
    command.add_argument("--out", default="", help="folder of the new run (default: that of RUN with -rerun)")
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where the run found it)")
    command.add_argument("--dry-run", action="store_true", help="only say what has changed since the run")


def run_rerun(options: argparse.Namespace) -> int:
    """Do what `rerun` is for; 1 where a result differs."""
    from afkit.workbench.runs.rerun import rerun

    return int(not rerun(options.run, options.out, options.data_root, options.dry_run))


def compare_arguments(command: argparse.ArgumentParser) -> None:
    """What `compare` is told."""
    command.add_argument(
        "runs", metavar="RUN", nargs="*", help="run folder, or folder of runs (default: all in results)"
    )
    command.add_argument("--results", default="results", help="folder of all runs (default: results)")
    command.add_argument(
        "--out", default="", help="folder for report.html and summary.csv (default: that of --results)"
    )
    command.add_argument("--data-root", default="", help="folder of all data sets (default: where each run found it)")
    command.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", help="notebook parameter")


def run_compare(options: argparse.Namespace) -> int:
    """Do what `compare` is for; the exit status."""
    from afkit.workbench.runs.comparing import compare

    folder = compare(options.runs, options.results, options.out, options.data_root, assignments(options.p, "-p"))
    print(folder / "summary.csv")
    print(folder / "report.html")
    return 0


def sweep_arguments(command: argparse.ArgumentParser) -> None:
    """What `sweep` is told."""
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


def run_sweep(options: argparse.Namespace) -> int:
    """Do what `sweep` is for; the exit status."""
    if options.workers < 0:
        raise ValueError(f"--workers is {options.workers}; give the number of runs at once, or 0 for what fits")
    try:
        from afkit.workbench.sweeps.sweep import dry_run, sweep
    except ImportError as error:
        raise ValueError(f"a sweep needs dask ({error}); install it with: pip install 'afkit[sweep]'") from None
    if options.dry_run:
        print(dry_run(options.file, options.cluster))
        return 0
    where = (options.workers, options.scheduler, options.cluster)
    outcomes = sweep(options.file, options.only_failed, *where, options.html)
    return int(any(outcome.state != "done" for outcome in outcomes.values()))


def status_arguments(command: argparse.ArgumentParser) -> None:
    """What `status` is told."""
    command.add_argument(
        "where",
        metavar="FILE_OR_RESULTS",
        nargs="?",
        default="results",
        help="sweep file, or folder (default: results)",
    )
    command.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")


def run_status(options: argparse.Namespace) -> int:
    """Do what `status` is for; the exit status."""
    from afkit.workbench.runs.status import show_status

    show_status(options.where, options.watch)
    return 0
