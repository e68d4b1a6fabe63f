"""The `hapt` data set: 30 people with a phone at the waist, twelve activities and changes of posture, by hand labelled.

Human Activities and Postural Transitions (Reyes-Ortiz et al. 2016, UCI Machine Learning Repository 341): accelerometer
and gyroscope at 50 Hz, 61 recordings. As in the published comparison, a person's recordings are joined in the order of
the experiments, and a feature vector holds the raw samples of a window.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.files import read_json, write_array, write_json
from afkit.workbench.datasets.archives import move_in, write_stamp
from afkit.workbench.datasets.unpacking import unpack
from afkit.workbench.own_data.signals import raw_windows
from afkit.workbench.scratch import scratch_folder

RATE_HZ = 50
WINDOW_SAMPLES, STEP_SAMPLES = 50, 25  # of a feature vector, and between two
SENSORS = {"acc": "acceleration", "gyro": "rotation"}  # in the files' names: our feature folder
COUNTS = {"recordings": 61, "people": 30, "actions": 1214}  # of the published archive
SOURCE = "https://archive.ics.uci.edu/dataset/341"
MAX_MEMBERS, MAX_BYTES = 2000, 2 * 2**30  # the published archive: some 150 files, 0.3 GB unpacked


class _Recording(NamedTuple):
    experiment: int
    person: int
    signals: dict[str, np.ndarray]  # (samples, 3) of each sensor


def write_hapt(archive: str | Path, data_root: str | Path, say: Callable[[str], None] = print) -> Path:
    """Write `<data_root>/hapt/` in the format of the big data sets; a finished folder is left as it is.

    Args:
        archive: the zip of the UCI repository, or a tar with the same files (RawData/, activity_labels.txt, and the
            people of both subsets in Train/ and Test/).

    Returns:
        the folder, with annotations/hapt.json (the official split), annotations/people.json (the same with each person
        as a subset, "person01" and so on, for folds) and, of each person, acceleration/<person>.npy and
        rotation/<person>.npy (T, 150) float32: 50 samples of the x axis in g (rotation: rad/s), then of y, then of z.

    Raises:
        ValueError: the archive is missing, damaged or hostile, a file in it is missing or malformed, or its counts are
            not the published ones; nothing is written then.
    """
    archive, folder = Path(archive), Path(data_root) / "hapt"
    with scratch_folder(folder, say) as part:
        if all((folder / name).exists() for name in ("annotations/hapt.json", *SENSORS.values())):
            return folder
        say(f"unpacking {archive.name}")
        raw = _raw_folder(archive, part)
        say("reading the recordings")
        names = _label_names(archive, raw / "activity_labels.txt")
        subsets = _subsets(archive, raw)
        actions = _actions(archive, raw / "RawData" / "labels.txt", len(names))
        recordings = _recordings(archive, raw / "RawData")
        _check_counts(archive, recordings, actions, subsets)
        shutil.rmtree(part / "tree")
        database = {}
        for person in sorted(subsets):
            own = [recording for recording in recordings if recording.person == person]
            database[_name(person)] = {"subset": subsets[person]} | _entry(archive, own, actions, names)
            for sensor, kind in SENSORS.items():
                signal = np.concatenate([recording.signals[sensor] for recording in own])  # (samples, 3)
                features = raw_windows(signal, WINDOW_SAMPLES, STEP_SAMPLES)  # (T, 150)
                write_array(part / kind / f"{_name(person)}.npy", features.astype(np.float32), sync=False)
        write_json(part / "annotations" / "hapt.json", {"database": database})
        _write_people(part / "annotations")
        write_stamp(part, "hapt")
        move_in(part, folder, last=Path("annotations/hapt.json"))
    return folder


def add_people(data_root: str | Path) -> None:
    """Write annotations/people.json of a data set that lacks it (older versions did not write it)."""
    folder = Path(data_root) / "hapt" / "annotations"
    if (folder / "hapt.json").is_file() and not (folder / "people.json").is_file():
        _write_people(folder)


def _write_people(folder: Path) -> None:
    database = read_json(folder / "hapt.json")["database"]
    write_json(
        folder / "people.json", {"database": {name: entry | {"subset": name} for name, entry in database.items()}}
    )


def _raw_folder(archive: Path, part: Path) -> Path:
    """Unpack the archive below `part`/tree; the folder in it that holds RawData/."""
    tree = unpack(archive, part / "tree" / "outer", max_members=MAX_MEMBERS, max_bytes=MAX_BYTES)
    found, inner = _not_of_a_mac(tree, "RawData"), _not_of_a_mac(tree, "*.zip")
    if not found and len(inner) == 1:  # the repository's page may wrap its zip into another
        tree = unpack(inner[0], part / "tree" / "inner", max_members=MAX_MEMBERS, max_bytes=MAX_BYTES)
        found = _not_of_a_mac(tree, "RawData")
    if len(found) != 1:
        raise ValueError(f"{archive} has {len(found)} folders RawData, not one; is it the archive of {SOURCE}?")
    return found[0].parent


def _not_of_a_mac(tree: Path, pattern: str) -> list[Path]:
    """Files and folders by name, without those in the folder that a Mac adds to a zip for itself."""
    return sorted(path for path in tree.rglob(pattern) if "__MACOSX" not in path.parts)


def _lines(archive: Path, path: Path) -> list[str]:
    """The lines of a text file of the archive."""
    try:
        return path.read_text(encoding="ascii").splitlines()
    except OSError:
        raise ValueError(f"{archive} lacks {path.parent.name}/{path.name}; is it the archive of {SOURCE}?") from None
    except UnicodeDecodeError:
        raise ValueError(f"{archive}: {path.name} is no plain text; download the archive again") from None


def _label_names(archive: Path, path: Path) -> list[str]:
    """Names in the order of the file's numbers 1, 2, ...: "walking upstairs" for WALKING_UPSTAIRS."""
    rows = [line.split() for line in _lines(archive, path) if line.strip()]
    if not rows or any(len(row) != 2 or row[0] != str(number) for number, row in enumerate(rows, start=1)):
        raise ValueError(f"{archive}: {path.name} must number the activities from 1; download the archive again")
    return [name.lower().replace("_", " ") for _, name in rows]


def _subsets(archive: Path, raw: Path) -> dict[int, str]:
    """{person: subset} of the official split; a file there has a row per published window."""
    subsets: dict[int, str] = {}
    for subset, path in (
        ("training", raw / "Train" / "subject_id_train.txt"),
        ("test", raw / "Test" / "subject_id_test.txt"),
    ):
        for person in {row[0] for row in _integers(archive, path, 1)}:
            if subsets.setdefault(person, subset) != subset:
                raise ValueError(f"{archive}: person {person} is in both subsets; download the archive again")
    return subsets


def _actions(archive: Path, path: Path, num_classes: int) -> list[list[int]]:
    """Rows experiment, person, activity from 1, first and last sample from 1."""
    rows = _integers(archive, path, 5)
    for number, (_, _, activity, first, last) in enumerate(rows, start=1):
        if not (1 <= activity <= num_classes and 1 <= first < last):
            raise ValueError(
                f"{archive}: {path.name}, row {number}: expected an activity from 1 to {num_classes}, its first and "
                f"its last sample, found {activity} {first} {last}; download the archive again"
            )
    return rows


def _integers(archive: Path, path: Path, columns: int) -> list[list[int]]:
    rows = []
    for number, line in enumerate(_lines(archive, path), start=1):
        words = line.split()
        if len(words) != columns or not all(re.fullmatch(r"\d{1,9}", word) for word in words):
            raise ValueError(
                f"{archive}: {path.name}, row {number}: expected {columns} whole numbers, found {line[:80]!r}; "
                "download the archive again"
            )
        rows.append([int(word) for word in words])
    return rows


def _recordings(archive: Path, folder: Path) -> list[_Recording]:
    """All recordings in the order of the experiments."""
    found = []
    for path in folder.glob("acc_exp*_user*.txt"):
        numbers = re.fullmatch(r"acc_exp(\d+)_user(\d+)\.txt", path.name)
        if numbers is None:
            raise ValueError(f"{archive}: {path.name} is no name of a recording; download the archive again")
        signals = {sensor: _signal(archive, folder / path.name.replace("acc", sensor, 1)) for sensor in SENSORS}
        lengths = [len(signal) for signal in signals.values()]
        if len(set(lengths)) > 1:
            raise ValueError(f"{archive}: the sensors of {path.name} have {lengths} samples; download it again")
        found.append(_Recording(int(numbers[1]), int(numbers[2]), signals))
    return sorted(found, key=lambda recording: (recording.experiment, recording.person))


def _signal(archive: Path, path: Path) -> np.ndarray:
    """(samples, 3) float64."""
    try:
        signal = np.loadtxt(_lines(archive, path), ndmin=2) if path.is_file() else np.zeros((0, 0))
    except ValueError:
        signal = np.zeros((0, 0))
    if signal.shape[1] != 3 or len(signal) < WINDOW_SAMPLES or not np.isfinite(signal).all():
        raise ValueError(
            f"{archive}: RawData/{path.name} must hold rows of three finite numbers, at least {WINDOW_SAMPLES}; "
            "download the archive again"
        )
    return signal


def _check_counts(archive: Path, recordings: list[_Recording], actions: list[list[int]], subsets: dict) -> None:
    """Compare the counts with the published ones; every action must belong to a recording, and each person to one."""
    found = {"recordings": len(recordings), "people": len(subsets), "actions": len(actions)}
    for what, number in found.items():
        if number != COUNTS[what]:
            raise ValueError(f"{archive} holds {number} {what}, the published one {COUNTS[what]}; download it again")
    names = {(recording.experiment, recording.person) for recording in recordings}
    for number, action in enumerate(actions, start=1):
        if tuple(action[:2]) not in names:
            raise ValueError(f"{archive}: labels.txt, row {number} has no recording; download the archive again")
    people = {recording.person for recording in recordings}
    if people != set(subsets):
        person = min(people ^ set(subsets))
        raise ValueError(f"{archive}: person {person} lacks a recording or a subset; download the archive again")


def _entry(archive: Path, recordings: list[_Recording], actions: list[list[int]], names: list[str]) -> dict:
    """A person's entry of the annotation file, without the subset."""
    annotations, before = [], 0  # samples of the recordings joined so far
    for recording in recordings:
        samples = len(recording.signals["acc"])
        for experiment, _, activity, first, last in sorted(actions, key=lambda row: row[3]):
            if experiment != recording.experiment:
                continue
            if last > samples:
                raise ValueError(f"{archive}: labels.txt, experiment {experiment}: sample {last} is beyond {samples}")
            segment = [(before + first - 1) / RATE_HZ, (before + last) / RATE_HZ]  # the last sample belongs to it
            annotations.append({"segment": segment, "label": names[activity - 1], "label_id": activity - 1})
        before += samples
    return {"duration": before / RATE_HZ, "fps": RATE_HZ, "annotations": annotations}


def _name(person: int) -> str:
    return f"person{person:02d}"
