"""Commands that bring data into their layout and look at it: from prepare and import to suggest and twin."""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from afkit.config import make_recipe
from afkit.recipe_files import write_recipe_file
from afkit.recipes import recipe, recipe_names
from afkit.workbench.commands.options import (
    Command,
    add_cluster_arguments,
    add_data_arguments,
    data_folder,
    given,
    seed,
    words,
)


def _prepare_arguments(command: argparse.ArgumentParser) -> None:
    add_data_arguments(command)
    sources = "the published archive, or a folder of official files"
    command.add_argument("source", metavar="SRC", nargs="?", default="", help=sources)
    command.add_argument("--download", action="store_true", help="fetch the archive where it is not found")


def _prepare(options: argparse.Namespace) -> None:
    from afkit.workbench.datasets.prepare import prepare

    prepare(recipe(options.recipe), options.data_root, options.source, options.download)
    print(data_folder(options))


def _import_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("source", metavar="SOURCE", help="file, or folder with a file per recording")
    add("target", metavar="TARGET", help="annotation file to write (.json)")
    add("--labels", dest="label_order", default="", metavar="A,B,...", help="order of the label ids")
    add("--signals", default="", metavar="DIR", help="features that signals made; gaps of their samples do not count")
    like = "annotation file that export wrote for the tool: what the tool cannot hold stays as there"
    add("--like", default="", metavar="ANNOTATIONS", help=like)
    add_label_arguments(add)


FORMS = "csv, json, elan, audacity, text, srt, vtt, steps, edf, wfdb, eaf, textgrid, boris, raven, via, labelstudio"


def add_label_arguments(add: Callable[..., Any]) -> None:
    """How labels are read; `add` is that of a parser, or of a group of its arguments."""
    add("--format", dest="form", default="", help=f"{FORMS} (default: by file)")
    column = (
        "video, start, end, segment, span (a segment's length), label, label_id, tier, comment, subset, group, "
        "duration, fps, annotated_start or annotated_end, e.g. start=onset"
    )
    add("--column", dest="columns", action="append", default=[], metavar="FIELD=NAME", help=column)
    unit = (
        "of the times: seconds, milliseconds, microseconds, minutes, frames or samples (default: as names of "
        "columns, or else durations, tell)"
    )
    add("--unit", default="", help=unit)
    add("--rate", type=float, help="frames or samples per second of the times; not the frame rate of the features")
    add("--tier", dest="tiers", action="append", default=[], metavar="NAME", help="of several, to take; or all")
    add("--background", action="append", default=[], metavar="LABEL", help="means that nothing happens")
    add("--ambiguous", action="append", default=[], metavar="LABEL", help="means that nobody can tell; ignored there")
    add(
        "--recordings",
        default="",
        metavar="FILE",
        help="table: video, duration, fps, subset, group, annotated_start, annotated_end",
    )
    add("--test-share", type=float, default=0.3, help="of recordings or groups (default: 0.3)")
    add("--seed", type=seed, default=0, help="of the split")
    fix = "repair what can be repaired, if it is not more than 5 %% of the rows; of this kind, however much it is"
    add("--fix", action="append", nargs="?", const="", default=[], metavar="KIND", help=fix)
    add("--allow-overlaps", action="store_true", help="accept overlaps of the same label")


def _import(options: argparse.Namespace) -> None:
    from afkit.workbench.own_data.importing import describe, import_annotations

    columns = column_fields(options.columns)
    arguments = given(options, "label_order") | {"columns": columns, "labels": words(options.label_order)}
    print(describe(import_annotations(**arguments)))


def column_fields(texts: Sequence[str]) -> dict[str, str]:
    """FIELD=NAME as {field: name}."""
    for text in texts:
        if not all(text.partition("=")):
            raise ValueError(f"--column takes FIELD=NAME, not '{text}'")
    return dict(text.split("=", 1) for text in texts)


def _twin_arguments(command: argparse.ArgumentParser) -> None:
    add_data_arguments(command)
    command.add_argument("--annotations", metavar="FILE", help="real annotations: a twin of their size")
    command.add_argument("--seed", type=seed, default=0, help="of the random numbers (default: 0)")


def _twin(options: argparse.Namespace) -> None:
    from afkit.workbench.datasets.twin import write_twin

    write_twin(recipe(options.recipe), options.data_root, options.annotations, options.seed)
    print(data_folder(options))


def _suggest_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("annotations", metavar="ANNOTATIONS", help="annotation file")
    add("--features", nargs="+", default=[], metavar="DIR", help="feature folders; channels are joined in this order")
    add("--data-root", default="data", help="folder of all data sets, which holds both (default: data)")
    add("--stride-frames", type=float, metavar="N", help="between two vectors (default: what fits the durations)")
    add("--num-frames", type=float, metavar="N", help="that a vector covers (default: the stride)")
    add("--fps", type=float, help="frames per second (default: the annotation file's)")
    add("--prefix", default="", help="of a feature file's name, before the video id")
    by_name = "for training (default: told by their names)"
    add("--train", dest="train_subsets", nargs="+", default=[], metavar="SUBSET", help=by_name)
    add("--test", dest="test_subsets", nargs="+", default=[], metavar="SUBSET", help="for test (default: the other)")
    add("--write", default="", metavar="FILE", help="recipe file to write, e.g. recipes/mine.yaml")


def _suggest(options: argparse.Namespace) -> None:
    from afkit.workbench.survey.suggest import suggest

    name = Path(options.write).stem
    if options.write and not options.features:
        raise ValueError("--write needs --features, since a recipe says where its features lie")
    if name in recipe_names():
        raise ValueError(f"'{name}' is the name of a built-in recipe; give {options.write} another name")
    found = suggest(**given(options, "write"))
    rows = list(found.itertuples(name=None))  # parameter, value, why
    for parameter, value, why in rows:
        print(f"{parameter} = {json.dumps(value)}\n    {why}")
    if options.write:
        make_recipe({"name": name}, found["value"].to_dict())
        write_recipe_file(options.write, rows, "Made by python -m afkit suggest: a beginning, to be changed.")
        print(options.write)


def _signals_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    sensor = "a sensor: files of samples, one per recording, and its rate (default: as the clock in them tells)"
    add("sensors", metavar="FOLDER[@HZ]", nargs="+", help=sensor)
    add("--out", dest="target", required=True, metavar="DIR", help="folder of features to write")
    add("--window", type=int, required=True, help="samples in a feature vector")
    add("--stride", type=int, required=True, help="samples between two feature vectors")
    clock = "samples per second of the common clock (default: of the fastest sensor)"
    add("--rate", dest="rate_hz", metavar="RATE", type=float, help=clock)
    add("--normalise", default="none", choices=("none", "recording"), help="recording: mean 0, deviation 1 per channel")
    channels = "channels of tables, once for all sensors or once for each (default: all but clock and row number)"
    add("--columns", action="append", default=[], metavar="A,B,...", help=channels)
    add("--fix", action="store_true", help="bridge gaps and cut sensors to one length, and list it")
    add("--pose", action="store_true", help="files hold key points: DeepLabCut, SLEAP, or tables with name_x, name_y")
    gap = "of the clock, bridged by straight lines; what saw longer ones does not count (default: 0.25, or 3 samples)"
    add("--longest-gap", dest="longest_gap_sec", type=float, default=0, metavar="SEC", help=gap)
    add("--label", default="", metavar="COLUMN", help="of tables, that holds a label for each sample: no channel")


def sensor_place(text: str) -> tuple[str, float | None]:
    """FOLDER@HZ as folder and samples per second, None where none are given."""
    folder, at, rate = text.rpartition("@")
    if not at or Path(text).exists():
        return text, None
    try:
        number = float(rate)
    except ValueError:
        number = 0.0
    if not folder or not 0 < number < float("inf"):
        raise ValueError(f"a sensor is FOLDER@HZ, its folder and samples per second, not '{text}'")
    return folder, number


def _signals(options: argparse.Namespace) -> None:
    from afkit.data.feature_formats import listed
    from afkit.workbench.own_data.gaps import read_ignored
    from afkit.workbench.own_data.signal_files import write_windows

    folders, rates = zip(*map(sensor_place, options.sensors), strict=True)
    columns = list(map(words, options.columns))
    made = write_windows(folders, rates, **given(options, "sensors", "columns"), columns=columns)
    for kind in made.sensors:
        print(f"channels of {kind.name}: {listed(kind.columns) if kind.columns else kind.channels}")
    print(f"data.input_dims: [{made.width}]", f"data.stride_frames: {made.stride}", sep="\n")
    print(f"data.num_frames: {made.window}", f"data.fps: {made.rate_hz:g}", options.target, sep="\n")
    if read_ignored(options.target):
        print(f"give import --signals {options.target}, so that training and evaluation leave out the gaps")


def _features_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("media", metavar="MEDIA", nargs="+", help="films or sounds, or folders of them")
    add("--out", dest="target", required=True, metavar="DIR", help="folder of features to write")
    backbone = "a model's folder or id, MODULE:FUNCTION, or grid: grey and change of 8 x 8 cells (default: grid)"
    add("--backbone", metavar="NAME", default="grid", help=backbone)
    add("--fps", type=float, help="frames per second to look at (default: of most films, but at most 30)")
    add("--num-frames", type=int, metavar="N", help="of a clip (default: what the backbone takes, or 8)")
    add("--stride-frames", type=int, metavar="N", help="between the beginnings of two clips (default: half a clip)")
    add("--sound", action="store_true", help="of the sound, a log-mel spectrum, instead of the pictures")
    add("--window-sec", type=float, default=0.2, metavar="S", help="of sound in a vector (default: 0.2)")
    add("--stride-sec", type=float, metavar="S", help="between two windows of sound (default: half a window)")
    add("--bands", type=int, default=64, metavar="N", help="of the mel scale (default: 64)")
    add("--fix", action="store_true", help="take films that are damaged or break off, as far as they go")
    add("--force", action="store_true", help="write files anew that are there")
    at_once = "processes that share the recordings (default: this one; of a cluster file, its jobs)"
    add("--workers", type=int, default=0, metavar="N", help=at_once)
    add_cluster_arguments(command)


def _making(options: argparse.Namespace) -> Any:
    """Which processes do the recordings, of `afkit.workbench.media.writing.Make`."""
    if options.workers < 0:
        raise ValueError(f"--workers is {options.workers}; give the number of processes")
    if options.workers < 2 and not (options.scheduler or options.cluster):
        from afkit.workbench.media.writing import in_turn

        return in_turn
    try:
        from afkit.workbench.media.sharing import shared_out
    except ImportError as error:
        raise ValueError(f"several processes need dask ({error}); pip install 'afkit[media,sweep]'") from None
    gpus = 0 if options.sound or options.backbone == "grid" else None
    return partial(shared_out, workers=options.workers, scheduler=options.scheduler, cluster=options.cluster, gpus=gpus)


def _features(options: argparse.Namespace) -> None:
    from afkit.workbench.media.films import write_film_features
    from afkit.workbench.media.opened import FILMS, SOUNDS, find_media
    from afkit.workbench.media.sounds import write_sound_features

    target, chosen = Path(options.target), given(options, "media", "target", "sound", "workers", "scheduler", "cluster")
    make = _making(options)
    sound = {name: chosen.pop(name) for name in ("window_sec", "stride_sec", "bands")}
    sound["stride_sec"] = sound["stride_sec"] or sound["window_sec"] / 2
    if options.sound:
        paths = find_media(options.media, (*SOUNDS, *FILMS))
        made = write_sound_features(paths, target, **sound, force=options.force, make=make)
    else:
        made = write_film_features(find_media(options.media, FILMS), target, **chosen, make=make)
    for note in made.notes[:20]:
        print(note)
    if len(made.notes) > 20:
        print(f"... and {len(made.notes) - 20} more")
    hours = sum(made.durations_sec.values()) / 3600
    print(f"{len(made.durations_sec)} recordings of {hours:.2f} hours, {made.width} numbers in a feature vector")
    print(f"data.input_dims: [{made.width}]", f"data.stride_frames: {made.stride_frames}", sep="\n")
    print(f"data.num_frames: {made.num_frames}", f"data.fps: {made.fps:.10g}", options.target, sep="\n")


def _join_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("source", metavar="ANNOTATIONS", help="annotation file that a run was trained with")
    add("labelled", metavar="LABELLED", help="annotation file with newly labelled recordings")
    add("--out", dest="path", required=True, metavar="FILE", help="annotation file to write (.json)")
    add("--subset", default="training", help="that they join (default: training)")


def _join(options: argparse.Namespace) -> None:
    from afkit.workbench.own_data.corrected import join_labelled

    join_labelled(**given(options))
    print(options.path)


COMMANDS = {
    "prepare": Command(_prepare, _prepare_arguments, "bring a data set into its layout below the data root"),
    "import": Command(_import, _import_arguments, "turn annotations of other tools into an annotation file"),
    "join": Command(
        _join, _join_arguments, "newly labelled recordings join the training set, in a new annotation file"
    ),
    "signals": Command(_signals, _signals_arguments, "turn raw samples of sensors into features"),
    "features": Command(_features, _features_arguments, "turn films or sounds into features"),
    "suggest": Command(_suggest, _suggest_arguments, "propose settings for a data set, each with its reason"),
    "twin": Command(_twin, _twin_arguments, "write generated data in exactly the format of an experiment"),
}
