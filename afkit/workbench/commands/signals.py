"""The command that makes features of raw sensor samples: signals."""

import argparse


def signals_arguments(command: argparse.ArgumentParser) -> None:
    """What `signals` is told."""
    add = command.add_argument
    add("sensors", metavar="FOLDER@HZ", nargs="+", help="a sensor: files of samples, one per recording, and its rate")
    add("--out", required=True, metavar="DIR", help="folder of features to write")
    add("--window", type=int, required=True, help="samples in a feature vector")
    add("--stride", type=int, required=True, help="samples between two feature vectors")
    add("--rate", type=float, help="samples per second of the common clock (default: of the fastest sensor)")
    add("--normalise", default="none", choices=("none", "recording"), help="recording: mean 0, deviation 1 per channel")
    add(
        "--columns",
        action="append",
        default=[],
        metavar="A,B,...",
        help="channels of tables, once for all sensors or once for each (default: all but clock and row number)",
    )
    add("--fix", action="store_true", help="bridge gaps and cut sensors to one length, and list it")


def run_signals(options: argparse.Namespace) -> int:
    """Do what `signals` is for; the exit status."""
    from afkit.workbench.own_data.signal_files import write_windows

    folders, rates = [], []
    for text in options.sensors:
        folder, _, rate = text.rpartition("@")
        try:
            rates.append(float(rate))
        except ValueError:
            rates.append(0.0)
        folders.append(folder)
        if not folder or not 0 < rates[-1] < float("inf"):
            raise ValueError(f"a sensor is FOLDER@HZ, its folder and samples per second, not '{text}'")
    settings = (options.window, options.stride, options.rate, options.normalise, options.fix)
    columns = [[name.strip() for name in text.split(",")] for text in options.columns]
    made = write_windows(folders, rates, options.out, *settings, columns)
    print(f"data.input_dims: [{made.width}]")
    print(f"data.stride_frames: {made.stride}")
    print(f"data.num_frames: {made.window}")
    print(f"data.fps: {made.rate_hz:g}")
    print(options.out)
    return 0
