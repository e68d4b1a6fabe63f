"""The `hapt` data set: 30 people with a phone at the waist, twelve activities and changes of posture, by hand labelled.

Human Activities and Postural Transitions (Reyes-Ortiz et al. 2016, UCI Machine Learning Repository 341): accelerometer
and gyroscope at 50 Hz, 61 recordings. As in the published comparison, a person's recordings are joined in the order of
the experiments, and a feature vector holds the raw samples of a window.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from afkit.files import read_json, write_array, write_json
from afkit.workbench.datasets.archives import move_in, unpack, write_stamp
from afkit.workbench.datasets.grouped import by_group
from afkit.workbench.own_data.signals import raw_windows
from afkit.workbench.progress import progress
from afkit.workbench.scratch import scratch_folder

RATE_HZ = 50
WINDOW_SAMPLES, STEP_SAMPLES = 50, 25  # of a feature vector, and between two
SENSORS = {"acc": "acceleration", "gyro": "rotation"}  # in the files' names: our feature folder
SOURCE = "https://archive.ics.uci.edu/dataset/341"
MAX_MEMBERS, MAX_BYTES = 2000, 2 * 2**30  # the published archive: some 150 files, 0.3 GB unpacked
# of all numbers, names and times that are read from the published archive, see `_digest`
DIGEST = "5bba507ed24ad4f1e3a5953b50f09a6cc66da08b5ab605164b689d72770344d6"


People = dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]]  # entry of the annotation file, sensor: (samples, 3)


def write_hapt(archive: str | Path, data_root: str | Path, say: Callable[[str], None] = print) -> Path:
    """Write `<data_root>/hapt/` in the format of the big data sets; the folder. A finished one is left as it is.

    It gets annotations/hapt.json (the official split), annotations/people.json (the same with each person as a subset,
    "person01" and so on, for folds) and, of each person, acceleration/<person>.npy and rotation/<person>.npy (T, 150)
    float32: 50 samples of the x axis in g (rotation: rad/s), then of y, then of z. The archive is the zip of the UCI
    repository, or a tar with the same files; ValueError where it is missing, damaged, hostile or another one.
    """
    archive, folder = Path(archive), Path(data_root) / "hapt"
    with scratch_folder(folder, say) as part:
        if all((folder / name).exists() for name in ("annotations/hapt.json", *SENSORS.values())):
            return folder
        say(f"unpacking {archive.name}")
        raw = _raw_folder(archive, part)
        say("reading the recordings")
        try:
            people = _read_people(raw)
        except Exception as error:  # damaged files raise almost anything
            reason = f"{type(error).__name__}: {error}".replace(f"{raw}/", "").replace("\n", " ")[:200]
            raise ValueError(f"{archive} cannot be read ({reason}); is it the archive of {SOURCE}?") from None
        if _digest(people) != DIGEST:
            raise ValueError(f"{archive} holds other recordings or labels than the archive of {SOURCE}; download that")
        shutil.rmtree(part / "tree")
        for name, (_, signals) in people.items():
            for sensor, kind in SENSORS.items():
                features = raw_windows(signals[sensor], WINDOW_SAMPLES, STEP_SAMPLES)  # (T, 150)
                write_array(part / kind / f"{name}.npy", features.astype(np.float32), sync=False)
        database = {name: entry | {"group": name} for name, (entry, _) in people.items()}
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
    people = {name: entry | {"group": name} for name, entry in database.items()}  # older versions did not write it
    write_json(folder / "people.json", {"database": by_group(people)})


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


def _read_people(raw: Path) -> People:
    """People by name in the order of their numbers, the recordings of each joined in the order of the experiments."""
    lines = (raw / "activity_labels.txt").read_text(encoding="ascii").splitlines()
    names = [line.split()[1].lower().replace("_", " ") for line in lines if line.strip()]  # by the numbers 1, 2, ...
    actions = np.loadtxt(raw / "RawData" / "labels.txt", dtype=int, ndmin=2)  # experiment, person, activity, samples
    actions = actions[np.argsort(actions[:, 3], kind="stable")]
    subsets: dict[int, str] = {}
    for subset, file in (("training", "Train/subject_id_train.txt"), ("test", "Test/subject_id_test.txt")):
        subsets |= dict.fromkeys(np.loadtxt(raw / file, dtype=int, ndmin=1).tolist(), subset)
    people = {}
    for person in progress(sorted(subsets), "people"):
        parts: dict[str, list[np.ndarray]] = {sensor: [] for sensor in SENSORS}
        annotations, before = [], 0  # samples of the recordings joined so far
        for path in sorted((raw / "RawData").glob(f"acc_exp*_user{person:02d}.txt")):
            for sensor, signals in parts.items():
                signals.append(np.loadtxt(path.with_name(path.name.replace("acc", sensor, 1)), ndmin=2))  # (samples, 3)
            experiment = int(re.findall(r"\d+", path.name)[0])
            for _, _, activity, first, last in actions[actions[:, 0] == experiment].tolist():
                segment = [(before + first - 1) / RATE_HZ, (before + last) / RATE_HZ]  # from 1 on, the last included
                annotations.append({"segment": segment, "label": names[activity - 1], "label_id": activity - 1})
            before += len(parts["acc"][-1])
        entry = {"subset": subsets[person], "duration": before / RATE_HZ, "fps": RATE_HZ, "annotations": annotations}
        joined = {sensor: np.concatenate(signals) for sensor, signals in parts.items()}
        people[f"person{person:02d}"] = entry, joined
    return people


def _digest(people: People) -> str:
    """SHA-256 of the annotation file's content and of the samples as little-endian float64."""
    digest = hashlib.sha256(json.dumps({name: entry for name, (entry, _) in people.items()}).encode())
    for _, signals in people.values():
        for sensor in SENSORS:
            digest.update(signals[sensor].astype("<f8").tobytes())
    return digest.hexdigest()
