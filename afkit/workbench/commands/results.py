"""Commands about what runs, or people, have found: view, label, predict, evaluate, export, next, actions, agreement."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path

from afkit.recipes import recipe
from afkit.workbench.commands.options import Command, given, words


def _view_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("runs", metavar="RUN", nargs="+", help="run folder, e.g. results/watch/seed1234567891; several to compare them")
    html = "write one page that needs no server (default: inspector.html, or comparison.html, in RUN)"
    add("--html", metavar="FILE", nargs="?", const="", help=html)
    add("--port", type=int, default=0, help="of the server on this machine (default: any free one)")
    add("--data-root", default="", help="folder of all data sets (default: where the run found it)")
    curves = "the page also has the network's score over time, at most 500 points of each class and video"
    add("--curves", action="store_true", help=curves)
    videos = (
        "folder of video files named like the videos; for a page in the page's folder or below it, as the page "
        "refers to them relative to itself, so that they move together"
    )
    add("--videos", metavar="DIR", default="", help=videos)


def _view(options: argparse.Namespace) -> None:
    if options.html is None:
        from afkit.workbench.runs.serving import serve_inspector

        serve_inspector(options.runs, options.data_root, options.videos, options.port)
        return
    from afkit.workbench.inspector.comparison import write_comparison
    from afkit.workbench.inspector.page import write_inspector
    from afkit.workbench.runs.run_inspector import collect_inspected

    several = len(options.runs) > 1
    path = Path(options.html or Path(options.runs[0]) / ("comparison.html" if several else "inspector.html"))
    runs = [collect_inspected(run, options.data_root, options.videos) for run in options.runs]
    if not options.curves:
        runs = [replace(run, tracks=replace(run.tracks, curves=None)) for run in runs]
    if several:
        write_comparison(path, runs)
    else:
        write_inspector(path, runs[0])
    print(f"open {path} in a browser; it needs no server and no network")


def _label_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    places = "films, sounds or tables of sensors: files, folders, patterns in quotes; or an annotation file (.json)"
    add("places", metavar="MEDIA[@HZ]", nargs="*", help=places)
    add("--labels", default="", metavar="A,B,...", help="names of classes; more can be added on the page")
    add("--annotations", default="", metavar="FILE.json", help="annotation file to go on from, which stays as it is")
    add("--run", default="", metavar="RUN", help="trained run, whose predictions are proposed")
    begun = "without --annotations: FILE.journal.jsonl keeps the changes (default: labels.json)"
    add("--out", default="labels.json", metavar="FILE.json", help=begun)
    add("--write", default="", metavar="NEW.json", help="write an annotation file with all changes so far, and end")
    add("--port", type=int, default=0, help="of the server on this machine (default: any free one)")
    add("--data-root", default="", help="folder of all data sets, for RUN (default: where the run found it)")


def _label(options: argparse.Namespace) -> None:
    files = [place for place in options.places if place.endswith(".json")]
    places = [place for place in options.places if place not in files]
    if len(files) > 1 or (files and options.annotations):
        raise ValueError("one annotation file can be labelled at a time; name one")
    annotations = options.annotations or "".join(files)
    where = (places, words(options.labels), annotations, options.run, options.out, options.data_root)
    if options.write:
        from afkit.workbench.labelling.labelled import collect_labelled
        from afkit.workbench.labelling.writing import write_labels

        print(write_labels(options.write, collect_labelled(*where)))
        return
    from afkit.workbench.labelling.show import serve_labelling

    serve_labelling(*where, port=options.port)


def _predict_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    run = "folder of a trained run, e.g. results/watch/seed1234567891, or FILE.onnx that export wrote"
    add("run", metavar="RUN", help=run)
    places = "files of features, films or sounds, or folders with a file per recording"
    add("features", metavar="FEATURES", nargs="*", help=places)
    add("--format", dest="form", default="csv", help="csv, json, srt, vtt, elan, or as export (default: csv)")
    add("--out", default="", metavar="DIR", help="folder to write (default: RUN/predicted)")
    add("--fps", type=float, help="frames or samples per second (default: the data set's)")
    add("--weights", default="ema", choices=("ema", "raw"), help="running average, or last state (default: ema)")
    add("--min-score", type=float, help="lowest score to keep (default: by class, as 03_eval chose; else 0.2)")
    add("--signal", action="store_true", help="FEATURES hold raw samples of sensors: make features as for training")
    add("--fix", action="store_true", help="of samples: bridge gaps and cut sensors to one length, and list it")
    add("--exclusive", action="store_true", help="no two detections of a recording overlap: the better one stays")
    add("--backbone", default="", metavar="MODULE:FUNCTION", help="your own function that made the features of films")
    precise = "bf16 is faster where the processor or GPU has units for it; auto asks (default: fp32)"
    add("--precision", default="fp32", choices=("fp32", "bf16", "auto"), help=precise)
    add("--overlay", default="", metavar="FILE", help="film to write, with the detections drawn in (.mp4, .mkv, .mov)")
    add("--data-root", default="", help="folder of all data sets (default: where the run found it)")
    rows = "instead of FEATURES: rows of numbers from a pipe (-: standard input), detections as lines of JSON"
    add("--stream", default="", metavar="FILE", help=rows)
    longest = "stream: longest action (default: 1.5 times the longest labelled one, or what the recipe says)"
    add("--longest", dest="longest_sec", type=float, metavar="SEC", help=longest)
    ahead = "stream: also what is not final yet, every so many seconds of the stream (default: never)"
    add("--provisional", dest="provisional_sec", type=float, metavar="SEC", help=ahead)
    window = "stream: windows of so many steps, for networks that cannot be exact, or a shorter delay"
    add("--window", dest="window_steps", type=int, default=0, metavar="STEPS", help=window)


def _predict(options: argparse.Namespace) -> None:
    of_streams, own = ("longest_sec", "provisional_sec", "window_steps"), given(options, "run", "features", "stream")
    if not options.stream:
        from afkit.workbench.runs.predicting import predict_recordings

        if not options.features or any(own[name] for name in of_streams):
            raise ValueError(
                "name FEATURES to predict, or rows with --stream (which alone takes --longest and the like)"
            )
        print(
            predict_recordings(
                options.run, options.features, **given(options, "run", "features", "stream", *of_streams)
            )
        )
        return
    from afkit.workbench.streaming.pipe import predict_stream

    of_recordings = ("form", "out", "fix", "exclusive", "backbone", "overlay", "precision")
    wrong = [name for name in of_recordings if own[name] not in ("", False, "csv", "fp32")]
    if options.features or wrong:
        raise ValueError(
            "--stream takes one pipe and writes JSON; leave out FEATURES, --format and what else is of files"
        )
    predict_stream(options.run, options.stream, **{name: own[name] for name in own if name not in of_recordings})


def _evaluate_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("truth", metavar="GT", help="labels: an annotation file, or a file or folder that import reads")
    kinds = "detections: .json(.gz) of ActivityNet, .csv, or .pkl of the original's eval.py; several are one result"
    add("files", metavar="PREDICTIONS", nargs="+", help=kinds)
    add("--recipe", default="", metavar="RECIPE", help="whose thresholds, test subsets and number of classes to take")
    add("--tious", default="", metavar="A,B,...", help="thresholds (default: the recipe's, else 0.3,0.4,0.5,0.6,0.7)")
    by_videos = "of GT (default: the recipe's test subsets, else those of the predicted recordings)"
    add("--subset", dest="subsets", action="append", default=[], metavar="NAME", help=by_videos)
    are = "of PREDICTIONS, where classes are named by numbers: names or ids (default: told by all of them together)"
    add("--labels-are", default="", choices=("names", "ids"), help=are)
    remap = "official: number labels as the original's evaluation does, with its flaw (default: fixed)"
    add("--label-remap", default="fixed", choices=("fixed", "official"), help=remap)
    add("--csv", default="", metavar="FILE", help="table of the classes to write: average precision at each threshold")


def _evaluate(options: argparse.Namespace) -> None:
    from afkit.workbench.analysis.agreement import TIOUS
    from afkit.workbench.analysis.file_scores import evaluate_files
    from afkit.workbench.analysis.report import write_classes

    data = recipe(options.recipe).data if options.recipe else None
    try:
        tious = [float(word) for word in words(options.tious)] or (data.tious if data else TIOUS)
    except ValueError:
        raise ValueError(f"--tious takes fractions such as 0.3,0.5, not '{options.tious}'") from None
    subsets, number = options.subsets or (data.test_subsets if data else ()), data.num_classes if data else 0
    if options.csv and Path(options.csv).resolve() in (
        Path(name).resolve() for name in (options.truth, *options.files)
    ):
        raise ValueError(f"--csv {options.csv} would write over what is read; name another file")
    how = options.label_remap, number, options.labels_are
    found = evaluate_files(options.truth, options.files, tious, subsets, *how)
    print(found.describe())
    if options.csv:
        write_classes(options.csv, found.scores, found.label_names)
        print(options.csv)


def _export_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("source", metavar="SOURCE", help="folder of a trained run; or annotation file")
    tools = "eaf (ELAN), textgrid (Praat), boris, boris-aggregated, raven, via, labelstudio, audacity or csv"
    form = (
        f"of a run's network: onnx, or torch (a program of torch.export); of annotations, for a labelling tool: {tools}"
    )
    add("--to", dest="form", required=True, metavar="FORMAT", help=form)
    out = "file to write (default: in the run folder, named after the recipe); of annotations, folder to write"
    add("--out", default="", metavar="FILE_OR_DIR", help=out)
    add = command.add_argument_group("of a run").add_argument
    add("--weights", default="ema", choices=("ema", "raw"), help="running average, or last state (default: ema)")
    add(
        "--length",
        type=int,
        default=0,
        metavar="N",
        help="feature vectors that the network takes (default: any number)",
    )
    add("--fps", type=float, help="frames or samples per second of recordings (default: the data set's)")
    add("--min-score", type=float, help="lowest score to keep (default: by class, as 03_eval chose; else 0.2)")
    add("--data-root", default="", help="folder of all data sets (default: where the run found it)")
    add = command.add_argument_group("of annotations").add_argument
    media = "films or sounds, named like the recordings, that the files refer to"
    add("--media", default="", metavar="DIR", help=media)


def _export(options: argparse.Namespace) -> None:
    if options.form in ("onnx", "torch"):
        if options.media:
            raise ValueError(f"--media is for annotations, not for a network (--to {options.form}); leave it out")
        from afkit.workbench.export.exporting import export_network

        print(export_network(options.source, **given(options, "source", "media", "form"), form=options.form))
        return
    if Path(options.source).is_dir():
        raise ValueError(f"{options.source} is a folder: of a run, --to is onnx or torch; of labels, name their file")
    if not options.out:
        raise ValueError("annotations need --out, a folder to write")
    from afkit.workbench.own_data.exporting import export_annotations, has_overlaps

    files = export_annotations(options.source, options.out, options.form, options.media)
    print(files[0] if len(files) == 1 else f"{len(files)} files in {options.out}")
    places = shlex.join([options.out, "CORRECTED.json", "--like", options.source])
    overlaps = " --allow-overlaps" if has_overlaps(options.source) else ""
    print(f"back: python -m afkit import {places}{overlaps}")


def _next_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("run", metavar="RUN", help="folder of a trained run, e.g. results/watch/seed1234567891")
    places = "unlabelled recordings, as predict takes them (default: all in the run's feature folders)"
    add("places", metavar="RECORDINGS", nargs="*", help=places)
    add("--out", default="", metavar="FILE", help="table to write (default: RUN/next.csv)")
    add("--fps", type=float, help="frames or samples per second (default: the data set's)")
    add("--signal", action="store_true", help="RECORDINGS hold raw samples of sensors, as for predict")
    add("--backbone", default="", metavar="MODULE:FUNCTION", help="your own function that made the features of films")
    add("--data-root", default="", help="folder of all data sets (default: where the run found it)")


def _next(options: argparse.Namespace) -> None:
    from afkit.workbench.runs.queueing import queue_recordings

    queue_recordings(options.run, options.places, **given(options, "run", "places"))


def _actions_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("verb_run", metavar="VERB_RUN", help="folder of a run of verbs, e.g. results/epic_verb/seed1234567891")
    add("noun_run", metavar="NOUN_RUN", help="folder of a run of nouns with the same features and levels")
    add("--out", default="", metavar="DIR", help="folder to write (default: VERB_RUN/actions)")
    order = "make the pairs that are written before or after duplicates are suppressed (default: before)"
    add("--pair", default="before", choices=("before", "after"), help=order)
    supervision = "supervision of pre-training, labels and data, 0 to 5 each: also write test.json for the challenge"
    add("--levels", nargs=3, choices=list("012345"), default=(), metavar="LEVEL", help=supervision)
    add("--split", default="", help="another subset, also one without labels (default: the runs' test subsets)")
    add("--data-root", default="", help="folder of all data sets (default: where each run found it)")


def _actions(options: argparse.Namespace) -> None:
    from afkit.workbench.runs.actions import find_run_actions

    others = given(options, "verb_run", "noun_run", "levels")
    print(find_run_actions(options.verb_run, options.noun_run, levels=list(map(int, options.levels)), **others))


def _agreement_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("one", metavar="ONE", help="annotation file of one annotator")
    add("other", metavar="OTHER", help="annotation file of another, about the same recordings")
    tolerance = "by which ends may differ without being listed (default: 0.5)"
    add("--tolerance", dest="tolerance_sec", type=float, default=0.5, metavar="SEC", help=tolerance)
    add("--csv", default="", metavar="FILE", help="table of all differences to write")
    html = "page to write: both on a timeline, and all differences to walk through; it needs no server"
    add("--html", default="", metavar="PAGE", help=html)
    add("--open", action="store_true", help="the same from a server on this machine, until Ctrl-C")
    add("--port", type=int, default=0, help="of that server (default: any free one)")
    videos = "folder of films or sounds named like the recordings; for a page in its folder or below"
    add("--videos", metavar="DIR", default="", help=videos)


def _agreement(options: argparse.Namespace) -> None:
    from afkit.files import atomic_open
    from afkit.workbench.analysis.agreement import agreement, describe_agreement

    found = agreement(options.one, options.other, options.tolerance_sec)
    print(f"one: {options.one}", f"other: {options.other}", describe_agreement(found), sep="\n")
    if options.csv:
        with atomic_open(options.csv) as file:
            found.differences.to_csv(file, index=False)
        print(options.csv)
    if options.html or options.open:
        _show_agreement(options)


def _show_agreement(options: argparse.Namespace) -> None:
    from afkit.workbench.inspector.annotators import collect_annotators
    from afkit.workbench.inspector.page import write_inspector

    both = options.one, options.other, options.tolerance_sec
    inspected = collect_annotators(*both, options.videos)
    if options.html:
        write_inspector(options.html, inspected)
        print(f"open {options.html} in a browser; it needs no server and no network")
    if options.open:
        from afkit.workbench.runs.serving import serve_annotators

        serve_annotators(*both, options.videos, options.port)


COMMANDS = {
    "view": Command(_view, _view_arguments, "a run, or several, on a timeline to move through, in a browser"),
    "label": Command(_label, _label_arguments, "set labels on recordings, in a browser"),
    "predict": Command(_predict, _predict_arguments, "detections of a trained run on new recordings"),
    "evaluate": Command(_evaluate, _evaluate_arguments, "mAP of detections that any program wrote, by your labels"),
    "export": Command(_export, _export_arguments, "a run's network as a file for other programs, or labels for a tool"),
    "next": Command(_next, _next_arguments, "which recordings to label next, by what a run finds in them"),
    "agreement": Command(_agreement, _agreement_arguments, "how far two annotators agree, and where they differ"),
    "actions": Command(_actions, _actions_arguments, "pairs of a verb and a noun from a run of each, and their mAP"),
}
