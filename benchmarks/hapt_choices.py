"""Other features of `hapt`, to choose among: `python -m benchmarks.hapt_choices [--data-root data]`.

Writes data/hapt_choices/<choice>/<person>.npy for each entry of `CHOICES`, from the signals in the prepared data set.
`python -m afkit sweep sweeps/hapt_choices.yaml` then trains with each of them, on parts of the training people alone.
"""

import argparse
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.annotations import read_annotations
from afkit.recipes import recipe
from afkit.workbench.datasets.hapt import RATE_HZ
from afkit.workbench.datasets.sensors import sensor_arguments
from afkit.workbench.own_data.signals import Sensor, signal_features
from afkit.workbench.scratch import scratch_folder

ANNOTATIONS = "hapt/annotations/people.json"


class Choice(NamedTuple):
    """How features are made of the samples."""

    channels: slice = slice(0, 3)  # of acceleration x, y, z, rotation x, y, z
    window: int = 50
    stride: int = 25
    normalise: str = "none"


CHOICES = {
    "acceleration_normalised": Choice(normalise="recording"),
    "both_normalised": Choice(slice(0, 6), normalise="recording"),
    "half_the_stride": Choice(stride=12),
    "twice_the_window": Choice(window=100),
}


def write_choices(data_root: str | Path) -> Path:
    """Write the features of all choices below <data_root>/hapt_choices; the folder.

    Raises:
        ValueError: the data set is not there (`python -m afkit prepare hapt ARCHIVE` writes it).
    """
    folder = Path(data_root) / "hapt_choices"
    people = sorted(read_annotations(Path(data_root) / ANNOTATIONS).videos)
    with scratch_folder(folder) as part:
        for person in people:
            signal = sensor_arguments(recipe("hapt").data, data_root, person)["signal"]  # (samples, 6)
            for name, choice in CHOICES.items():
                sensor = Sensor(name, signal[:, choice.channels], RATE_HZ)
                made = signal_features([sensor], choice.window, choice.stride, normalise=choice.normalise)
                (part / name).mkdir(exist_ok=True)
                np.save(part / name / f"{person}.npy", made.features)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", default="data", help="folder of all data sets (default: data)")
    print(write_choices(parser.parse_args().data_root))
