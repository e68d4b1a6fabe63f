"""The command start: from labels and recordings to a recipe."""

import argparse
from typing import Any

from afkit.workbench.commands.data import add_label_arguments, column_fields, sensor_place
from afkit.workbench.commands.options import Command, words


def _start_arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("labels", metavar="LABELS", help="file or folder that import reads; or MEDIA itself, if it has a label column")
    media = (
        "films, sounds, samples of sensors or features: a folder, a file, or a pattern in quotes; one for each sensor"
    )
    add("media", metavar="MEDIA[@HZ]", nargs="*", help=media)
    add("--name", default="mine", help="of data folder and recipe (default: mine)")
    add("--data-root", default="data", help="folder of all data sets (default: data)")
    add("--force", action="store_true", help="make anew what start has made under this name")
    labels = command.add_argument_group("labels (as for import)")
    labels.add_argument("--label-order", default="", metavar="A,B,...", help="order of the label ids")
    add_label_arguments(labels.add_argument)
    clock = "sensor: times of labels are those of the sensors' clocks, in this zone if one of the two tells none; "
    clock += "recording: they count from the recordings' beginnings"
    labels.add_argument("--label-clock", default="", metavar="sensor|recording|+HH:MM", help=clock)
    add = command.add_argument_group("recordings").add_argument
    add("--channels", action="append", default=[], metavar="A,B,...", help="columns of tables to take, as for signals")
    add("--pose", action="store_true", help="tables hold key points of bodies")
    gap = "of clocks, bridged by straight lines; what saw longer ones does not count (default: 0.25, or 3 samples)"
    add("--longest-gap", type=float, default=0, metavar="SEC", help=gap)
    add("--window", type=float, metavar="SEC", help="that a feature vector covers (default: two strides)")
    add("--stride", type=float, metavar="SEC", help="between two feature vectors (default: by the shortest actions)")
    add("--normalise", default="none", choices=("none", "recording"), help="recording: mean 0, deviation 1 per channel")
    add("--backbone", default="", metavar="MODEL", help="of films (default: a grid of grey values, a yardstick)")
    add("--most-minutes", type=float, default=30, metavar="N", help="that features may take (default: 30)")
    add("--stride-frames", type=float, metavar="N", help="of features that are given: frames between two vectors")
    add("--num-frames", type=float, metavar="N", help="of features that are given: frames that a vector covers")
    add("--fps", type=float, help="of features that are given: frames per second")


def _start(options: argparse.Namespace) -> None:
    from afkit.workbench.start.media import Options
    from afkit.workbench.start.start import start
    from afkit.workbench.start.windows import Windows

    grid = (options.stride_frames, options.num_frames, options.fps)
    if any(number is not None and not number > 0 for number in grid) or len({number is None for number in grid}) > 1:
        raise ValueError("features need --stride-frames, --num-frames and --fps, all three, above 0")
    columns = column_fields(options.columns)
    imported: dict[str, Any] = {
        "form": options.form,
        "columns": columns,
        "unit": options.unit,
        "rate": options.rate,
        "tiers": options.tiers,
        "labels": words(options.label_order),
        "background": options.background,
        "ambiguous": options.ambiguous,
        "recordings": options.recordings,
        "test_share": options.test_share,
        "seed": options.seed,
        "allow_overlaps": options.allow_overlaps,
        "label_clock": options.label_clock,
    }
    channels = list(map(words, options.channels))
    how = Options(channels, columns.get("label", ""), options.pose, options.longest_gap, grid if options.fps else None)
    windows = Windows(options.window, options.stride, options.normalise, options.backbone, options.most_minutes)
    media = [sensor_place(text) for text in options.media or [options.labels]]
    kinds = options.fix
    start(
        options.labels if options.media else media[0][0],
        media,
        options.name,
        data_root=options.data_root,
        how=how,
        windows=windows,
        imported=imported,
        fix=kinds,
        force=options.force,
    )


COMMANDS = {"start": Command(_start, _start_arguments, "from labels and recordings to features and a recipe")}
