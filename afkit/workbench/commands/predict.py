"""The command that predicts on new recordings: predict."""

import argparse


def predict_arguments(command: argparse.ArgumentParser) -> None:
    """What `predict` is told."""
    add = command.add_argument
    add("run", metavar="RUN", help="folder of a trained run, e.g. results/watch/seed1234567891")
    add("features", metavar="FEATURES", nargs="+", help="files of features, or folders with a file per recording")
    add("--format", dest="form", default="csv", help="csv, json, srt, vtt or elan (default: csv)")
    add("--out", default="", metavar="DIR", help="folder to write (default: RUN/predicted)")
    add("--fps", type=float, help="frames or samples per second (default: the data set's)")
    add("--weights", default="ema", choices=("ema", "raw"), help="running average, or last state (default: ema)")
    add("--min-score", type=float, help="lowest score to keep (default: by class, as 03_eval chose; else 0.2)")
    add("--signal", action="store_true", help="FEATURES hold raw samples of sensors: make features as for training")
    add("--data-root", default="", help="folder of all data sets (default: where the run found it)")


def run_predict(options: argparse.Namespace) -> int:
    """Do what `predict` is for; the exit status."""
    from afkit.workbench.runs.predicting import predict_recordings

    arguments = dict(vars(options))
    run, places = arguments.pop("run"), arguments.pop("features")
    del arguments["command"]
    print(predict_recordings(run, places, **arguments))
    return 0
