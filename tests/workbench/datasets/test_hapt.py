"""The HAPT data set: what is made of the archive's files, and archives that are damaged or another one."""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import afkit
from afkit.workbench.datasets import hapt
from afkit.workbench.datasets.prepare import can_prepare, missing_parts, prepare
from afkit.workbench.survey.checks import inspect_data

SHARED = Path(os.environ.get("AFKIT_SHARED") or Path(__file__).parents[4] / "shared")
ARCHIVE = SHARED / "data" / "hapt-raw.tar.xz"


def ramp(samples, first=0):
    """Rows "x y z": x counts up, y = x + 0.25, z = -x."""
    return "".join(f"{x} {x + 0.25} {-x}\n" for x in range(first, first + samples))


@pytest.fixture
def files(monkeypatch):
    """A small archive's content, which counts as the published one: person 3 with two recordings, person 7 with one."""
    monkeypatch.setattr(hapt, "DIGEST", "a93feeaeb1e80549dc363758051825e0673f7172a5a71b62f80ab4a2dc2151ef")
    signals = {}
    for sensor in ("acc", "gyro"):
        for name, samples, first in (("exp09_user03", 60, 0), ("exp10_user03", 90, 1000), ("exp02_user07", 75, 500)):
            signals[f"RawData/{sensor}_{name}.txt"] = ramp(samples, first + 5000 * (sensor == "gyro"))
    return signals | {
        "activity_labels.txt": "1 WALKING   \n2 STAND_TO_SIT\n\n",
        "RawData/labels.txt": "9 3 1 11 50\n10 3 2 61 90\n10 3 1 1 20\n2 7 2 1 75\n",
        "Train/subject_id_train.txt": "3\n3\n3\n",
        "Test/subject_id_test.txt": "7\n7\n",
        "README.txt": "read me",
    }


def pack(path, files):
    """Write {name: text} as the archive that the path's ending tells."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name, content in files.items():
                packed.writestr(name, content)
    else:
        with tarfile.open(path, "w:xz") as packed:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                packed.addfile(member, io.BytesIO(text.encode()))
    return path


def write(tmp_path, files, name="hapt.zip"):
    """The data set's folder, made of an archive with these files."""
    return hapt.write_hapt(pack(tmp_path / name, files), tmp_path / "data", say=lambda line: None)


@pytest.mark.parametrize("name", ["hapt.zip", "hapt.tar.xz"])
def test_recordings_are_joined_and_cut_into_windows(tmp_path, files, name):
    folder = write(tmp_path, files, name)
    people = [f"{kind}/person{number}.npy" for kind in ("acceleration", "rotation") for number in ("03", "07")]
    notes = ["annotations/hapt.json", "annotations/people.json", "prepared.json"]
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == sorted(people + notes)
    features = np.load(folder / "acceleration" / "person03.npy")
    assert (features.shape, features.dtype) == ((5, 150), np.float32)  # (150 - 50) // 25 + 1
    x = np.concatenate([np.arange(60), np.arange(1000, 1090)])  # experiment 9, then 10
    for step, vector in enumerate(features):
        part = x[25 * step : 25 * step + 50]
        np.testing.assert_array_equal(vector, np.concatenate([part, part + 0.25, -part]))
    np.testing.assert_array_equal(np.load(folder / "rotation" / "person03.npy")[0, :50], 5000 + np.arange(50))
    both = {"data.features": ["hapt/acceleration", "hapt/rotation"], "data.input_dims": [150, 150]}
    item = afkit.Dataset(afkit.recipe("hapt", both).data, tmp_path / "data", ["test"])[0]
    assert item.features.shape == (300, 2)


def test_annotations_count_from_the_joined_beginning(tmp_path, files):
    database = json.loads((write(tmp_path, files) / "annotations" / "hapt.json").read_text())["database"]
    assert database["person03"] == {
        "subset": "training",
        "group": "person03",
        "duration": 3.0,  # 60 + 90 samples at 50 Hz
        "fps": 50,
        "annotations": [
            {"segment": [0.2, 1.0], "label": "walking", "label_id": 0},  # samples 11 to 50, both included
            {"segment": [1.2, 1.6], "label": "walking", "label_id": 0},  # 60 + 1 to 60 + 20
            {"segment": [2.4, 3.0], "label": "stand to sit", "label_id": 1},
        ],
    }
    assert database["person07"]["subset"] == "test"
    assert database["person07"]["annotations"] == [{"segment": [0.0, 1.5], "label": "stand to sit", "label_id": 1}]


def test_a_folder_or_an_archive_around_the_files_is_no_matter(tmp_path, files):
    around = {f"HAPT Data Set/{name}": text for name, text in files.items()} | {"__MACOSX/RawData/._a.txt": "?"}
    first = (write(tmp_path, around) / "annotations" / "hapt.json").read_bytes()
    inner = pack(tmp_path / "inner.zip", files).read_bytes()
    (tmp_path / "second").mkdir()
    mac = {"__MACOSX/._HAPT.zip": "?", "__MACOSX/RawData/._labels.txt": "?"}
    second = write(tmp_path / "second", {"HAPT.zip": inner, "names.txt": "names"} | mac)
    assert (second / "annotations" / "hapt.json").read_bytes() == first
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["hapt"]


WRONG = r"(holds other recordings or labels than|cannot be read \(.*\); is it) the archive of https://archive\.ics"


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("RawData/gyro_exp02_user07.txt", None, r"cannot be read \(.*RawData/gyro_exp02_user07\.txt not found"),
        ("RawData/acc_exp02_user07.txt", "1 2\n" * 75, WRONG),
        ("RawData/acc_exp02_user07.txt", ramp(76), WRONG),
        ("RawData/acc_exp02_user07.txt", "é", WRONG),
        ("RawData/labels.txt", "", WRONG),
        ("RawData/labels.txt", None, WRONG),
        ("activity_labels.txt", "", WRONG),
        ("Test/subject_id_test.txt", "7\n8\n", WRONG),
        ("../evil.txt", "x", "leads out of the folder"),
        ("RawData", None, "has 0 folders RawData, not one; is it the archive of"),
    ],
)
def test_a_wrong_archive_is_named_and_leaves_nothing(tmp_path, files, name, text, message):
    changed = {file: content for file, content in files.items() if text or not file.startswith(name)}
    with pytest.raises(ValueError, match=message) as caught:
        write(tmp_path, changed | ({} if text is None else {name: text}))
    said = str(caught.value)
    assert "hapt.zip" in said and "\n" not in said and ".part" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["hapt.zip"]


def test_prepare_needs_the_archive_once(tmp_path, files, monkeypatch):
    (tmp_path / "mine.yaml").write_text("base: hapt\noptim: {epochs: 3}\n")
    recipe, said = afkit.recipe(str(tmp_path / "mine.yaml")), []
    assert not can_prepare(recipe, tmp_path / "data")
    with pytest.raises(ValueError, match=r"download the archive from https://archive\.ics.* prepare hapt ARCHIVE"):
        prepare(recipe, tmp_path / "data")
    path = pack(tmp_path / "hapt.zip", files)
    with monkeypatch.context() as small, pytest.raises(ValueError, match="more than 10 members"):
        small.setattr(hapt, "MAX_MEMBERS", len(files) - 1)
        prepare(recipe, tmp_path / "data", str(path), say=str)
    prepare(recipe, tmp_path / "data", str(path), say=said.append)
    assert said == ["unpacking hapt.zip", "reading the recordings"]
    assert missing_parts(recipe.data, tmp_path / "data") == []
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    prepare(recipe, tmp_path / "data", say=said.append)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before
    (tmp_path / "other.yaml").write_text("base: hapt\ndata: {annotations: other/annotations.json}\n")
    with pytest.raises(ValueError, match="put the data set of 'other' there"):
        prepare(afkit.recipe(str(tmp_path / "other.yaml")), tmp_path / "data", str(path))


def test_each_person_is_a_subset_of_its_own_in_a_second_file(tmp_path, files):
    folder = write(tmp_path, files) / "annotations"
    official, people = (json.loads((folder / name).read_text())["database"] for name in ("hapt.json", "people.json"))
    assert people == {name: video | {"subset": name} for name, video in official.items()}
    fold = {"data.annotations": "hapt/annotations/people.json", "data.train_subsets": ["person07"]}
    fold |= {"data.test_subsets": ["person03"]}
    config = afkit.recipe("hapt", fold).data
    assert afkit.Dataset(config, tmp_path / "data", config.test_subsets)[0].video == "person03"
    before = (folder / "people.json").read_bytes()
    (folder / "people.json").unlink()  # older versions did not write it
    prepare(afkit.recipe("hapt"), tmp_path / "data")
    assert (folder / "people.json").read_bytes() == before


@pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"{ARCHIVE} is not there; AFKIT_SHARED names the folder of data/")
def test_the_published_archive(tmp_path):
    hapt.write_hapt(ARCHIVE, tmp_path, say=lambda line: None)
    config = afkit.recipe("hapt").data
    table, findings = inspect_data(config, tmp_path)
    assert findings == []
    assert table["subset"].value_counts().to_dict() == {"training": 21, "test": 9}
    assert round(table["duration_sec"].sum() / 3600, 2) == 6.24
    truth = afkit.load_annotations(tmp_path / config.annotations)
    assert len(truth) == 1214
    assert truth["label"].nunique() == config.num_classes == 12
    labelled = (truth["end_sec"] - truth["start_sec"]).sum() / table["duration_sec"].sum()
    assert round(1 - labelled, 2) == 0.27
