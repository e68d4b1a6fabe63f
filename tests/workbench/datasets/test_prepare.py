"""From a published archive or official files to a data set that the readers understand."""

import gzip
import hashlib
import json
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from together import at_once

import afkit
from afkit.files import write_json
from afkit.workbench.datasets import prepare as preparing
from afkit.workbench.datasets.archives import MARKER, STAMP, VERSIONS, stale, write_stamp
from afkit.workbench.datasets.prepare import can_prepare, missing_parts, prepare
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.datasets.watch import write_watch

SMALL = {"data.input_dims": [4], "data.max_seq_len": 128, "model.embed_dim": 16}


@pytest.fixture
def archive(tmp_path, monkeypatch) -> Path:
    """A small thumos.tar.gz with the folders of the published one, whose sum counts as the published one."""
    write_twin(afkit.recipe("thumos_i3d", SMALL), tmp_path / "made", videos_per_subset=2)
    (tmp_path / "made" / "thumos" / MARKER).unlink()
    path = tmp_path / "thumos.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "made" / "thumos", arcname="thumos")
    count_as_published(path, monkeypatch)
    return path


def count_as_published(path: Path, monkeypatch) -> None:
    real = preparing.ARCHIVES["thumos_i3d"]
    fitting = real._replace(md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setitem(preparing.ARCHIVES, "thumos_i3d", fitting)


def test_a_local_archive_becomes_a_data_set(archive, tmp_path):
    recipe, root, said = afkit.recipe("thumos_i3d", SMALL), tmp_path / "data", []
    assert not can_prepare(recipe, root)
    assert can_prepare(recipe, root, source=str(archive))
    prepare(recipe, root, str(archive), say=said.append)
    assert said == ["checking thumos.tar.gz", "unpacking thumos.tar.gz"]
    assert missing_parts(recipe.data, root) == []
    assert len(afkit.Dataset(recipe.data, root, ["test"])) == 2
    assert [path.name for path in root.iterdir()] == ["thumos"]
    before = sorted(path for path in root.rglob("*"))
    prepare(recipe, root, str(archive), say=said.append)
    assert len(said) == 2, "what is there is not unpacked again"
    assert sorted(path for path in root.rglob("*")) == before


def test_a_recipe_file_finds_the_archive_of_the_recipe_it_starts_from(archive, tmp_path):
    (tmp_path / "mine.yaml").write_text("base: thumos_i3d\n")
    recipe, root = afkit.recipe(str(tmp_path / "mine.yaml")), tmp_path / "root"
    with pytest.raises(ValueError, match=r"run: python -m afkit prepare thumos_i3d --download"):
        prepare(recipe, root)
    root.mkdir()
    archive.rename(root / "thumos.tar.gz")
    assert can_prepare(recipe, root)
    prepare(recipe, root)
    assert can_prepare(afkit.recipe("thumos_i3d"), root) and (root / "thumos" / "annotations").is_dir()


def test_networks_share_the_archive_of_their_data(archive, tmp_path):
    recipe = afkit.recipe("tridet_thumos", SMALL)
    prepare(recipe, tmp_path / "data", str(archive), say=str)
    assert missing_parts(recipe.data, tmp_path / "data") == []
    lack = [name for name in afkit.recipe_names() if not can_prepare(afkit.recipe(name), tmp_path / "none", fetch=True)]
    assert [name for name in lack if not name.startswith("ego4d")] == [
        "hapt",
        "tridet_hacs_slowfast",
        "tridet_hacs_i3d",
        "temporalmaxer_multithumos",
    ]
    slowfast = afkit.recipe("tridet_hacs_slowfast")
    (tmp_path / "hacs" / "slowfast_feature" / "training").mkdir(parents=True)
    assert missing_parts(slowfast.data, tmp_path) == [tmp_path / slowfast.data.annotations]


def test_an_archive_with_another_sum_or_a_truncated_one_is_refused_and_nothing_is_written(
    archive, tmp_path, monkeypatch
):
    other = tmp_path / "other.tar.gz"
    other.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()), compresslevel=1))  # with the same files
    with pytest.raises(ValueError, match=rf"other\.tar\.gz.*{hashlib.md5(other.read_bytes()).hexdigest()}"):
        prepare(afkit.recipe("thumos_i3d", SMALL), tmp_path / "data", str(other), say=str)
    archive.write_bytes(archive.read_bytes()[:-10])
    count_as_published(archive, monkeypatch)
    with pytest.raises(ValueError, match=r"thumos\.tar\.gz"):
        prepare(afkit.recipe("thumos_i3d", SMALL), tmp_path / "data", str(archive), say=str)
    assert not (tmp_path / "data").exists()


def test_without_an_archive_the_message_says_where_to_get_it(tmp_path):
    with pytest.raises(ValueError) as error:
        prepare(afkit.recipe("anet_tsp"), tmp_path)
    message = str(error.value)
    assert "anet_1.3.tar.gz (md5 c415f50120b9425ee1ede9ac3ce11203)" in message
    assert "python -m afkit prepare anet_tsp --download" in message
    assert list(tmp_path.iterdir()) == []


def test_ego4d_is_converted_from_its_official_files(tmp_path):
    """Two clips of one video, with all 110 labels between them."""
    source = tmp_path / "official"
    names = [f"label {number:03d}" for number in range(110)]

    def moments(split: str, some: list[str]) -> dict:
        labels = [
            {"label": name, "primary": True, "video_start_time": 1.0 + i / 10, "video_end_time": 2.0 + i / 10}
            for i, name in enumerate(some)
        ]
        span = {"video_start_sec": 0.0, "video_end_sec": 20.0, "video_start_frame": 0, "video_end_frame": 600}
        clips = [{"clip_uid": f"clip {split}", **span, "annotations": [{"annotator_uid": "a", "labels": labels}]}]
        return {"videos": [{"video_uid": "video", "split": split, "clips": clips}]}

    (source / "egovlp").mkdir(parents=True)
    torch.save(torch.randn(40, 256), source / "egovlp" / "video.pt")
    for split, some in (("train", names[:60]), ("val", names[60:])):
        (source / f"moments_{split}.json").write_text(json.dumps(moments(split, some)))
    recipe, root, said = afkit.recipe("ego4d_e"), tmp_path / "data", []
    with pytest.raises(ValueError, match="python -m afkit prepare ego4d_e FOLDER"):
        prepare(recipe, root)
    prepare(recipe, root, str(source), say=said.append)
    assert said[-1].startswith("clips: 2, ") and "written: 2" in said[-1]
    dataset = afkit.Dataset(recipe.data, root, ["training", "validation"])
    assert [(item.video, item.features.shape[0]) for item in dataset] == [("clip train", 256), ("clip val", 256)]
    assert sorted(dataset.label_names.values()) == names
    prepare(recipe, root, str(source), say=said.append)
    assert "written: 0, kept: 2" in said[-1], "a second call converts nothing again"


# ---- what older versions wrote


def test_what_is_up_to_date_or_not_ours_is_not_named(tmp_path):
    for name in ("watch", "hapt"):
        write_stamp(tmp_path / name, name)
    for name in ("thumos", "own"):  # published features, and a folder of one's own in a recipe that begins with watch
        (tmp_path / name).mkdir()
    pairs = [("watch", "watch"), ("hapt", "hapt"), ("thumos", "thumos_i3d"), ("own", "watch"), ("none/watch", "watch")]
    assert [stale(tmp_path / folder, recipe) for folder, recipe in pairs] == [""] * 5


@pytest.mark.parametrize(
    ("folder_name", "recipe_name", "command"),
    [
        ("watch", "watch", "prepare watch"),
        ("hapt", "hapt", "prepare hapt ARCHIVE"),
        ("thumos", "thumos_i3d", "twin thumos_i3d"),
    ],
)
def test_an_old_one_is_named_with_the_command_that_renews_it(tmp_path, folder_name, recipe_name, command):
    folder = tmp_path / folder_name
    folder.mkdir()
    if command.startswith("twin"):
        (folder / MARKER).touch()
    old = f"{folder} was written by an older version of afkit (which left no note of itself); to renew it, delete it"
    assert stale(folder, recipe_name).startswith(f"{old} and run: python -m afkit {command} (")
    write_json(folder / STAMP, {"version": 1000})
    now = VERSIONS["twin" if command.startswith("twin") else recipe_name]
    newer = f"{folder} was written by a newer version of afkit (version 1000 of its format; now: {now}); to renew"
    assert stale(folder, recipe_name).startswith(newer)
    write_json(folder / STAMP, [])
    assert stale(folder, recipe_name).startswith(old)


def test_the_version_of_watch_stands_for_these_numbers(tmp_path):
    """Where this fails because other data is written on purpose: raise `VERSIONS`, so that old folders are named."""
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    folder = write_watch(tmp_path)
    assert json.loads((folder / STAMP).read_text())["version"] == VERSIONS["watch"] == 2
    database = json.loads((folder / "annotations" / "watch.json").read_text())["database"]
    times = [time for video in database.values() for action in video["annotations"] for time in action["segment"]]
    features = [np.load(folder / "features" / f"{name}.npy").astype(float) for name in database]
    first = sum(number * np.abs(array[0]).sum() for number, array in enumerate(features, 1))
    found = [sum(map(len, features)), sum(times), sum(np.abs(array).sum() for array in features), first]
    assert found == pytest.approx([9733, 23869.84, 236997.15457, 5374.75391], rel=1e-6)


def test_a_twin_notes_its_version_once(tmp_path):
    folder = write_twin(afkit.recipe("ego4d_s"), tmp_path, videos_per_subset=1)
    note = json.loads((folder / STAMP).read_text())
    assert (note["writer"], note["version"]) == ("twin", VERSIONS["twin"]) and stale(folder, "ego4d_s") == ""
    write_json(folder / STAMP, note | {"version": 0})
    write_twin(afkit.recipe("ego4d_o"), tmp_path, videos_per_subset=1)
    assert json.loads((folder / STAMP).read_text())["version"] == 0, "what was there is as old as it was"


# ---- several processes at once


def digests(folder: Path) -> dict[str, str]:
    """{relative name: digest} of all files, hidden ones included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {file.relative_to(folder).as_posix(): hashlib.md5(file.read_bytes()).hexdigest() for file in files}


def test_of_processes_that_prepare_an_archive_at_once_one_unpacks_it(archive, tmp_path):
    recipe, root = afkit.recipe("thumos_i3d", SMALL), tmp_path / "data"
    prepare(recipe, tmp_path / "alone", str(archive), say=str)
    expected = digests(tmp_path / "alone" / "thumos")

    def work(place: int):
        said: list[str] = []
        if place < 4:
            prepare(recipe, root, str(archive), say=said.append)
        while missing_parts(recipe.data, root):  # the last one looks at its first moment whether all of it is there
            time.sleep(0)
        assert digests(root / "thumos") == expected
        return said

    said = at_once(5, work)
    assert all(isinstance(lines, list) for lines in said), said
    assert sum("unpacking thumos.tar.gz" in lines for lines in said) == 1
    assert [path.name for path in root.iterdir()] == ["thumos"], "nothing is left behind"


def test_twins_of_several_recipes_in_one_folder_come_at_once(tmp_path):
    # ego4d_e would draw other videos if it came first
    recipes = [afkit.recipe(f"ego4d_{kind}", SMALL | {"optim.batch_size": 1}) for kind in "so"]
    for recipe in recipes:
        write_twin(recipe, tmp_path / "alone", videos_per_subset=3)
    expected, root = digests(tmp_path / "alone" / "ego4d"), tmp_path / "data"
    of_first = {name: digest for name, digest in expected.items() if "features" in name and "slowfast" in name}

    def work(place: int):
        if place < len(recipes):
            return write_twin(recipes[place], root, videos_per_subset=3, say=str).name
        folder = root / "ego4d" / "slowfast_features"
        while not folder.exists():
            time.sleep(0)
        return digests(folder) == {Path(name).name: digest for name, digest in of_first.items()}

    assert at_once(3, work) == ["ego4d", "ego4d", True], "a feature folder appears with all its files"
    assert digests(root / "ego4d") == expected and [path.name for path in root.iterdir()] == ["ego4d"]


def test_a_data_set_that_is_there_needs_no_right_to_write_and_an_old_one_is_named(tmp_path, monkeypatch):
    recipe, said = afkit.recipe("watch"), []
    prepare(recipe, tmp_path, say=str)
    (tmp_path / ".watch.1.part").mkdir()  # of a killed process
    (tmp_path / ".watch.lock").write_text("process 1 on laptop")
    prepare(recipe, tmp_path, say=said.append)
    assert [path.name for path in tmp_path.iterdir()] == ["watch"] and said == []
    (tmp_path / "watch" / STAMP).unlink()
    before = digests(tmp_path)

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr("afkit.files.open_to_write", refuse)
    prepare(recipe, tmp_path, say=said.append)
    assert len(said) == 1 and "an older version of afkit" in said[0] and digests(tmp_path) == before
