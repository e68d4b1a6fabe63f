"""The `watch` data set: real recordings of a wrist-worn sensor, composed into timelines.

The recordings ship inside the PyPI package seglearn (Burns 2018, BSD-3): ten people did seven shoulder exercises on
both sides, 140 recordings of 20 to 50 s with a 3-axis accelerometer and gyroscope at 50 Hz. The signals are real. The
timelines are composed: per person and side, that person's seven recordings are joined in a random but fixed order.
Five exercises are the classes, the other two are background.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from afkit.files import write_array, write_json
from afkit.workbench.datasets.archives import move_in, write_stamp
from afkit.workbench.own_data.signals import standardise, windows
from afkit.workbench.scratch import clear_scratch, scratch_folder

RATE_HZ = 50
WINDOW_SAMPLES, STEP_SAMPLES = 50, 25  # of a feature vector, and between two
CLASSES = {  # the package's codes; TRAP (trapezius) and ROW (rowing) are left as background
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
}
TEST_PEOPLE = (8, 9, 10)  # the last three; nothing was chosen by results
ORDER_SEED = 0
# Reflected at the plane of symmetry of the body, one arm's signals look like the other's: across the axis ax changes
# sign, and of a rotation what is not about that axis. Features of side 0 are taken from the reflected signal.
REFLECTED_SIDE = 0
REFLECTION = (-1, 1, 1, 1, -1, -1)
ANNOTATIONS = "watch/annotations/watch.json"  # below the data root
FEATURES = ("mean", "standard deviation", "minimum", "maximum", "mean absolute step")  # each of 6 channels


def write_watch(data_root: str | Path, say: Callable[[str], None] = print) -> Path:
    """Write `<data_root>/watch/` in the format of the big data sets; the folder. A finished one is left as it is.

    It gets annotations/watch.json, features/<timeline>.npy (T, 30) float32 and signals/<timeline>.npy (samples, 6)
    float32. ValueError where the package seglearn is not installed.
    """
    folder = Path(data_root) / "watch"
    finished = Path(data_root) / ANNOTATIONS
    if finished.is_file():
        clear_scratch(folder)
        return folder
    with scratch_folder(folder, say) as part:
        if finished.is_file():
            return folder
        signals, actions = _compose(_load_recordings())
        for name, signal in signals.items():
            write_array(part / "signals" / f"{name}.npy", signal.astype(np.float32), sync=False)
            write_array(part / "features" / f"{name}.npy", timeline_features(signal, name), sync=False)
        write_json(part / "annotations" / "watch.json", {"database": _database(signals, actions)})
        write_stamp(part, "watch")
        move_in(part, folder, last=Path(*Path(ANNOTATIONS).parts[1:]))
    return folder


def timeline_features(signal: np.ndarray, timeline: str) -> np.ndarray:
    """Features (T, 30) float32 of a signal (samples, 6), each with mean 0 and standard deviation 1 over the timeline.

    That takes away how strongly this person moves and how the watch sits; nothing but the own signal is used.
    """
    if timeline.endswith(f"side{REFLECTED_SIDE}"):
        signal = signal * np.array(REFLECTION)
    return standardise(window_statistics(signal)).astype(np.float32)


def window_statistics(signal: np.ndarray) -> np.ndarray:
    """Statistics (T, 5 * channels) float64, named in `FEATURES`, of windows of 50 of (samples, channels), every 25."""
    parts = windows(signal, WINDOW_SAMPLES, STEP_SAMPLES)  # (T, C, 50)
    steps = np.abs(np.diff(parts, axis=2)).mean(axis=2)
    return np.concatenate([parts.mean(axis=2), parts.std(axis=2), parts.min(axis=2), parts.max(axis=2), steps], axis=1)


def _load_recordings() -> dict:
    """The package's dictionary: X (140 arrays (samples, 6)), y, subject, side, y_labels."""
    package = importlib.util.find_spec("seglearn")
    if package is None or package.origin is None:
        raise ValueError("the watch recordings are part of the package seglearn; install it with pip install seglearn")
    path = Path(package.origin).parent / "data" / "watch_dataset.npy"
    # pickled objects run code when read: accepted for this one file, which belongs to an installed, pinned package
    return np.load(path, allow_pickle=True).item()


def _compose(recordings: dict) -> tuple[dict[str, np.ndarray], dict[str, list[tuple[str, int, int]]]]:
    """Signals (samples, 6) of the 20 timelines, and their recordings as (code, first sample, last sample + 1)."""
    signals, actions = {}, {}
    order = np.random.default_rng(ORDER_SEED)
    person, side = np.asarray(recordings["subject"]), np.asarray(recordings["side"]).astype(int)
    for who, which in sorted(set(zip(person.tolist(), side.tolist(), strict=True))):
        chosen = order.permutation(np.flatnonzero((person == who) & (side == which)))
        parts = [np.asarray(recordings["X"][i]) for i in chosen]
        ends = np.cumsum([len(part) for part in parts]).tolist()
        codes = [recordings["y_labels"][recordings["y"][i]] for i in chosen]
        name = f"person{who:02d}_side{which}"
        signals[name] = np.concatenate(parts)
        actions[name] = list(zip(codes, [0, *ends[:-1]], ends, strict=True))
    return signals, actions


def _database(signals: dict[str, np.ndarray], actions: dict[str, list[tuple[str, int, int]]]) -> dict:
    """The annotation file's content."""
    label_ids = {code: label for label, code in enumerate(CLASSES)}
    tested = tuple(f"person{number:02d}" for number in TEST_PEOPLE)
    return {
        name: {
            "subset": "test" if name.startswith(tested) else "training",
            "group": name.partition("_")[0],
            "duration": len(signal) / RATE_HZ,
            "fps": RATE_HZ,
            "annotations": [
                {"segment": [first / RATE_HZ, stop / RATE_HZ], "label": CLASSES[code], "label_id": label_ids[code]}
                for code, first, stop in actions[name]
                if code in CLASSES
            ],
        }
        for name, signal in signals.items()
    }
